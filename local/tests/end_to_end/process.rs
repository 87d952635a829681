//! The product as a person starts it: a process on a free port, with data of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long anything may take; far more than it does.
const PATIENCE: Duration = Duration::from_secs(90);

/// A running product; killed when dropped.
pub(crate) struct Product {
    child: Child,
    pub(crate) base: String,
    client: reqwest::blocking::Client,
    token: String,
}

impl Product {
    /// Starts it on `data`, 600 times as fast, and signs in as admin.
    pub(crate) fn start(data: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_local"))
            .args(["--port", "0", "--empty", "--speed", "600", "--data-dir"])
            .arg(data)
            .env("RUST_LOG", "error")
            .env_remove("SAFE_MODE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let output = BufReader::new(child.stdout.take().expect("it has an output"));
        // The greeting comes once it answers, and names the port.
        let greeting = output.lines().map_while(Result::ok).find(|line| line.contains(" is at http://"));
        let greeting = greeting.expect("it greets");
        let base = greeting.split_whitespace().find(|word| word.starts_with("http://")).expect("an address").to_owned();
        // Only plain HTTP is spoken, but a client is not built without.
        let _already = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::blocking::Client::builder().timeout(Duration::from_secs(20)).build().expect("a client");
        let form = "grant_type=password&client_id=cml-cloud-manager-public&username=admin&password=test";
        let answer: Value = client
            .post(format!("{base}/dev/oidc/token"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .and_then(reqwest::blocking::Response::json)
            .expect("a token");
        let token = answer["access_token"].as_str().expect("a token").to_owned();
        Self { child, base, client, token }
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let request = self.client.get(format!("{}{path}", self.base)).bearer_auth(&self.token);
        request.send().and_then(reqwest::blocking::Response::json).expect("an answer")
    }

    /// POSTs a worker under a key: status and answer.
    pub(crate) fn create(&self, name: &str, key: &str) -> (u16, Value) {
        let body = json!({ "name": name, "region": "us-east-1" });
        let request = self.client.post(format!("{}/api/workers", self.base)).bearer_auth(&self.token);
        let answer = request.header("idempotency-key", key).json(&body).send().expect("an answer");
        (answer.status().as_u16(), answer.json().expect("JSON"))
    }

    /// The answer at `path` once it is as wanted.
    pub(crate) fn wait_for(&self, path: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let seen = self.get(path);
            if wanted(&seen) {
                return seen;
            }
            assert!(begun.elapsed() < PATIENCE, "never {what}: {seen:#}");
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// The ids of instances that are not terminated.
    pub(crate) fn instances(&self) -> Vec<String> {
        let all = self.get("/dev/cloud/instances");
        let live = all["items"].as_array().expect("a list").iter().filter(|one| one["state"] != "terminated");
        live.map(|one| one["instance_id"].as_str().expect("an id").to_owned()).collect()
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
