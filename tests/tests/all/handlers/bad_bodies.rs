//! Bodies that are not what they should be, on every route that takes one.

use http_api::{Function, openapi};
use serde_json::{Map, Value, json};

use super::fixtures::{self, with_body};
use super::test_api::{Answer, Call, TestApi};

/// The body's schema in the OpenAPI document: what the documentation promises is what is tried.
fn schema(function: &Function) -> Value {
    let name = function.endpoint().unwrap().body.unwrap().name;
    openapi::document()["components"]["schemas"][name].clone()
}

fn body(function: &Function) -> Map<String, Value> {
    let text = fixtures::event(function.name)["body"].as_str().unwrap().to_owned();
    serde_json::from_str(&text).unwrap()
}

fn body_with(function: &Function, name: &str, value: Value) -> Value {
    let mut body = body(function);
    body.insert(name.to_owned(), value);
    Value::Object(body)
}

/// Makes the call, which must be refused so, and must not write anything.
async fn refused(api: &TestApi, call: Call<'_>, status: u16, what: &str) -> Answer {
    let before = api.items();
    let answer = call.as_admin().await;
    assert_eq!(answer.status, status, "{what}: {answer:?}");
    assert_eq!(api.items(), before, "{what}: it was refused, and yet something was written");
    answer
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused() {
    let api = TestApi::new().await;
    for function in with_body() {
        let deep = "[".repeat(20_000);
        let twice = r#"{"name": "a", "name": "b"}"#;
        for (text, status) in [
            ("{", 400),
            (r#"{"name": "#, 400),
            ("{'name': 'x'}", 400),
            ("{} {}", 400),
            ("\u{feff}{}", 400),
            (" ", 400),
            (deep.as_str(), 400),
            ("[]", 422),
            ("null", 422),
            ("7", 422),
            (r#""name""#, 422),
            (twice, 422),
        ] {
            let what = format!("{} with {:.30}", function.name, text);
            refused(&api, api.fixture(function).text("application/json", text), status, &what).await;
        }
        refused(&api, api.fixture(function).bytes(b"{\"name\": \"\xff\xfe\"}"), 400, function.name).await;
    }
}

#[tokio::test]
async fn a_body_of_another_type_is_refused_and_a_spelling_of_json_is_not() {
    let api = TestApi::new().await;
    for function in with_body() {
        let text = Value::Object(body(function)).to_string();
        for content_type in
            ["text/plain", "", "application/x-www-form-urlencoded", "application/json-patch+json", "json"]
        {
            refused(&api, api.fixture(function).text(content_type, &text), 415, function.name).await;
        }
        let api = TestApi::new().await;
        let answer = api.fixture(function).text("Application/JSON; charset=utf-8", &text).as_admin().await;
        assert!(answer.status < 300, "{}: {answer:?}", function.name);
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_on_every_route() {
    let api = TestApi::new().await;
    for function in fixtures::endpoints() {
        let large = json!({ "name": "x".repeat(function.endpoint().unwrap().body_max_bytes()) });
        refused(&api, api.fixture(function).json(&large), 413, function.name).await;
    }
}

#[tokio::test]
async fn an_unknown_field_is_named() {
    let api = TestApi::new().await;
    for function in with_body() {
        let call = api.fixture(function).json(&body_with(function, "colour", json!("red")));
        assert_eq!(refused(&api, call, 422, function.name).await.fields(), ["colour"], "{}", function.name);
    }
}

#[tokio::test]
async fn a_missing_field_is_named() {
    let api = TestApi::new().await;
    let mut required = Vec::new();
    for function in with_body() {
        for name in schema(function)["required"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap();
            let mut body = body(function);
            body.remove(name);
            let call = api.fixture(function).json(&Value::Object(body));
            assert_eq!(refused(&api, call, 422, function.name).await.fields(), [name], "{}", function.name);
            required.push(name.to_owned());
        }
    }
    let of_workers = ["name", "region", "region", "enabled", "username", "password", "username", "password"];
    assert_eq!(
        required,
        [of_workers.as_slice(), &["backup_id", "token", "product", "desired_state", "name", "scopes"]].concat()
    );
}

#[tokio::test]
async fn a_field_of_the_wrong_type_is_named() {
    let api = TestApi::new().await;
    for function in with_body() {
        for (name, property) in schema(function)["properties"].as_object().unwrap() {
            // What has a schema of its own is an object.
            let kind = property.get("type").map_or("object".into(), Value::to_string);
            let wrong = match kind.as_str() {
                kind if kind.contains("object") => [json!("text"), json!([1]), json!({"key": {"deeper": 1}})],
                kind if kind.contains("array") => [json!("text"), json!({"0": "x"}), json!([{"x": 1}])],
                kind if kind.contains("string") => [json!(7), json!(true), json!(["text"])],
                kind if kind.contains("boolean") => [json!("true"), json!(1), json!({})],
                kind if kind.contains("integer") => [json!("90"), json!(7.5), json!(-1)],
                other => panic!("{}: {name} is of type {other}", function.name),
            };
            for value in wrong {
                let what = format!("{}: {name} = {value}", function.name);
                let call = api.fixture(function).json(&body_with(function, name, value));
                let fields = refused(&api, call, 422, &what).await.fields();
                let inside = |field: &String| field == name || field.starts_with(&format!("{name}."));
                assert!(
                    fields.iter().all(|field| inside(field) || field.starts_with(&format!("{name}["))),
                    "{what}: {fields:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn an_odd_value_is_taken_or_refused_with_its_field_and_never_our_mistake() {
    let odd = [
        json!(null),
        json!(""),
        json!(" "),
        json!("\u{0}"),
        json!("../../etc/passwd"),
        json!("\u{1f4a5}".repeat(300)),
        json!("x".repeat(20_000)),
        json!(0),
        json!(u64::MAX),
        json!(1e300),
        json!({"": ""}),
        json!({"aws:x": "y"}),
        json!({"k".repeat(5_000): "v".repeat(5_000)}),
        json!((0..500).map(|n| (format!("aws:{n}"), "x".into())).collect::<Map<String, Value>>()),
        json!([""]),
    ];
    let mut api = TestApi::new().await;
    for function in with_body() {
        for name in schema(function)["properties"].as_object().unwrap().keys() {
            for value in &odd {
                let before = api.items();
                let answer = api.fixture(function).json(&body_with(function, name, value.clone())).as_admin().await;
                let what = format!("{}: {name} = {:.40}", function.name, value.to_string());
                assert!(matches!(answer.status, 200..=204 | 422), "{what}: {answer:?}");
                if answer.status == 422 {
                    assert_eq!(api.items(), before, "{what}");
                    assert!(answer.body.len() < 20_000, "{what}: the answer repeats what was sent");
                } else {
                    api = TestApi::new().await;
                }
            }
        }
    }
}
