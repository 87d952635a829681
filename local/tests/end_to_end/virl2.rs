//! Cisco's own client at a controller of the product: a whole life of labs and a licence there, and then labs that it
//! and our API see the same. `tests/clients/with-virl2-client` tells by `WIRE_PYTHON` where it is.

use std::path::Path;
use std::process::Command;

use local_controllers::LICENCE_TOKEN;
use reqwest::Method;
use serde_json::{Value, json};

use crate::process::{Product, log_file};

/// Fleet time in which a router boots while its client asks a few times.
const SPEED: &str = "200";

/// Runs a script of `tests/clients` against the controller: what it prints.
fn drive(script: &str, controller: &Value, look_only: bool) -> String {
    #[expect(clippy::disallowed_methods, reason = "a test reads what its runner set up")]
    let python = std::env::var("WIRE_PYTHON");
    let python = python.expect("WIRE_PYTHON is set: run this with tests/clients/with-virl2-client");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients").join(script);
    let mut command = Command::new(python);
    command.arg(script).env("CML_LICENCE_TOKEN", LICENCE_TOKEN);
    for (name, variable) in
        [("url", "CML_URL"), ("username", "CML_USERNAME"), ("password", "CML_PASSWORD"), ("version", "CML_VERSION")]
    {
        command.env(variable, controller[name].as_str().expect("text"));
    }
    // The controller is on this machine: no proxy leads there.
    command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1").env_remove("CML_LOOK_ONLY");
    if look_only {
        command.env("CML_LOOK_ONLY", "1");
    }
    let output = command.output().expect("it runs");
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{complained}");
    said.into_owned()
}

fn labs_as_cisco_sees_them(controller: &Value, look_only: bool) -> serde_json::Map<String, Value> {
    serde_json::from_str(&drive("virl2_labs.py", controller, look_only)).expect("an object")
}

fn succeeded(operation: &Value) -> &Value {
    assert_eq!(operation["status"], "succeeded", "{operation:#}");
    operation
}

/// The labs of the worker, read anew: in the same form as the script prints them.
fn labs_as_we_see_them(product: &Product, worker: &str) -> serde_json::Map<String, Value> {
    // Asked again within 10 s of machine time it is too soon; what is asked for is the same.
    let refreshed = product.retried(&Method::POST, &format!("{worker}/labs/refresh"), &Value::Null);
    succeeded(&product.ended(&refreshed));
    let listed = product.get(&format!("{worker}/labs?limit=200"));
    let lab = |listed: &Value| {
        let id = listed["id"].as_str().expect("an id");
        let lab = product.get(&format!("{worker}/labs/{id}"));
        let each = |name: &str| lab[name].as_array().unwrap_or_else(|| panic!("{name}: {lab:#}")).clone();
        let node = |node: &Value| {
            let fields = json!([node["label"], node["node_definition"], node["state"]]);
            (node["id"].as_str().expect("an id").to_owned(), fields)
        };
        let link = |link: &Value| (link["id"].as_str().expect("an id").to_owned(), link["state"].clone());
        assert_eq!(listed["node_count"], each("nodes").len(), "{listed:#}");
        let shown = json!({
            "title": lab["title"], "state": lab["state"], "owner": lab["owner_username"],
            "nodes": each("nodes").iter().map(node).collect::<serde_json::Map<_, _>>(),
            "links": each("links").iter().map(link).collect::<serde_json::Map<_, _>>(),
        });
        (id.to_owned(), shown)
    };
    // One that is marked as missing was read in passing, and is forgotten at the second listing without it.
    let there = |listed: &&Value| listed["missing_since"].is_null();
    listed["items"].as_array().expect("a list").iter().filter(there).map(lab).collect()
}

fn live_and_compare(version: &str) {
    std::fs::write(log_file("virl2.secrets"), LICENCE_TOKEN).expect("a note for the search of logs");
    let data = tempfile::tempdir().expect("a folder");
    let product = Product::start_with(data.path(), |command| command.args(["--speed", SPEED]));
    // So that nobody stops it while it is used.
    let body = json!({ "name": "lab-1", "region": "us-east-1", "idle_timeout_minutes": 10_080 });
    let made = product.operate(Method::POST, "/api/workers", &body);
    let worker = format!("/api/workers/{}", succeeded(&made)["result"]["worker_id"].as_str().expect("an id"));
    let ready = product.wait_for(&worker, "ready", |worker| worker["service_status"] == "available");
    let controller = format!("/dev/cml/{}", ready["instance_id"].as_str().expect("an id"));
    product.pull(Method::PUT, &format!("{controller}/version"), &json!({ "version": version }));
    let access = product.get(&controller);
    assert_eq!(access["version"], version);

    let said = drive("virl2_life.py", &access, false);
    assert!(said.contains("all as it should be"), "{said}");
    assert_eq!(labs_as_we_see_them(&product, &worker), serde_json::Map::new());

    // The life ended without a licence, and without one no node starts.
    let token = json!({ "token": LICENCE_TOKEN, "product": "CML_Enterprise" });
    succeeded(&product.operate(Method::PUT, &format!("{worker}/license"), &token));
    let seen = labs_as_cisco_sees_them(&access, false);
    assert_eq!(seen.len(), 2);
    assert_eq!(labs_as_we_see_them(&product, &worker), seen);

    // What is done through our API, Cisco's client sees.
    let imported = seen.iter().find(|(_, lab)| lab["title"] == "Imported").expect("the lab").0;
    let lab = format!("{worker}/labs/{imported}");
    let shown = product.get(&format!("{worker}/cml/labs/{imported}"));
    assert_eq!((&shown["lab_title"], &shown["state"]), (&json!("Imported"), &json!("STARTED")));
    // Its web server answers twice for the controller, which is waited out; what is taken back never happens.
    let faults = format!("{controller}/faults");
    product.pull(Method::POST, &faults, &json!({ "fault": "absent", "count": null }));
    product.pull(Method::DELETE, &faults, &Value::Null);
    let twice = json!({ "fault": "bad_gateway", "count": 2, "method": "PUT", "path": "/labs/*/stop" });
    product.pull(Method::POST, &faults, &twice);
    for (action, state) in [("stop", "STOPPED"), ("wipe", "DEFINED_ON_CORE"), ("start", "STARTED")] {
        succeeded(&product.operate(Method::POST, &format!("{lab}/{action}"), &Value::Null));
        let seen = labs_as_cisco_sees_them(&access, true);
        assert_eq!(seen[imported]["state"], state, "{action}");
        assert_eq!(labs_as_we_see_them(&product, &worker), seen, "{action}");
    }
}

#[test]
fn a_2_9_controller_shows_ciscos_client_and_our_api_the_same() {
    live_and_compare("2.9.1");
}

#[test]
fn a_2_10_controller_shows_ciscos_client_and_our_api_the_same() {
    live_and_compare("2.10.0");
}
