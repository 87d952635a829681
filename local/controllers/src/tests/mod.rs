//! The controllers as a client sees them.

mod boot;
mod errors;
mod faults;
mod labs;
mod licensing;
mod life;
mod nodes;
mod sign_in;
mod system;
#[cfg(feature = "wire")]
mod virl2_client;

use std::sync::Arc;

use app::testing::{CountingRandom, ManualClock};
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use domain::{SignedDuration, Timestamp};
use local_state::Documents;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{ADMIN_PASSWORD, ADMIN_USERNAME, Controllers, RunningInstance};

/// An instance whose controller is 2.9.1, and one whose controller is 2.10.0.
const OLD: &str = "i-00000000000000000";
const NEW: &str = "i-00000000000000001";

struct Fleet {
    controllers: Controllers,
    fleet_clock: Arc<ManualClock>,
    machine_clock: Arc<ManualClock>,
}

/// What a controller answered.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

impl Fleet {
    fn on(documents: Documents, now: Timestamp) -> Self {
        let (fleet_clock, machine_clock) = (Arc::new(ManualClock::at(now)), Arc::new(ManualClock::at(now)));
        let random = Arc::new(CountingRandom::default());
        let controllers = Controllers::new(documents, fleet_clock.clone(), machine_clock.clone(), random);
        Self { controllers, fleet_clock, machine_clock }
    }

    /// With one controller that is ready.
    async fn ready(instance_id: &str) -> Self {
        let fleet = Self::on(Documents::in_memory().unwrap(), start());
        fleet.controllers.sync(&[running(instance_id, start())]).await;
        fleet.pass(180);
        fleet
    }

    fn pass(&self, seconds: i64) {
        self.fleet_clock.advance(SignedDuration::from_secs(seconds));
    }

    async fn ask(&self, instance_id: &str, method: Method, path: &str, token: &str, body: impl Into<Body>) -> Answer {
        let machine = self.controllers.running_machine(instance_id).unwrap();
        let mut request = Request::builder().method(method).uri(format!("/api/v0{path}"));
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let answer = crate::api::router(machine).oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let status = answer.status();
        let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        Answer { status, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    async fn sign_in_as(&self, instance_id: &str, username: &str, password: &str) -> Answer {
        let body = json!({ "username": username, "password": password }).to_string();
        self.ask(instance_id, Method::POST, "/authenticate", "", body).await
    }

    async fn admin(&self, instance_id: &str) -> Client<'_> {
        self.client(instance_id, ADMIN_USERNAME, ADMIN_PASSWORD).await
    }

    async fn client(&self, instance_id: &str, username: &str, password: &str) -> Client<'_> {
        let answer = self.sign_in_as(instance_id, username, password).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        Client { fleet: self, instance_id: instance_id.into(), token: answer.json().as_str().unwrap().into() }
    }
}

/// Someone signed in.
struct Client<'a> {
    fleet: &'a Fleet,
    instance_id: String,
    token: String,
}

impl Client<'_> {
    async fn ask(&self, method: Method, path: &str, body: impl Into<Body>) -> Answer {
        self.fleet.ask(&self.instance_id, method, path, &self.token, body).await
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.ask(Method::GET, path, "").await;
        assert_eq!(answer.status, StatusCode::OK, "GET {path}: {}", answer.text);
        answer.json()
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.ask(Method::POST, path, body.to_string()).await;
        assert!(answer.status.is_success(), "POST {path}: {}", answer.text);
        answer.json()
    }

    /// A change that answers nothing.
    async fn order(&self, method: Method, path: &str) {
        let answer = self.ask(method, path, "").await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NO_CONTENT, ""), "{path}");
    }

    /// A lab of two linked iosv nodes; its id and theirs.
    async fn make_lab(&self, title: &str) -> (String, [String; 2]) {
        let id = |made: Value| made["id"].as_str().unwrap().to_owned();
        let lab = id(self.post("/labs", json!({ "title": title })).await);
        let mut nodes = Vec::new();
        let mut interfaces = Vec::new();
        for label in ["r1", "r2"] {
            let node = json!({ "label": label, "node_definition": "iosv", "x": 0, "y": 0, "configuration": "!" });
            let node = id(self.post(&format!("/labs/{lab}/nodes"), node).await);
            interfaces.push(id(self.post(&format!("/labs/{lab}/interfaces"), json!({ "node": node })).await));
            nodes.push(node);
        }
        let link = json!({ "src_int": interfaces[0], "dst_int": interfaces[1] });
        self.post(&format!("/labs/{lab}/links"), link).await;
        (lab, nodes.try_into().unwrap())
    }
}

fn start() -> Timestamp {
    "2026-03-02T08:00:00Z".parse().unwrap()
}

fn running(instance_id: &str, since: Timestamp) -> RunningInstance {
    RunningInstance {
        instance_id: instance_id.into(),
        running_since: since,
        instance_type: "m5zn.metal".into(),
        vcpus: 48,
    }
}
