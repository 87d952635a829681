//! Take a topology that somebody sent, and start the operation that makes a lab of it.

use domain::operation::cml::{ImportLabTask, LabSource};
use domain::operation::{Operation, Task};
use domain::{Timestamp, WorkerId};

use super::command::{Asked, check_version, replay, start};
use super::lab_access::running_worker;
use super::lab_commands::nothing_of_its_own;
use crate::context::Context;
use crate::error::AppError;
use crate::ports::{FileKind, Files};
use crate::topology::{TopologyFormat, judge_title, judge_topology};

/// A topology as it was sent.
#[derive(Clone, Copy, Debug)]
pub struct SentTopology<'a> {
    /// Its text.
    pub text: &'a str,
    /// What it is written in.
    pub format: TopologyFormat,
    /// The title that the lab shall have; the topology's own by default.
    pub title: Option<&'a str>,
}

/// Keeps the topology and starts its import. The file is there before the operation is; one that nothing came
/// of is deleted, here or by the store's own rule for old topologies.
///
/// # Errors
/// What is wrong with the topology, by field; the worker does not run; the version or the key do not fit; or a
/// port failed, and nothing was started.
pub async fn import_lab(
    ctx: &Context,
    files: &dyn Files,
    asked: &Asked,
    worker: WorkerId,
    sent: SentTopology<'_>,
) -> Result<Operation, AppError> {
    if let Some(done) = replay(ctx, asked).await? {
        return Ok(done);
    }
    let running = running_worker(ctx, worker).await?;
    check_version(asked, &running)?;
    let topology = judge_topology(sent.text, sent.format)?;
    let title = judge_title(sent.title.map(str::to_owned), &topology)?.unwrap_or_else(|| untitled(ctx.now()));

    let key = format!("{}/{:032x}", FileKind::Topology.folder(), ctx.random.next());
    let task =
        ImportLabTask { from: LabSource::Topology(key.clone()), title, asked_at: None, lab: None, warnings: vec![] };
    files.put(&key, sent.text.as_bytes()).await.map_err(AppError::Unavailable)?;
    let task = Task::ImportLab(task);
    let started = start(ctx, asked, worker, &nothing_of_its_own(), |_| task.clone()).await;
    let unused = match &started {
        // The same request at the same moment: the other one's file is the one that counts.
        Ok(operation) => operation.task != task,
        // It may have been recorded all the same.
        Err(AppError::Unavailable(_)) => false,
        Err(_) => true,
    };
    if unused {
        forget_topology(files, &key).await;
    }
    started
}

/// What a lab is called that nobody gave a title.
fn untitled(now: Timestamp) -> String {
    now.strftime("Imported on %Y-%m-%d at %H:%M UTC").to_string()
}

/// Deletes a topology that is no longer needed. One that cannot be deleted holds nothing up.
pub(super) async fn forget_topology(files: &dyn Files, key: &str) {
    if let Err(error) = files.delete(key).await {
        tracing::warn!(key, %error, "a topology is left behind; the store's rule for old ones drops it");
    }
}
