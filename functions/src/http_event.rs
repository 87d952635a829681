//! API Gateway's HTTP event (payload 2.0) to a request, and an answer back to its JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_api::Incoming;
use http_api::serve::serve;
use http_api::{Api, Function, Response};
use lambda_http::request::RequestContext;
use lambda_http::{Body, RequestExt};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Map, Value, json};

use crate::deadline::Deadline;
use crate::system::SystemTimer;
use crate::world::{InvokeError, World};

/// What cannot stand in a URI's query as it is. Source: WHATWG URL standard, "query percent-encode set".
const NOT_IN_A_QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

pub(crate) async fn answer(
    function: &Function,
    world: &World,
    event: Value,
    deadline: Deadline,
) -> Result<Value, InvokeError> {
    let incoming = incoming(event)?;
    let api = Api {
        context: world.context.clone(),
        auth: world.auth.clone(),
        controllers: world.controllers.clone(),
        timer: Arc::new(SystemTimer),
        secrets: world.secrets.clone(),
        files: world.files.clone(),
        sealer: world.sealer.clone(),
        identity: world.identity.clone(),
    };
    Ok(outgoing(serve(&api, function, incoming, deadline.passed()).await))
}

fn incoming(mut event: Value) -> Result<Incoming, InvokeError> {
    // The query comes as the caller spelled it. lambda_http makes a URI of it, and panics when that cannot be.
    if let Some(query) = event.get_mut("rawQueryString")
        && let Some(text) = query.as_str()
    {
        *query = utf8_percent_encode(text, NOT_IN_A_QUERY).to_string().into();
    }
    let cookies = cookies(&event);
    let request = lambda_http::request::from_str(&event.to_string())?;
    let last_of = |map: &lambda_http::aws_lambda_events::query_map::QueryMap| -> BTreeMap<String, String> {
        map.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let request_id = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone().unwrap_or_default(),
        _ => String::new(),
    };
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in request.headers() {
        // What is not text cannot be any header this API reads.
        let text = value.to_str().unwrap_or("\u{fffd}");
        headers.entry(name.as_str().to_owned()).and_modify(|all| *all = format!("{all},{text}")).or_insert(text.into());
    }
    Ok(Incoming {
        path: request.raw_http_path().to_owned(),
        path_parameters: last_of(&request.path_parameters()),
        repeats_query: repeats(&request.query_string_parameters()),
        query: last_of(&request.query_string_parameters()),
        headers,
        request_id,
        cookies,
        body: match request.into_body() {
            Body::Text(text) => text.into_bytes(),
            Body::Binary(bytes) => bytes,
            _ => Vec::new(),
        },
    })
}

/// Whether a parameter is there more than once.
fn repeats(query: &lambda_http::aws_lambda_events::query_map::QueryMap) -> bool {
    let mut names = BTreeSet::new();
    query.iter().any(|(name, _)| !names.insert(name))
}

/// Payload 2.0 has them in a list of their own, `name=value` each.
fn cookies(event: &Value) -> Vec<String> {
    let listed = event["cookies"].as_array().into_iter().flatten();
    listed.filter_map(|cookie| cookie.as_str().map(str::to_owned)).collect()
}

/// Up to this a body may be six times as large when it is escaped as JSON, and still fits in what a function may
/// answer, 6 MB. Source: Lambda's quotas, "Invocation payload".
const SMALL_BYTES: usize = 512 * 1024;

fn outgoing(response: Response) -> Value {
    let encoded = is_smaller_in_base64(&response.body);
    let body = if encoded { STANDARD.encode(&response.body) } else { response.body };
    let headers: Map<String, Value> =
        response.headers.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
    json!({
        "statusCode": response.status,
        "headers": headers,
        "multiValueHeaders": {},
        "cookies": response.cookies,
        "body": body,
        "isBase64Encoded": encoded,
    })
}

/// Base64 is a third larger, whatever is in it; JSON in JSON may be more, and YAML is less.
fn is_smaller_in_base64(body: &str) -> bool {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
        ..0x20 => 6,
        _ => 1,
    };
    body.len() > SMALL_BYTES && body.bytes().map(escaped).sum::<usize>() > body.len().div_ceil(3) * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_body_goes_in_whichever_spelling_is_smaller() {
        let sent = |body: &str| {
            let answer = outgoing(Response::text("text/plain", body.to_owned()));
            (answer["isBase64Encoded"].as_bool().unwrap(), answer["body"].as_str().unwrap().to_owned())
        };
        let quotes = "\"".repeat(SMALL_BYTES + 1);
        assert_eq!(sent(&quotes), (true, STANDARD.encode(&quotes)));
        for as_it_is in ["\"".repeat(SMALL_BYTES), "x".repeat(SMALL_BYTES * 4), "hostname r1\n".repeat(SMALL_BYTES)] {
            assert_eq!(sent(&as_it_is), (false, as_it_is));
        }
    }
}
