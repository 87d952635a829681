//! Every answer with every one of its values missing, of another type, or beside something unknown: it
//! costs that value and no more, unless nothing can be said without it.

use std::sync::Mutex;

use app::ports::{CmlDefinitions, CmlError, CmlErrorKind, CmlLabs, CmlLicensing, CmlNodes, CmlSystem, CmlUsers};
use futures::future::{BoxFuture, FutureExt as _};
use serde_json::Value;

use super::labs::{LAB, lab};
use super::*;

/// Every value in it, by JSON pointer, itself first.
fn pointers(value: &Value) -> Vec<String> {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.replace('/', "~1"), value)).collect(),
        Value::Array(elements) => elements.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    let below = children
        .into_iter()
        .flat_map(|(name, child)| pointers(child).into_iter().map(move |pointer| format!("/{name}{pointer}")));
    std::iter::once(String::new()).chain(below).collect()
}

/// The value with that one changed, each time in another way.
fn oddities(value: &Value, pointer: &str) -> Vec<Value> {
    let odd = [json!(null), json!(-7.5), json!("odd"), json!([1, "a"]), json!({"new": 1}), json!(true), json!(1e300)];
    let mut all: Vec<Value> = odd
        .into_iter()
        .map(|odd| {
            let mut changed = value.clone();
            *changed.pointer_mut(pointer).unwrap() = odd;
            changed
        })
        .collect();
    if let Some((parent, name)) = pointer.rsplit_once('/') {
        let mut without = value.clone();
        if let Some(parent) = without.pointer_mut(parent).unwrap().as_object_mut() {
            parent.remove(name);
            parent.insert("new".into(), json!({"in": ["a later version"]}));
            all.push(without);
        }
    }
    all
}

type Read = for<'a> fn(&'a CmlClient, CmlAccess<'a>) -> BoxFuture<'a, Result<(), CmlError>>;

macro_rules! reading {
    ($client:ident, $access:ident => $call:expr) => {
        |$client, $access| async move { $call.await.map(drop) }.boxed()
    };
}

/// What is asked, a good answer, and the values without which there is no answer.
type Reading = (Read, Value, &'static [&'static str]);

fn readings() -> Vec<Reading> {
    of_labs().into_iter().chain(of_the_controller()).collect()
}

fn of_labs() -> Vec<Reading> {
    let node = json!({"id": "n0", "label": "r1", "node_definition": "iosv", "image_definition": "i", "state": "BOOTED",
        "boot_progress": "Booted", "compute_id": "c", "cpus": 1, "ram": 512, "tags": ["t"], "operational": {"cpus": 1}});
    let topology = json!({"lab": {"title": "t"}, "nodes": [{"id": "n0", "x": 1, "y": 2, "interfaces": [{}]}],
        "links": [{"id": "l0", "node_a": "n0", "n2": "n1"}]});
    let statistics = json!({"nodes": {"n0": {"cpu_usage": 1, "times": {"BOOTED": 1}}}, "links": {"l0": {"drops": 0}}});
    let event = json!([{"event": "ADD", "element_type": "node", "element_id": "n0", "data": {"state": "BOOTED"},
        "timestamp": "2026-01-01T00:00:00Z"}]);
    vec![
        (reading!(client, access => client.lab(access, LAB)), lab(LAB), &["", "/id"]),
        (reading!(client, access => client.lab_ids(access)), json!(["a", "b"]), &["", "/0", "/1"]),
        (reading!(client, access => client.lab_topology(access, LAB)), topology, &[""]),
        (reading!(client, access => client.lab_state(access, LAB)), json!("STARTED"), &[""]),
        (reading!(client, access => client.lab_converged(access, LAB)), json!(true), &[""]),
        (
            reading!(client, access => client.lab_element_states(access, LAB)),
            json!({"nodes": {"n0": "BOOTED"}, "links": {}, "interfaces": {"i0": "STARTED"}}),
            &[""],
        ),
        (reading!(client, access => client.lab_events(access, LAB)), event, &[""]),
        (reading!(client, access => client.simulation_statistics(access, LAB)), statistics, &[""]),
        (
            reading!(client, access => client.import_lab(access, "lab: {}", None)),
            json!({"id": "l", "warnings": ["w"]}),
            &["", "/id"],
        ),
        (reading!(client, access => client.nodes(access, LAB)), json!([node]), &[""]),
        (
            reading!(client, access => client.node_state(access, LAB, "n0")),
            json!({"state": "BOOTED", "progress": "Booted"}),
            &["", "/state"],
        ),
    ]
}

fn of_the_controller() -> Vec<Reading> {
    let definition = json!({"id": "iosv", "general": {"nature": "router", "description": "d", "read_only": true},
        "ui": {"label": "l"}, "boot": {"timeout": 1}, "sim": {"linux_native": {"cpus": 1, "ram": 1}}});
    let image = json!({"id": "i", "node_definition_id": "iosv", "label": "l", "disk_image": "f", "cpus": 1, "ram": 1});
    let time = json!({"succeeded": "2026-01-01 00:00:00", "status": "s"});
    let licensing = json!({"registration": {"status": "s", "expires": "2026-01-01 00:00:00", "register_time": time},
        "authorization": {"status": "s", "renew_time": time}, "features": [{"id": "f", "in_use": 1, "max": 2}],
        "reservation_mode": false, "transport": {"ssms": "s", "proxy": {"server": "p", "port": 1}},
        "udi": {"hostname": "h"}, "product_license": {"active": "p", "is_enterprise": true}});
    let health =
        json!({"valid": true, "computes": {"c": {"valid": true, "hostname": "h"}}, "controller": {"valid": true}});
    let stats = json!({"computes": {"c": {"stats": {"cpu": {"load": [1, 2]}, "dominfo": {"running_nodes": 1}}}},
        "all": {"cpu": {"percent": 1}, "memory": {"used": 1}}});
    let user = json!([{"id": "u", "username": "n", "admin": true, "groups": ["g"], "created": "2026-01-01T00:00:00Z"}]);
    vec![
        (reading!(client, access => client.node_definitions(access)), json!([definition]), &[""]),
        (reading!(client, access => client.image_definitions(access)), json!([image]), &[""]),
        (reading!(client, access => client.licensing(access)), licensing, &[""]),
        (reading!(client, access => client.health(access)), health, &[""]),
        (reading!(client, access => client.statistics(access)), stats, &[""]),
        (
            reading!(client, access => client.compute_hosts(access)),
            json!([{"id": "c", "hostname": "h", "is_synced": true, "node_counts": {"running": 1}}]),
            &[""],
        ),
        (
            reading!(client, access => client.maintenance_mode(access)),
            json!({"maintenance_mode": false, "notice": null}),
            &[""],
        ),
        (
            reading!(client, access => client.notices(access)),
            json!([{"id": "n", "level": "INFO", "acknowledged": {"u": true}, "groups": ["g"]}]),
            &[""],
        ),
        (reading!(client, access => client.users(access)), user, &[""]),
        (reading!(client, access => client.groups(access)), json!([{"id": "g", "name": "n", "members": ["u"]}]), &[""]),
    ]
}

#[tokio::test]
async fn an_odd_value_costs_itself_and_no_more() {
    let says = Arc::new(Mutex::new(Value::Null));
    let controller = Controller::start({
        let says = Arc::clone(&says);
        move |_| Answer::json(&says.lock().unwrap())
    })
    .await;
    let mut tried = 0;
    for (read, good, vital) in readings() {
        let set = |answer: &Value| *says.lock().unwrap() = answer.clone();
        set(&good);
        read(&controller.client, controller.access()).await.unwrap();
        for pointer in pointers(&good) {
            for odd in oddities(&good, &pointer) {
                set(&odd);
                tried += 1;
                match read(&controller.client, controller.access()).await {
                    Ok(()) => {}
                    Err(error) if vital.contains(&pointer.as_str()) => {
                        assert_eq!(error.kind, CmlErrorKind::Malformed, "{pointer} {odd}");
                    }
                    Err(error) => panic!("{error}: {pointer} {odd}"),
                }
            }
        }
    }
    assert!(tried > 1_000, "{tried}");
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_malformed_and_not_repeated_in_the_error() {
    for body in ["<html>secret</html>", "{\"secret\": tr", "", "\"secret"] {
        let controller = Controller::start(move |_| Answer::Whole(200, body.into())).await;
        for (read, ..) in readings() {
            let error = read(&controller.client, controller.access()).await.unwrap_err();
            assert_eq!(error.kind, CmlErrorKind::Malformed, "{body}: {error}");
            assert!(!error.message.contains("secret"), "{error}");
        }
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut_whatever_was_asked() {
    let controller = Controller::start(|_| Answer::Endless).await;
    for (read, ..) in readings() {
        let error = read(&controller.client, controller.access()).await.unwrap_err();
        assert_eq!(error.kind, CmlErrorKind::Malformed, "{error}");
    }
}

#[tokio::test]
async fn a_booting_controller_is_not_ready_whatever_is_asked() {
    let controller = Controller::start(|_| Answer::Whole(502, "<html>502 Bad Gateway</html>".into())).await;
    for (read, ..) in readings() {
        let error = read(&controller.client, controller.access()).await.unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (CmlErrorKind::NotReady, "its web server answers 502 for it"));
    }
}
