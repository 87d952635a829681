//! A function's process, as Lambda starts it: its zone's release binary, its handler and its environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http_api::Function;

use super::runtime_api::{PATIENCE, RuntimeApi};
use super::set_up;
use crate::run_log;

/// Tells the logs of a run apart.
static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// A process; killed when dropped.
pub(super) struct Lambda {
    child: Child,
    /// Where what it says goes.
    log: PathBuf,
    /// When it was started.
    started: Instant,
    /// Where it asks for events.
    pub(super) api: RuntimeApi,
}

impl Lambda {
    /// Starts that handler in the function's zone, with these variables and what Lambda adds.
    pub(super) async fn start(function: &Function, handler: &str, variables: &BTreeMap<String, String>) -> Self {
        let api = RuntimeApi::new().await;
        let binary = Path::new(&set_up("WIRE_BINARIES")).join(function.zone.name());
        let mut command = Command::new(&binary);
        command
            .env_clear()
            .envs(variables)
            .env("_HANDLER", handler)
            .env("AWS_LAMBDA_RUNTIME_API", &api.address)
            .env("AWS_LAMBDA_FUNCTION_NAME", format!("ccm-{}", function.name))
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("RUST_LOG", run_log::FILTER)
            .stdin(Stdio::null());
        let log = format!("lambda-{}-{}", function.name, NUMBER.fetch_add(1, Ordering::SeqCst));
        let output = run_log::begin(&log);
        let log = run_log::folder().join(log).with_extension("log");
        command.stdout(output.try_clone().unwrap()).stderr(output);
        let started = Instant::now();
        let child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
        Self { child, log, started, api }
    }

    /// From its start until it asked for its first event.
    pub(super) async fn time_to_first_event(&mut self) -> Duration {
        let started = self.started;
        tokio::select! {
            asked = self.api.first_asked() => asked - started,
            status = ended(&mut self.child) => panic!("it ended ({status}) before its first event: {}", said(&self.log)),
        }
    }

    pub(super) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Its resident memory now, in KiB.
    pub(super) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// `SIGTERM`, and what it ended with.
    pub(super) async fn terminate(self) -> (ExitStatus, String) {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(told.success());
        self.end().await
    }

    /// What it ends with by itself, and what it said.
    pub(super) async fn end(mut self) -> (ExitStatus, String) {
        let status = tokio::time::timeout(PATIENCE, ended(&mut self.child)).await.expect("it ends");
        (status, said(&self.log))
    }
}

async fn ended(child: &mut Child) -> ExitStatus {
    let mut look = tokio::time::interval(Duration::from_millis(10));
    loop {
        look.tick().await;
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
    }
}

/// What an ended process said.
fn said(log: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(log).unwrap()).into_owned()
}

impl Drop for Lambda {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
