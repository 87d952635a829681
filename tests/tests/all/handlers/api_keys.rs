//! API keys: shown once, good for their scopes only, gone at once.

use std::collections::BTreeMap;

use app::use_cases::check_signature::{SignedRequest, sign};
use domain::{Role, SignedDuration};
use serde_json::{Value, json};

use super::test_api::{Answer, Call, TestApi};
use super::world::{TERMINATED, WORKER, now};

pub(super) async fn create(api: &TestApi, by: Role, body: Value) -> Value {
    let answer = api.post("/api/api-keys").json(&body).by(by).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// A key of a manager for that, sent as it is.
async fn key(api: &TestApi, scopes: &[&str]) -> (String, String) {
    let made = create(api, Role::Manager, json!({"name": "ci", "scopes": scopes})).await;
    (text(&made["id"]), text(&made["key"]))
}

#[tokio::test]
async fn a_key_is_shown_once_and_only_its_hash_is_kept() {
    let api = TestApi::new().await;
    let (id, key) = key(&api, &["workers:read"]).await;
    assert!(key.starts_with(&format!("ccm_{id}_")) && key.len() == 4 + 12 + 1 + 43, "{key}");
    let secret = key.rsplit_once(&format!("{id}_")).unwrap().1;
    let stored = format!("{:?}", api.items());
    assert!(!stored.contains(secret), "the key is in the table");
    let listed = api.get("/api/api-keys").as_manager().await;
    assert!(!listed.body.contains(secret));
    assert_eq!(listed.json()["items"][0]["id"], json!(id));
    assert_eq!(listed.json()["items"][0]["last_used_at"], json!(null));
}

#[tokio::test]
async fn a_key_opens_what_its_scopes_say_and_nothing_else() {
    let api = TestApi::new().await;
    let (_, reader) = key(&api, &["workers:read"]).await;
    let (_, writer) = key(&api, &["workers:write"]).await;
    let start = format!("/api/workers/{WORKER}/stop");
    fn with<'a>(call: Call<'a>, key: &str) -> Call<'a> {
        call.header("x-api-key", key)
    }
    assert_eq!(with(api.get("/api/workers"), &reader).await.status, 200);
    assert_eq!(with(api.get("/api/workers"), &writer).await.status, 200);
    let refused = with(api.post(&start), &reader).await;
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("workers:write"), "{}", refused.body);
    assert_eq!(with(api.get("/api/operations"), &reader).await.status, 403);
    assert_eq!(with(api.post(&start), &writer).await.status, 202);
    // A scope is no role: the manager's key does what managers may, and no more.
    assert_eq!(with(api.delete(&format!("/api/workers/{WORKER}")), &writer).await.status, 403);
    // No key makes keys.
    let body = json!({"name": "more", "scopes": ["workers:read"]});
    assert_eq!(with(api.post("/api/api-keys").json(&body), &writer).await.status, 403);
}

#[tokio::test]
async fn a_key_of_one_worker_opens_no_other() {
    let api = TestApi::new().await;
    let made =
        create(&api, Role::Manager, json!({"name": "one", "scopes": ["workers:read"], "worker_id": WORKER})).await;
    let get = |path: String| api.get(&path).header("x-api-key", made["key"].as_str().unwrap());
    assert_eq!(get(format!("/api/workers/{WORKER}")).await.status, 200);
    assert_eq!(get(format!("/api/workers/{TERMINATED}")).await.status, 403);
    assert_eq!(get("/api/workers".into()).await.status, 403);
}

#[tokio::test]
async fn a_revoked_an_expired_and_an_altered_key_open_nothing() {
    let api = TestApi::new().await;
    let (id, revoked) = key(&api, &["workers:read"]).await;
    let get = |key: &str| api.get("/api/workers").header("x-api-key", key);
    assert_eq!(get(&revoked).await.status, 200);
    assert_eq!(api.delete(&format!("/api/api-keys/{id}")).as_manager().await.status, 204);
    assert_eq!(get(&revoked).await.status, 401);
    let end = now() + SignedDuration::from_mins(5);
    let body = json!({"name": "short", "scopes": ["workers:read"], "expires_at": end.to_string()});
    let short = text(&create(&api, Role::Manager, body).await["key"]);
    assert_eq!(get(&short).await.status, 200);
    api.clock.advance(SignedDuration::from_mins(6));
    let expired = get(&short).await;
    assert_eq!(expired.status, 401);
    assert!(expired.body.contains("expired"));
    let (_, good) = key(&api, &["workers:read"]).await;
    let flipped = if good.ends_with('A') { "B" } else { "A" };
    let altered = format!("{}{flipped}", &good[..good.len() - 1]);
    for bad in [altered.as_str(), "ccm_x", "ccm_0123456789ab_", "x", &format!("{good},{good}"), &"x".repeat(9_000)] {
        let answer = get(bad).await;
        assert_eq!(answer.status, 401, "{bad}");
        assert!(answer.headers.contains_key("www-authenticate"));
    }
}

#[tokio::test]
async fn the_use_of_a_key_is_noted_at_most_once_an_hour() {
    let api = TestApi::new().await;
    let (_, key) = key(&api, &["workers:read"]).await;
    let used = async || {
        assert_eq!(api.get("/api/workers").header("x-api-key", &key).await.status, 200);
        text(&api.get("/api/api-keys").as_manager().await.json()["items"][0]["last_used_at"])
    };
    let first = used().await;
    api.clock.advance(SignedDuration::from_mins(59));
    assert_eq!(used().await, first);
    api.clock.advance(SignedDuration::from_secs(61));
    assert_ne!(used().await, first);
}

#[tokio::test]
async fn a_key_belongs_to_its_maker_and_admins_see_all() {
    let api = TestApi::new().await;
    let (id, _) = key(&api, &["workers:read"]).await;
    let path = format!("/api/api-keys/{id}");
    assert_eq!(api.delete(&path).as_user().await.status, 404);
    let ids = |answer: Answer| {
        answer.json()["items"].as_array().unwrap().iter().map(|item| text(&item["id"])).collect::<Vec<_>>()
    };
    assert!(!ids(api.get("/api/api-keys").as_user().await).contains(&id));
    assert!(ids(api.get("/api/api-keys").as_admin().await).contains(&id));
    assert_eq!(api.delete(&path).as_admin().await.status, 204);
}

#[tokio::test]
async fn a_new_key_that_is_wrong_names_each_field() {
    let api = TestApi::new().await;
    let create = |body: Value| api.post("/api/api-keys").json(&body).as_manager();
    for (body, field) in [
        (json!({"name": "", "scopes": ["workers:read"]}), "name"),
        (json!({"name": "x", "scopes": []}), "scopes"),
        (json!({"name": "x", "scopes": ["workers:read", "workers"]}), "scopes[1]"),
        (json!({"name": "x", "scopes": ["nothing:read"]}), "scopes"),
        (json!({"name": "x", "scopes": ["workers:read"], "role": "admin"}), "role"),
        (json!({"name": "x", "scopes": ["workers:read"], "role": "root"}), "role"),
        (json!({"name": "x", "scopes": ["workers:read"], "kind": "magic"}), "kind"),
        (json!({"name": "x", "scopes": ["workers:read"], "expires_at": "2020-01-01T00:00:00Z"}), "expires_at"),
        (json!({"name": "x", "scopes": ["workers:read"], "expires_at": "soon"}), "expires_at"),
        (json!({"name": "x", "scopes": ["workers:read"], "worker_id": "x"}), "worker_id"),
    ] {
        let answer = create(body.clone()).await;
        assert_eq!((answer.status, answer.fields()), (422, vec![field.to_owned()]), "{body}");
    }
}

#[tokio::test]
async fn of_several_credentials_the_first_alone_counts() {
    let api = TestApi::new().await;
    let (_, key) = key(&api, &["workers:read"]).await;
    let both = |token: &str, key: &str| api.get("/api/workers").bearer(token).header("x-api-key", key);
    assert_eq!(both("bad", &key).await.status, 401, "a bad token is not made up for by a key");
    assert_eq!(both(super::tokens::token(Role::User), "bad").await.status, 200);
    let signed = api.get("/api/workers").header("x-api-key", "bad").header("x-ccm-signature", "00");
    assert_eq!(signed.await.status, 401);
}

/// What a machine signs with, and what it says.
pub(super) struct Machine {
    id: String,
    secret: String,
    time: String,
    nonce: String,
}

impl Machine {
    pub(super) async fn new(api: &TestApi, by: Role, scopes: &[&str]) -> Self {
        let body = json!({"name": "robot", "scopes": scopes, "kind": "signing", "role": by.name()});
        let made = create(api, by, body).await;
        let (time, nonce) = (now().as_second().to_string(), "0123456789abcdef-1".to_owned());
        Self { id: text(&made["id"]), secret: text(&made["key"]), time, nonce }
    }

    fn signature(&self, method: &str, path: &str, query: &[(&str, &str)], body: &[u8]) -> String {
        let query: BTreeMap<String, String> =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (key_id, time, nonce) = (self.id.as_str(), self.time.as_str(), self.nonce.as_str());
        let request = SignedRequest { key_id, time, nonce, signature: "", method, path, query: &query, body };
        sign(&self.secret, &request)
    }

    /// The call, signed as it is.
    pub(super) fn sign<'a>(&self, call: Call<'a>) -> Call<'a> {
        let (method, path, query, body) = call.parts();
        let query: Vec<_> = query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let signature = self.signature(&method, &path, &query, &body);
        self.headers(call, &signature)
    }

    fn headers<'a>(&self, call: Call<'a>, signature: &str) -> Call<'a> {
        call.header("x-ccm-key", &self.id)
            .header("x-ccm-time", &self.time)
            .header("x-ccm-nonce", &self.nonce)
            .header("x-ccm-signature", signature)
    }
}

#[tokio::test]
async fn a_signed_request_is_good_once() {
    let api = TestApi::new().await;
    let machine = Machine::new(&api, Role::Manager, &["workers:read"]).await;
    let signature = machine.signature("GET", "/api/workers", &[("region", "us-east-1")], b"");
    let call = machine.headers(api.get("/api/workers?region=us-east-1"), &signature);
    assert_eq!(call.clone().await.status, 200);
    let replayed = call.await;
    assert_eq!(replayed.status, 401);
    assert!(replayed.body.contains("used before"), "{}", replayed.body);
}

#[tokio::test]
async fn each_part_of_a_signed_request_counts() {
    let api = TestApi::new().await;
    let mut machine = Machine::new(&api, Role::Manager, &["workers:write"]).await;
    let path = format!("/api/workers/{WORKER}/stop");
    let body = json!({"reason": "night"}).to_string();
    let signature = machine.signature("POST", &path, &[], body.as_bytes());
    let call = |machine: &Machine, signature: &str| {
        machine.headers(api.post(&path).text("application/json", &body), signature)
    };
    let mut wrong = vec![
        ("method", machine.signature("PUT", &path, &[], body.as_bytes())),
        ("path", machine.signature("POST", "/api/workers", &[], body.as_bytes())),
        ("query", machine.signature("POST", &path, &[("a", "b")], body.as_bytes())),
        ("body", machine.signature("POST", &path, &[], b"{}")),
        ("signature", "0".repeat(64)),
        ("length", signature[..62].to_owned()),
        ("digits", "z".repeat(64)),
    ];
    machine.nonce.push('2');
    wrong.push(("nonce", signature.clone()));
    for (part, signature) in &wrong {
        let machine =
            if *part == "nonce" { &machine } else { &Machine { nonce: "0123456789abcdef-1".into(), ..copy(&machine) } };
        assert_eq!(call(machine, signature).await.status, 401, "{part}");
    }
    let sound = copy(&machine);
    let mut late = copy(&machine);
    late.time = (now().as_second() + 1).to_string();
    assert_eq!(call(&late, &sound.signature("POST", &path, &[], body.as_bytes())).await.status, 401, "time");
    for off in [-301, 301] {
        late.time = (now().as_second() + off).to_string();
        let signature = late.signature("POST", &path, &[], body.as_bytes());
        let answer = call(&late, &signature).await;
        assert!(answer.status == 401 && answer.body.contains("300 seconds"), "{off}: {answer:?}");
    }
    // None of these burnt the nonce: the genuine request still goes through.
    let signature = sound.signature("POST", &path, &[], body.as_bytes());
    assert_eq!(call(&sound, &signature).await.status, 202);
}

fn copy(machine: &Machine) -> Machine {
    let Machine { id, secret, time, nonce } = machine;
    Machine { id: id.clone(), secret: secret.clone(), time: time.clone(), nonce: nonce.clone() }
}

#[tokio::test]
async fn two_secrets_work_while_they_are_rotated() {
    let api = TestApi::new().await;
    let old = Machine::new(&api, Role::Manager, &["workers:read"]).await;
    let path = format!("/api/api-keys/{}/rotate", old.id);
    let rotated = api.post(&path).as_manager().await;
    assert_eq!(rotated.status, 200, "{rotated:?}");
    let mut new = Machine { secret: text(&rotated.json()["key"]), nonce: "another-nonce-of-16".into(), ..copy(&old) };
    let get = async |machine: &Machine| {
        let signature = machine.signature("GET", "/api/workers", &[], b"");
        machine.headers(api.get("/api/workers"), &signature).await.status
    };
    assert_eq!((get(&old).await, get(&new).await), (200, 200));
    api.clock.advance(SignedDuration::from_hours(25));
    let later = (now() + SignedDuration::from_hours(25)).as_second().to_string();
    let old = Machine { time: later.clone(), nonce: "yet-another-nonce-1".into(), ..copy(&old) };
    (new.time, new.nonce) = (later, "yet-another-nonce-2".into());
    assert_eq!((get(&old).await, get(&new).await), (401, 200));
}

#[tokio::test]
async fn a_signature_is_refused_where_the_route_takes_none_and_a_signing_key_is_never_sent() {
    let api = TestApi::new().await;
    let machine = Machine::new(&api, Role::Manager, &["operations:read", "workers:write"]).await;
    let path = format!("/api/workers/{WORKER}/events");
    let signature = machine.signature("GET", &path, &[], b"");
    let answer = machine.headers(api.get(&path), &signature).await;
    assert!(answer.status == 403 && answer.body.contains("no signed requests"), "{answer:?}");
    assert_eq!(api.get("/api/workers").header("x-api-key", &machine.secret).await.status, 401);
}

#[tokio::test]
async fn a_key_is_rotated_by_its_owner_while_they_have_its_role_and_by_nobody_else() {
    let api = TestApi::new().await;
    let machine = Machine::new(&api, Role::Manager, &["workers:read"]).await;
    let path = format!("/api/api-keys/{}/rotate", machine.id);
    let by_admin = api.post(&path).as_admin().await;
    assert!(by_admin.status == 403 && by_admin.body.contains("its owner only"), "{by_admin:?}");
    let mut demoted = super::tokens::claims(Role::User);
    demoted["sub"] = json!("subject-of-manager");
    let demoted = api.post(&path).bearer(&super::tokens::sign(&demoted)).await;
    assert!(demoted.status == 403 && demoted.body.contains("no longer have"), "{demoted:?}");
    assert_eq!(api.post(&path).as_manager().await.status, 200);
}

#[tokio::test]
async fn a_key_ends_in_a_year_unless_its_maker_says_otherwise() {
    let api = TestApi::new().await;
    let made = create(&api, Role::User, json!({"name": "ci", "scopes": ["workers:read"]})).await;
    assert_eq!(made["expires_at"], "2027-03-02T09:00:00.000Z");
}

#[tokio::test]
async fn a_key_of_one_worker_reads_the_operations_of_that_worker_and_no_others() {
    let api = TestApi::new().await;
    let scopes = ["workers:write", "operations:read"];
    let body = json!({"name": "one", "scopes": scopes, "worker_id": WORKER});
    let key = text(&create(&api, Role::Manager, body).await["key"]);
    let begun = api.post(&format!("/api/workers/{WORKER}/stop")).header("x-api-key", &key).await;
    assert_eq!(begun.status, 202);
    let read = |path: &str| api.get(path).header("x-api-key", &key);
    assert_eq!(read(&begun.headers["location"]).await.status, 200);
    assert_eq!(read(&format!("/api/operations/{}", super::world::IMPORT)).await.status, 403);
}

#[tokio::test]
async fn a_signed_request_that_names_a_parameter_twice_is_refused() {
    let api = TestApi::new().await;
    let machine = Machine::new(&api, Role::Manager, &["workers:read"]).await;
    let signature = machine.signature("GET", "/api/workers", &[("limit", "5")], b"");
    let call = machine.headers(api.get("/api/workers?limit=5"), &signature).raw_query("limit=1&limit=5");
    let refused = call.await;
    assert!(refused.status == 401 && refused.body.contains("once"), "{refused:?}");
}

#[tokio::test]
async fn an_empty_authorization_header_is_a_bad_credential_and_not_none() {
    let api = TestApi::new().await;
    let (_, key) = key(&api, &["workers:read"]).await;
    assert_eq!(api.get("/api/workers").header("authorization", "").header("x-api-key", &key).await.status, 401);
}
