//! `GET /api/auth/callback`

use app::PublicUrl;
use app::use_cases::finish_login::{Callback, finish_login};

use crate::api::Api;
use crate::auth::session::{Cookie, public_url, session_cookie};
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let public_url = public_url(&api.context)?;
    match finish(api, request, public_url).await {
        Err(problem) if reads_pages(request) => Ok(shown_by_the_console(&problem, public_url)),
        outcome => outcome,
    }
}

async fn finish(api: &Api, request: &Request, public_url: &PublicUrl) -> Result<Response, Problem> {
    let query = |name: &str| request.query.get(name).map(String::as_str);
    let callback = Callback {
        state: query("state"),
        code: query("code"),
        issuer: query("iss"),
        error: query("error"),
        browser: request.cookie(&Cookie::Login.name(public_url)),
        previous: request.cookie(&Cookie::Session.name(public_url)),
    };
    let login = finish_login(&api.context, api.identity()?, api.auth.as_ref(), api.sealer()?, &callback).await?;
    let cookie = session_cookie(public_url, &login.cookie, &login.session, login.session.created_at);
    Ok(Response::found(login.location).cookie(cookie))
}

/// Whether it is a person's browser, which has nothing to show a problem with.
fn reads_pages(request: &Request) -> bool {
    request.headers.get("accept").is_some_and(|accept| accept.to_ascii_lowercase().contains("text/html"))
}

/// To the console, which says what it was. Not to where the sign-in was to lead: a sign-in that cannot be finished
/// does not say where that is.
fn shown_by_the_console(problem: &Problem, public_url: &PublicUrl) -> Response {
    let Problem { status, code, detail, .. } = problem;
    tracing::warn!(status, code, why = detail, "a sign-in failed");
    Response::found(public_url.at(&format!("/?sign_in_error={code}")))
}
