//! What an instance writes on its console while it boots.

use domain::Timestamp;

use crate::instance::{Instance, State};

/// Seconds after the launch, and what is said then: Ubuntu's and CML's own words of a boot, shortened.
const BOOT: [(i64, &str); 8] = [
    (0, "Linux version 6.8.0-1021-aws (buildd@lcy02) #23-Ubuntu SMP x86_64"),
    (2, "EXT4-fs (nvme0n1p1): mounted filesystem with ordered data mode."),
    (6, "systemd[1]: Hostname set to <cml-controller>."),
    (15, "cloud-init[812]: Cloud-init v. 24.4 running 'init'"),
    (40, "systemd[1]: Started virl2-controller.service - CML controller."),
    (45, "systemd[1]: Started virl2-lowlevel-driver.service - CML low-level driver."),
    (60, "cloud-init[1203]: Cloud-init v. 24.4 finished. Datasource DataSourceEc2Local."),
    (62, "cml-controller login: "),
];

/// What EC2 has of it; nothing before the machine has begun to boot.
pub(crate) fn output(instance: &Instance, now: Timestamp) -> Option<String> {
    // What was written before it ended stays for an hour.
    let runs_until = match instance.state {
        State::Pending => return None,
        State::Running | State::Stopping | State::ShuttingDown => now,
        State::Stopped | State::Terminated => instance.since,
    };
    let up = runs_until.duration_since(instance.launched_at).as_secs();
    let said = BOOT.iter().filter(|(after, _)| *after <= up);
    let mut text: String = said.map(|(after, line)| format!("[{after:>5}.000000] {line}\n")).collect();
    if let (State::Stopping | State::Stopped, false) = (instance.state, text.is_empty()) {
        text.push_str("systemd-shutdown[1]: Powering off.\n");
    }
    (!text.is_empty()).then_some(text)
}
