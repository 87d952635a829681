//! Whatever goes wrong at a controller, and whatever it refuses, as an operation shows it.

use std::fmt::Write as _;

use app::ports::{CmlLabs, CmlLicensing, Deregistration, LabChange};
use app::topology::TopologyFormat;
use app::use_cases::import_lab::{SentTopology, import_lab};
use app::use_cases::lab_commands::act_on_lab;
use app::use_cases::license_commands::{deregister_license, renew_license};
use domain::lab::LabAction;
use domain::operation::Operation;
use domain::{LabId, OperationId, Role};
use local_controllers::{ControllerFault, FaultOrder};

use super::world::{LabWorld, TWO_NODES, asked, person};

/// What callers read of an operation that has ended.
fn shown(operation: &Operation) -> String {
    let error = operation.error.as_ref().map(|error| format!(" {}: {}", error.code, error.message));
    let warnings = operation.result.as_ref().map(|result| result.warnings.join(" ")).unwrap_or_default();
    let warned = if warnings.is_empty() { String::new() } else { format!(" (warned: {warnings})") };
    format!("{}{}{warned}", operation.status.name(), error.unwrap_or_default())
}

impl LabWorld {
    async fn order_of(&self, lab: &LabId, action: LabAction) -> OperationId {
        let manager = person(Role::Manager, "mia");
        act_on_lab(&self.ctx, &asked(&manager), &manager, self.worker(0), lab, action).await.unwrap().id
    }

    async fn shown(&self, id: OperationId) -> String {
        shown(&self.ended(id).await)
    }
}

/// Each fault, as it befalls the start of a lab: what is asked for, and what is looked at.
#[tokio::test]
async fn each_fault_of_a_controller_is_waited_out_or_ends_the_operation_with_a_reason() {
    const START: (&str, &str) = ("PUT", "/labs/*/start");
    const STATE: (&str, &str) = ("GET", "/labs/*/state");
    let mut table = String::new();
    for (fault, (method, path), always) in [
        (ControllerFault::BadGateway, START, false),
        (ControllerFault::BadGateway, STATE, true),
        (ControllerFault::AnswerLost, START, false),
        (ControllerFault::AnswerLost, STATE, true),
        (ControllerFault::BrokenJson, STATE, false),
        (ControllerFault::BrokenJson, STATE, true),
        (ControllerFault::EndlessBody, STATE, false),
        (ControllerFault::EndlessBody, STATE, true),
        (ControllerFault::Absent, START, false),
        (ControllerFault::Absent, STATE, false),
        (ControllerFault::TokensRevoked, START, false),
        (ControllerFault::ChangedCertificate, START, false),
    ] {
        let world = LabWorld::new().await;
        let lab = world.lab(0, TWO_NODES).await;
        let order = FaultOrder::once(fault.clone()).at(method, path);
        world.order(0, if always { order.always() } else { order }).await;
        let start = world.order_of(&lab, LabAction::Start).await;
        let often = if always { ", each time" } else { "" };
        let shown = world.shown(start).await;
        writeln!(table, "{fault:?} at {method} {path}{often}\n  {shown}").unwrap();
    }
    insta::assert_snapshot!(table, @"
    BadGateway at PUT /labs/*/start
      succeeded
    BadGateway at GET /labs/*/state, each time
      expired deadline_exceeded: The operation waited for the controller to answer (CML GET /labs/{lab_id}/state: its web server answers 502 for it) until its deadline. It may be asked for again.
    AnswerLost at PUT /labs/*/start
      succeeded
    AnswerLost at GET /labs/*/state, each time
      expired deadline_exceeded: The operation waited for the controller to answer (CML GET /labs/{lab_id}/state: the connection broke: it was cut off) until its deadline. It may be asked for again.
    BrokenJson at GET /labs/*/state
      succeeded
    BrokenJson at GET /labs/*/state, each time
      failed cml_malformed: its answer is not JSON (line 1, column 8)
    EndlessBody at GET /labs/*/state
      succeeded
    EndlessBody at GET /labs/*/state, each time
      failed cml_malformed: its answer is larger than 1048576 bytes
    Absent at PUT /labs/*/start
      failed cml_refused: Not Found
    Absent at GET /labs/*/state
      failed cml_refused: Not Found
    TokensRevoked at PUT /labs/*/start
      succeeded
    ChangedCertificate at PUT /labs/*/start
      failed certificate_changed: it shows another certificate than the one recorded; an administrator must confirm the new one
    ");
}

/// The refusals that were recorded at real controllers, word for word; their source is in
/// `local/controllers/src/tests/errors.rs`.
#[tokio::test]
async fn each_recorded_refusal_is_shown_word_for_word_or_needs_no_asking() {
    let admin = person(Role::Admin, "ada");
    let world = LabWorld::new().await;
    let lab = world.booted_lab(0, TWO_NODES).await;

    let operation = deregister_license(&world.ctx, &asked(&admin), world.worker(0)).await.unwrap();
    let running = "failed cml_refused: Licensing issue: Cannot de-register when nodes are running.";
    assert_eq!(world.shown(operation.id).await, running);

    let stop = world.order_of(&lab, LabAction::Stop).await;
    world.succeeded(stop).await;
    // CML says that the product has already been de-registered: it is as wanted.
    for _ in 0..2 {
        let operation = deregister_license(&world.ctx, &asked(&admin), world.worker(0)).await.unwrap();
        world.succeeded(operation.id).await;
    }
    let way = world.way(0).await;
    let again = world.client.deregister(way.access()).await;
    let operation = renew_license(&world.ctx, &asked(&admin), world.worker(0)).await.unwrap();
    let renewed = world.shown(operation.id).await;
    let start = world.order_of(&lab, LabAction::Start).await;
    let started = world.shown(start).await;
    let twice = "Licensing issue: The product has already been de-registered.";
    assert_eq!(again, Ok(Deregistration::NotRegistered { description: twice.into() }));
    assert_eq!(renewed, "failed cml_refused: Licensing issue: The product is not registered.");
    let no_seats = "Licensing issue: Starting 2 nodes exceeds the licensed limit of 0 nodes (0 left).";
    assert_eq!(started, format!("failed cml_refused: {no_seats}"));

    // A field that is too long, packed as JSON into the description.
    let title = "x".repeat(65);
    let long = LabChange { title: Some(&title), ..LabChange::default() };
    let long = world.client.create_lab(way.access(), long).await.unwrap_err();
    assert!(long.message.starts_with(r#"{"Input validation failed": [{"location": ["body", "title"]"#), "{long}");
    let unknown = world.client.lab(way.access(), "nowhere").await.unwrap_err();
    assert_eq!((unknown.status, unknown.message.as_str()), (Some(404), "Lab not found: nowhere"));
}

/// What we can judge is refused at once, with no operation; the rest CML judges, and nothing is left of it.
#[tokio::test]
async fn a_topology_that_cannot_be_is_refused_by_us_or_in_cmls_words_and_leaves_nothing() {
    let manager = person(Role::Manager, "mia");
    let world = LabWorld::new().await;
    let import = async |topology: &str| {
        let sent = SentTopology { text: topology, format: TopologyFormat::Yaml, title: None };
        import_lab(&world.ctx, world.files.as_ref(), &asked(&manager), world.worker(0), sent).await
    };
    // The very text of the recorded refusal: it never gets to CML.
    let commas = import(",,,").await.unwrap_err();
    let unknown = TWO_NODES.replace("node_definition: iosv", "node_definition: toaster");
    let unknown = world.shown(import(&unknown).await.unwrap().id).await;
    let place = "body is no YAML in line 1, column 1: did not find expected node content, while parsing a block node";
    assert_eq!(commas.to_string(), place);
    assert_eq!(unknown, "failed cml_refused: Bad request: Node Definition not found: toaster");
    let way = world.way(0).await;
    assert_eq!(world.client.lab_ids(way.access()).await.unwrap(), [""; 0]);
    assert_eq!(world.files.memory.all().len(), 0);
}
