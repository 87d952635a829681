//! Calls of the API in process: `api.get("/api/workers").as_admin().await`.

use std::collections::BTreeMap;
use std::ops::Deref;

use app::Settings;
use app::ports::Item;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::Role;
use functions::invoke;
use futures::future::BoxFuture;
use http_api::{FUNCTIONS, Function};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::world::TestWorld;
use super::{fixtures, tokens};

/// The API, and the world behind it.
pub(super) struct TestApi(TestWorld);

impl Deref for TestApi {
    type Target = TestWorld;

    fn deref(&self) -> &TestWorld {
        &self.0
    }
}

impl TestApi {
    pub(super) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// One whose settings an operator has changed.
    pub(super) async fn with(choose: impl FnOnce(&mut Settings)) -> Self {
        Self(TestWorld::new(choose).await)
    }

    pub(super) fn get(&self, path: &str) -> Call<'_> {
        self.call("GET", path)
    }

    pub(super) fn post(&self, path: &str) -> Call<'_> {
        self.call("POST", path)
    }

    pub(super) fn delete(&self, path: &str) -> Call<'_> {
        self.call("DELETE", path)
    }

    pub(super) fn patch(&self, path: &str) -> Call<'_> {
        self.call("PATCH", path)
    }

    pub(super) fn put(&self, path: &str) -> Call<'_> {
        self.call("PUT", path)
    }

    /// The call that the function's fixture stands for, by nobody yet.
    pub(super) fn fixture(&self, function: &'static Function) -> Call<'_> {
        let mut event = fixtures::event(function.name);
        event["headers"].as_object_mut().unwrap().remove("authorization");
        Call { api: self, function, event }
    }

    pub(super) fn items(&self) -> Vec<Item> {
        self.table.items()
    }

    /// A call, as API Gateway hands it over: the route is found in the function table.
    fn call(&self, method: &str, target: &str) -> Call<'_> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (function, parameters) = route(method, path);
        let pattern = function.endpoint().unwrap().path;
        let request = json!({
            "version": "2.0", "routeKey": format!("{method} {pattern}"), "rawPath": path, "rawQueryString": "",
            "headers": {"host": "api.example", "x-forwarded-proto": "https"}, "pathParameters": parameters,
            "requestContext": {
                "accountId": "123456789012", "apiId": "api", "domainName": "api.example", "domainPrefix": "api",
                "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "198.51.100.7", "userAgent": "test"},
                "requestId": "request-1", "routeKey": format!("{method} {pattern}"), "stage": "$default",
                "time": "02/Mar/2026:09:00:00 +0000", "timeEpoch": 1_772_442_000_000_i64,
            },
            "isBase64Encoded": false,
        });
        let mut call = Call { api: self, function, event: request };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            call = call.query(&name, &value);
        }
        call
    }
}

/// The endpoint for a path and its decoded parameters; a fixed segment wins over a parameter.
fn route(method: &str, path: &str) -> (&'static Function, BTreeMap<&'static str, String>) {
    let mut fitting = FUNCTIONS.iter().filter_map(|function| {
        let endpoint = function.endpoint().filter(|endpoint| endpoint.method == method)?;
        let segments = endpoint.path.split('/').count();
        // A greedy parameter takes the rest.
        let most = if endpoint.path.ends_with("+}") { segments } else { usize::MAX };
        let (pattern, given) = (endpoint.path.split('/'), path.splitn(most, '/'));
        let mut parameters = BTreeMap::new();
        for (wanted, given) in pattern.clone().zip(given.clone()) {
            match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) => {
                    let value = percent_decode_str(given).decode_utf8_lossy().into_owned();
                    parameters.insert(name.trim_end_matches('+'), value);
                }
                None if wanted == given => {}
                None => return None,
            }
        }
        (segments == given.count()).then_some((function, parameters))
    });
    let first = fitting.next().unwrap_or_else(|| panic!("no endpoint for {method} {path}"));
    fitting.fold(first, |best, next| if next.1.len() < best.1.len() { next } else { best })
}

/// A call that can still be changed; it is made when it is awaited.
#[derive(Clone)]
pub(super) struct Call<'a> {
    api: &'a TestApi,
    function: &'static Function,
    event: Value,
}

#[expect(clippy::wrong_self_convention, reason = "a call is made up step by step, and as_admin reads well")]
impl Call<'_> {
    pub(super) fn by(self, role: Role) -> Self {
        self.bearer(tokens::token(role))
    }

    pub(super) fn as_admin(self) -> Self {
        self.by(Role::Admin)
    }

    /// By somebody who may: an admin, or the owner of what the fixtures name.
    pub(super) fn as_fits(self) -> Self {
        let owned = self.function.endpoint().is_some_and(|endpoint| endpoint.of_owner);
        self.by(if owned { Role::User } else { Role::Admin })
    }

    pub(super) fn as_manager(self) -> Self {
        self.by(Role::Manager)
    }

    pub(super) fn as_user(self) -> Self {
        self.by(Role::User)
    }

    pub(super) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.event["headers"][name] = json!(value);
        self
    }

    pub(super) fn cookie(mut self, name: &str, value: &str) -> Self {
        let mut cookies = self.event["cookies"].as_array().cloned().unwrap_or_default();
        cookies.push(json!(format!("{name}={value}")));
        self.event["cookies"] = json!(cookies);
        self
    }

    pub(super) fn json(self, body: &Value) -> Self {
        self.text("application/json", &body.to_string())
    }

    pub(super) fn text(mut self, content_type: &str, body: &str) -> Self {
        self.event["body"] = json!(body);
        self.header("content-type", content_type)
    }

    /// A body that API Gateway does not take for text.
    pub(super) fn bytes(mut self, body: &[u8]) -> Self {
        self.event["isBase64Encoded"] = json!(true);
        self.text("application/json", &STANDARD.encode(body))
    }

    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        self.event["queryStringParameters"][name] = json!(value);
        let all = self.event["queryStringParameters"].as_object().unwrap();
        let pairs = all.iter().map(|(name, value)| (name, value.as_str().unwrap()));
        let raw = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.event["rawQueryString"] = json!(raw);
        self
    }

    /// What is signed of it: method, path, query and body.
    pub(super) fn parts(&self) -> (String, String, BTreeMap<String, String>, Vec<u8>) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let query = self.event["queryStringParameters"].as_object().into_iter().flatten();
        (
            text(&self.event["requestContext"]["http"]["method"]),
            text(&self.event["rawPath"]),
            query.map(|(name, value)| (name.clone(), text(value))).collect(),
            text(&self.event["body"]).into_bytes(),
        )
    }

    /// Puts another path in the event, whatever it leads to.
    pub(super) fn raw_path(mut self, path: &str) -> Self {
        self.event["rawPath"] = json!(path);
        self
    }

    /// Puts another query in the event, as it is on the wire.
    pub(super) fn raw_query(mut self, query: &str) -> Self {
        self.event["rawQueryString"] = json!(query);
        self
    }

    /// Puts another value in place of a path parameter.
    pub(super) fn id(mut self, name: &str, value: &str) -> Self {
        let before = self.event["pathParameters"][name].as_str().unwrap().to_owned();
        self.event["pathParameters"][name] = json!(value);
        let encoded = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string();
        for place in ["/rawPath", "/requestContext/http/path"] {
            let path = self.event.pointer_mut(place).unwrap();
            *path = json!(path.as_str().unwrap().replace(&before, &encoded));
        }
        self
    }
}

impl<'a> IntoFuture for Call<'a> {
    type Output = Answer;
    type IntoFuture = BoxFuture<'a, Answer>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let answer = invoke(self.function, &self.api.world, self.event.clone()).await.unwrap();
            Answer::read(&answer).checked(&self.event)
        })
    }
}

/// An answer, about which everything is true that is true of all answers.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) cookies: Vec<String>,
    pub(super) body: String,
}

impl Answer {
    fn read(answer: &Value) -> Self {
        assert_eq!(answer["multiValueHeaders"], json!({}), "each header is in one place");
        let mut headers = BTreeMap::new();
        for (name, value) in answer["headers"].as_object().unwrap() {
            let before = headers.insert(name.to_ascii_lowercase(), value.as_str().unwrap().to_owned());
            assert_eq!(before, None, "{name} exactly once");
        }
        let status = u16::try_from(answer["statusCode"].as_u64().unwrap()).unwrap();
        let cookies = answer["cookies"].as_array().unwrap().iter().map(|cookie| cookie.as_str().unwrap().to_owned());
        Self { status, headers, cookies: cookies.collect(), body: answer["body"].as_str().unwrap().to_owned() }
    }

    fn checked(self, event: &Value) -> Self {
        let request_id = event["requestContext"]["requestId"].as_str().unwrap();
        assert_eq!(self.headers["x-request-id"], request_id);
        assert_eq!(self.headers["x-service-name"], "cml-cloud-manager");
        assert_ne!(self.status, 500, "never our mistake: {self:?} to {event}");
        if self.status == 202 {
            assert_eq!(self.headers["location"], format!("/api/operations/{}", self.json()["id"].as_str().unwrap()));
        }
        // What is passed through is said in CML's words.
        if self.status < 400 || self.headers.contains_key("x-answered-by") {
            return self;
        }
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let problem = self.json();
        let mut members: Vec<_> = problem.as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, ["detail", "errors", "instance", "request_id", "status", "title", "type"]);
        assert_eq!(problem["status"], self.status);
        assert_eq!(problem["instance"], event["rawPath"]);
        assert_eq!(problem["request_id"], request_id);
        for member in ["detail", "title", "type"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {problem}");
        }
        match self.status {
            401 => assert!(self.headers["www-authenticate"].starts_with("Bearer realm=\""), "{self:?}"),
            429 | 503 => assert!(self.headers["retry-after"].parse::<u32>().unwrap() > 0, "{self:?}"),
            422 => assert_ne!(self.fields(), [""; 0], "the field is named: {problem}"),
            _ => {}
        }
        self
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    /// The fields that a problem names.
    pub(super) fn fields(&self) -> Vec<String> {
        let problem = self.json();
        let errors = problem["errors"].as_array().unwrap();
        errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
    }
}
