//! Do something to a lab, and see it done.

use domain::lab::{LabAction, LabSeen, LabState, LabStep, next, seats_warning};
use domain::operation::cml::LabTask;
use domain::operation::{Operation, OperationResult, OperationStatus, SAFE_MODE, SUPERSEDED, Task};
use domain::worker::Worker;
use domain::{LabId, WorkerId};

use crate::context::Context;
use crate::error::AppError;
use crate::ports::{CmlError, CmlErrorKind, CmlState, LabChange};
use crate::use_cases::collect_labs::read;
use crate::use_cases::controller::{CmlPorts, Way, failed_call};
use crate::use_cases::operation_run::{Progress, frozen};

/// Looks in one run: before CML is asked, and after.
const LOOKS_PER_RUN: usize = 2;
/// How often in a row what CML shows may be unreadable before that ends the operation.
const MISREADS_MAX: u32 = 4;
/// Operations of a worker that are read at a time.
const PAGE: u32 = 50;
/// Pages in which a newer operation on the same lab is looked for.
const PAGES: usize = 10;

pub(super) async fn advance(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    operation: &mut Operation,
    worker: &Worker,
    mut task: LabTask,
) -> Result<Progress, AppError> {
    let progress = step(ctx, ports, way, operation, &mut task).await?;
    if matches!(progress, Progress::Done(_) | Progress::Failed(..)) {
        let gone = task.action == LabAction::Delete && matches!(progress, Progress::Done(_));
        refresh_item(ctx, ports, way, worker.id, &task.lab, gone).await?;
        if matches!(progress, Progress::Failed(..)) && ctx.store.lab_wish(worker.id, &task.lab).await?.is_some() {
            // What is wished of it is judged soon, not at the next reading of all labs.
            ctx.store.save_labs_due(worker.id, ctx.now()).await?;
        }
    }
    operation.task = Task::ActOnLab(task);
    Ok(progress)
}

/// One step. What a call leaves undone is seen by the next look, so a call may be made again: each of them
/// wishes for a state, and wishing twice is wishing once.
async fn step(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    operation: &mut Operation,
    task: &mut LabTask,
) -> Result<Progress, AppError> {
    for _ in 0..LOOKS_PER_RUN {
        let seen = match look(ports, way, &task.lab).await {
            Ok(seen) => seen,
            Err(error) => return Ok(not_seen(ctx, task, &error)),
        };
        task.misread = 0;
        let seen = seen.as_ref().map(|(state, converged)| LabSeen { state, converged: *converged });
        match next(&task.action, task.asked, seen) {
            LabStep::Done => {
                let (worker_id, lab_id) = (operation.target, Some(task.lab.clone()));
                return Ok(Progress::Done(OperationResult { worker_id, lab_id, ..OperationResult::default() }));
            }
            LabStep::Fail(code, message) => return Ok(Progress::failed(code, message)),
            LabStep::Wait(what) => return Ok(Progress::waiting(ctx, what)),
            LabStep::Ask => {
                if let Some(held) = held(ctx, operation, task).await? {
                    return Ok(held);
                }
                match ask(ctx, ports, way, operation, task).await {
                    Ok(asked) => task.asked += u32::from(asked),
                    Err(held) => return Ok(held),
                }
            }
        }
    }
    Ok(Progress::waiting(ctx, "CML to show what was asked of it"))
}

/// What the controller shows cannot be seen now. An answer that cannot be read is asked for again, some times.
fn not_seen(ctx: &Context, task: &mut LabTask, error: &CmlError) -> Progress {
    if error.kind == CmlErrorKind::Malformed {
        task.misread += 1;
        if task.misread < MISREADS_MAX {
            return Progress::waiting(ctx, format!("an answer of the controller that can be read ({error})"));
        }
    }
    failed_call(ctx, error)
}

/// Why CML must not be asked, if anything is in the way: a frozen fleet, or what somebody asked for later.
async fn held(ctx: &Context, operation: &Operation, task: &LabTask) -> Result<Option<Progress>, AppError> {
    if let Some(newer) = contradicting(ctx, operation, task).await? {
        let message = format!("{} ({}) was asked for later, and this would undo it.", newer.task.kind(), newer.id);
        return Ok(Some(Progress::failed(SUPERSEDED, message)));
    }
    let destroys = matches!(task.action, LabAction::Stop | LabAction::Wipe | LabAction::Delete);
    if destroys { frozen(ctx).await } else { Ok(None) }
}

/// A newer operation on the same lab that wants it otherwise, unless CML refused it.
async fn contradicting(ctx: &Context, operation: &Operation, task: &LabTask) -> Result<Option<Operation>, AppError> {
    let contradicts = |other: &Operation| match &other.task {
        Task::ActOnLab(newer) => {
            let refused = other.status == OperationStatus::Failed && newer.asked == 0;
            newer.lab == task.lab && task.action.contradicted_by(&newer.action) && !refused
        }
        _ => false,
    };
    let mut after = None;
    for _ in 0..PAGES {
        let page = ctx.store.list_operations(operation.target, PAGE, after).await?;
        let reached_ours = page.items.iter().any(|other| other.id <= operation.id);
        let mut newer = page.items.into_iter().filter(|other| other.id > operation.id);
        if let Some(found) = newer.find(contradicts) {
            return Ok(Some(found));
        }
        after = page.next;
        if reached_ours || after.is_none() {
            break;
        }
    }
    Ok(None)
}

/// What the controller shows of the lab; null when it has no such lab.
async fn look(ports: CmlPorts<'_>, way: &Way, lab: &LabId) -> Result<Option<(LabState, bool)>, CmlError> {
    let state = match ports.controllers.lab_state(way.access(), lab.as_str()).await {
        Err(error) if is_no_lab(&error) => return Ok(None),
        state => state?,
    };
    let converged = match ports.controllers.lab_converged(way.access(), lab.as_str()).await {
        Err(error) if is_no_lab(&error) => return Ok(None),
        converged => converged?,
    };
    Ok(Some((LabState::from_name(state.name()), converged)))
}

/// A 404 alone may be a path that this version does not have; Cisco's own client goes by the same words.
pub(in crate::use_cases) fn is_no_lab(error: &CmlError) -> bool {
    error.status == Some(404) && error.message.contains("Lab not found")
}

/// Asks CML for the action, or says what holds it. False when CML knows no such lab: the next look decides.
async fn ask(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    operation: &mut Operation,
    task: &LabTask,
) -> Result<bool, Progress> {
    if ctx.settings.safe_mode {
        let message = format!("SAFE_MODE is on: {} was decided and recorded, and not done.", task.action.kind());
        return Err(Progress::failed(SAFE_MODE, message));
    }
    if ctx.now() >= operation.expires_at {
        // Too late for another call; what it waited for all along is what it says.
        let what = operation.waiting_for.take().unwrap_or_else(|| "its turn".into());
        return Err(Progress::waiting(ctx, what));
    }
    if task.action == LabAction::Start && task.asked == 0 {
        warn_of_seats(ports, way, operation, &task.lab).await;
    }
    operation.attempts += 1;
    let (controllers, access, lab) = (ports.controllers, way.access(), task.lab.as_str());
    let asked = match &task.action {
        LabAction::Start => controllers.start_lab(access, lab).await,
        LabAction::Stop => controllers.stop_lab(access, lab).await,
        LabAction::Wipe => controllers.wipe_lab(access, lab).await,
        LabAction::Delete => controllers.delete_lab(access, lab).await,
        LabAction::Update(edit) => {
            let (title, description, notes) =
                (edit.title.as_deref(), edit.description.as_deref(), edit.notes.as_deref());
            controllers.update_lab(access, lab, LabChange { title, description, notes }).await
        }
    };
    match asked {
        Ok(()) => Ok(true),
        Err(error) if is_no_lab(&error) => Ok(false),
        Err(error) if error.outcome_unknown() => {
            Err(Progress::waiting(ctx, format!("the controller to show whether it was done ({error})")))
        }
        Err(error) => Err(failed_call(ctx, &error)),
    }
}

/// Warns when the lab has more nodes than the licence lets run. It is not refused: CML judges that itself, and
/// without the numbers nothing is said.
async fn warn_of_seats(ports: CmlPorts<'_>, way: &Way, operation: &mut Operation, lab: &LabId) {
    let read = futures::try_join!(
        ports.controllers.lab(way.access(), lab.as_str()),
        ports.controllers.licensing(way.access()),
        ports.controllers.statistics(way.access()),
    );
    let (lab, licence, statistics) = match read {
        Ok(read) => read,
        Err(error) => {
            tracing::info!(%error, "the seats of a lab cannot be judged before its start");
            return;
        }
    };
    if lab.state == Some(CmlState::Started) {
        // How many of its nodes are among those that run is not known.
        return;
    }
    let bought = licence.features.iter().filter(|feature| feature.id.contains("NODE_COUNT"));
    let bought = bought.filter_map(|feature| feature.in_use).sum();
    let running = statistics.computes.iter().filter_map(|compute| compute.running_nodes).sum();
    if let Some(warning) = seats_warning(lab.node_count, running, licence.product.active.as_deref(), bought) {
        operation.warn(warning);
    }
}

/// Reads the lab again into the table, or drops it there. What cannot be read now is read by the schedule.
/// The time is taken first: whatever somebody sees later than that stands.
pub(super) async fn refresh_item(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    worker: WorkerId,
    lab: &LabId,
    gone: bool,
) -> Result<(), AppError> {
    let begun = ctx.now();
    if gone {
        return ctx.store.drop_lab(worker, lab, begun).await;
    }
    match ports.controllers.lab(way.access(), lab.as_str()).await {
        Ok(shown) => match read(worker, &shown, begun) {
            Some(item) => ctx.store.save_lab(&item).await,
            None => Ok(()),
        },
        Err(error) => {
            tracing::info!(%error, lab = lab.as_str(), "the lab cannot be read after the operation");
            Ok(())
        }
    }
}
