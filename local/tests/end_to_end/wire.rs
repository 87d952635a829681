//! The product on the wire: table, queues, EC2 and CloudWatch through the real adapters, on ministack, which
//! `make test-all` starts. What ministack cannot do is listed in `docs/TESTING.md`; it is asserted here
//! where it shows what the product says then.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use domain::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::process::Product;

/// An image that ministack has from the start, and launches from without a container.
const IMAGE: &str = "ami-0abcdef1234567890";

/// At 600 a minute of fleet time is as short as ministack's SQS takes to look for messages: 0.1 s.
const SPEED: &str = "60";

/// An account of its own on ministack, which takes an access key of twelve digits for one.
struct Account {
    url: String,
    id: String,
    client: reqwest::blocking::Client,
}

impl Account {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        #[expect(clippy::disallowed_methods, reason = "a test reads what its runner set up")]
        let url = std::env::var("WIRE_MINISTACK_URL");
        let _already = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::blocking::Client::builder().timeout(Duration::from_secs(20)).build();
        Self {
            url: url.expect("WIRE_MINISTACK_URL is set: run this with `make test-all`"),
            id: format!("{:08}{number:04}", std::process::id()),
            client: client.expect("a client"),
        }
    }

    /// The product with this account's table and queues.
    fn product(&self, data: &Path, cloud: &str) -> Product {
        Product::start_with(data, |command| {
            command
                .args(["--backend", "aws", "--cloud", cloud, "--speed", SPEED])
                .env("AWS_ENDPOINT_URL", &self.url)
                .env("AWS_REGION", "us-east-1")
                .env("AWS_ACCESS_KEY_ID", &self.id)
                .env("AWS_SECRET_ACCESS_KEY", "any")
        })
    }

    /// A call as anybody else in the account would make it: the form's answer.
    fn call(&self, service: &str, form: String) -> String {
        let scope = format!("{}/20260101/us-east-1/{service}/aws4_request", self.id);
        let answer = self
            .client
            .post(&self.url)
            .header("authorization", format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .and_then(reqwest::blocking::Response::error_for_status);
        answer.and_then(reqwest::blocking::Response::text).expect("an answer")
    }

    /// Launches an instance that the product knows nothing of.
    fn launch(&self) -> String {
        let form = format!("Action=RunInstances&ImageId={IMAGE}&InstanceType=c5.metal&MinCount=1&MaxCount=1");
        within(&self.call("ec2", form), "instanceId").to_owned()
    }

    /// Every instance as EC2 has it.
    fn instances(&self) -> Vec<Instance> {
        let answer = self.call("ec2", "Action=DescribeInstances".into());
        let instances = answer.split("<instancesSet>").skip(1).map(|xml| Instance {
            id: within(xml, "instanceId").to_owned(),
            state: within(within(xml, "instanceState"), "name").to_owned(),
            tags: within(xml, "tagSet").to_owned(),
        });
        instances.collect()
    }

    fn state(&self, id: &Value) -> Option<String> {
        self.instances().into_iter().find(|instance| id == &instance.id).map(|instance| instance.state)
    }

    /// Puts one CPU value of an instance for the hour from `from`.
    fn put_cpu(&self, instance_id: &str, percent: u32, from: Timestamp) {
        let mut form = "Action=PutMetricData&Namespace=AWS/EC2".to_owned();
        for n in 1..=60 {
            let at = (from + SignedDuration::from_mins(n)).strftime("%Y-%m-%dT%H:%M:%SZ");
            let datum = format!("&MetricData.member.{n}");
            form += &format!("{datum}.MetricName=CPUUtilization{datum}.Unit=Percent{datum}.Value={percent}");
            form += &format!("{datum}.Timestamp={at}{datum}.Dimensions.member.1.Name=InstanceId");
            form += &format!("{datum}.Dimensions.member.1.Value={instance_id}");
        }
        self.call("monitoring", form);
    }
}

struct Instance {
    id: String,
    state: String,
    /// As XML.
    tags: String,
}

/// What stands in the first element of that name.
fn within<'a>(xml: &'a str, element: &str) -> &'a str {
    let rest = xml.split(&format!("<{element}>")).nth(1).unwrap_or_default();
    rest.split(&format!("</{element}>")).next().unwrap_or_default()
}

fn new_worker(name: &str) -> Value {
    json!({ "name": name, "region": "us-east-1", "ami_id": IMAGE })
}

fn succeeded(operation: &Value) -> &Value {
    assert_eq!(operation["status"], "succeeded", "{operation:#}");
    operation
}

/// The path of the worker that an operation made.
fn worker_of(operation: &Value) -> String {
    format!("/api/workers/{}", succeeded(operation)["result"]["worker_id"].as_str().expect("a worker"))
}

#[test]
fn the_main_job_is_done_with_table_and_queues_on_the_wire() {
    let (account, data) = (Account::new(), tempfile::tempdir().unwrap());
    let product = account.product(data.path(), "simulated");
    let wish = json!({ "name": "lab-1", "region": "us-east-1", "idle_timeout_minutes": 5 });
    let worker = worker_of(&product.operate(Method::POST, "/api/workers", &wish));
    product.wait_for(&worker, "ready with all readings", |worker| {
        let metrics = &worker["metrics"];
        worker["service_status"] == "available"
            && metrics["ec2"]["last_checked_at"].is_string()
            && metrics["cloudwatch"]["cpu_utilization"].is_number()
            && metrics["cml"]["last_synced_at"].is_string()
    });
    let stopped = product.wait_for(&worker, "stopped", |worker| worker["status"] == "stopped");
    let reason = stopped["power"]["state_reason"].as_str().unwrap();
    assert!(reason.starts_with("Stopped by idle shutdown: No lab runs and nobody has used it since"), "{reason}");
    assert_eq!(product.instances().len(), 1);
    assert!(account.instances().is_empty());
}

#[test]
fn a_worker_lives_on_emulated_ec2_and_says_that_its_controller_was_never_read() {
    let (account, data) = (Account::new(), tempfile::tempdir().unwrap());
    let product = account.product(data.path(), "aws");
    let worker = worker_of(&product.operate(Method::POST, "/api/workers", &new_worker("lab-1")));
    let running = product.wait_for(&worker, "running", |worker| worker["status"] == "running");
    let instance = &running["instance_id"];
    assert_eq!(account.state(instance).as_deref(), Some("running"));
    assert!(account.instances()[0].tags.contains(worker.rsplit('/').next().unwrap()));

    account.put_cpu(instance.as_str().unwrap(), 42, running["updated_at"].as_str().unwrap().parse().unwrap());
    let read = product.wait_for(&worker, "read", |worker| {
        worker["metrics"]["cloudwatch"]["cpu_utilization"] == 42.0
            && worker["metrics"]["ec2"]["last_checked_at"].is_string()
    });
    assert_eq!(read["metrics"]["ec2"]["system_status_check"], "ok");
    // Nothing answers at the address that ministack makes up, so nobody knows whether it is used.
    // First it waits, and when that takes too long somebody is to look.
    product.wait_for(&format!("{worker}/power"), "judged", |power| {
        let reason = power["decision_reason"].as_str().unwrap_or_default();
        match power["decision"].as_str() {
            Some("wait") => reason.starts_with("CML has not been read since the start"),
            Some("investigate") => reason.contains("CML could not be read since"),
            _ => false,
        }
    });
    assert_eq!(
        (&read["service_status"], &read["metrics"]["cml"]["last_synced_at"]),
        (&json!("unavailable"), &Value::Null)
    );

    let refused = product.operate(Method::PUT, &format!("{worker}/monitoring"), &json!({ "enabled": true }));
    assert_eq!((&refused["status"], &refused["error"]["code"]), (&json!("failed"), &json!("InvalidAction")));

    for (command, state) in [("stop", "stopped"), ("start", "running")] {
        succeeded(&product.operate(Method::POST, &format!("{worker}/{command}"), &Value::Null));
        assert_eq!(product.get(&worker)["status"], state);
        assert_eq!(account.state(instance).as_deref(), Some(state));
    }
    succeeded(&product.operate(Method::DELETE, &worker, &Value::Null));
    assert_eq!(product.get(&worker)["status"], "terminated");
    assert!(account.instances().iter().all(|instance| instance.state == "terminated"));
}

#[test]
fn an_instance_that_was_there_is_imported_and_kept_apart_from_one_that_was_made() {
    let (account, data) = (Account::new(), tempfile::tempdir().unwrap());
    let product = account.product(data.path(), "aws");
    let theirs = account.launch();
    let made = worker_of(&product.operate(Method::POST, "/api/workers", &new_worker("made")));
    let body = json!({ "region": "us-east-1", "instance_id": theirs, "name": "theirs" });
    let imported = worker_of(&product.operate(Method::POST, "/api/workers/import", &body));
    let tagged = account.instances().into_iter().find(|instance| instance.id == theirs).unwrap().tags;
    assert!(tagged.contains(imported.rsplit('/').next().unwrap()), "{tagged}");
    let all = json!({ "region": "us-east-1", "ami_id": IMAGE });
    let again = product.operate(Method::POST, "/api/workers/import", &all);
    let result = &succeeded(&again)["result"];
    assert_eq!((&result["imported"], result["skipped"].as_object().unwrap().len()), (&json!([]), 2), "{again:#}");

    succeeded(&product.operate(Method::POST, &format!("{imported}/stop"), &Value::Null));
    let (made, imported) = (product.get(&made), product.get(&imported));
    assert_eq!((&imported["instance_id"], &imported["status"]), (&json!(theirs), &json!("stopped")));
    assert_ne!(made["instance_id"], imported["instance_id"]);
    assert_eq!(account.state(&made["instance_id"]).as_deref(), Some("running"));
}

#[test]
fn what_ec2_refuses_ends_the_operation_with_ec2s_own_words() {
    let (account, data) = (Account::new(), tempfile::tempdir().unwrap());
    let product = account.product(data.path(), "aws");
    let by_name = json!({ "name": "by-name", "region": "us-east-1" });
    let unknown = json!({ "name": "unknown", "region": "us-east-1", "ami_id": "ami-00000000000000000" });
    // Somebody else's, which no failed launch may take for its own.
    account.launch();
    for (body, code) in [(by_name, "InvalidAMIName.NotFound"), (unknown, "InvalidAMIID.NotFound")] {
        let ended = product.operate(Method::POST, "/api/workers", &body);
        assert_eq!((&ended["status"], &ended["error"]["code"]), (&json!("failed"), &json!(code)), "{ended:#}");
    }
    assert_eq!(account.instances().len(), 1);
    assert!(!account.instances()[0].tags.contains("ccm:"));
}

#[test]
fn killed_once_ec2_has_launched_the_product_ends_the_operation_with_that_one_instance() {
    let (account, data) = (Account::new(), tempfile::tempdir().unwrap());
    let product = account.product(data.path(), "aws");
    let operation = product.ask(Method::POST, "/api/workers", &new_worker("lab-1"));
    // Each look is a call, and there are few of them between the launch and its record.
    let launched = (0..10_000).find_map(|_| account.instances().into_iter().next()).expect("it is launched");
    product.kill();
    let product = account.product(data.path(), "aws");
    let worker = worker_of(&product.ended(&operation));
    let running = product.wait_for(&worker, "running", |worker| worker["status"] == "running");
    assert_eq!(running["instance_id"], launched.id);
    assert_eq!(account.instances().len(), 1);
}
