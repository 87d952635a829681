//! A worker's instance in EC2: how it is found.

use std::collections::BTreeSet;

use domain::InstanceId;
use domain::instance::{InstanceObservation, InstanceState, WORKER_TAG};
use domain::worker::Worker;

use crate::ports::{Ec2, Ec2Error, InstanceFilter};

/// The worker's instance as EC2 shows it: by id once known, by our tag as long as a launch may have
/// made one that nobody has seen, even if that launch was given up since.
///
/// # Errors
/// EC2's.
pub async fn look(ec2: &dyn Ec2, worker: &Worker) -> Result<Option<InstanceObservation>, Ec2Error> {
    let filter = match &worker.instance {
        Some(facts) => InstanceFilter::Ids(vec![facts.id.clone()]),
        None if worker.launch_number > 0 => InstanceFilter::Tag(WORKER_TAG.into(), Some(worker.id.to_string())),
        None => return Ok(None),
    };
    let mut found = ec2.describe(&worker.place, &filter).await?;
    if worker.instance.is_none() {
        // An earlier launch of the same worker may still be listed as terminated.
        found.retain(|seen| {
            let is_former = worker.former_instance.as_ref() == Some(&seen.id);
            !is_former && !matches!(seen.state, InstanceState::Terminated | InstanceState::ShuttingDown)
        });
    }
    if found.len() > 1 {
        let ids: Vec<&str> = found.iter().map(|seen| seen.id.as_str()).collect();
        tracing::error!(worker_id = %worker.id, ?ids, "several instances carry this worker's tag; somebody copied it");
    }
    // Of several, the oldest is the one we launched: a copied tag comes later.
    Ok(found.into_iter().min_by_key(|seen| (seen.launched_at, seen.id.clone())))
}

/// Whether an answer that lists `found` of `asked` instances may be believed about those it does not
/// list. One that lists none of several known ones speaks of a wrong role or place, not of them all gone.
#[must_use]
pub fn absence_is_credible(asked: usize, found: &BTreeSet<&InstanceId>) -> bool {
    asked < 2 || !found.is_empty()
}
