//! Judge workers that are due: look at EC2, judge once, start at most one operation, say why, and
//! set when to look again.

mod act;
mod explain;
mod known;
mod notice;
mod tags;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use domain::decision::Action;
use domain::drift::DriftKind;
use domain::instance::{InstanceObservation, InstanceState};
use domain::power::{Evidence, PowerDecision};
use domain::reconcile::ReconcileRecord;
use domain::reconcile::worker::{JUDGE_AGAIN_AFTER, Policies, conditions, decide, drift, unjudged};
use domain::worker::observe::{Seen, observe_instance};
use domain::worker::{Command, Worker, command::command};
use domain::{Actor, InstanceId, Place, Timestamp, WorkerId};

use self::act::{Acted, act};
use self::explain::explain;
use super::change::{change, observe};
use super::controller::awaits_first_contact;
use super::evidence::{Ec2Ports, Failed, keep_console_output, kept};
use super::instance::{absence_is_credible, look};
use super::lab_wishes::forget_worker;
use crate::context::Context;
use crate::error::AppError;
use crate::message::{CollectCml, Message};
use crate::ports::{Ec2, Ec2Error, InstanceFilter, Queue};
use crate::store::{Counted, PowerDue};

/// What EC2 answered, by place; a place that failed fails its own workers only.
type SeenByPlace = BTreeMap<Place, Result<PlaceSeen, Ec2Error>>;

/// What EC2 answered of one place.
struct PlaceSeen {
    asked_at: Timestamp,
    found: BTreeMap<InstanceId, InstanceObservation>,
    /// Whether what it does not list may be believed to be gone.
    credible: bool,
}

/// The workers of a batch that are due, and what EC2 showed of them: read together, judged one by one.
pub struct Judgement<'a> {
    ctx: &'a Context,
    ports: Ec2Ports<'a>,
    seen: SeenByPlace,
    /// What is not judged yet; no worker where there is an orphan of a write that never happened.
    due: Mutex<BTreeMap<WorkerId, (PowerDue, Option<Worker>)>>,
}

impl<'a> Judgement<'a> {
    /// Reads those workers that are due, and looks at EC2 once a place.
    ///
    /// # Errors
    /// The table failed.
    pub async fn look(ctx: &'a Context, ports: Ec2Ports<'a>, ids: &[WorkerId]) -> Result<Self, AppError> {
        let now = ctx.now();
        let mut workers = ctx.store.workers(ids).await?;
        // A worker without a due item, or due later, was judged by an earlier message.
        let due = ctx.store.powers(ids).await?.into_iter().filter(|due| due.due_at <= now);
        let due: BTreeMap<_, _> =
            due.map(|due| (due.worker_id, (due.clone(), workers.remove(&due.worker_id)))).collect();
        let seen = look_by_place(ports.ec2, now, due.values().filter_map(|(_, worker)| worker.as_ref())).await;
        Ok(Self { ctx, ports, seen, due: Mutex::new(due) })
    }

    /// Judges one of them, once: a second message that names it is done too.
    ///
    /// # Errors
    /// EC2, the table or a queue failed.
    pub async fn judge(&self, id: WorkerId) -> Result<(), AppError> {
        let due = self.due.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        match due {
            // All that may be done for a worker is in this future: too much for the stacks of those that wait for it.
            Some((due, Some(worker))) => {
                Box::pin(control_or_defer(self.ctx, self.ports, worker, &due, &self.seen)).await
            }
            Some((_, None)) => self.ctx.store.drop_power(id).await,
            None => Ok(()),
        }
    }
}

/// One `DescribeInstances` a place, however many workers, all places at the same time.
async fn look_by_place<'a>(ec2: &dyn Ec2, now: Timestamp, workers: impl Iterator<Item = &'a Worker>) -> SeenByPlace {
    let mut ids: BTreeMap<Place, Vec<InstanceId>> = BTreeMap::new();
    for worker in workers {
        // Of what is gone there is nothing to see any more.
        if let Some(facts) = worker.instance.as_ref().filter(|_| !worker.status.is_final()) {
            ids.entry(worker.place.clone()).or_default().push(facts.id.clone());
        }
    }
    let looks = ids.into_iter().map(|(place, ids)| async move {
        let asked = ids.len();
        let found = ec2.describe(&place, &InstanceFilter::Ids(ids)).await.map(|all| {
            let found: BTreeMap<_, _> = all.into_iter().map(|one| (one.id.clone(), one)).collect();
            PlaceSeen { asked_at: now, credible: absence_is_credible(asked, &found.keys().collect()), found }
        });
        (place, found)
    });
    futures::future::join_all(looks).await.into_iter().collect()
}

/// Judges one worker; what fails is judged again in a minute, so that it does not stay at the head
/// of what is due, before all others.
async fn control_or_defer(
    ctx: &Context,
    ports: Ec2Ports<'_>,
    worker: Worker,
    due: &PowerDue,
    seen: &SeenByPlace,
) -> Result<(), AppError> {
    let (id, as_wished) = (worker.id, worker.is_as_wished());
    // On the heap: it has many ways to go, and is large.
    let result = Box::pin(control_one(ctx, ports, worker, due, seen)).await;
    if let Err(error) = &result {
        let now = ctx.now();
        let decided_at = due.decided.as_ref().map(|(at, _)| *at);
        let unjudged = decided_at.and_then(|at| unjudged(at, &error.to_string(), &ctx.settings.reconcile, now));
        if let Some(decision) = &unjudged {
            let decision = decision.action.name().into();
            count(ctx, id, Counted { decision, in_need: !as_wished, error: true, acted: None }).await;
        }
        let decided = unjudged.map(|decision| (now, decision)).or_else(|| due.decided.clone());
        let due_at = now + JUDGE_AGAIN_AFTER;
        ctx.store.save_power(&PowerDue { version: due.version + 1, due_at, decided, ..due.clone() }).await?;
    }
    result
}

async fn control_one(
    ctx: &Context,
    ports: Ec2Ports<'_>,
    worker: Worker,
    due: &PowerDue,
    seen: &SeenByPlace,
) -> Result<(), AppError> {
    let Recorded { worker, tags, shown_at } = record_state(ctx, ports.ec2, worker, seen).await?;
    // Of what is judged below, too, when the address was seen is kept.
    let due = &PowerDue { shown_at: shown_at.or(due.shown_at), ..due.clone() };
    if worker.is_over() {
        // Before it is judged for the last time: what fails here is done again. What is gone against the wish keeps
        // them, to tell what is lost.
        ctx.store.drop_labs(worker.id).await?;
    }
    let record = due.record.clone().for_wish(worker.wish.number);
    let known = known::gather(ctx, &worker, record).await?;
    let now = ctx.now();
    let drift = drift(&worker, tags.as_ref(), now);
    let conditions = conditions(&worker, &known.evidence, known.licensed, &drift);
    let record = settled(ctx, &worker, known.record, now).drifted(drift).observed(&conditions, now);
    let policies = Policies { power: &ctx.settings.power, reconcile: &ctx.settings.reconcile };
    let decision = decide(&worker, &known.evidence, &record, policies, now);
    let decision = explain(ctx, &worker, decision, &record, tags.as_ref(), now).await?;
    if decision.action == Action::Forget {
        forget_worker(ctx, worker.id).await?;
        return ctx.store.drop_power(worker.id).await;
    }
    if decision.read_first {
        let message = CollectCml { worker_ids: vec![worker.id] }.outgoing();
        ctx.queues.send(Queue::MetricsCml, vec![message]).await.map_err(AppError::Unavailable)?;
    }
    let (decision, acted) = match act(ctx, &worker, due, &record, decision).await? {
        Acted::Nothing(decision) => {
            let told_of = told_of(ctx, &worker, due, &decision, &known.evidence, now).await;
            ctx.store.save_power(&judged(due, record.clone(), told_of, &decision, now)).await?;
            say(ctx, &worker, &decision).await?;
            (decision, None)
        }
        Acted::Began(decision) => {
            let action = decision.action;
            (decision, Some((action.name().to_owned(), now)))
        }
    };
    if shown_at.is_some() && awaits_first_contact(&worker) {
        // Its address was just read from EC2, which is what the first contact waits for. What is lost is asked for
        // by the metrics.
        let message = CollectCml { worker_ids: vec![worker.id] }.outgoing();
        if let Err(error) = ctx.queues.send(Queue::MetricsCml, vec![message]).await {
            tracing::warn!(worker_id = %worker.id, %error, "its first contact is left to the metrics");
        }
    }
    if acted.is_none()
        && let Err(error) = tags::heal(ctx, &worker, &record, now).await
    {
        tracing::warn!(worker_id = %worker.id, %error, "its tags are not made right");
    }
    tracing::info!(
        worker_id = %worker.id, action = decision.action.name(), reason = decision.reason,
        running_nodes = known.evidence.running_nodes, attempts = record.attempts, "power judged"
    );
    count(ctx, worker.id, counted(&worker, &decision, &record, acted)).await;
    document(ctx, ports, &worker, &due.record, &record).await;
    Ok(())
}

/// Keeps what the machine had to say when its host failed, once that was judged for the first time.
async fn document(
    ctx: &Context,
    ports: Ec2Ports<'_>,
    worker: &Worker,
    before: &ReconcileRecord,
    record: &ReconcileRecord,
) {
    let known = before.drift_of(DriftKind::HostFailure).is_some();
    let Some(drift) = record.drift_of(DriftKind::HostFailure).filter(|_| !known) else { return };
    let failed = Failed::by_drift(worker.id, drift);
    kept(worker.id, keep_console_output(ctx, ports, worker, &failed).await);
}

/// What a judgement adds to the numbers.
fn counted(
    worker: &Worker,
    decision: &PowerDecision,
    record: &ReconcileRecord,
    acted: Option<(String, Timestamp)>,
) -> Counted {
    // What has no instance, and is not wanted running, is as wished as it can be.
    let in_need = !worker.is_as_wished() && decision.action != Action::None;
    let error = decision.action == Action::GiveUp || (in_need && record.last_failure.is_some());
    Counted { decision: decision.action.name().into(), in_need, error, acted }
}

/// Counting is for people who look at numbers: no judgement fails for it, and the next one counts anew.
async fn count(ctx: &Context, id: WorkerId, counted: Counted) {
    if let Err(error) = ctx.store.count_worker(id, Some(counted)).await {
        tracing::warn!(worker_id = %id, %error, "a judgement is not counted yet");
    }
}

/// What failed before it was as wished is over then; what it took is forgotten once it has been so for as long as a
/// start may take.
fn settled(ctx: &Context, worker: &Worker, record: ReconcileRecord, now: Timestamp) -> ReconcileRecord {
    let long = now >= worker.status_since + ctx.settings.reconcile.grace;
    match (worker.is_as_wished(), long) {
        (false, _) => record,
        (true, false) => record.fulfilled(),
        (true, true) => record.settled(),
    }
}

/// Has people in CML told. The stretch of idleness that they are told of from now on; what begins something tells
/// nothing new.
async fn told_of(
    ctx: &Context,
    worker: &Worker,
    due: &PowerDue,
    decision: &PowerDecision,
    evidence: &Evidence,
    now: Timestamp,
) -> Option<Timestamp> {
    match notice::tell(ctx, worker, due, decision, evidence, now).await {
        Ok(told_of) => told_of,
        Err(error) => {
            // A notice is a courtesy: without it the worker is stopped all the same.
            tracing::warn!(worker_id = %worker.id, %error, "people in CML are not told");
            due.told_of
        }
    }
}

/// The due item after a judgement.
fn judged(
    due: &PowerDue,
    record: ReconcileRecord,
    told_of: Option<Timestamp>,
    decision: &PowerDecision,
    now: Timestamp,
) -> PowerDue {
    PowerDue {
        worker_id: due.worker_id,
        version: due.version + 1,
        due_at: decision.next_check_at,
        judgement: due.judgement + 1,
        decided: Some((now, decision.clone())),
        record,
        told_of,
        shown_at: due.shown_at,
    }
}

/// What only people can go on with is said on the worker itself.
async fn say(ctx: &Context, worker: &Worker, decision: &PowerDecision) -> Result<(), AppError> {
    if !matches!(decision.action, Action::Ask | Action::GiveUp) || worker.state_reason == decision.reason {
        return Ok(());
    }
    let (wish, said) = (worker.wish.number, Command::WishFailed { reason: decision.reason.clone() });
    let events = |now: &Worker| Ok(if now.wish.number == wish { command(now, &said)? } else { vec![] });
    change(ctx, worker.id, &Actor::reconciler(), events).await?;
    Ok(())
}

/// A worker after a look at EC2.
struct Recorded {
    worker: Worker,
    /// The tags of its instance, where it was seen.
    tags: Option<BTreeMap<String, String>>,
    /// When EC2 was asked, if it showed the instance running.
    shown_at: Option<Timestamp>,
}

/// Records what EC2 shows; the sweep that heals what events missed. An instance that a launch made
/// and nobody saw is found by its tag.
async fn record_state(ctx: &Context, ec2: &dyn Ec2, worker: Worker, seen: &SeenByPlace) -> Result<Recorded, AppError> {
    let not_seen = |worker| Recorded { worker, tags: None, shown_at: None };
    if worker.status.is_final() {
        return Ok(not_seen(worker));
    }
    let (by_tag, asked_at);
    let shown = match &worker.instance {
        None if worker.launch_number > 0 => {
            asked_at = ctx.now();
            by_tag = look(ec2, &worker).await?;
            by_tag.as_ref().map_or(Seen::Absent, Seen::Present)
        }
        None => return Ok(not_seen(worker)),
        Some(facts) => match seen.get(&worker.place) {
            Some(Ok(place)) => {
                asked_at = place.asked_at;
                match place.found.get(&facts.id) {
                    Some(one) => Seen::Present(one),
                    None if place.credible => Seen::Absent,
                    None => {
                        tracing::error!(place = %worker.place, "EC2 lists none of the known instances; not believed");
                        return Ok(not_seen(worker));
                    }
                }
            }
            Some(Err(error)) => return Err(error.clone().into()),
            None => return Ok(not_seen(worker)),
        },
    };
    let (tags, shown_at) = match shown {
        Seen::Present(one) => {
            let runs = one.state == InstanceState::Running;
            (Some(one.tags.clone()), runs.then_some(asked_at))
        }
        Seen::Absent => (None, None),
    };
    let worker = observe(ctx, &worker, &Actor::Aws, |worker| observe_instance(worker, shown, ctx.now())).await?;
    Ok(Recorded { worker, tags, shown_at })
}
