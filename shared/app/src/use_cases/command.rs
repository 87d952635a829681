//! The way of every command that starts an operation: replay, judge, record the wish and the
//! operation in one transaction, then send. What is lost between the write and the send is sent
//! again by dispatch-power, because the operation is due from the moment it is recorded.

use domain::lab::LabAction;
use domain::operation::{Operation, Task};
use domain::worker::{Change, Command, Worker, command::command};
use domain::{Actor, LabId, OperationId, SignedDuration, WorkerId};
use sha2::{Digest, Sha256};

use super::lab_wishes::wish_change;
use crate::context::Context;
use crate::error::AppError;
use crate::message::{Message, RunOperation};
use crate::ports::Queue;
use crate::store::{Commit, CommitError, IdempotencyRecord, PowerDue};

/// How long a key is kept, machine time.
const KEY_KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);
/// How often a command is judged anew when others change the same worker.
const JUDGE_ATTEMPTS: usize = 10;

/// The key of a request that must not be carried out twice.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    /// Hash of caller, function and key.
    hash: String,
    /// Hash of the request.
    fingerprint: String,
}

impl IdempotencyKey {
    /// The key `key` that `subject` gave to a request of `function`; `request` is all of it that counts.
    #[must_use]
    pub fn new(subject: &str, function: &str, key: &str, request: &[u8]) -> Self {
        Self {
            hash: digest(&[subject.as_bytes(), function.as_bytes(), key.as_bytes()]),
            fingerprint: digest(&[request]),
        }
    }
}

/// A hash of parts that cannot be confused by moving a byte from one to the next.
fn digest(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Who asks, and how.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who.
    pub actor: Actor,
    /// The version they have seen, if they say so.
    pub if_match: Option<u64>,
    /// Their key, if they gave one.
    pub key: Option<IdempotencyKey>,
}

impl Asked {
    /// Asked by one of our own automations.
    #[must_use]
    pub fn by(actor: Actor) -> Self {
        Self { actor, if_match: None, key: None }
    }
}

/// Judges `command` on a worker and starts `task` for it.
///
/// # Errors
/// The worker does not exist, its state stands in the way, the version or the key do not fit, or a
/// port failed; then nothing was written.
pub async fn start(
    ctx: &Context,
    asked: &Asked,
    id: WorkerId,
    wish: &Command,
    task: impl Fn(&Worker) -> Task + Send + Sync,
) -> Result<Operation, AppError> {
    start_on(ctx, asked, (id, None), wish, task).await
}

/// The same; what is done to a lab of the worker is also a wish for that lab.
///
/// # Errors
/// As [`start`].
pub(super) async fn start_on(
    ctx: &Context,
    asked: &Asked,
    (id, lab): (WorkerId, Option<(&LabId, &LabAction)>),
    wish: &Command,
    task: impl Fn(&Worker) -> Task + Send + Sync,
) -> Result<Operation, AppError> {
    if let Some(done) = replay(ctx, asked).await? {
        return Ok(done);
    }
    for _ in 0..JUDGE_ATTEMPTS {
        match try_start(ctx, asked, (id, lab), wish, &task, Commit::default()).await {
            Err(CommitError::WorkerChanged | CommitError::Contended) => {}
            other => return other.map_err(into_app_error),
        }
    }
    Err(AppError::Busy(id))
}

/// One attempt of [`start_on`]: with `commit`, or not at all.
///
/// # Errors
/// As [`start`], or somebody changed the worker meanwhile.
pub(super) async fn try_start(
    ctx: &Context,
    asked: &Asked,
    (id, lab): (WorkerId, Option<(&LabId, &LabAction)>),
    wish: &Command,
    task: &(impl Fn(&Worker) -> Task + Send + Sync),
    commit: Commit,
) -> Result<Operation, CommitError> {
    let worker = ctx.store.worker(id).await?;
    check_version(asked, &worker)?;
    let now = ctx.now();
    let events = command(&worker, wish).map_err(AppError::from)?;
    let operation = new_operation(ctx, task(&worker), Some(id), asked);
    let change = Change::of(&worker, events, asked.actor.clone(), now);
    // A lost due item is restored by any command.
    let due = PowerDue::hurried(id, ctx.store.power(id).await?, now);
    let wished = change.as_ref().map_or(&worker, |change| &change.worker).wish.number;
    let record = due.record.clone().for_wish(wished).asked(&operation);
    let lab_wish = match lab {
        Some((lab, action)) => wish_change(ctx, (id, lab), action, &operation).await?,
        None => None,
    };
    let mut commit = Commit {
        lab_wish,
        unchanged: change.is_none().then_some((id, worker.version)),
        change,
        power: Some(due.with_record(record)),
        ..commit
    };
    record_and_send(ctx, &mut commit, &operation, asked).await
}

/// Records something new together with its operation, and sends that on its way.
///
/// # Errors
/// The key does not fit, or a port failed.
pub async fn start_new(
    ctx: &Context,
    mut commit: Commit,
    operation: Operation,
    asked: &Asked,
) -> Result<Operation, AppError> {
    for _ in 0..JUDGE_ATTEMPTS {
        match record_and_send(ctx, &mut commit, &operation, asked).await {
            // The same request at the same moment: one of the two comes through, and the other finds its key.
            Err(CommitError::Contended) => {}
            other => return other.map_err(into_app_error),
        }
        if let Some(done) = replay(ctx, asked).await? {
            return Ok(done);
        }
    }
    Err(into_app_error(CommitError::Contended))
}

/// Records an operation together with `commit` and sends it on its way.
///
/// # Errors
/// As [`record`].
pub async fn record_and_send(
    ctx: &Context,
    commit: &mut Commit,
    operation: &Operation,
    asked: &Asked,
) -> Result<Operation, CommitError> {
    let recorded = record(ctx, commit, operation, asked).await?;
    if recorded.id == operation.id {
        send(ctx, &recorded).await;
    }
    Ok(recorded)
}

/// Records an operation together with `commit`, to be sent by the caller; it is due in a minute.
///
/// # Errors
/// See [`CommitError`]; with a key used meanwhile, the operation it started is the answer.
pub async fn record(
    ctx: &Context,
    commit: &mut Commit,
    operation: &Operation,
    asked: &Asked,
) -> Result<Operation, CommitError> {
    let machine_now = ctx.machine_clock.now();
    commit.idempotency = asked.key.as_ref().map(|key| {
        let record = IdempotencyRecord {
            key_hash: key.hash.clone(),
            fingerprint: key.fingerprint.clone(),
            operation_id: operation.id,
            expires_at: machine_now + KEY_KEPT_FOR,
        };
        (record, machine_now)
    });
    commit.operation = Some(operation.clone());
    match ctx.store.commit(commit, ctx.settings.operation_retention).await {
        Ok(()) => Ok(operation.clone()),
        // The same request at the same time: the other one won, and its operation is ours too.
        Err(CommitError::KeyUsed) => match replay(ctx, asked).await? {
            Some(done) => Ok(done),
            None => Err(CommitError::KeyUsed),
        },
        Err(error) => Err(error),
    }
}

/// The operation an earlier request with the same key started.
///
/// # Errors
/// The key was used for another request, or the table failed.
pub async fn replay(ctx: &Context, asked: &Asked) -> Result<Option<Operation>, AppError> {
    let Some(key) = &asked.key else { return Ok(None) };
    match ctx.store.idempotency(&key.hash, ctx.machine_clock.now()).await? {
        None => Ok(None),
        Some(record) if record.fingerprint != key.fingerprint => Err(AppError::KeyReused),
        Some(record) => Ok(Some(ctx.store.operation(record.operation_id).await?)),
    }
}

/// A new operation, requested now.
#[must_use]
pub fn new_operation(ctx: &Context, task: Task, target: Option<WorkerId>, asked: &Asked) -> Operation {
    let now = ctx.now();
    Operation::new(OperationId::new(now, ctx.random.next()), task, target, asked.actor.clone(), now)
}

/// The caller's version must be the current one.
///
/// # Errors
/// [`AppError::Stale`].
pub fn check_version(asked: &Asked, worker: &Worker) -> Result<(), AppError> {
    match asked.if_match {
        Some(expected) if expected != worker.version => Err(AppError::Stale { expected, current: worker.version }),
        _ => Ok(()),
    }
}

/// What a commit's refusal means to a caller.
#[must_use]
pub fn into_app_error(error: CommitError) -> AppError {
    match error {
        CommitError::Other(error) => error,
        CommitError::KeyUsed => AppError::KeyReused,
        CommitError::InstanceClaimed => AppError::Conflict("another worker stands for this instance".into()),
        error @ (CommitError::WorkerChanged | CommitError::Contended) => {
            AppError::Unavailable(crate::ports::PortError::new("table", error.to_string()))
        }
    }
}

/// Sends an operation to be run. A failure is only noted: the operation is due, so the next tick sends it.
pub async fn send(ctx: &Context, operation: &Operation) {
    let message = RunOperation { operation_id: operation.id }.outgoing();
    if let Err(error) = ctx.queues.send(Queue::of(&operation.task), vec![message]).await {
        tracing::warn!(operation_id = %operation.id, %error, "operation not sent; the next tick sends it");
    }
}
