//! API Gateway's HTTP event (payload 2.0) to a request, and an answer back to its JSON.

use std::collections::BTreeMap;

use http_api::serve::{Incoming, serve};
use http_api::{Api, Function, Response};
use lambda_http::request::RequestContext;
use lambda_http::{Body, RequestExt};
use serde_json::{Map, Value, json};

use crate::{InvokeError, World};

pub(crate) async fn answer(function: &Function, world: &World, event: &Value) -> Result<Value, InvokeError> {
    let incoming = incoming(event)?;
    let api = Api { context: world.context.clone(), auth: world.auth.clone(), secrets: world.secrets.clone() };
    Ok(outgoing(serve(&api, function, incoming).await))
}

fn incoming(event: &Value) -> Result<Incoming, InvokeError> {
    let request = lambda_http::request::from_str(&event.to_string())?;
    let last_of = |map: &lambda_http::aws_lambda_events::query_map::QueryMap| -> BTreeMap<String, String> {
        map.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let (request_id, domain) = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => {
            (context.request_id.clone().unwrap_or_default(), context.domain_name.clone())
        }
        _ => (String::new(), None),
    };
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in request.headers() {
        // What is not text cannot be any header this API reads.
        let text = value.to_str().unwrap_or("\u{fffd}");
        headers.entry(name.as_str().to_owned()).and_modify(|all| *all = format!("{all},{text}")).or_insert(text.into());
    }
    let scheme = headers.get("x-forwarded-proto").map_or("https", String::as_str);
    let host = domain.or_else(|| headers.get("host").cloned()).unwrap_or_default();
    Ok(Incoming {
        path: request.raw_http_path().to_owned(),
        path_parameters: last_of(&request.path_parameters()),
        query: last_of(&request.query_string_parameters()),
        base_url: format!("{scheme}://{host}"),
        headers,
        request_id,
        body: match request.into_body() {
            Body::Text(text) => text.into_bytes(),
            Body::Binary(bytes) => bytes,
            _ => Vec::new(),
        },
    })
}

fn outgoing(response: Response) -> Value {
    let headers: Map<String, Value> =
        response.headers.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
    json!({
        "statusCode": response.status,
        "headers": headers,
        "multiValueHeaders": {},
        "cookies": [],
        "body": response.body,
        "isBase64Encoded": false,
    })
}
