//! Faults as a client meets them, over TLS.

use std::time::Duration;

use reqwest::{Response, tls::TlsInfo};

use super::*;
use crate::{ControllerFault, FaultOrder};

/// Long enough for any answer that comes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Short enough for one that does not.
const IMPATIENCE: Duration = Duration::from_millis(200);

struct Wire {
    fleet: Fleet,
    client: reqwest::Client,
    token: String,
}

impl Wire {
    async fn new() -> Self {
        // Of another test, at worst: there is only this one to choose.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let fleet = Fleet::ready(OLD).await;
        let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).no_proxy().tls_info(true);
        let client = client.build().unwrap();
        let token = fleet.admin(OLD).await.token;
        Self { fleet, client, token }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/api/v0{path}", self.fleet.controllers.access(OLD).unwrap().url);
        self.client.request(method, url).bearer_auth(&self.token).timeout(PATIENCE)
    }

    async fn send(&self, method: Method, path: &str, body: &str) -> reqwest::Result<Response> {
        self.request(method, path).body(body.to_owned()).send().await
    }

    async fn get(&self, path: &str) -> reqwest::Result<Response> {
        self.send(Method::GET, path, "").await
    }

    async fn inject(&self, order: FaultOrder) {
        self.fleet.controllers.inject_fault(OLD, order).await.unwrap();
    }

    async fn works(&self) -> bool {
        self.get("/labs").await.is_ok_and(|answer| answer.status().is_success())
    }
}

fn once(fault: ControllerFault) -> FaultOrder {
    FaultOrder::once(fault)
}

#[tokio::test]
async fn the_gateway_fails_as_often_as_ordered() {
    let wire = Wire::new().await;
    wire.inject(once(ControllerFault::BadGateway).times(2)).await;
    for _ in 0..2 {
        let answer = wire.get("/labs").await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
        assert!(answer.text().await.unwrap().starts_with("<html>"));
    }
    assert!(wire.works().await);
}

#[tokio::test]
async fn a_slow_answer_outlasts_the_patience_of_its_client() {
    let wire = Wire::new().await;
    wire.inject(once(ControllerFault::Slow(600_000)).at("GET", "/labs")).await;
    assert!(wire.request(Method::GET, "/labs").timeout(IMPATIENCE).send().await.unwrap_err().is_timeout());
    wire.inject(once(ControllerFault::Slow(1)).at("GET", "/labs")).await;
    assert!(wire.works().await);
}

#[tokio::test]
async fn broken_json_ends_halfway_and_an_endless_body_never() {
    let wire = Wire::new().await;
    wire.inject(once(ControllerFault::BrokenJson)).await;
    assert!(wire.get("/system_stats").await.unwrap().json::<Value>().await.unwrap_err().is_decode());
    let lab: Value = wire.send(Method::POST, "/labs", r#"{"title": "Half told"}"#).await.unwrap().json().await.unwrap();
    wire.inject(once(ControllerFault::BrokenJson)).await;
    let path = format!("/labs/{}", lab["id"].as_str().unwrap());
    assert!(wire.send(Method::DELETE, &path, "").await.unwrap().json::<Value>().await.unwrap_err().is_decode());
    assert_eq!(wire.get(&path).await.unwrap().status(), StatusCode::NOT_FOUND, "done, and said in broken words");

    wire.inject(once(ControllerFault::EndlessBody)).await;
    let mut answer = wire.get("/system_stats").await.unwrap();
    let mut read = 0;
    while read < 64 << 20 {
        read += answer.chunk().await.unwrap().expect("it never ends").len();
    }
    drop(answer);
    assert!(wire.works().await);
}

#[tokio::test]
async fn an_import_whose_answer_is_lost_was_done() {
    let wire = Wire::new().await;
    wire.inject(once(ControllerFault::AnswerLost).at("POST", "/import")).await;
    let file = "lab: {title: Lost, version: 0.3.0}\nnodes: []\nlinks: []\n";
    let error = wire.send(Method::POST, "/import", file).await.unwrap_err();
    assert!(error.is_request() && !error.is_timeout() && !error.is_connect(), "{error:?}");
    let labs: Vec<String> = wire.get("/labs").await.unwrap().json().await.unwrap();
    assert_eq!(labs.len(), 1);
}

#[tokio::test]
async fn a_changed_certificate_is_another_one_at_the_same_address_and_stays() {
    let wire = Wire::new().await;
    let shown = || async {
        let answer = wire.get("/labs").await.unwrap();
        answer.extensions().get::<TlsInfo>().unwrap().peer_certificate().unwrap().to_vec()
    };
    let (first, address) = (shown().await, wire.fleet.controllers.address(OLD));
    assert_eq!(shown().await, first);
    wire.inject(once(ControllerFault::ChangedCertificate)).await;
    let second = shown().await;
    assert_ne!(second, first);
    assert_eq!((shown().await, wire.fleet.controllers.address(OLD)), (second, address));
}

#[tokio::test]
async fn revoked_tokens_are_refused_and_new_ones_are_good() {
    let wire = Wire::new().await;
    wire.inject(once(ControllerFault::TokensRevoked)).await;
    assert_eq!(wire.get("/labs").await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(wire.fleet.admin(OLD).await.get("/labs").await, json!([]));
}

#[tokio::test]
async fn the_tiles_can_be_absent_until_the_order_is_taken_back() {
    let wire = Wire::new().await;
    wire.inject(once(ControllerFault::Absent).at("GET", "/populate_lab_tiles").always()).await;
    for _ in 0..3 {
        assert_eq!(wire.get("/populate_lab_tiles").await.unwrap().status(), StatusCode::NOT_FOUND);
        assert!(wire.works().await);
    }
    wire.fleet.controllers.clear_faults(OLD).unwrap();
    assert_eq!(wire.get("/populate_lab_tiles").await.unwrap().status(), StatusCode::OK);
    wire.fleet.controllers.inject_fault(NEW, once(ControllerFault::Absent)).await.unwrap_err();
}
