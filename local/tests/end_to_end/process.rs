//! The product as a person starts it: a process on a free port, with data of its own.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long anything may take; far more than it does.
const PATIENCE: Duration = Duration::from_secs(90);

/// Everything that our own crates have to say. The logs of a whole run are searched for secrets.
const LOG_FILTER: &str = "info,dynoxide=error,ccm_=trace,functions=trace,local=trace";

/// The file of that name among the logs of the tests; `tests/tests/all/run_log.rs` names the same folder.
pub(crate) fn log_file(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("logs");
    std::fs::create_dir_all(&folder).expect("a folder for logs");
    folder.join(name)
}

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
        Self::start_with(data, |command| command.args(["--speed", "600"]))
    }

    /// The same with options of its own, and at its own speed.
    pub(crate) fn start_with(data: &Path, options: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        let mut product = Self::launch(data, options);
        let form = "grant_type=password&client_id=cml-cloud-manager-public&username=admin&password=test";
        let answer: Value = product
            .client
            .post(format!("{}/dev/oidc/token", product.base))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .and_then(reqwest::blocking::Response::json)
            .expect("a token");
        product.token = answer["access_token"].as_str().expect("a token").to_owned();
        product
    }

    /// The same with nobody signed in.
    pub(crate) fn launch(data: &Path, options: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let log = log_file(&format!("local-{}.log", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
        let mut child = options(&mut command)
            .args(["--port", "0", "--empty", "--data-dir"])
            .arg(data)
            .env("RUST_LOG", LOG_FILTER)
            .env_remove("SAFE_MODE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).expect("a log"))
            .spawn()
            .expect("the binary starts");
        let output = BufReader::new(child.stdout.take().expect("it has an output"));
        // The greeting comes once it answers, and names the port.
        let greeting = output.lines().map_while(Result::ok).find(|line| line.contains(" is at http://"));
        let greeting = greeting.unwrap_or_else(|| panic!("it ended before it greeted: {}", log.display()));
        let base = greeting.split_whitespace().find(|word| word.starts_with("http://")).expect("an address").to_owned();
        // Only plain HTTP is spoken, but a client is not built without.
        let _already = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::blocking::Client::builder().timeout(Duration::from_secs(20)).build().expect("a client");
        Self { child, base, client, token: String::new() }
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

    /// The status of a page that anybody may see.
    #[cfg(feature = "wire")]
    pub(crate) fn status(&self, path: &str) -> u16 {
        self.client.get(format!("{}{path}", self.base)).send().expect("an answer").status().as_u16()
    }

    /// POSTs a worker under a key: status and answer.
    pub(crate) fn create(&self, name: &str, key: &str) -> (u16, Value) {
        let body = json!({ "name": name, "region": "us-east-1" });
        let request = self.client.post(format!("{}/api/workers", self.base)).bearer_auth(&self.token);
        let answer = request.header("idempotency-key", key).json(&body).send().expect("an answer");
        (answer.status().as_u16(), answer.json().expect("JSON"))
    }

    /// Asks for something slow, and waits for its operation to end.
    #[cfg(feature = "wire")]
    pub(crate) fn operate(&self, method: reqwest::Method, path: &str, body: &Value) -> Value {
        self.ended(&self.ask(method, path, body))
    }

    /// Asks for something slow: its operation as accepted.
    #[cfg(feature = "wire")]
    pub(crate) fn ask(&self, method: reqwest::Method, path: &str, body: &Value) -> Value {
        let answer = self.send(method, path, body);
        let status = answer.status().as_u16();
        let accepted: Value = answer.json().expect("JSON");
        assert_eq!(status, 202, "{accepted:#}");
        accepted
    }

    /// The same, again and again while it is too soon (429).
    #[cfg(feature = "wire")]
    pub(crate) fn retried(&self, method: &reqwest::Method, path: &str, body: &Value) -> Value {
        let begun = Instant::now();
        loop {
            let answer = self.send(method.clone(), path, body);
            let status = answer.status().as_u16();
            let said: Value = answer.json().expect("JSON");
            if status == 202 {
                return said;
            }
            assert!(status == 429 && begun.elapsed() < PATIENCE, "{said:#}");
            std::thread::park_timeout(Duration::from_millis(250));
        }
    }

    /// Pulls a lever.
    #[cfg(feature = "wire")]
    pub(crate) fn pull(&self, method: reqwest::Method, path: &str, body: &Value) {
        let answer = self.send(method, path, body);
        assert_eq!(answer.status().as_u16(), 204, "{:?}", answer.text());
    }

    #[cfg(feature = "wire")]
    fn send(&self, method: reqwest::Method, path: &str, body: &Value) -> reqwest::blocking::Response {
        let request = self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        let request = if body.is_null() { request } else { request.json(body) };
        request.send().expect("an answer")
    }

    /// The operation once it has ended.
    #[cfg(feature = "wire")]
    pub(crate) fn ended(&self, operation: &Value) -> Value {
        let path = format!("/api/operations/{}", operation["id"].as_str().expect("an id"));
        self.wait_for(&path, "ended", |operation| operation["finished_at"].is_string())
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
