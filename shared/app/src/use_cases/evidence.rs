//! Keep what tells why something failed. It is taken after the failure was written down, and whatever goes wrong
//! with it is only logged: evidence never fails, delays or changes what it is about.

use domain::drift::Drift;
use domain::evidence::{
    Cause, EVIDENCE_KEPT_FOR, EVIDENCE_MAX_BYTES, Evidence, EvidenceKind, end_of, file_key, masked,
};
use domain::worker::{InstanceFacts, Worker};
use domain::{EvidenceId, LabId, Timestamp, WorkerId};

use super::backup_files::sha256_hex;
use crate::context::Context;
use crate::error::AppError;
use crate::ports::{Ec2, Files};

/// What it takes to work on instances and to keep what they had to say.
#[derive(Clone, Copy)]
pub struct Ec2Ports<'a> {
    /// EC2.
    pub ec2: &'a dyn Ec2,
    /// Where evidence is kept.
    pub files: &'a dyn Files,
}

/// A failure that evidence is kept of.
pub(super) struct Failed {
    pub(super) worker_id: WorkerId,
    pub(super) cause: Cause,
    /// When it failed: the same whenever it is asked, because the ids of evidence begin with it.
    pub(super) at: Timestamp,
}

/// A text, before it is masked and cut.
pub(super) struct Exhibit {
    pub(super) kind: EvidenceKind,
    pub(super) lab_id: Option<LabId>,
    pub(super) node: Option<String>,
    pub(super) text: String,
}

impl Failed {
    /// A drift is a failure of the machine, not of an operation.
    pub(super) fn by_drift(worker_id: WorkerId, drift: &Drift) -> Self {
        Self { worker_id, cause: Cause::Drift { kind: drift.kind, since: drift.since }, at: drift.since }
    }

    /// The id of a piece of evidence: made of what failed, so that what is taken twice is one.
    fn evidence_id(&self, exhibit: &Exhibit) -> EvidenceId {
        let Exhibit { kind, lab_id, node, .. } = exhibit;
        let what = format!("{} {:?} {} {lab_id:?} {node:?}", self.worker_id, self.cause, kind.name());
        // 128 of its 256 bits, of which an id takes 80.
        let random = u128::from_str_radix(&sha256_hex(what.as_bytes())[..32], 16).unwrap_or_default();
        EvidenceId::new(self.at, random)
    }
}

/// Keeps a text, once: what is kept already stays as it was taken first. The file comes before its record, so
/// that nothing points to a text that is not there.
pub(super) async fn keep(
    ctx: &Context,
    files: &dyn Files,
    failed: &Failed,
    exhibit: Exhibit,
    secrets: &[&str],
) -> Result<Evidence, AppError> {
    let (id, now) = (failed.evidence_id(&exhibit), ctx.now());
    if let Some(kept) = ctx.store.find_evidence(failed.worker_id, id, now).await? {
        return Ok(kept);
    }
    let text = masked(&exhibit.text, secrets);
    let (text, truncated) = end_of(&text, EVIDENCE_MAX_BYTES);
    files.put(&file_key(id), text.as_bytes()).await.map_err(AppError::Unavailable)?;
    let evidence = Evidence {
        id,
        worker_id: failed.worker_id,
        kind: exhibit.kind,
        cause: failed.cause.clone(),
        lab_id: exhibit.lab_id,
        node: exhibit.node,
        taken_at: now,
        expires_at: now.checked_add(EVIDENCE_KEPT_FOR).unwrap_or(Timestamp::MAX),
        size_bytes: text.len() as u64,
        truncated,
    };
    ctx.store.save_evidence(&evidence).await?;
    tracing::info!(worker_id = %failed.worker_id, evidence_id = %id, kind = exhibit.kind.name(), "evidence kept");
    Ok(evidence)
}

/// Keeps the console output of a worker's instance; null when it has none, or EC2 has nothing of it.
///
/// # Errors
/// EC2, the files or the table failed.
pub(super) async fn keep_console_output(
    ctx: &Context,
    ports: Ec2Ports<'_>,
    worker: &Worker,
    failed: &Failed,
) -> Result<Option<Evidence>, AppError> {
    let Some(InstanceFacts { id, .. }) = &worker.instance else { return Ok(None) };
    let output = ports.ec2.console_output(&worker.place, id).await?.filter(|text| !text.trim().is_empty());
    let Some(output) = output else { return Ok(None) };
    let text = format!("Console of {id} in {}, as EC2 had it at {}:\n\n{output}", worker.place, ctx.now());
    let exhibit = Exhibit { kind: EvidenceKind::ConsoleOutput, lab_id: None, node: None, text };
    // What is secret of a worker is not read here: this function has no right to.
    keep(ctx, ports.files, failed, exhibit, &[]).await.map(Some)
}

/// What could be kept; the rest is for the log.
pub(super) fn kept(worker_id: WorkerId, taken: Result<Option<Evidence>, AppError>) -> Option<Evidence> {
    taken.unwrap_or_else(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::warn!(%worker_id, %error, cause, "evidence of a failure could not be kept");
        None
    })
}
