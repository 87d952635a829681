//! Judge workers that are due: look at EC2, judge once, start at most one operation, say why, and
//! set when to look again.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use domain::instance::InstanceObservation;
use domain::operation::cml::NoticeTask;
use domain::operation::work::Work;
use domain::operation::{Operation, Task};
use domain::power::{Evidence, NoticeStep, PowerAction, PowerDecision, STOP_NOTICE_LABEL, decide, stop_notice};
use domain::worker::observe::{Seen, observe_instance};
use domain::worker::{DesiredState, Worker, WorkerStatus};
use domain::{Actor, InstanceId, Place, SignedDuration, Timestamp, WorkerId};

use super::change::observe;
use super::command::{Asked, IdempotencyKey, new_operation, replay, start_new};
use super::dispatch_power::power_message;
use super::instance::{absence_is_credible, look};
use super::retire_worker::{retire_worker, retirement_under_way};
use super::worker_commands::stop_worker;
use crate::context::Context;
use crate::error::AppError;
use crate::message::{CollectCml, Message};
use crate::ports::{Ec2, Ec2Error, InstanceFilter, Queue};
use crate::store::{CmlReadings, Commit, PowerDue};

/// What EC2 answered, by place; a place that failed fails its own workers only.
type SeenByPlace = BTreeMap<Place, Result<PlaceSeen, Ec2Error>>;

/// What EC2 answered of one place.
struct PlaceSeen {
    found: BTreeMap<InstanceId, InstanceObservation>,
    /// Whether what it does not list may be believed to be gone.
    credible: bool,
}

/// Newest operations of a worker among which one that moves it is looked for.
const NEWEST: u32 = 20;
/// How soon a worker is judged again that could not be judged.
const JUDGE_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// The workers of a batch that are due, and what EC2 showed of them: read together, judged one by one.
pub struct Judgement<'a> {
    ctx: &'a Context,
    ec2: &'a dyn Ec2,
    seen: SeenByPlace,
    /// What is not judged yet; no worker where there is an orphan of a write that never happened.
    due: Mutex<BTreeMap<WorkerId, (PowerDue, Option<Worker>)>>,
}

impl<'a> Judgement<'a> {
    /// Reads those workers that are due, and looks at EC2 once a place.
    ///
    /// # Errors
    /// The table failed.
    pub async fn look(ctx: &'a Context, ec2: &'a dyn Ec2, ids: &[WorkerId]) -> Result<Self, AppError> {
        let now = ctx.now();
        let mut workers = ctx.store.workers(ids).await?;
        // A worker without a due item, or due later, was judged by an earlier message.
        let due = ctx.store.powers(ids).await?.into_iter().filter(|due| due.due_at <= now);
        let due: BTreeMap<_, _> =
            due.map(|due| (due.worker_id, (due.clone(), workers.remove(&due.worker_id)))).collect();
        let seen = look_by_place(ec2, due.values().filter_map(|(_, worker)| worker.as_ref())).await;
        Ok(Self { ctx, ec2, seen, due: Mutex::new(due) })
    }

    /// Judges one of them, once: a second message that names it is done too.
    ///
    /// # Errors
    /// EC2, the table or a queue failed.
    pub async fn judge(&self, id: WorkerId) -> Result<(), AppError> {
        let due = self.due.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        match due {
            Some((due, Some(worker))) => control_or_defer(self.ctx, self.ec2, worker, &due, &self.seen).await,
            Some((_, None)) => self.ctx.store.drop_power(id).await,
            None => Ok(()),
        }
    }
}

/// Makes a worker's power due now and sends it to be judged.
///
/// # Errors
/// The table failed. A send that fails is only noted: the tick sends it.
pub(super) async fn hurry(ctx: &Context, id: WorkerId) -> Result<(), AppError> {
    let now = ctx.now();
    ctx.store.save_power(&PowerDue::hurried(id, ctx.store.power(id).await?, now)).await?;
    let message = power_message(id, now);
    if let Err(error) = ctx.queues.send(Queue::Power, vec![message]).await {
        tracing::warn!(worker_id = %id, %error, "power not sent; the next tick sends it");
    }
    Ok(())
}

/// One `DescribeInstances` a place, however many workers, all places at the same time.
async fn look_by_place<'a>(ec2: &dyn Ec2, workers: impl Iterator<Item = &'a Worker>) -> SeenByPlace {
    let mut ids: BTreeMap<Place, Vec<InstanceId>> = BTreeMap::new();
    for worker in workers {
        if let Some(facts) = &worker.instance {
            ids.entry(worker.place.clone()).or_default().push(facts.id.clone());
        }
    }
    let looks = ids.into_iter().map(|(place, ids)| async move {
        let asked = ids.len();
        let found = ec2.describe(&place, &InstanceFilter::Ids(ids)).await.map(|all| {
            let found: BTreeMap<_, _> = all.into_iter().map(|one| (one.id.clone(), one)).collect();
            PlaceSeen { credible: absence_is_credible(asked, &found.keys().collect()), found }
        });
        (place, found)
    });
    futures::future::join_all(looks).await.into_iter().collect()
}

/// Judges one worker; what fails is judged again in a minute, so that it does not stay at the head
/// of what is due, before all others.
async fn control_or_defer(
    ctx: &Context,
    ec2: &dyn Ec2,
    worker: Worker,
    due: &PowerDue,
    seen: &SeenByPlace,
) -> Result<(), AppError> {
    // On the heap: it has many ways to go, and is large.
    let result = Box::pin(control_one(ctx, ec2, worker, due, seen)).await;
    if result.is_err() {
        let later = PowerDue { version: due.version + 1, due_at: ctx.now() + JUDGE_AGAIN_AFTER, ..due.clone() };
        ctx.store.save_power(&later).await?;
    }
    result
}

async fn control_one(
    ctx: &Context,
    ec2: &dyn Ec2,
    worker: Worker,
    due: &PowerDue,
    seen: &SeenByPlace,
) -> Result<(), AppError> {
    let worker = record_state(ctx, ec2, worker, seen).await?;
    if worker.status.is_final() {
        // Before it is judged for the last time: what fails here is done again.
        ctx.store.drop_labs(worker.id).await?;
        return ctx.store.drop_power(worker.id).await;
    }
    let evidence = evidence(ctx, &worker).await?;
    let now = ctx.now();
    let mut decision = decide(&worker, &evidence, &ctx.settings.power, now);
    if decision.read_first {
        let message = CollectCml { worker_ids: vec![worker.id] }.outgoing();
        ctx.queues.send(Queue::MetricsCml, vec![message]).await.map_err(AppError::Unavailable)?;
    }
    let mut version = due.version;
    if matches!(decision.action, PowerAction::Stop | PowerAction::Terminate) && act(ctx, &worker, &mut decision).await?
    {
        // The stop made it due at once; this judgement is newer than that.
        version += 1;
    }
    let told_of = match tell(ctx, &worker, due, &decision, &evidence, now).await {
        Ok(told_of) => told_of,
        Err(error) => {
            // A notice is a courtesy: without it the worker is stopped all the same.
            tracing::warn!(worker_id = %worker.id, %error, "people in CML are not told");
            due.told_of
        }
    };
    tracing::info!(
        worker_id = %worker.id, action = decision.action.name(), reason = decision.reason,
        running_nodes = evidence.running_nodes, "power judged"
    );
    let due_at = decision.next_check_at;
    let judged =
        PowerDue { worker_id: worker.id, version: version + 1, due_at, decided: Some((now, decision)), told_of };
    ctx.store.save_power(&judged).await
}

/// Whether an operation is about the machine; what is done to labs changes nothing of it.
fn moves_instance(operation: &Operation) -> bool {
    matches!(operation.task, Task::RetireWorker(_)) || Queue::of(&operation.task) != Queue::CmlOperations
}

/// Tells people in CML of a stop that is near, once in each stretch of idleness, or that it was called off. The
/// stretch that they are told of from now on.
async fn tell(
    ctx: &Context,
    worker: &Worker,
    due: &PowerDue,
    decision: &PowerDecision,
    evidence: &Evidence,
    now: Timestamp,
) -> Result<Option<Timestamp>, AppError> {
    if ctx.settings.safe_mode || worker.certificate_sha256.is_none() || worker.status != WorkerStatus::Running {
        return Ok(due.told_of);
    }
    let (said, content, told_of) = match stop_notice(due.told_of, decision, evidence, &ctx.settings.power, now) {
        NoticeStep::Leave => return Ok(due.told_of),
        NoticeStep::Post(content) => ("post", Some(content), decision.idle_since),
        NoticeStep::Withdraw => ("withdraw", None, None),
    };
    // The same judgement, made again because it could not be written down, tells nobody twice.
    let judged = due.decided.as_ref().map(|(at, _)| at.to_string()).unwrap_or_default();
    let key = Some(IdempotencyKey::new("control-power", "post-notice", &format!("{} {said} {judged}", worker.id), b""));
    let asked = Asked { key, ..Asked::by(Actor::idle_shutdown()) };
    if replay(ctx, &asked).await?.is_none() {
        let task = Task::PostNotice(NoticeTask { label: STOP_NOTICE_LABEL.into(), content });
        let operation = new_operation(ctx, task, Some(worker.id), &asked);
        start_new(ctx, Commit::default(), operation, &asked).await?;
    }
    Ok(told_of)
}

async fn evidence(ctx: &Context, worker: &Worker) -> Result<Evidence, AppError> {
    let readings: CmlReadings = ctx.store.latest(worker.id).await?.unwrap_or_default();
    // Only where the state is not the wish, or nobody seems to use it, does it matter whether somebody is at it.
    let as_wished = matches!(
        (worker.desired, worker.status),
        (DesiredState::Running, WorkerStatus::Running) | (DesiredState::Stopped, WorkerStatus::Stopped)
    );
    let may_be_idle = worker.status == WorkerStatus::Running && readings.cml.running_nodes == Some(0);
    let newest = if as_wished && !may_be_idle {
        Vec::new()
    } else {
        ctx.store.list_operations(Some(worker.id), NEWEST, None).await?.items
    };
    let operation_under_way = !as_wished
        && (retirement_under_way(ctx, worker.id).await?.is_some()
            || newest.iter().any(|operation| !operation.status.is_final() && moves_instance(operation)));
    Ok(Evidence {
        read_at: readings.read_at,
        running_nodes: readings.cml.running_nodes,
        activity: readings.activity,
        work: Work::shown_by(&newest),
        operation_under_way,
    })
}

/// Records what EC2 shows; the sweep that heals what events missed. An instance that a launch made
/// and nobody saw is found by its tag.
async fn record_state(ctx: &Context, ec2: &dyn Ec2, worker: Worker, seen: &SeenByPlace) -> Result<Worker, AppError> {
    let by_tag;
    let shown = match &worker.instance {
        None if worker.launch_number > 0 => {
            by_tag = look(ec2, &worker).await?;
            by_tag.as_ref().map_or(Seen::Absent, Seen::Present)
        }
        None => return Ok(worker),
        Some(facts) => match seen.get(&worker.place) {
            Some(Ok(place)) => match place.found.get(&facts.id) {
                Some(one) => Seen::Present(one),
                None if place.credible => Seen::Absent,
                None => {
                    tracing::error!(place = %worker.place, "EC2 lists none of the known instances; not believed");
                    return Ok(worker);
                }
            },
            Some(Err(error)) => return Err(error.clone().into()),
            None => return Ok(worker),
        },
    };
    observe(ctx, &worker, &Actor::Aws, |worker| observe_instance(worker, shown, ctx.now())).await
}

/// Starts what was decided, unless a brake is on. A change of the worker since it was judged wins: it is
/// judged anew at the next tick. True when it was started.
async fn act(ctx: &Context, worker: &Worker, decision: &mut PowerDecision) -> Result<bool, AppError> {
    if ctx.settings.safe_mode {
        decision.action = PowerAction::Wait;
        decision.reason = format!("SAFE_MODE is on, so nothing is done. {}", decision.reason);
        return Ok(false);
    }
    let fleet = ctx.store.fleet_state().await?;
    if fleet.frozen_since.is_some() {
        decision.action = PowerAction::Wait;
        let why = fleet.frozen_reason.unwrap_or_default();
        decision.reason = format!("The fleet is frozen ({why}), so nothing is done. {}", decision.reason);
        return Ok(false);
    }
    if decision.action == PowerAction::Stop && retirement_under_way(ctx, worker.id).await?.is_some() {
        decision.action = PowerAction::Wait;
        decision.reason = "It is being terminated: what is on it is saved first.".into();
        return Ok(false);
    }
    let asked = Asked { if_match: Some(worker.version), ..Asked::by(Actor::idle_shutdown()) };
    let started = match decision.action {
        // Only what was saved before, or given up by force, is terminated at once.
        PowerAction::Terminate => retire_worker(ctx, &asked, worker.id).await,
        _ => stop_worker(ctx, &asked, worker.id, Some(&decision.reason)).await,
    };
    match started {
        Ok(_) => Ok(true),
        Err(AppError::Stale { .. } | AppError::Busy(_)) => {
            decision.action = PowerAction::Wait;
            decision.reason = "It was changed while it was judged; it is judged anew.".into();
            decision.next_check_at = ctx.now();
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
