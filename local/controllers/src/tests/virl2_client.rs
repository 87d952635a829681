//! Cisco's own client, as the judge: it drives a controller of each version through a whole life.
//! `tests/clients/with-virl2-client` sets it up and tells where it is by `WIRE_PYTHON`.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Instant;

use app::ports::Clock;

use super::*;
use crate::{Access, ControllerVersion, LICENCE_TOKEN};

/// Fleet time in which a router boots while its client asks a few times.
const SPEED: i32 = 200;

/// Fleet time, which runs fast.
struct FastClock {
    started: Instant,
    from: Timestamp,
}

impl Clock for FastClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.started.elapsed()).unwrap();
        self.from + passed * SPEED
    }
}

async fn live_a_life(version: ControllerVersion, text: &'static str) {
    let from = start();
    let fleet_clock = Arc::new(FastClock { started: Instant::now(), from });
    let machine_clock = Arc::new(ManualClock::at(from));
    let documents = Documents::in_memory().unwrap();
    let controllers = Controllers::new(documents, fleet_clock, machine_clock, Arc::new(CountingRandom::default()));
    // It has been up for longer than a boot takes.
    controllers.sync(&[running(OLD, from - SignedDuration::from_mins(10))]).await;
    controllers.set_version(OLD, version).unwrap();

    let access = controllers.access(OLD).unwrap();
    let output = tokio::task::spawn_blocking(move || drive(&access, text)).await.unwrap();
    controllers.shutdown().await;
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("all as it should be"), "{said}{complained}");
}

#[expect(clippy::disallowed_methods, reason = "a test reads what its runner set up")]
fn drive(access: &Access, version: &str) -> Output {
    let python = std::env::var("WIRE_PYTHON");
    let python = python.expect("WIRE_PYTHON is not set: run this with tests/clients/with-virl2-client");
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients/virl2_life.py");
    let mut command = Command::new(python);
    command.arg(script).env("CML_URL", &access.url).env("CML_VERSION", version);
    command.env("CML_USERNAME", &access.username).env("CML_PASSWORD", &access.password);
    // The controller is on this machine: no proxy leads there.
    command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    command.env("CML_LICENCE_TOKEN", LICENCE_TOKEN).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_2_9_controller_is_one_to_ciscos_own_client() {
    live_a_life(ControllerVersion::V2_9, "2.9.1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_2_10_controller_is_one_to_ciscos_own_client() {
    live_a_life(ControllerVersion::V2_10, "2.10.0").await;
}
