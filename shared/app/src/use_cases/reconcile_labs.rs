//! Judge the labs of a worker that somebody wished something of, where they have just been read.

use std::collections::BTreeMap;

use domain::decision::{Action, Decision};
use domain::lab::LabAction;
use domain::operation::cml::LabTask;
use domain::operation::{Operation, OperationStatus, Task};
use domain::reconcile::ReconcilePolicy;
use domain::reconcile::lab::{LabEvidence, LabSight, decide, drift};
use domain::worker::{DesiredState, Worker};
use domain::{Actor, LabId, OperationId, SignedDuration, Timestamp, WorkerId};

use super::command::{Asked, new_operation, record, send};
use super::ending::{last_ending, stopped_until};
use crate::context::Context;
use crate::error::AppError;
use crate::store::{Commit, CommitError, Counted, LabWishChange, StoredWish};

/// Labs of one worker that are started or stopped by us at the same time: a controller boots the nodes of a few
/// labs faster than those of many at once.
const AT_ONCE: usize = 3;
/// How soon it is the turn of the others.
const NEXT_TURN_AFTER: SignedDuration = SignedDuration::from_mins(1);
/// How long after its end what an operation had CML stop may still be coming down: a run of it that has not heard of its
/// end may go on for two minutes, and nodes take a while.
const STOPS_SHOW_FOR: SignedDuration = SignedDuration::from_mins(5);
/// Newest operations of a worker among which those that are under way are looked for.
const NEWEST: u32 = 50;

/// What a listing showed.
pub(super) struct Listing {
    /// Every lab that it had, or should have had.
    pub(super) labs: BTreeMap<LabId, LabSight>,
    /// When it was asked for: what was done since is not in it.
    pub(super) asked_at: Timestamp,
}

/// Judges what is wished of the labs of a worker, and starts what is to be done, a few at a time.
///
/// # Errors
/// The table or a queue failed; the next listing judges again.
pub(super) async fn reconcile_labs(ctx: &Context, worker: &Worker, listing: &Listing) -> Result<(), AppError> {
    let wishes = ctx.store.lab_wishes(worker.id).await?;
    if wishes.is_empty() {
        return ctx.store.drop_labs_due(worker.id).await;
    }
    let policy = ctx.settings.reconcile_labs;
    let mut turn = Turn::of(ctx, worker).await?;
    let (now, mut due_at) = (ctx.now(), None::<Timestamp>);
    let soon = now + policy.check_settled_every;
    for wish in wishes {
        let next = judge(ctx, worker, listing, wish, &policy, &mut turn).await?;
        // What is settled waits for the schedule.
        if next < soon {
            due_at = Some(due_at.map_or(next, |due_at| due_at.min(next)));
        }
    }
    match due_at {
        Some(at) => ctx.store.save_labs_due(worker.id, at).await,
        None => ctx.store.drop_labs_due(worker.id).await,
    }
}

/// What goes on at the worker, and why nothing may be begun there.
struct Turn {
    under_way: Vec<Operation>,
    held: Option<String>,
    /// Starts and stops of labs that are under way or were begun just now.
    acting: usize,
    /// Labs that a safe end of the worker stopped, and until when it did.
    stopped_for_end: Option<(Vec<LabId>, Timestamp)>,
    frozen: Option<String>,
}

impl Turn {
    async fn of(ctx: &Context, worker: &Worker) -> Result<Self, AppError> {
        let newest = ctx.store.list_operations(Some(worker.id), NEWEST, None).await?.items;
        let under_way: Vec<Operation> = newest.into_iter().filter(|one| !one.status.is_final()).collect();
        // Behind any number of newer operations.
        let ending = last_ending(ctx, worker.id).await?.map(|(_, operation)| operation);
        let ends = ending.as_ref().is_some_and(|ending| !ending.status.is_final());
        let stopped_for_end = ending.and_then(|ending| match ending.task {
            Task::RetireWorker(ref task) => Some((task.stopped.clone(), stopped_until(ctx, &ending))),
            _ => None,
        });
        let held = match worker.desired {
            _ if ends => Some("Its worker is being terminated.".to_owned()),
            DesiredState::Running => None,
            desired => Some(format!("Its worker is wanted {}.", desired.name())),
        };
        let acting = under_way.iter().filter(|one| matches!(one.task, Task::ActOnLab(_))).count();
        let fleet = ctx.store.fleet_state().await?;
        let frozen = fleet.frozen_since.map(|_| fleet.frozen_reason.unwrap_or_default());
        Ok(Self { under_way, held, acting, stopped_for_end, frozen })
    }

    fn is_busy(&self, lab: &LabId) -> bool {
        self.under_way.iter().any(|operation| match &operation.task {
            Task::ActOnLab(task) => task.lab == *lab,
            Task::BackUpLab(task) => task.lab == *lab,
            _ => false,
        })
    }

    /// What shows the lab started may show it coming down, for an end of its worker: it was not started since.
    fn may_come_down(&self, stored: &StoredWish, now: Timestamp) -> bool {
        let stopped = self.stopped_for_end_at(&stored.lab_id);
        stopped.is_some_and(|at| now < at + STOPS_SHOW_FOR && stored.as_wished_at <= Some(at))
    }

    fn stopped_for_end_at(&self, lab: &LabId) -> Option<Timestamp> {
        self.stopped_for_end.as_ref().filter(|(stopped, _)| stopped.contains(lab)).map(|(_, at)| *at)
    }

    /// Why what was decided is not done now, and when it is judged again.
    fn brake(&self, ctx: &Context, action: Action) -> Option<(String, SignedDuration)> {
        let later = ctx.settings.reconcile_labs.check_every;
        if ctx.settings.safe_mode {
            return Some(("SAFE_MODE is on, so nothing is done.".into(), later));
        }
        if let Some(why) = self.frozen.as_ref().filter(|_| action.is_destructive()) {
            return Some((format!("The fleet is frozen ({why}), so nothing is done."), later));
        }
        let waits = self.acting >= AT_ONCE;
        waits.then(|| ("Other labs of its worker come first.".to_owned(), NEXT_TURN_AFTER))
    }
}

/// Judges one wish, and does what was decided. When to judge again.
async fn judge(
    ctx: &Context,
    worker: &Worker,
    listing: &Listing,
    mut stored: StoredWish,
    policy: &ReconcilePolicy,
    turn: &mut Turn,
) -> Result<Timestamp, AppError> {
    let now = ctx.now();
    let evidence = look(ctx, worker, listing, &mut stored, turn).await?;
    let found = drift(&stored.wish, &evidence, &stored.record, now);
    stored.record = stored.record.clone().drifted(found.into_iter().collect());
    let mut decision = decide(Some(&stored.wish), &evidence, &stored.record, policy, now);
    match decision.action {
        Action::Forget => {
            tracing::info!(worker_id = %worker.id, lab = stored.lab_id.as_str(), "a lab is gone, and what was wished of it");
            ctx.store.count_lab(worker.id, &stored.lab_id, None).await?;
            ctx.store.save_lab_wish(&LabWishChange::Dropped(stored)).await?;
            return Ok(decision.next_check_at);
        }
        Action::None => {
            if !turn.may_come_down(&stored, now) {
                stored.as_wished_at = Some(now);
            }
            stored.record = stored.record.settled();
        }
        action if action.acts() => {
            if let Some((why, later)) = turn.brake(ctx, action) {
                let reason = format!("{why} {}", decision.reason);
                decision = Decision { action: Action::Wait, reason, next: None, next_check_at: now + later };
            } else {
                turn.acting += 1;
                return act(ctx, worker, stored, decision).await;
            }
        }
        _ => {}
    }
    let next = decision.next_check_at;
    stored.decided = Some((now, decision));
    if ctx.store.save_lab_wish(&LabWishChange::Is(stored.clone())).await? {
        count(ctx, worker.id, &stored).await;
    }
    Ok(next)
}

/// What is known of the lab, with what came of the operation for its wish.
async fn look(
    ctx: &Context,
    worker: &Worker,
    listing: &Listing,
    stored: &mut StoredWish,
    turn: &Turn,
) -> Result<LabEvidence, AppError> {
    let mut changed_at = stored.wish.wished_at;
    let mut under_way = turn.is_busy(&stored.lab_id);
    if let Some(operation) = last_operation(ctx, stored.record.last_action.and_then(|last| last.operation)).await? {
        under_way |= !operation.status.is_final();
        stored.record = stored.record.clone().outcome(&operation);
        if let Some(at) = operation.finished_at {
            changed_at = changed_at.max(at);
            if operation.status == OperationStatus::Succeeded {
                stored.as_wished_at = stored.as_wished_at.max(Some(at));
            }
        }
    }
    let sight = match listing.labs.get(&stored.lab_id) {
        // What was read before it was changed says nothing of it now.
        _ if changed_at > listing.asked_at => LabSight::NotShown,
        Some(sight) => sight.clone(),
        None => LabSight::Gone,
    };
    Ok(LabEvidence {
        sight,
        as_wished_at: stored.as_wished_at,
        worker_started_at: worker.running_since,
        stopped_for_end_at: turn.stopped_for_end_at(&stored.lab_id),
        held: turn.held.clone(),
        operation_under_way: under_way,
    })
}

/// The operation, if it is kept still.
async fn last_operation(ctx: &Context, id: Option<OperationId>) -> Result<Option<Operation>, AppError> {
    let Some(id) = id else { return Ok(None) };
    match ctx.store.operation(id).await {
        Err(AppError::NotFound { .. }) => Ok(None),
        operation => operation.map(Some),
    }
}

/// Starts what was decided, in one transaction with the record that it was. Whoever wished anew, judged it or
/// changed the worker meanwhile wins: it is judged anew.
async fn act(
    ctx: &Context,
    worker: &Worker,
    mut stored: StoredWish,
    decision: Decision,
) -> Result<Timestamp, AppError> {
    let now = ctx.now();
    let action = if decision.action == Action::Stop { LabAction::Stop } else { LabAction::Start };
    let task = Task::ActOnLab(LabTask::new(stored.lab_id.clone(), action));
    let asked = Asked::by(Actor::reconciler());
    let operation = new_operation(ctx, task, Some(worker.id), &asked);
    let next = decision.next_check_at;
    stored.record = stored.record.acted(decision.action, Some(operation.id), now);
    tracing::info!(
        worker_id = %worker.id, lab = stored.lab_id.as_str(), action = decision.action.name(),
        reason = decision.reason, operation_id = %operation.id, "a lab is made as it is wished"
    );
    stored.decided = Some((now, decision));
    let mut commit = Commit {
        unchanged: Some((worker.id, worker.version)),
        lab_wish: Some(LabWishChange::Is(stored.clone())),
        ..Commit::default()
    };
    match record(ctx, &mut commit, &operation, &asked).await {
        Ok(recorded) => {
            send(ctx, &recorded).await;
            count(ctx, worker.id, &stored).await;
            Ok(next)
        }
        Err(CommitError::WorkerChanged | CommitError::Contended) => Ok(now + NEXT_TURN_AFTER),
        Err(error) => Err(super::command::into_app_error(error)),
    }
}

/// Counts what stands. What cannot be counted now is counted when it is judged next.
async fn count(ctx: &Context, worker: WorkerId, stored: &StoredWish) {
    let Some((_, decision)) = &stored.decided else { return };
    let counted = Counted {
        decision: decision.action.name().into(),
        in_need: decision.action != Action::None,
        error: decision.action == Action::GiveUp || stored.record.last_failure.is_some(),
        acted: stored
            .record
            .last_action
            // What a person started is not the reconciler's doing.
            .filter(|_| stored.record.attempts > 0)
            .map(|last| (last.action.name().to_owned(), last.at)),
    };
    if let Err(error) = ctx.store.count_lab(worker, &stored.lab_id, Some(counted)).await {
        tracing::warn!(worker_id = %worker, lab = stored.lab_id.as_str(), %error, "a lab is not counted");
    }
}
