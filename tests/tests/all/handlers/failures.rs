//! What callers see when something behind the API fails, and what nobody may see.

use std::io;
use std::sync::{Arc, Mutex};

use app::ports::{Item, Queue, Secrets};
use app::store::FleetState;
use http_api::Port;
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use super::fixtures::{commands, endpoints, function};
use super::test_api::{Answer, TestApi};
use super::world::{INTERNAL, WORKER, now};

fn assert_tells_nothing(answer: &Answer, what: &str) {
    let all = format!("{} {:?}", answer.body, answer.headers).to_lowercase();
    for internal in [INTERNAL, "told to fail", "dynamodb", "table", "panic", ".rs"] {
        assert!(!all.contains(internal), "{what} tells {internal:?}: {answer:?}");
    }
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_a_503_that_tells_nothing_of_it() {
    for function in endpoints() {
        let api = TestApi::new().await;
        api.table.go_down();
        let answer = api.fixture(function).as_admin().await;
        // A token says by itself whose it is.
        let needs_it = !["whoami", "set-fleet-cml-credentials"].contains(&function.name)
            && [Port::TableRead, Port::TableWrite].iter().any(|port| function.ports.contains(port));
        assert_eq!(answer.status >= 300, needs_it, "{}: {answer:?}", function.name);
        if needs_it {
            assert_eq!(answer.status, 503, "{}: {answer:?}", function.name);
            assert_tells_nothing(&answer, function.name);
        }
    }
}

/// Everything but turns: a refresh that failed has still been asked for.
fn lasting(api: &TestApi) -> Vec<Item> {
    api.items().into_iter().filter(|item| item.sk != "THROTTLE").collect()
}

#[tokio::test]
async fn whichever_write_fails_it_is_a_503_and_nothing_is_half_done() {
    for function in commands() {
        let mut status = 503;
        for writes in 0..5 {
            let api = TestApi::new().await;
            let before = lasting(&api);
            api.table.fail_writes_after(writes);
            let answer = api.fixture(function).as_fits().await;
            status = answer.status;
            if status < 300 {
                break;
            }
            let what = format!("{} after {writes} writes", function.name);
            assert_eq!(status, 503, "{what}: {answer:?}");
            assert_tells_nothing(&answer, &what);
            assert_eq!(lasting(&api), before, "{what}");
        }
        assert!(status < 300, "{} needs more writes than that", function.name);
    }
}

#[tokio::test]
async fn health_and_the_numbers_tell_a_frozen_fleet_and_safe_mode() {
    let api = TestApi::new().await;
    let told = async |api: &TestApi| {
        let health = api.get("/api/health").await;
        let stats = api.get("/api/reconciliation/stats").as_manager().await;
        assert_eq!((health.status, stats.status), (200, 200));
        let brakes = |said: Value| ["status", "frozen_since", "frozen_reason"].map(|name| said[name].clone());
        let (health, stats) = (brakes(health.json()), brakes(stats.json()));
        assert_eq!(health, stats);
        health
    };
    assert_eq!(told(&api).await, [json!("ok"), Value::Null, Value::Null]);
    let why = "the list of workers is empty, though there were workers";
    let frozen = FleetState { had_workers: true, frozen_since: Some(now()), frozen_reason: Some(why.into()) };
    api.world.context.store.save_fleet_state(&frozen).await.unwrap();
    assert_eq!(told(&api).await, [json!("frozen"), json!("2026-03-02T09:00:00.000Z"), json!(why)]);

    let safe = TestApi::with(|settings| settings.safe_mode = true).await;
    assert_eq!(told(&safe).await, [json!("safe_mode"), Value::Null, Value::Null]);
}

/// A log that can be read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

const PASSWORD: &str = "correct-horse-7";

/// Sends the password in every right and wrong way, and reads all there is to read; everything that was answered.
async fn send_the_password(api: &TestApi) -> String {
    let set = || api.put(&format!("/api/workers/{WORKER}/cml-credentials")).as_admin();
    let mut said = String::new();
    for body in [
        json!({"username": 7, "password": PASSWORD}),
        json!({"username": "", "password": PASSWORD}),
        json!({"username": "ccm", "password": [PASSWORD]}),
        json!({"username": "ccm", "password": {"value": PASSWORD}}),
        json!({"username": "ccm", "password": PASSWORD, "again": PASSWORD}),
        json!([PASSWORD]),
        json!(PASSWORD),
    ] {
        let answer = set().json(&body).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        said += &answer.body;
    }
    let broken = format!("{{\"username\": \"ccm\", \"password\": \"{PASSWORD}");
    said += &set().text("application/json", &broken).await.body;
    assert_eq!(set().json(&json!({"username": "ccm", "password": PASSWORD})).await.status, 204);
    for function in endpoints().filter(|function| function.endpoint().unwrap().method == "GET") {
        said += &api.fixture(function).as_admin().await.body;
    }
    said + &api.fixture(function("update-worker")).as_admin().await.body
}

#[tokio::test]
async fn a_password_is_kept_where_secrets_are_and_nowhere_else() {
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_writer(log.clone()).with_max_level(tracing::Level::TRACE).json().finish();
    let guard = tracing::subscriber::set_default(subscriber);
    // Twice: when a line is first reached, tracing asks who wants to hear it, and another test that
    // gets there first says "nobody" for all. Once all lines have been reached, they are asked again.
    send_the_password(&TestApi::new().await).await;
    tracing::callsite::rebuild_interest_cache();
    let api = TestApi::new().await;
    let said = send_the_password(&api).await;
    drop(guard);
    let kept = api.secrets.cml_credentials(WORKER).await.unwrap().unwrap();
    assert_eq!(kept.current.password, PASSWORD);
    let heard = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(heard.contains("set-cml-credentials"), "the log was heard: {heard:.300}");
    let sent = Queue::ALL.map(|queue| api.queues.to(queue).join("\n")).join("\n");
    for (what, text) in [("answers", said), ("items", format!("{:?}", api.items())), ("messages", sent), ("log", heard)]
    {
        assert!(!text.contains(PASSWORD), "the password is in the {what}");
    }
}
