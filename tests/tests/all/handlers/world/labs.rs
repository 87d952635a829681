//! A lab of the worker that runs, a backup of it, and evidence of a failure, as the fixture events name them.

use app::Context;
use app::ports::Random;
use app::testing::CountingRandom;
use app::use_cases::backup_files::sha256_hex;
use domain::backup::Backup;
use domain::drift::DriftKind;
use domain::evidence::{Cause, EVIDENCE_KEPT_FOR, Evidence, EvidenceKind};
use domain::lab::{Lab, LabLook, LabState};
use domain::{Actor, SignedDuration};

use super::seed::WORKER;
use super::{now, worker_id};

/// The lab.
pub(in crate::handlers) const LAB: &str = "8f1c2a77-5d0b-4b6e-9c3a-d1e2f3a4b5c6";
/// The backup.
pub(in crate::handlers) const BACKUP: &str = "bak-01kjq8r3m6x9c2f5h7k0n4p8t1";
/// The file of the backup.
pub(crate) const TOPOLOGY: &str = "lab:\n  title: BGP basics\n  version: 0.3.0\nnodes: []\nlinks: []\n";

/// Where the file of the backup is kept.
pub(crate) fn file_key() -> String {
    domain::backup::file_key(BACKUP.parse().unwrap())
}

/// Evidence of a failure of the worker that runs.
pub(in crate::handlers) const EVIDENCE: &str = "evd-01kjq8r3m6x9c2f5h7k0n4p8v3";
/// What it says.
pub(crate) const CONSOLE: &str = "[    2.000000] EXT4-fs error (device nvme0n1p1)\nadmin password: [masked]\n";

/// Where it is kept.
pub(crate) fn evidence_key() -> String {
    domain::evidence::file_key(EVIDENCE.parse().unwrap())
}

/// What a new controller draws before the id of its first lab.
const DRAWN_BEFORE: u128 = 7;

/// Random numbers that give a new controller's first lab its id.
#[derive(Default)]
pub(super) struct LabRandom(CountingRandom);

impl Random for LabRandom {
    fn next(&self) -> u128 {
        match self.0.next() {
            drawn if drawn == DRAWN_BEFORE + 1 => u128::from_str_radix(&LAB.replace('-', ""), 16).unwrap(),
            drawn => drawn,
        }
    }
}

/// Records all of them.
pub(super) async fn seed(context: &Context) {
    let lab = Lab {
        id: LAB.parse().unwrap(),
        worker_id: worker_id(WORKER),
        title: "BGP basics".into(),
        description: Some("Two routers".into()),
        notes: None,
        state: Some(LabState::Stopped),
        owner: Some("0c7a6c5e-2f3b-4a1d-8e9f-102030405060".into()),
        owner_username: Some("ada".into()),
        node_count: Some(2),
        link_count: Some(1),
        created_at: Some(now() - SignedDuration::from_hours(30)),
        modified_at: Some(now() - SignedDuration::from_hours(20)),
        synced_at: now() - SignedDuration::from_mins(12),
        missing_since: None,
    };
    context.store.save_lab(&lab).await.unwrap();
    let made_at = now() - SignedDuration::from_mins(30);
    let backup = Backup {
        id: BACKUP.parse().unwrap(),
        worker_id: lab.worker_id,
        worker_name: "lab-1".into(),
        lab_id: lab.id,
        lab_owner: lab.owner_username,
        title: lab.title,
        description: lab.description,
        node_count: 2,
        bytes: TOPOLOGY.len() as u64,
        sha256: sha256_hex(TOPOLOGY.as_bytes()),
        made_at,
        made_by: Actor::User { subject: "subject-of-ada".into(), username: "ada".into() },
        not_extracted: vec![("sw".into(), "Bad request: node has no configuration to extract".into())],
        lab_look: LabLook::default(),
        expires_at: context.settings.backups.expiry(made_at),
    };
    context.store.save_backup(&backup).await.unwrap();
    let evidence = Evidence {
        id: EVIDENCE.parse().unwrap(),
        worker_id: backup.worker_id,
        kind: EvidenceKind::ConsoleOutput,
        cause: Cause::Drift { kind: DriftKind::HostFailure, since: made_at },
        lab_id: None,
        node: None,
        taken_at: made_at,
        expires_at: made_at + EVIDENCE_KEPT_FOR,
        size_bytes: CONSOLE.len() as u64,
        truncated: false,
    };
    context.store.save_evidence(&evidence).await.unwrap();
}
