//! The errors that were recorded at real controllers, as our API shows each. That the simulated controller answers
//! them word for word is tried in `local/controllers/src/tests/errors.rs`.

use app::use_cases::controller::{CREDENTIALS_HINT, CmlPorts, reach};
use app::use_cases::run_cml_operation::run_cml_operation;
use domain::SignedDuration;
use local_controllers::{ControllerFault, ControllerVersion, FaultOrder};
use serde_json::{Value, json};

use super::test_api::{Answer, TestApi};
use super::world::{WORKER, worker_id};

const RECORDED: &str = include_str!("../../../../local/controllers/fixtures/recorded_errors.json");
const TOPOLOGY: &str = "lab: {title: t, version: 0.3.0}\nnodes: []\nlinks: []\n";

struct Recorded {
    name: String,
    version: String,
    status: u16,
    description: String,
    shown: String,
}

impl Recorded {
    fn all() -> Vec<Self> {
        let all: Vec<Value> = serde_json::from_str(RECORDED).unwrap();
        let read = |one: Value| {
            let text = |field: &str| one[field].as_str().unwrap().to_owned();
            let [name, version, description, shown] = ["name", "version", "description", "shown"].map(text);
            Self { name, version, status: one["status"].as_u64().unwrap().try_into().unwrap(), description, shown }
        };
        all.into_iter().map(read).collect()
    }
}

impl TestApi {
    fn ports(&self) -> CmlPorts<'_> {
        let controllers = self.world.controllers.as_deref().unwrap();
        CmlPorts { controllers, secrets: self.secrets.as_ref(), files: self.files.as_ref() }
    }

    fn instance(&self) -> String {
        self.cloud.running().remove(0).instance_id
    }

    /// From now on the controller says so of each such request.
    async fn refuse(&self, recorded: &Recorded, method: &str, path: &str) {
        let fault = ControllerFault::Refuses { status: recorded.status, description: recorded.description.clone() };
        let order = FaultOrder::once(fault).at(method, path);
        self.controllers.inject_fault(&self.instance(), order).await.unwrap();
    }

    /// How the operation that was accepted ends, as callers read it.
    async fn outcome(&self, accepted: Answer) -> String {
        assert_eq!(accepted.status, 202, "{accepted:?}");
        let id = accepted.json()["id"].as_str().unwrap().to_owned();
        for _ in 0..20 {
            run_cml_operation(&self.world.context, self.ports(), id.parse().unwrap()).await.unwrap();
            let operation = self.get(&format!("/api/operations/{id}")).as_admin().await.json();
            let error = &operation["error"];
            match operation["status"].as_str().unwrap() {
                "running" => self.clock.advance(SignedDuration::from_secs(30)),
                "failed" => {
                    let text = |field: &str| error[field].as_str().unwrap().to_owned();
                    return format!("operation failed, {}: {}", text("code"), text("message"));
                }
                other => return format!("operation {other}"),
            }
        }
        panic!("it never ends");
    }
}

fn at(path: &str) -> String {
    format!("/api/workers/{WORKER}{path}")
}

/// What our API shows of one.
async fn shown(recorded: &Recorded) -> String {
    let api = TestApi::new().await;
    api.controllers.set_version(&api.instance(), ControllerVersion::from_name(&recorded.version).unwrap()).unwrap();
    match recorded.name.as_str() {
        "nodes_run" => {
            api.controllers.seed_lab(&api.instance(), "Runs", 1, true).unwrap();
            api.outcome(api.delete(&at("/license")).as_admin().await).await
        }
        "deregistered" => {
            let worker = api.world.context.store.worker(worker_id(WORKER)).await.unwrap();
            let way = reach(&api.world.context, api.secrets.as_ref(), &worker).await.unwrap().ok().unwrap();
            api.ports().controllers.deregister(way.access()).await.unwrap();
            api.outcome(api.delete(&at("/license")).as_admin().await).await
        }
        "no_token" | "no_token_long" => {
            let order = FaultOrder::once(ControllerFault::Unauthorized).always();
            api.controllers.inject_fault(&api.instance(), order).await.unwrap();
            // An operation says the same.
            let ended = api.outcome(api.post(&at("/license/renew")).as_admin().await).await;
            let wanted = format!("operation failed, cml_denied: {} {CREDENTIALS_HINT}", recorded.description);
            assert_eq!(ended, wanted);
            let answer = api.get(&at("/cml/system_health")).as_user().await;
            format!("{}: {}", answer.status, answer.json()["detail"].as_str().unwrap())
        }
        "broken_yaml" => {
            // What we can judge never gets there.
            let ours = api.post(&at("/labs")).text("application/yaml", ",,,").as_admin().await;
            assert_eq!((ours.status, ours.fields()), (422, vec!["body".to_owned()]), "{ours:?}");
            assert!(ours.body.contains("line 1, column 1"), "{ours:?}");
            api.refuse(recorded, "POST", "/import").await;
            api.outcome(api.post(&at("/labs")).text("application/yaml", TOPOLOGY).as_admin().await).await
        }
        "invalid_field" => {
            // We make no users: CML says the same of every field that it finds wrong.
            api.refuse(recorded, "PUT", "/licensing/product_license").await;
            let body = json!({"token": "a-token", "product": "CML_Enterprise", "reregister": true});
            api.outcome(api.put(&at("/license")).json(&body).as_admin().await).await
        }
        "no_such_user" => {
            let answer = api.get(&at("/cml/users/nonexistent")).as_admin().await;
            assert_eq!(answer.headers["x-answered-by"], "cml");
            format!("{} in CML's words: {}", answer.status, answer.json()["description"].as_str().unwrap())
        }
        other => panic!("nothing shows {other}"),
    }
}

#[tokio::test]
async fn each_recorded_error_is_shown_with_its_words_or_needs_no_words() {
    let all = Recorded::all();
    assert_eq!(all.len(), 7);
    for recorded in all {
        assert_eq!(shown(&recorded).await, recorded.shown.replace("HINT", CREDENTIALS_HINT), "{}", recorded.name);
    }
}
