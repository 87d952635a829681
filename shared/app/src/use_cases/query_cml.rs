//! Read something of a controller's own API: its words unchanged, under our credentials, never the caller's.

use std::collections::BTreeMap;

use domain::pass_through::readable;
use domain::session::Person;
use domain::worker::Worker;
use domain::{InvalidField, LabId, Sight, WorkerId};
use url::form_urlencoded;

use super::controller::reach;
use super::lab_access::sees_lab;
use crate::context::Context;
use crate::error::AppError;
use crate::ports::{CmlError, CmlErrorKind, Controllers, ProxyAnswer, ProxyMethod, ProxyRequest, Secrets};

/// The most of CML's words for a refusal that are shown.
const WORDS_MAX_CHARS: usize = 500;
/// The longest query that is passed on, in bytes as it is sent.
const QUERY_MAX_BYTES: usize = 2_048;

/// What a controller answered: success or not, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CmlAnswer {
    /// The HTTP status.
    pub status: u16,
    /// What the text is.
    pub content_type: Option<String>,
    /// The body.
    pub text: String,
}

/// Asks a worker's controller for what is at `path`, below `/api/v0`. Nothing of the caller's goes there but path
/// and query.
///
/// # Errors
/// The path is none that is passed through, the caller may not read it or does not see its lab, the controller
/// cannot be asked now or at all, refuses our credentials, or answers with no text, too much, or a redirect.
pub async fn query_cml(
    ctx: &Context,
    (controllers, secrets): (&dyn Controllers, &dyn Secrets),
    person: &Person,
    worker: WorkerId,
    path: &str,
    query: &BTreeMap<String, String>,
) -> Result<CmlAnswer, AppError> {
    let no_path = || AppError::NotFound { kind: "CML path", id: path.to_owned() };
    let readable = readable(path).ok_or_else(no_path)?;
    if person.role < readable.least_role {
        return Err(AppError::RoleNeeded(readable.least_role));
    }
    let target = target(path, query)?;
    let worker = ctx.store.worker(worker).await?;
    if let Some(lab) = &readable.lab {
        must_see(ctx, person, &worker, lab).await?;
    }
    let way = reach(ctx, secrets, &worker).await??;
    let request = ProxyRequest { method: ProxyMethod::Get, path_and_query: &target, content_type: None, body: &[] };
    Ok(passed_on(controllers.forward(way.access(), request).await?)?)
}

fn passed_on(answer: ProxyAnswer) -> Result<CmlAnswer, CmlError> {
    if answer.status == 401 {
        // Ours were refused. Passed on, it would tell callers to sign in again.
        return Err(failed(CmlErrorKind::Denied, &words(&answer.body)));
    }
    let text = String::from_utf8(answer.body).map_err(|_| failed(CmlErrorKind::Malformed, "its answer is no text"))?;
    Ok(CmlAnswer { status: answer.status, content_type: answer.content_type, text })
}

/// What CML says of a refusal.
fn words(body: &[u8]) -> String {
    let said = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
    said["description"].as_str().unwrap_or("It answers 401.").chars().take(WORDS_MAX_CHARS).collect()
}

fn failed(kind: CmlErrorKind, message: &str) -> CmlError {
    CmlError { operation: "GET (passed through)", status: None, kind, message: message.into() }
}

/// Path and query as CML is asked.
fn target(path: &str, query: &BTreeMap<String, String>) -> Result<String, AppError> {
    if query.is_empty() {
        return Ok(format!("/{path}"));
    }
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    if query.len() > QUERY_MAX_BYTES {
        return Err(InvalidField::new("query", format!("must have at most {QUERY_MAX_BYTES} bytes")).into());
    }
    Ok(format!("/{path}?{query}"))
}

/// Refuses a lab that they do not see, as one that is not there. To who sees everything CML itself says that.
async fn must_see(ctx: &Context, person: &Person, worker: &Worker, id: &LabId) -> Result<(), AppError> {
    if ctx.settings.visibility.of(person) == Sight::Everything {
        return Ok(());
    }
    let lab = ctx.store.lab(worker.id, id).await?;
    if sees_lab(ctx, person, worker.owner.as_deref(), lab.owner_username.as_deref()) {
        return Ok(());
    }
    Err(AppError::NotFound { kind: "lab", id: id.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_cmls_is_passed_on_but_not_that_it_does_not_know_us() {
        let answer = |status, body: &[u8]| ProxyAnswer { status, content_type: None, body: body.into() };
        for status in [200, 400, 403, 404, 502] {
            let passed = passed_on(answer(status, b"its words")).unwrap();
            assert_eq!((passed.status, passed.text.as_str()), (status, "its words"));
        }
        for (body, words) in [(&b"{\"description\": \"No token.\"}"[..], "No token."), (b"<html>", "It answers 401.")] {
            let refused = passed_on(answer(401, body)).unwrap_err();
            assert_eq!((refused.kind, refused.message.as_str()), (CmlErrorKind::Denied, words));
        }
        assert_eq!(passed_on(answer(200, b"\xff")).unwrap_err().kind, CmlErrorKind::Malformed);
    }

    #[test]
    fn a_query_is_spelled_anew_and_not_endless() {
        let query = |pairs: &[(&str, &str)]| pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        assert_eq!(target("labs/a/topology", &query(&[])).unwrap(), "/labs/a/topology");
        let odd = query(&[("exclude_configurations", "true"), ("x", "a b&c=#\u{e9}")]);
        let spelled = "/labs/a/topology?exclude_configurations=true&x=a+b%26c%3D%23%C3%A9";
        assert_eq!(target("labs/a/topology", &odd).unwrap(), spelled);
        assert!(matches!(target("x", &query(&[("x", &"y".repeat(3_000))])), Err(AppError::Invalid(_))));
    }
}
