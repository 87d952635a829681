//! Make a lab of a topology or of a backup, once.
//!
//! CML is asked for it under a title of the operation's own, so that a lab whose answer was lost is found
//! again; only then it gets its title. That CML is asked, and which lab it is, are written down first: whoever
//! comes later knows what may be there, and under which of the two titles.

use domain::operation::cml::{ImportLabTask, LabSource};
use domain::operation::{Operation, OperationResult, SAFE_MODE, Task, bounded_warnings};
use domain::worker::Worker;
use domain::{LabId, SignedDuration};

use super::act_on_lab::{is_no_lab, refresh_item};
use crate::context::Context;
use crate::error::AppError;
use crate::ports::{CmlError, CmlErrorKind, LabChange};
use crate::topology::TOPOLOGY_MAX_BYTES;
use crate::use_cases::backup_files::backup_content;
use crate::use_cases::controller::{CmlPorts, Way, failed_call};
use crate::use_cases::operation_run::{Progress, keep};
use crate::use_cases::unfinished_imports::working_title;

/// How long a lab may take to appear whose answer was lost, machine time. Longer than any of our calls may last: the client
/// gives up after 30 s, an invocation after 60.
const APPEARS_WITHIN: SignedDuration = SignedDuration::from_secs(120);

pub(super) async fn advance(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    operation: &mut Operation,
    worker: &Worker,
    mut task: ImportLabTask,
) -> Result<Progress, AppError> {
    let own_title = working_title(operation.id);
    if task.lab.is_none() && task.asked_at.is_some() {
        match find(ctx, ports, way, &own_title, &task).await {
            Ok(found) => task.lab = found,
            Err(progress) => return Ok(progress),
        }
    }
    if task.lab.is_none()
        && let Some(progress) = import(ctx, ports, way, operation, &mut task, &own_title).await?
    {
        return Ok(progress);
    }
    let Some(lab) = task.lab.clone() else {
        return Ok(Progress::waiting(ctx, "the lab to appear"));
    };
    operation.task = Task::ImportLab(task.clone());
    // However it ends, it says which lab there is.
    let result = operation.result.get_or_insert_default();
    (result.worker_id, result.lab_id) = (Some(worker.id), Some(lab.clone()));
    // From here on it has another title, by which nobody would find it.
    if !keep(ctx, operation).await? {
        return Ok(Progress::Overtaken);
    }
    finish(ctx, ports, way, worker, &task, &lab).await
}

/// The lab that an earlier attempt made; none when it made none, so that CML may be asked again.
async fn find(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    own_title: &str,
    task: &ImportLabTask,
) -> Result<Option<LabId>, Progress> {
    let listing = match ports.controllers.labs(way.access()).await {
        // An answer that cannot be read says nothing of the lab: it is waited for as one that did not come.
        Err(error) if error.kind == CmlErrorKind::Malformed => return Err(lost(ctx, &error)),
        listing => listing.map_err(|error| failed_call(ctx, &error))?,
    };
    let ours = listing.labs.iter().find(|lab| lab.title.as_deref() == Some(own_title));
    if let Some(lab) = ours.and_then(|lab| lab.id.parse().ok()) {
        return Ok(Some(lab));
    }
    let now = ctx.machine_clock.now();
    let may_still_appear = task.asked_at.is_some_and(|at| now.duration_since(at) < APPEARS_WITHIN);
    if may_still_appear || !listing.unread.is_empty() {
        return Err(Progress::waiting(ctx, "the lab to appear, of which CML's answer was lost"));
    }
    Ok(None)
}

/// Asks CML for the lab. Null when it is there.
async fn import(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    operation: &mut Operation,
    task: &mut ImportLabTask,
    own_title: &str,
) -> Result<Option<Progress>, AppError> {
    if ctx.settings.safe_mode {
        let message = "SAFE_MODE is on: the import was decided and recorded, and not done.";
        return Ok(Some(Progress::failed(SAFE_MODE, message)));
    }
    if ctx.now() >= operation.expires_at {
        let what = operation.waiting_for.take().unwrap_or_else(|| "its turn".into());
        return Ok(Some(Progress::waiting(ctx, what)));
    }
    let topology = match content(ctx, ports, &task.from).await? {
        Ok(topology) => topology,
        Err((code, why)) => return Ok(Some(Progress::failed(code, why))),
    };
    task.asked_at = Some(ctx.machine_clock.now());
    operation.attempts += 1;
    operation.task = Task::ImportLab(task.clone());
    if !keep(ctx, operation).await? {
        return Ok(Some(Progress::Overtaken));
    }
    let imported = ports.controllers.import_lab(way.access(), &topology, Some(own_title)).await;
    Ok(match imported {
        Ok(imported) => match imported.id.parse() {
            Ok(lab) => {
                (task.lab, task.warnings) = (Some(lab), bounded_warnings(imported.warnings));
                None
            }
            Err(_) => Some(Progress::failed("cml_malformed", format!("CML calls the lab {:?}.", imported.id))),
        },
        Err(error) if error.outcome_unknown() => Some(lost(ctx, &error)),
        Err(error) => Some(failed_call(ctx, &error)),
    })
}

fn lost(ctx: &Context, error: &CmlError) -> Progress {
    Progress::waiting(ctx, format!("the lab to appear, of which CML's answer was lost ({error})"))
}

/// The topology, or why there is none any more: a code and words.
async fn content(
    ctx: &Context,
    ports: CmlPorts<'_>,
    from: &LabSource,
) -> Result<Result<String, (&'static str, String)>, AppError> {
    match from {
        LabSource::Topology(key) => {
            let bytes = ports.files.get(key, TOPOLOGY_MAX_BYTES).await.map_err(AppError::Unavailable)?;
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            let gone = "The topology that was sent is no longer there; send it again.";
            Ok(text.ok_or_else(|| ("topology_gone", gone.to_owned())))
        }
        LabSource::Backup(id) => {
            let Some(backup) = ctx.store.find_backup(*id).await? else {
                return Ok(Err(("backup_gone", format!("There is no backup {id} any more."))));
            };
            match backup_content(ports.files, &backup).await {
                Err(AppError::Damaged(why)) => Ok(Err(("damaged", why))),
                content => content.map(Ok),
            }
        }
    }
}

/// Gives the lab its title, and records it.
async fn finish(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    worker: &Worker,
    task: &ImportLabTask,
    lab: &LabId,
) -> Result<Progress, AppError> {
    let title = LabChange { title: Some(&task.title), ..LabChange::default() };
    let mut warnings = task.warnings.clone();
    let renamed = match ports.controllers.update_lab(way.access(), lab.as_str(), title).await {
        // The lab is there all the same.
        Err(error) if error.kind == CmlErrorKind::Refused && !is_no_lab(&error) => {
            warnings.push(format!("CML refused the title {:?}: {}", task.title, error.message));
            Ok(())
        }
        renamed => renamed,
    };
    match renamed {
        Ok(()) => {}
        Err(error) if is_no_lab(&error) => {
            return Ok(Progress::failed("lab_not_found", "The lab was imported, and somebody deleted it since."));
        }
        // A title may be given twice.
        Err(error) if error.outcome_unknown() => {
            return Ok(Progress::waiting(ctx, format!("the lab to get its title ({error})")));
        }
        Err(error) => return Ok(failed_call(ctx, &error)),
    }
    refresh_item(ctx, ports, way, worker.id, lab, false).await?;
    Ok(Progress::Done(OperationResult {
        worker_id: Some(worker.id),
        lab_id: Some(lab.clone()),
        warnings,
        ..OperationResult::default()
    }))
}
