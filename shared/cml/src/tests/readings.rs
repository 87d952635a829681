//! What is read of controllers of every version, field by field.

use app::ports::{Cml, CmlErrorKind, ControllerReading};
use domain::metrics::CmlReading;
use insta::assert_snapshot;

use super::*;

macro_rules! fixture {
    ($version:literal, $noun:literal) => {
        concat!("../../tests/fixtures/", $version, "/", $noun, ".json")
    };
}

macro_rules! controller {
    ($name:ident, $version:literal) => {
        /// A signed-in controller of that version.
        pub(super) fn $name(request: &Request) -> Answer {
            let body = match request.line.as_str() {
                "GET /api/v0/system_information" => include_str!(fixture!($version, "system_information")),
                "GET /api/v0/system_health" => include_str!(fixture!($version, "system_health")),
                "GET /api/v0/system_stats" => include_str!(fixture!($version, "system_stats")),
                "GET /api/v0/licensing" => include_str!(fixture!($version, "licensing")),
                "GET /api/v0/labs?show_all=true" => include_str!(fixture!($version, "labs")),
                "GET /api/v0/telemetry/events" => include_str!(fixture!($version, "telemetry_events")),
                line => return Answer::Whole(404, format!(r#"{{"code": 404, "description": "no {line}"}}"#)),
            };
            Answer::Whole(200, body.to_owned())
        }
    };
}

controller!(v2_8, "2.8");
controller!(v2_9, "2.9");
controller!(v2_10, "2.10");
controller!(v2_11, "2.11");

async fn read(
    handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    after: Option<Timestamp>,
) -> ControllerReading {
    let identity = Identity::new();
    let pin = identity.sha256();
    let server = Server::start(identity, move |request| match request.line.as_str() {
        SIGN_IN => Answer::json(&json!(token(3_600))),
        _ => handler(request),
    })
    .await;
    let (client, target) = (client(), target(&server, Some(pin)));
    let contact = client.system_information(&target).await.unwrap();
    client.read(&target, &credentials(), &contact.information, after).await.unwrap()
}

/// One field a line; a new field does not compile until it is here.
fn fields(reading: &ControllerReading) -> String {
    let CmlReading {
        version,
        ready,
        uptime_secs,
        labs,
        running_nodes,
        total_nodes,
        cpu_percent,
        memory_percent,
        disk_percent,
        allocated_cpus,
        healthy,
        kvm,
        license,
    } = &reading.cml;
    let license = license.as_ref().unwrap();
    let mut lines = vec![
        format!("version {version:?}, ready {ready}, uptime {uptime_secs:?}"),
        format!("healthy {healthy:?}, kvm {kvm:?}"),
        format!("labs {labs:?}, nodes {running_nodes:?} of {total_nodes:?}, allocated CPUs {allocated_cpus:?}"),
        format!("cpu {cpu_percent:?}, memory {memory_percent:?}, disk {disk_percent:?}"),
        format!("registration {:?}, authorization {:?}", license.registration, license.authorization),
        format!("product {:?}, expires {:?}", license.product, license.expires_at),
    ];
    for event in reading.telemetry.as_ref().unwrap() {
        lines.push(format!("{} {} by {:?}", event.at, event.category, event.user_id));
    }
    lines.join("\n")
}

#[tokio::test]
async fn version_2_8_still_booting_and_without_a_licence() {
    let reading = read(v2_8, None).await;
    assert_eq!(reading.errors, []);
    assert_snapshot!(fields(&reading), @r#"
    version Some("2.8.1+build.4"), ready false, uptime None
    healthy Some(false), kvm Some(false)
    labs Some(0), nodes None of None, allocated CPUs None
    cpu Some(12.5), memory Some(25.0), disk Some(37.5)
    registration Some("NOT_REGISTERED"), authorization Some("EVAL")
    product None, expires None
    "#);
}

#[tokio::test]
async fn version_2_9_at_work() {
    let reading = read(v2_9, None).await;
    assert_eq!(reading.errors, []);
    assert_snapshot!(fields(&reading), @r#"
    version Some("2.9.0+build.3"), ready true, uptime None
    healthy Some(true), kvm Some(true)
    labs Some(2), nodes Some(3) of Some(9), allocated CPUs Some(5)
    cpu Some(6.5), memory Some(25.0), disk Some(62.5)
    registration Some("COMPLETED"), authorization Some("IN_COMPLIANCE")
    product Some("CML_Enterprise"), expires Some(2027-01-31T08:09:10Z)
    2026-02-01T10:00:00.125Z user_activity by Some("7a6b5c4d-3e2f-4101-9a8b-7c6d5e4f3a2b")
    2026-02-01T10:05:00Z system_stats by None
    2026-02-01T10:06:00Z start_lab by Some("7a6b5c4d-3e2f-4101-9a8b-7c6d5e4f3a2b")
    "#);
}

#[tokio::test]
async fn version_2_10_with_two_computes() {
    let reading = read(v2_10, None).await;
    assert_eq!(reading.errors, []);
    assert_snapshot!(fields(&reading), @r#"
    version Some("2.10.0"), ready true, uptime None
    healthy Some(true), kvm Some(true)
    labs Some(1), nodes Some(12) of Some(21), allocated CPUs Some(24)
    cpu Some(20.0), memory Some(25.0), disk Some(37.5)
    registration Some("COMPLETED"), authorization Some("OUT_OF_COMPLIANCE")
    product Some("CML_Education"), expires Some(2026-12-24T18:00:00Z)
    2026-02-01T10:00:00Z lab_autostart by None
    2026-02-01T11:00:00Z start_node by None
    "#);
}

#[tokio::test]
async fn version_2_11_with_fields_of_other_shapes() {
    let reading = read(v2_11, None).await;
    assert_eq!(reading.errors, []);
    assert_snapshot!(fields(&reading), @r#"
    version Some("2.11.0+sso"), ready true, uptime None
    healthy None, kvm Some(false)
    labs Some(0), nodes Some(1) of Some(4), allocated CPUs Some(2)
    cpu Some(5.0), memory Some(25.0), disk Some(25.0)
    registration Some("COMPLETED"), authorization None
    product Some("CML_Personal40"), expires None
    2026-02-01T12:00:00Z stop_lab by Some("7a6b5c4d-3e2f-4101-9a8b-7c6d5e4f3a2b")
    "#);
}

#[tokio::test]
async fn an_answer_without_the_known_fields_is_an_unready_controller_of_unknown_version() {
    let identity = Identity::new();
    let pin = identity.sha256();
    let server = Server::start(identity, |_| Answer::json(&json!({"ready": null, "version": 2.9}))).await;
    let contact = client().system_information(&target(&server, Some(pin))).await.unwrap();
    assert_eq!(contact.information, SystemInformation { version: "unknown".into(), ready: false });
}

#[tokio::test]
async fn telemetry_below_the_mark_is_left_out() {
    let reading = read(v2_9, Some("2026-02-01T10:05:00Z".parse().unwrap())).await;
    let categories: Vec<_> = reading.telemetry.unwrap().into_iter().map(|event| event.category).collect();
    assert_eq!(categories, ["start_lab"]);
}

#[tokio::test]
async fn one_broken_part_leaves_the_others() {
    for line in [
        "GET /api/v0/system_health",
        "GET /api/v0/system_stats",
        "GET /api/v0/licensing",
        "GET /api/v0/labs?show_all=true",
        "GET /api/v0/telemetry/events",
    ] {
        for body in [r#"{"valid": tr"#, r#""ok""#, ""] {
            let reading = read(
                move |request| if request.line == line { Answer::Whole(200, body.into()) } else { v2_9(request) },
                None,
            )
            .await;
            assert_eq!(reading.errors.len(), 1, "{line} {body}");
            assert_eq!(reading.errors[0].kind, CmlErrorKind::Malformed, "{line} {body}");
            let cml = &reading.cml;
            let there = [
                cml.healthy.is_some(),
                cml.cpu_percent.is_some(),
                cml.license.is_some(),
                cml.labs.is_some(),
                reading.telemetry.is_some(),
            ];
            assert_eq!(there.iter().filter(|there| **there).count(), 4, "{line} {body}");
        }
    }
}

#[tokio::test]
async fn a_reader_that_may_not_see_the_licence_reads_the_rest() {
    let reading = read(
        |request| match request.line.as_str() {
            "GET /api/v0/licensing" => Answer::Whole(403, r#"{"code": 403, "description": "Not an admin."}"#.into()),
            _ => v2_9(request),
        },
        None,
    )
    .await;
    assert_eq!(reading.cml.license, None);
    assert_eq!(reading.cml.running_nodes, Some(3));
    assert_eq!(reading.errors[0].to_string(), "CML GET /licensing: Not an admin.");
}
