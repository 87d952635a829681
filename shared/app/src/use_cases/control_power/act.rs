//! Begin what was decided, unless a brake is on: one transaction writes what is begun and that it was begun.

use domain::decision::Action;
use domain::operation::Task;
use domain::power::PowerDecision;
use domain::reconcile::ReconcileRecord;
use domain::worker::{Change, Command, DesiredState, Worker, command::command};
use domain::{Actor, Timestamp};

use super::judged;
use crate::context::Context;
use crate::error::AppError;
use crate::store::{Commit, CommitError, EndingChange, PowerDue};
use crate::use_cases::command::{Asked, into_app_error, new_operation, record_and_send};
use crate::use_cases::ending::retirement_under_way;
use crate::use_cases::retire_worker::{HowToEnd, how_to_end};

/// What came of a decision.
pub(super) enum Acted {
    /// Nothing was begun: the decision as it stands now, not written yet.
    Nothing(PowerDecision),
    /// It was begun, and written with the decision.
    Began(PowerDecision),
}

/// Begins what was decided. Whatever changed since it was judged wins, be it the worker or another judgement: it
/// is judged anew at the next tick.
pub(super) async fn act(
    ctx: &Context,
    worker: &Worker,
    due: &PowerDue,
    record: &ReconcileRecord,
    mut decision: PowerDecision,
) -> Result<Acted, AppError> {
    if !decision.action.acts() {
        return Ok(Acted::Nothing(decision));
    }
    if let Some(why) = held(ctx, worker, decision.action).await? {
        decision.action = Action::Wait;
        decision.reason = why.replace("{}", &decision.reason);
        return Ok(Acted::Nothing(decision));
    }
    let now = ctx.now();
    let (wish, mut task, actor) = begin(worker, &decision);
    let mut ending = None;
    if decision.action == Action::Terminate {
        // Only what was saved before, or given up by force, is terminated at once.
        match how_to_end(ctx, worker, "It is wanted gone.".into()).await? {
            HowToEnd::AtOnce => {}
            HowToEnd::Safely(retire) => {
                let before = ctx.store.ending(worker.id).await?;
                ending = Some(EndingChange::Begun(worker.id, before.map_or(0, |before| before.version)));
                task = Task::RetireWorker(retire);
            }
            HowToEnd::IsUnderWay(_) => return Ok(Acted::Nothing(overtaken(&decision, now))),
        }
    }
    let events = command(worker, &wish)?;
    let asked = Asked::by(actor);
    let operation = new_operation(ctx, task, Some(worker.id), &asked);
    let change = Change::of(worker, events, asked.actor.clone(), now);
    let wished = change.as_ref().map_or(worker.wish, |change| change.worker.wish).number;
    let record = if wished == worker.wish.number {
        record.clone().acted(decision.action, Some(operation.id), now)
    } else {
        record.clone().for_wish(wished).asked(&operation)
    };
    let mut commit = Commit {
        unchanged: change.is_none().then_some((worker.id, worker.version)),
        change,
        power: Some(judged(due, record, due.told_of, &decision, now)),
        ending,
        ..Commit::default()
    };
    match record_and_send(ctx, &mut commit, &operation, &asked).await {
        Ok(_) => Ok(Acted::Began(decision)),
        Err(CommitError::WorkerChanged | CommitError::Contended) => Ok(Acted::Nothing(overtaken(&decision, now))),
        Err(error) => Err(into_app_error(error)),
    }
}

fn overtaken(decision: &PowerDecision, now: Timestamp) -> PowerDecision {
    let reason = "It was changed while it was judged; it is judged anew.".into();
    PowerDecision { action: Action::Wait, reason, next_check_at: now, ..*decision }
}

/// Why nothing is done, if so; with `{}` where the reason of the decision belongs.
async fn held(ctx: &Context, worker: &Worker, action: Action) -> Result<Option<String>, AppError> {
    if ctx.settings.safe_mode {
        return Ok(Some("SAFE_MODE is on, so nothing is done. {}".into()));
    }
    if !action.is_destructive() {
        return Ok(None);
    }
    let fleet = ctx.store.fleet_state().await?;
    if fleet.frozen_since.is_some() {
        let why = fleet.frozen_reason.unwrap_or_default();
        return Ok(Some(format!("The fleet is frozen ({why}), so nothing is done. {{}}")));
    }
    let retiring = action == Action::Stop && retirement_under_way(ctx, worker.id).await?.is_some();
    Ok(retiring.then(|| "It is being terminated: what is on it is saved first.".into()))
}

/// How a decision is carried out. A stop of what is wanted running is one for idleness, and a wish of its own;
/// everything else is done for the wish that holds.
fn begin(worker: &Worker, decision: &PowerDecision) -> (Command, Task, Actor) {
    let reason = &decision.reason;
    let (task, done) = match decision.action {
        Action::Stop if worker.desired == DesiredState::Running => {
            let reason = format!("Stopped by idle shutdown: {reason}");
            let wish = Command::Want { desired: DesiredState::Stopped, reason };
            return (wish, Task::StopWorker, Actor::idle_shutdown());
        }
        Action::Stop if decision.idle_since.is_some() => {
            let reason = format!("Stopped by idle shutdown, as it is wanted stopped: {reason}");
            return (Command::Reconcile { action: decision.action, reason }, Task::StopWorker, Actor::reconciler());
        }
        Action::Stop => (Task::StopWorker, "Stopped"),
        Action::Terminate => (Task::TerminateWorker, "Terminated"),
        Action::Relaunch => (Task::StartWorker, "Launched again"),
        Action::Launch => (Task::StartWorker, "Launched"),
        _ => (Task::StartWorker, "Started"),
    };
    let reason = format!("{done} by the reconciler: {reason}");
    (Command::Reconcile { action: decision.action, reason }, task, Actor::reconciler())
}
