//! A worker's instance in EC2: how it is found, and how it is tagged.

use std::collections::BTreeMap;

use domain::instance::{InstanceObservation, InstanceState, MANAGED_TAG, WORKER_TAG};
use domain::worker::Worker;

use crate::ports::{Ec2, Ec2Error, InstanceFilter};

/// The worker's instance as EC2 shows it: by id once known, by our tag while a launch is open.
///
/// # Errors
/// EC2's.
pub async fn look(ec2: &dyn Ec2, worker: &Worker) -> Result<Option<InstanceObservation>, Ec2Error> {
    let filter = match &worker.instance {
        Some(facts) => InstanceFilter::Ids(vec![facts.id.clone()]),
        None if worker.has_open_launch() => InstanceFilter::Tag(WORKER_TAG.into(), Some(worker.id.to_string())),
        None => return Ok(None),
    };
    let mut found = ec2.describe(&worker.place, &filter).await?;
    if worker.instance.is_none() {
        // An earlier launch of the same worker may still be listed as terminated.
        found.retain(|seen| !matches!(seen.state, InstanceState::Terminated | InstanceState::ShuttingDown));
    }
    Ok(found.into_iter().next())
}

/// All tags of a worker's instance: its own, its name, and the two that make it ours.
#[must_use]
pub fn ec2_tags(worker: &Worker) -> BTreeMap<String, String> {
    let mut tags = worker.tags.clone();
    tags.insert("Name".into(), worker.name.clone());
    tags.insert(WORKER_TAG.into(), worker.id.to_string());
    tags.insert(MANAGED_TAG.into(), "true".into());
    tags
}
