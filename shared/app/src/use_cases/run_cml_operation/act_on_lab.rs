//! Do something to a lab, and see it done.

use domain::lab::{LabAction, LabSeen, LabState, LabStep, next, seats_warning};
use domain::operation::cml::LabTask;
use domain::operation::{Operation, OperationResult, Task};
use domain::worker::Worker;
use domain::{LabId, WorkerId};

use crate::context::Context;
use crate::error::AppError;
use crate::ports::{CmlError, LabChange};
use crate::use_cases::collect_labs::read;
use crate::use_cases::controller::{CmlPorts, Way, failed_call};
use crate::use_cases::operation_run::Progress;

/// Looks in one run: before CML is asked, and after.
const LOOKS_PER_RUN: usize = 2;

pub(super) async fn advance(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    operation: &mut Operation,
    worker: &Worker,
    mut task: LabTask,
) -> Result<Progress, AppError> {
    let progress = step(ctx, ports, way, operation, &mut task).await;
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
) -> Progress {
    for _ in 0..LOOKS_PER_RUN {
        let seen = match look(ports, way, &task.lab).await {
            Ok(seen) => seen,
            Err(error) => return failed_call(ctx, &error),
        };
        let seen = seen.as_ref().map(|(state, converged)| LabSeen { state, converged: *converged });
        match next(&task.action, task.asked, seen) {
            LabStep::Done => {
                let (worker_id, lab_id) = (operation.target, Some(task.lab.clone()));
                return Progress::Done(OperationResult { worker_id, lab_id, ..OperationResult::default() });
            }
            LabStep::Fail(code, message) => return Progress::failed(code, message),
            LabStep::Wait(what) => return Progress::waiting(ctx, what),
            LabStep::Ask => match ask(ctx, ports, way, operation, task).await {
                Ok(()) => task.asked += 1,
                Err(held) => return held,
            },
        }
    }
    Progress::waiting(ctx, "CML to show what was asked of it")
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

/// Asks CML for the action, or says what holds it.
async fn ask(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    operation: &mut Operation,
    task: &LabTask,
) -> Result<(), Progress> {
    if ctx.settings.safe_mode {
        let message = format!("SAFE_MODE is on: {} was decided and recorded, and not done.", task.action.kind());
        return Err(Progress::failed("safe_mode", message));
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
    asked.map_err(|error| {
        if error.outcome_unknown() {
            Progress::waiting(ctx, format!("the controller to show whether it was done ({error})"))
        } else {
            failed_call(ctx, &error)
        }
    })
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
    let bought = licence.features.iter().filter(|feature| feature.id.contains("NODE_COUNT"));
    let bought = bought.filter_map(|feature| feature.in_use).sum();
    let running = statistics.computes.iter().filter_map(|compute| compute.running_nodes).sum();
    if let Some(warning) = seats_warning(lab.node_count, running, licence.product.active.as_deref(), bought) {
        operation.warn(warning);
    }
}

/// Reads the lab again into the table, or drops it there. What cannot be read now is read by the schedule.
pub(super) async fn refresh_item(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    worker: WorkerId,
    lab: &LabId,
    gone: bool,
) -> Result<(), AppError> {
    if gone {
        return ctx.store.drop_lab(worker, lab).await;
    }
    match ports.controllers.lab(way.access(), lab.as_str()).await {
        Ok(shown) => match read(worker, &shown, ctx.now()) {
            Some(item) => ctx.store.save_lab(&item).await,
            None => Ok(()),
        },
        Err(error) => {
            tracing::info!(%error, lab = lab.as_str(), "the lab cannot be read after the operation");
            Ok(())
        }
    }
}
