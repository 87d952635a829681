//! Judge a worker, or the whole fleet, now; and what the reconciler did, in numbers.

use domain::operation::{FleetTask, Operation, Task};
use domain::worker::{Command, DesiredState, command::command};
use domain::{OperationId, Sight, SignedDuration, Timestamp, WorkerId};

use super::command::{Asked, check_version, into_app_error, new_operation, record_and_send, replay, start};
use super::retire_worker::retire_worker;
use super::worker_commands::{start_worker, stop_worker, take_back};
use crate::context::Context;
use crate::error::AppError;
use crate::ports::PortError;
use crate::store::{Commit, CommitError, FleetState, LastRun, ReconciliationCounts};

/// How often a worker may be asked to be judged.
const EVERY: SignedDuration = SignedDuration::from_secs(10);
/// How often the start of a run is tried when others start one at the same moment.
const ATTEMPTS: usize = 5;

/// Wants a worker so, as if it had been started, stopped or terminated; the last in the safe way. Who `may_end` it may
/// also take its safe end back by wanting it otherwise, until it is wished gone.
///
/// # Errors
/// As [`start_worker`] and [`retire_worker`].
pub async fn set_desired_state(
    ctx: &Context,
    asked: &Asked,
    id: WorkerId,
    desired: DesiredState,
    may_end: bool,
) -> Result<Operation, AppError> {
    if may_end
        && desired != DesiredState::Terminated
        // On the heap: what waits for it is large enough.
        && let Some(operation) = Box::pin(take_back(ctx, asked, id, desired)).await?
    {
        return Ok(operation);
    }
    match desired {
        DesiredState::Running => start_worker(ctx, asked, id).await,
        DesiredState::Stopped => stop_worker(ctx, asked, id, None).await,
        DesiredState::Terminated => retire_worker(ctx, asked, id).await,
    }
}

/// Judges a worker and its labs now; at most once in ten seconds of machine time.
///
/// # Errors
/// Asked again too soon, the worker does not exist or is gone, the version or the key do not fit, or a port failed.
pub async fn reconcile_worker(ctx: &Context, asked: &Asked, id: WorkerId) -> Result<Operation, AppError> {
    if let Some(done) = replay(ctx, asked).await? {
        return Ok(done);
    }
    let worker = ctx.store.worker(id).await?;
    command(&worker, &Command::Judge)?;
    check_version(asked, &worker)?;
    let turn = ctx.store.take_turn("reconcile", &id.to_string(), ctx.machine_clock.now(), EVERY).await?;
    if let Some(retry_after) = turn {
        return Err(AppError::TooSoon { retry_after });
    }
    start(ctx, asked, id, &Command::Judge, |_| Task::ReconcileWorker).await
}

/// Judges every worker now. While such a run is going, that one is the answer.
///
/// # Errors
/// The key does not fit, or a port failed.
pub async fn reconcile_fleet(ctx: &Context, asked: &Asked) -> Result<Operation, AppError> {
    if let Some(done) = replay(ctx, asked).await? {
        return Ok(done);
    }
    for _ in 0..ATTEMPTS {
        let before = ctx.store.fleet_run().await?;
        if let Some((id, _)) = before
            && let Some(going) = still_going(ctx, id).await?
        {
            return Ok(going);
        }
        let operation = new_operation(ctx, Task::ReconcileFleet(FleetTask::default()), None, asked);
        let fleet_run = Some(before.map(|(_, version)| version));
        let mut commit = Commit { fleet_run, ..Commit::default() };
        match record_and_send(ctx, &mut commit, &operation, asked).await {
            // Somebody else has just started one: that one is going now.
            Err(CommitError::Contended) => {}
            other => return other.map_err(into_app_error),
        }
    }
    Err(AppError::Unavailable(PortError::new("reconcile-fleet", "others keep starting runs")))
}

/// The run, unless it has ended. What is kept no more has ended long ago.
async fn still_going(ctx: &Context, id: OperationId) -> Result<Option<Operation>, AppError> {
    match ctx.store.operation(id).await {
        Ok(operation) => Ok((!operation.status.is_final()).then_some(operation)),
        Err(AppError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the reconciler decided and did.
#[derive(Clone, Debug)]
pub struct ReconciliationStats {
    /// Whether the fleet is frozen, and why.
    pub fleet: FleetState,
    /// Whether nothing is done at all.
    pub safe_mode: bool,
    /// In numbers.
    pub counts: ReconciliationCounts,
    /// The schedule's last run.
    pub last_run: Option<LastRun>,
    /// The operation that judges the whole fleet, while there is one.
    pub going: Option<OperationId>,
    /// When this was read, fleet time.
    pub at: Timestamp,
}

/// What the reconciler decided and did, from counters that are kept as it goes: no worker is asked.
///
/// # Errors
/// The caller does not see the whole fleet, which these numbers are of; or the table failed.
pub async fn reconciliation_stats(ctx: &Context, sight: &Sight) -> Result<ReconciliationStats, AppError> {
    if *sight != Sight::Everything {
        return Err(AppError::Forbidden("these numbers are of the whole fleet, of which you see only a part".into()));
    }
    let store = &ctx.store;
    let (fleet, counts, last_run, run) =
        futures::try_join!(store.fleet_state(), store.reconciliation_counts(), store.last_run(), store.fleet_run())?;
    let going = match run {
        Some((id, _)) => still_going(ctx, id).await?.map(|operation| operation.id),
        None => None,
    };
    let safe_mode = ctx.settings.safe_mode;
    Ok(ReconciliationStats { fleet, safe_mode, counts, last_run, going, at: ctx.now() })
}
