//! Read EC2 and CloudWatch of one place in bulk. Each source stands alone, with its own time.

use std::collections::BTreeMap;

use domain::instance::{InstanceObservation, InstanceState};
use domain::metrics::{CloudWatchReading, Ec2Reading};
use domain::worker::Worker;
use domain::worker::observe::{Seen, observe_instance};
use domain::{Actor, InstanceId, SignedDuration, Timestamp};

use super::change::observe;
use super::hurry::hurry;
use super::instance::absence_is_credible;
use crate::context::Context;
use crate::error::AppError;
use crate::message::CollectAws;
use crate::ports::{CloudWatch, Ec2, Ec2Error, InstanceFilter, MetricsRequest};
use crate::store::AwsReadings;

/// Ids one `DescribeInstanceStatus` takes. Source: EC2 API reference.
const STATUS_BATCH: usize = 100;
/// CloudWatch publishes basic metrics every five minutes, some minutes late.
const WINDOW: SignedDuration = SignedDuration::from_mins(15);

/// Reads the workers of one place.
///
/// # Errors
/// EC2 could not be asked at all, or the table failed; the message is delivered again.
pub async fn collect_aws(
    ctx: &Context,
    ec2: &dyn Ec2,
    cloudwatch: &dyn CloudWatch,
    message: &CollectAws,
) -> Result<(), AppError> {
    let workers = ctx.store.workers(&message.worker_ids).await?;
    let mut by_instance: BTreeMap<InstanceId, Worker> = BTreeMap::new();
    for worker in workers.into_values().filter(|worker| worker.place == message.place) {
        if let Some(id) = worker.instance.as_ref().map(|facts| facts.id.clone()) {
            by_instance.insert(id, worker);
        }
    }
    if by_instance.is_empty() {
        return Ok(());
    }
    let ids = by_instance.keys().cloned().collect();
    let seen = ec2.describe(&message.place, &InstanceFilter::Ids(ids)).await?;
    let (running, mut failure) = record_states(ctx, &by_instance, &seen).await;
    if running.is_empty() {
        return failure.map_or(Ok(()), Err);
    }
    let now = ctx.now();
    let ids: Vec<InstanceId> = running.keys().cloned().collect();
    let checks = status_checks(ec2, message, &ids).await;
    let request = MetricsRequest { instances: ids, from: now - WINDOW, to: now };
    let metrics = cloudwatch.metrics(&message.place, &request).await;
    let metrics = metrics.map(|all| all.into_iter().map(|one| (one.id, one.reading)).collect::<BTreeMap<_, _>>());
    for (instance, worker) in &running {
        let check = checks.as_ref().map(|all| all.get(instance).cloned());
        let metric = metrics.as_ref().map(|all| all.get(instance).cloned());
        let update = |before: &AwsReadings| after(before, &check, &metric, now);
        match ctx.store.add_reading(worker.id, now, ctx.settings.sample_retention, update).await {
            // Another reading of the same moment is being written: it is as good.
            Ok(_) | Err(AppError::Busy(_)) => {}
            Err(error) => {
                tracing::warn!(worker_id = %worker.id, %error, "a reading was not stored");
                failure = Some(error);
            }
        }
    }
    failure.map_or(Ok(()), Err)
}

/// Records what EC2 shows of each instance: those that run, and the last failure. One worker that
/// cannot be written costs the others nothing.
async fn record_states(
    ctx: &Context,
    by_instance: &BTreeMap<InstanceId, Worker>,
    seen: &[InstanceObservation],
) -> (BTreeMap<InstanceId, Worker>, Option<AppError>) {
    let seen: BTreeMap<&InstanceId, &InstanceObservation> = seen.iter().map(|one| (&one.id, one)).collect();
    let credible = absence_is_credible(by_instance.len(), &seen.keys().copied().collect());
    if !credible {
        tracing::error!(instances = by_instance.len(), "EC2 lists none of the known instances; not believed");
    }
    let (mut running, mut failure) = (BTreeMap::new(), None);
    for (id, worker) in by_instance {
        let shown = match seen.get(id) {
            Some(one) => Seen::Present(one),
            None if credible => Seen::Absent,
            None => continue,
        };
        let after = match record_state(ctx, worker, shown).await {
            Ok(after) => after,
            Err(error) => {
                tracing::warn!(worker_id = %worker.id, %error, "an observation was not stored");
                failure = Some(error);
                continue;
            }
        };
        if matches!(shown, Seen::Present(one) if one.state == InstanceState::Running) {
            running.insert(id.clone(), after);
        }
    }
    (running, failure)
}

async fn record_state(ctx: &Context, worker: &Worker, shown: Seen<'_>) -> Result<Worker, AppError> {
    let after = observe(ctx, worker, &Actor::Aws, |worker| observe_instance(worker, shown, ctx.now())).await?;
    // What was missed is looked at again soon.
    if after.status != worker.status || after.missing_since != worker.missing_since {
        hurry(ctx, after.id).await?;
    }
    Ok(after)
}

async fn status_checks(
    ec2: &dyn Ec2,
    message: &CollectAws,
    ids: &[InstanceId],
) -> Result<BTreeMap<InstanceId, Ec2Reading>, Ec2Error> {
    let mut all = BTreeMap::new();
    for chunk in ids.chunks(STATUS_BATCH) {
        for checks in ec2.status_checks(&message.place, chunk).await? {
            let reading = Ec2Reading { instance_check: Some(checks.instance), system_check: Some(checks.system) };
            all.insert(checks.id, reading);
        }
    }
    Ok(all)
}

/// The readings after one more try: a source that failed keeps its last value and its last time.
fn after(
    before: &AwsReadings,
    checks: &Result<Option<Ec2Reading>, &Ec2Error>,
    metrics: &Result<Option<CloudWatchReading>, &Ec2Error>,
    now: Timestamp,
) -> AwsReadings {
    let mut next = AwsReadings { tried_at: Some(now), errors: vec![], ..before.clone() };
    match checks {
        Ok(reading) => {
            next.ec2 = reading.clone().unwrap_or_default();
            next.ec2_at = Some(now);
        }
        Err(error) => next.errors.push(error.to_string()),
    }
    match metrics {
        Ok(reading) => {
            next.cloudwatch = reading.clone().unwrap_or_default();
            next.cloudwatch_at = Some(now);
        }
        Err(error) => next.errors.push(error.to_string()),
    }
    next
}
