//! What each kind of credential opens, route by route.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{Role, Visibility};
use http_api::{Access, Function};
use serde_json::json;

use super::api_keys::{Machine, create, text};
use super::fixtures;
use super::log::Log;
use super::test_api::{Answer, TestApi};
use super::tokens::{claims, sign};
use super::world::{TERMINATED, WORKER};

/// How somebody comes who is an admin, or a stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comes {
    /// A key with scopes on every other group.
    WithoutScope,
    /// A key with the scope.
    WithScope,
    /// A key with the scope, for another worker.
    ForAnotherWorker,
    /// A request signed with a key that has the scope.
    Signing,
    /// A user to whom nothing belongs, where users see what is theirs.
    AsStranger,
}

impl Comes {
    const ALL: [Self; 5] =
        [Self::WithoutScope, Self::WithScope, Self::ForAnotherWorker, Self::Signing, Self::AsStranger];

    fn expected(self, function: &Function) -> &'static [u16] {
        let endpoint = function.endpoint().unwrap();
        let opened: &[u16] = &[200, 201, 202, 204];
        match (self, endpoint.access) {
            (_, Access::Public) => &[200, 302],
            (Self::AsStranger, access) if access.least_role() > Some(Role::User) => &[403],
            // Its numbers are of the whole fleet.
            (Self::AsStranger, _) if function.name == "get-reconciliation-stats" => &[403],
            (Self::AsStranger, _) if endpoint.of_owner => &[404],
            (Self::AsStranger, Access::Person(_)) => &[200, 201],
            (Self::AsStranger, _) if endpoint.path.contains("{worker_id}") => &[404],
            (Self::AsStranger, _) if endpoint.path.contains("{operation_id}") => &[404],
            (Self::AsStranger, _) if endpoint.path.contains("{backup_id}") => &[404],
            (Self::AsStranger, _) => &[200],
            (Self::WithScope, Access::Role(_) | Access::Machine(_)) | (Self::Signing, Access::Machine(_)) => opened,
            _ => &[403],
        }
    }

    async fn call(self, api: &TestApi, function: &'static Function) -> Answer {
        let group = function.endpoint().unwrap().group;
        let scope = format!("{group}:write");
        let call = api.fixture(function);
        match self {
            Self::AsStranger => {
                let mut stranger = claims(Role::User);
                (stranger["sub"], stranger["preferred_username"]) = (json!("subject-of-eve"), json!("eve"));
                call.bearer(&sign(&stranger)).await
            }
            Self::Signing => Machine::new(api, Role::Admin, &[&scope]).await.sign(call).await,
            Self::WithoutScope | Self::WithScope | Self::ForAnotherWorker => {
                let groups: BTreeSet<&str> = fixtures::endpoints().map(|one| one.endpoint().unwrap().group).collect();
                let others: Vec<String> =
                    groups.into_iter().filter(|other| *other != group).map(|other| format!("{other}:write")).collect();
                let scopes = if self == Self::WithoutScope { others } else { vec![scope] };
                let worker = (self == Self::ForAnotherWorker).then_some(TERMINATED);
                let body = json!({"name": "ci", "scopes": scopes, "role": "admin", "worker_id": worker});
                let made = create(api, Role::Admin, body).await;
                call.header("x-api-key", &text(&made["key"])).await
            }
        }
    }
}

#[tokio::test]
async fn a_key_opens_its_scope_a_signature_what_machines_do_and_a_stranger_sees_nothing() {
    let mut matrix = String::from("function                no scope  scope other signed stranger\n");
    for function in fixtures::endpoints() {
        write!(matrix, "{:26}", function.name).unwrap();
        for comes in Comes::ALL {
            let api = TestApi::with(|settings| {
                if comes == Comes::AsStranger {
                    settings.visibility = Visibility::Own;
                }
            })
            .await;
            let answer = comes.call(&api, function).await;
            write!(matrix, "{:>6} ", answer.status).unwrap();
            assert!(comes.expected(function).contains(&answer.status), "{} {comes:?}: {answer:?}", function.name);
        }
        matrix = format!("{}\n", matrix.trim_end());
    }
    insta::assert_snapshot!(matrix);
}

#[tokio::test]
async fn where_users_see_what_is_theirs_lists_and_numbers_hold_nothing_else() {
    let api = TestApi::with(|settings| settings.visibility = Visibility::Own).await;
    let by = |name: &str| {
        let mut claims = claims(Role::User);
        (claims["sub"], claims["preferred_username"]) = (json!(format!("subject-of-{name}")), json!(name));
        sign(&claims)
    };
    let (ada, eve) = (by("ada"), by("eve"));
    let count = async |path: &str, token: &str| {
        let answer = api.get(path).bearer(token).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()["items"].as_array().map(Vec::len)
    };
    for path in ["/api/workers", "/api/operations", &format!("/api/operations?target={WORKER}")] {
        assert_eq!(count(path, &eve).await, Some(0), "{path}");
        assert!(count(path, &ada).await > Some(0), "{path}");
    }
    let workers = async |token: &str| api.get("/api/fleet/metrics").bearer(token).await.json()["workers"].clone();
    assert_eq!((workers(&eve).await, workers(&ada).await), (json!(0), json!(1)));
    // A key sees what its maker sees.
    let body = json!({"name": "ci", "scopes": ["workers:read"]});
    let made = api.post("/api/api-keys").json(&body).bearer(&ada).await.json();
    let listed = api.get("/api/workers").header("x-api-key", &text(&made["key"])).await;
    assert!(!listed.json()["items"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_cursor_of_one_who_sees_little_tells_nothing_of_the_rest() {
    let api = TestApi::with(|settings| settings.visibility = Visibility::Own).await;
    let mut claims = claims(Role::User);
    (claims["sub"], claims["preferred_username"]) = (json!("subject-of-eve"), json!("eve"));
    let eve = sign(&claims);
    let create = |name: &str, owner: &str| {
        api.post("/api/workers").json(&json!({"name": name, "region": "us-east-1", "owner": owner})).as_admin()
    };
    for (name, owner) in [("a-of-eve", "eve"), ("b-secret", "ada"), ("c-of-eve", "eve"), ("d-secret", "ada")] {
        assert_eq!(create(name, owner).await.status, 202, "{name}");
    }
    let mut seen = Vec::new();
    let mut path = "/api/workers?limit=1".to_owned();
    for _ in 0..5 {
        let page = api.get(&path).bearer(&eve).await.json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| text(&item["name"])));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        let decoded = URL_SAFE_NO_PAD.decode(cursor.trim_end_matches('=')).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&decoded).contains("secret"), "{cursor}");
        path = format!("/api/workers?limit=1&cursor={cursor}");
    }
    assert_eq!(seen, ["a-of-eve", "c-of-eve"]);
}

#[tokio::test]
async fn every_refusal_is_logged_with_who_it_was_as_far_as_is_known() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().json().with_writer(log.clone()).finish();
    let api = TestApi::new().await;
    let guard = tracing::subscriber::set_default(subscriber);
    let other = format!("/api/workers/{WORKER}/events");
    let machine = Machine::new(&api, Role::Admin, &["workers:read"]).await;
    let mut without_role = claims(Role::User);
    without_role["realm_access"] = json!({"roles": []});
    for (call, subject) in [
        (api.get("/api/workers"), None),
        (api.post("/api/workers").json(&json!({})).as_user(), Some("subject-of-user")),
        (api.get("/api/workers").bearer(&sign(&without_role)), None),
        (machine.sign(api.get(&other)), None),
        (api.delete("/api/api-keys/0123456789ab").as_manager(), Some("subject-of-manager")),
        (api.get("/api/auth/callback?state=x&code=y"), None),
    ] {
        log.clear();
        let status = call.await.status;
        let lines = log.lines();
        let refused = lines.iter().find(|line| line["fields"]["message"] == "refused");
        let refused = refused.unwrap_or_else(|| panic!("{status} is not logged: {lines:?}"));
        assert_eq!(refused["fields"]["status"], status);
        assert!(refused["fields"]["route"].is_string() && refused["fields"]["why"].is_string());
        if let Some(subject) = subject {
            assert_eq!(refused["span"]["subject"], subject, "{refused}");
        }
    }
    drop(guard);
}
