//! The main job, as a person sees it: the real binary, over HTTP, 600 times as fast.

#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

#[cfg(feature = "wire")]
mod browser;
mod process;
mod sessions;
#[cfg(feature = "wire")]
mod virl2;
#[cfg(feature = "wire")]
mod wire;

use std::process::Command;

use process::Product;
use serde_json::Value;

#[test]
fn a_worker_is_created_read_idle_and_stopped_with_a_reason_and_kill_9_loses_nothing() {
    let data = tempfile::tempdir().unwrap();
    let product = Product::start(data.path());

    let (status, operation) = product.create("lab-1", "key-1");
    assert_eq!(status, 202, "{operation}");
    let operation_path = format!("/api/operations/{}", operation["id"].as_str().unwrap());
    // Killed at once: the wish is recorded, whatever of it was sent.
    product.kill();
    let product = Product::start(data.path());
    let ended = product.wait_for(&operation_path, "ended", |op| op["finished_at"].is_string());
    assert_eq!(ended["status"], "succeeded", "{ended:#}");
    let worker_path = format!("/api/workers/{}", ended["result"]["worker_id"].as_str().unwrap());

    let ready = product.wait_for(&worker_path, "ready with all readings", |worker| {
        let metrics = &worker["metrics"];
        worker["service_status"] == "available"
            && metrics["ec2"]["last_checked_at"].is_string()
            && metrics["cloudwatch"]["cpu_utilization"].is_number()
            && metrics["cml"]["last_synced_at"].is_string()
    });
    assert_eq!(ready["metrics"]["cml"]["ready"], true);

    let (status, again) = product.create("lab-1", "key-1");
    assert_eq!((status, &again["id"]), (202, &operation["id"]));
    assert_eq!(product.instances().len(), 1);
    let (status, other) = product.create("lab-2", "key-1");
    assert_eq!((status, &other["errors"][0]["field"]), (422, &Value::from("Idempotency-Key")));

    let stopped = product.wait_for(&worker_path, "stopped", |worker| worker["status"] == "stopped");
    let reason = stopped["power"]["state_reason"].as_str().unwrap();
    assert!(reason.starts_with("Stopped by idle shutdown: No lab runs and nobody has used it since"), "{reason}");
    let before = product.get(&format!("{worker_path}/events?limit=200"));

    product.kill();
    let product = Product::start(data.path());
    let after = product.get(&format!("{worker_path}/events?limit=200"));
    let (before, after) = (before["items"].as_array().unwrap(), after["items"].as_array().unwrap());
    assert_eq!(&after[after.len() - before.len()..], &before[..]);
    assert_eq!(product.get(&worker_path)["power"]["state_reason"], stopped["power"]["state_reason"]);
    assert_eq!(product.create("lab-1", "key-1").1["id"], operation["id"]);
    assert_eq!(product.instances().len(), 1);
    everything_was_published(&product, &worker_path);
    let queues = product.get("/dev/queues");
    let dead = queues.as_object().unwrap().values().map(|queue| queue["dead"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(dead, 0, "{queues:#}");
}

/// Every committed event is on the bus, in its order and with its number, though the product was killed twice.
fn everything_was_published(product: &Product, worker_path: &str) {
    let worker_id = worker_path.rsplit('/').next().expect("an id");
    let committed = product.get(&format!("{worker_path}/events?limit=200"));
    let committed: Vec<(u64, String)> = committed["items"].as_array().expect("a list").iter().map(numbered).collect();
    assert_eq!(committed.last().map(|(number, _)| *number), Some(1), "all of them are on this page");
    let published = product.wait_for("/dev/events?limit=1000", "all published", |published| {
        let newest = of_worker(published, worker_id).into_iter().map(|(number, _)| number).max();
        newest >= Some(committed[0].0)
    });
    let mut published = of_worker(&published, worker_id);
    let numbers: Vec<u64> = published.iter().rev().map(|(number, _)| *number).collect();
    assert_eq!(numbers.first(), Some(&1));
    // Each follows the one before, or repeats some that were on their way when the product was killed.
    assert!(numbers.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{numbers:?}");
    published.sort_by(|one, other| other.cmp(one));
    published.dedup();
    assert_eq!(&published[published.len() - committed.len()..], &committed[..]);
}

fn numbered(event: &Value) -> (u64, String) {
    (event["sequence"].as_u64().expect("a number"), event["type"].as_str().expect("text").to_owned())
}

/// The published events of a worker: number and type.
fn of_worker(published: &Value, worker_id: &str) -> Vec<(u64, String)> {
    assert_eq!(published["set_aside"].as_array().map(Vec::len), Some(0), "{published:#}");
    let events = published["items"].as_array().expect("a list").iter().filter(|event| event["subject"] == worker_id);
    let number = |event: &Value| event["sequence"].as_str().expect("text").parse().expect("a number");
    events.map(|event| (number(event), event["type"].as_str().expect("text").to_owned())).collect()
}

#[test]
fn the_commands_of_the_readme_work_as_they_stand() {
    let readme = include_str!("../../../README.md");
    let block = readme.split("```sh main-job\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    // The product needs only Rust; this test also needs what the README's reader has.
    let has = |tool: &str| Command::new(tool).arg("--version").output().is_ok();
    if !has("curl") || !has("bash") {
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let product = Product::start(data.path());
    let run = Command::new("bash")
        .args(["-euo", "pipefail", "-c", block])
        .env("BASE", &product.base)
        .env("no_proxy", "127.0.0.1")
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{out}\n{err}");
    assert!(out.trim_end().lines().last().unwrap().starts_with("Stopped by idle shutdown:"), "{out}");
}
