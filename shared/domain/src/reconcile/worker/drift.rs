//! How a worker differs from what is wanted and known of it.

use std::collections::BTreeMap;

use crate::drift::{Drift, DriftKind};
use crate::instance::{MANAGED, MANAGED_TAG, NAME_TAG};
use crate::reconcile::ReconcileRecord;
use crate::worker::{DesiredState, Worker, WorkerStatus};
use jiff::{SignedDuration, Timestamp};

/// How a worker differs from what is wanted of it; `tags` are those of its instance in EC2, where they were seen.
#[must_use]
pub fn drift(worker: &Worker, tags: Option<&BTreeMap<String, String>>, now: Timestamp) -> Vec<Drift> {
    let mut found = Vec::new();
    if worker.status.is_final() && worker.desired == DesiredState::Terminated {
        return found;
    }
    // Lost, and not wanted running: there is nothing to bring back.
    let settled = worker.status == WorkerStatus::Failed && worker.desired == DesiredState::Stopped;
    if let Some(departure) = worker.departure.filter(|_| !settled) {
        let (was, is) = (worker.desired.name().to_owned(), worker.status.name().to_owned());
        found.push(Drift { kind: departure.kind, was, is, since: departure.at });
    }
    if let Some(facts) = worker.instance.as_ref().filter(|facts| facts.instance_type != worker.given_type()) {
        let (was, is) = (worker.given_type().to_owned(), facts.instance_type.clone());
        found.push(Drift { kind: DriftKind::InstanceType, was, is, since: now });
    }
    let tags = tags.filter(|_| matches!(worker.status, WorkerStatus::Running | WorkerStatus::Stopped));
    if let Some((was, is)) = tags.and_then(|tags| tags_drift(worker, tags)) {
        found.push(Drift { kind: DriftKind::Tags, was, is, since: now });
    }
    found
}

/// Tags of ours that EC2 does not show as they are kept here; those that others set beside them are no drift.
fn tags_drift(worker: &Worker, seen: &BTreeMap<String, String>) -> Option<(String, String)> {
    let differ: Vec<_> = worker
        .ec2_tags()
        .into_iter()
        // An imported instance keeps the name it came with.
        .filter(|(key, _)| !(worker.imported && key == NAME_TAG))
        .filter(|(key, value)| seen.get(key) != Some(value))
        .collect();
    let told = |value: &dyn Fn(&str, &str) -> String| {
        differ.iter().map(|(key, ours)| format!("{key}={}", value(key, ours))).collect::<Vec<_>>().join(", ")
    };
    let shown = |key: &str, _: &str| seen.get(key).cloned().unwrap_or_default();
    (!differ.is_empty()).then(|| (told(&|_, ours| ours.to_owned()), told(&shown)))
}

/// What a person has to do where [`is_unmanaged`].
pub const MANAGED_TAG_LOST: &str = "Its instance does not carry the tag ccm:managed=true, and AWS allows CML Cloud \
     Manager to start, stop, terminate or tag only what does: put the tag back on the instance by hand.";

/// Its instance is known, for as long as it takes to tell that from a list that lags, not to carry the tag by which
/// AWS allows us anything on it. `tags` as they were seen last.
#[must_use]
pub fn is_unmanaged(record: &ReconcileRecord, tags: &BTreeMap<String, String>, now: Timestamp) -> bool {
    let differ = record.drift_of(DriftKind::Tags).is_some_and(|drift| drift.since + TAGS_DIFFER_FOR <= now);
    differ && tags.get(MANAGED_TAG).is_none_or(|value| value != MANAGED)
}

/// How long tags must differ before they are made right: EC2's lists lag behind a change of ours.
pub const TAGS_DIFFER_FOR: SignedDuration = SignedDuration::from_mins(3);
