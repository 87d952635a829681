//! A request as API Gateway's HTTP API hands it to Lambda (payload version 2.0), and back.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

/// Where and when a request came in.
pub(crate) struct Arrival<'a> {
    /// The path pattern it fits.
    pub(crate) pattern: &'a str,
    /// The decoded path parameters.
    pub(crate) parameters: BTreeMap<String, String>,
    /// The caller's address.
    pub(crate) source_ip: String,
    /// The request's id.
    pub(crate) request_id: String,
    /// The account it came in at.
    pub(crate) account: &'a str,
    /// When, in machine time.
    pub(crate) now: Timestamp,
}

/// The event.
pub(crate) fn request_event(parts: &Parts, body: &[u8], arrival: &Arrival<'_>) -> Value {
    let (mut headers, cookies) = headers(parts);
    headers.insert("x-forwarded-for".into(), arrival.source_ip.clone());
    // What the caller used, so that links lead back here.
    headers.insert("x-forwarded-proto".into(), "http".into());
    let domain = headers.get("host").cloned().unwrap_or_else(|| "127.0.0.1".into());
    let route_key = format!("{} {}", parts.method, arrival.pattern);
    let query = parts.uri.query().unwrap_or("");
    let mut event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": parts.uri.path(),
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": arrival.account,
            "apiId": "local",
            "domainName": domain,
            "domainPrefix": domain.split('.').next().unwrap_or("local"),
            "http": {
                "method": parts.method.as_str(),
                "path": parts.uri.path(),
                "protocol": format!("{:?}", parts.version),
                "sourceIp": arrival.source_ip,
                "userAgent": headers.get("user-agent").cloned().unwrap_or_default(),
            },
            "requestId": arrival.request_id,
            "routeKey": route_key,
            "stage": "$default",
            "time": arrival.now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": arrival.now.as_millisecond(),
        },
        "isBase64Encoded": false,
    });
    // Like API Gateway: what is empty is absent.
    let mut set = |name: &str, value: Value| event[name] = value;
    if !cookies.is_empty() {
        set("cookies", json!(cookies));
    }
    if !query.is_empty() {
        set("queryStringParameters", json!(query_parameters(query)));
    }
    if !arrival.parameters.is_empty() {
        set("pathParameters", json!(arrival.parameters));
    }
    match std::str::from_utf8(body) {
        Ok("") => {}
        Ok(text) => set("body", json!(text)),
        Err(_) => {
            set("body", json!(STANDARD.encode(body)));
            set("isBase64Encoded", json!(true));
        }
    }
    event
}

/// Headers by lower-case name, several values joined by comma; cookies apart.
fn headers(parts: &Parts) -> (BTreeMap<String, String>, Vec<String>) {
    let (mut headers, mut cookies) = (BTreeMap::<String, String>::new(), vec![]);
    for (name, value) in &parts.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        if name == http::header::COOKIE {
            cookies.extend(value.split(';').map(|cookie| cookie.trim().to_owned()));
            continue;
        }
        headers
            .entry(name.as_str().to_owned())
            .and_modify(|values| {
                values.push(',');
                values.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    (headers, cookies)
}

fn query_parameters(query: &str) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::<String, String>::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        parameters
            .entry(name.into_owned())
            .and_modify(|values| {
                values.push(',');
                values.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    parameters
}

/// The HTTP answer that a function's answer stands for; none if it is not in API Gateway's form.
pub(crate) fn response(answer: &Value) -> Option<Response> {
    let status = u16::try_from(answer.get("statusCode")?.as_u64()?).ok()?;
    let text = answer.get("body").and_then(Value::as_str).unwrap_or("");
    let body = match answer.get("isBase64Encoded").and_then(Value::as_bool) {
        Some(true) => Body::from(STANDARD.decode(text).ok()?),
        _ => Body::from(text.to_owned()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).ok()?;
    let none = Map::new();
    let object = |name: &str| answer.get(name).and_then(Value::as_object).unwrap_or(&none);
    let multiple = object("multiValueHeaders");
    // A header in both is one header, not two.
    let single = object("headers").iter().filter(|(name, _)| !multiple.contains_key(*name));
    let several =
        multiple.iter().flat_map(|(name, values)| values.as_array().into_iter().flatten().map(move |v| (name, v)));
    for (name, value) in single.chain(several) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        response.headers_mut().append(HeaderName::try_from(name.as_str()).ok()?, HeaderValue::try_from(value).ok()?);
    }
    for cookie in answer.get("cookies").and_then(Value::as_array).into_iter().flatten() {
        response.headers_mut().append(http::header::SET_COOKIE, HeaderValue::try_from(cookie.as_str()?).ok()?);
    }
    Some(response)
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
    use http::Request;

    use super::*;

    fn event(request: Request<Vec<u8>>) -> Value {
        let (parts, body) = request.into_parts();
        let arrival = Arrival {
            pattern: "/api/workers/{worker_id}",
            parameters: [("worker_id".to_owned(), "wkr-1".to_owned())].into(),
            source_ip: "127.0.0.1".into(),
            request_id: "request-1".into(),
            account: "123456789012",
            now: "2026-11-20T10:00:00Z".parse().unwrap(),
        };
        request_event(&parts, &body, &arrival)
    }

    #[test]
    fn an_event_is_what_the_lambda_runtime_reads() {
        let request = Request::patch("/api/workers/wkr-1?tag=a%20b&tag=c&limit=5")
            .header("Host", "127.0.0.1:8000")
            .header("X-Two", "1")
            .header("X-Two", "2")
            .header("Cookie", "a=1; b=2")
            .header("User-Agent", "test")
            .body(br#"{"name":"n"}"#.to_vec())
            .unwrap();
        let read: ApiGatewayV2httpRequest = serde_json::from_value(event(request)).unwrap();
        assert_eq!(read.route_key.as_deref(), Some("PATCH /api/workers/{worker_id}"));
        assert_eq!(read.raw_path.as_deref(), Some("/api/workers/wkr-1"));
        assert_eq!(read.headers["x-two"], "1,2");
        assert!(!read.headers.contains_key("cookie"));
        assert_eq!(read.cookies.unwrap(), ["a=1", "b=2"]);
        assert_eq!(read.query_string_parameters.first("tag"), Some("a b"));
        assert_eq!(read.path_parameters["worker_id"], "wkr-1");
        assert_eq!(read.request_context.http.method, http::Method::PATCH);
        assert_eq!(read.request_context.request_id.as_deref(), Some("request-1"));
        assert_eq!(read.request_context.time.as_deref(), Some("20/Nov/2026:10:00:00 +0000"));
        assert_eq!(read.body.as_deref(), Some(r#"{"name":"n"}"#));
        assert!(!read.is_base64_encoded);
    }

    #[test]
    fn a_body_that_is_not_text_is_base64_and_an_empty_one_is_absent() {
        let binary = event(Request::post("/").body(vec![0xff, 0x00]).unwrap());
        assert_eq!((&binary["body"], &binary["isBase64Encoded"]), (&json!("/wA="), &json!(true)));
        let empty = event(Request::get("/").body(vec![]).unwrap());
        assert!(
            empty.get("body").is_none()
                && empty.get("cookies").is_none()
                && empty.get("queryStringParameters").is_none()
        );
    }

    #[tokio::test]
    async fn an_answer_becomes_http_with_each_header_once() {
        let answer = json!({
            "statusCode": 202, "headers": {"location": "/api/operations/op-1"},
            "multiValueHeaders": {"location": ["/api/operations/op-1"], "vary": ["a", "b"]},
            "cookies": ["s=1"], "body": "aGk=", "isBase64Encoded": true,
        });
        let response = response(&answer).unwrap();
        assert_eq!(response.status(), 202);
        assert_eq!(response.headers().get_all("location").iter().count(), 1);
        assert_eq!(response.headers().get_all("vary").iter().count(), 2);
        assert_eq!(response.headers()["set-cookie"], "s=1");
        assert_eq!(axum::body::to_bytes(response.into_body(), 100).await.unwrap(), "hi");
    }

    #[test]
    fn an_answer_that_is_not_one_is_refused() {
        for answer in [json!(null), json!({}), json!({"statusCode": "200"}), json!({"statusCode": 99_999})] {
            assert!(response(&answer).is_none(), "{answer}");
        }
    }
}
