//! Import: take instances that exist under management, each by one worker only.

use std::collections::BTreeMap;

use domain::instance::{InstanceObservation, InstanceState, MANAGED_TAG, WORKER_TAG};
use domain::operation::{ImportSelector, ImportTask, Operation, OperationResult};
use domain::worker::observe::{Seen, observe_instance};
use domain::worker::{Change, DesiredState, ImageChoice, LaunchSpec, Worker, WorkerEvent, WorkerStatus, spec};
use domain::{InstanceId, SignedDuration, WorkerId};
use sha2::{Digest, Sha256};

use crate::context::Context;
use crate::error::AppError;
use crate::ports::{Ec2, Ec2Error, InstanceFilter};
use crate::store::{Commit, CommitError, PowerDue};
use crate::use_cases::command::into_app_error;
use crate::use_cases::operation_run::Progress;

/// Instances one import takes at most; the rest of a larger place is for the next import.
const INSTANCES_MAX: usize = 500;
/// Instances taken over in one run: each is a transaction and a call, and a run has to end.
const NEW_PER_RUN: usize = 50;
/// An import ends at its deadline, 15 minutes after it was asked for; and some time for clocks.
const IMPORT_ENDS_WITHIN: SignedDuration = SignedDuration::from_mins(20);
/// EC2's lists show a change within seconds, as a rule.
const LISTS_FOLLOW_WITHIN: SignedDuration = SignedDuration::from_secs(20);

pub(super) async fn advance(
    ctx: &Context,
    ec2: &dyn Ec2,
    operation: &mut Operation,
    task: &ImportTask,
) -> Result<Progress, AppError> {
    operation.attempts += 1;
    let found = match find(ctx, ec2, task).await {
        Ok(found) => found,
        Err(error) if error.retryable() => {
            let wait = error.class().backoff(operation.attempts, ctx.random.next());
            return Ok(Progress::Waiting(
                format!("EC2 to answer ({}: {})", error.code, error.message),
                ctx.now() + wait,
            ));
        }
        Err(error) => return Ok(Progress::Failed(error.code, error.message)),
    };
    let mut result = OperationResult::default();
    // Only what is new counts: what other workers stand for must not keep an import from its end.
    let mut taken = 0;
    for seen in &found {
        if is_ours(seen, worker_id(operation, &seen.id)) {
            result.imported.push(worker_id(operation, &seen.id));
            continue;
        }
        if result.imported.len() == INSTANCES_MAX {
            let why = format!("One import takes {INSTANCES_MAX} instances; import again for the rest.");
            result.skipped.insert(seen.id.to_string(), why);
            continue;
        }
        if taken == NEW_PER_RUN {
            return Ok(Progress::Waiting("the rest of the instances".into(), ctx.now()));
        }
        match take_over(ctx, ec2, operation, task, seen, found.len() == 1).await? {
            Taken::New(id) => {
                taken += 1;
                result.imported.push(id);
            }
            Taken::Before(id) => result.imported.push(id),
            Taken::Skipped(why) => {
                result.skipped.insert(seen.id.to_string(), why);
            }
            Taken::TagsRefused(error) if error.retryable() => {
                let wait = error.class().backoff(operation.attempts, ctx.random.next());
                return Ok(Progress::Waiting(format!("EC2 to tag {} ({})", seen.id, error.code), ctx.now() + wait));
            }
            Taken::TagsRefused(error) => return Ok(Progress::Failed(error.code, error.message)),
            Taken::TagsNotShown => {
                let until = ctx.now() + LISTS_FOLLOW_WITHIN;
                return Ok(Progress::Waiting(format!("EC2 to show the tags of {}", seen.id), until));
            }
        }
    }
    Ok(conclude(task, found.len(), result))
}

fn conclude(task: &ImportTask, found: usize, mut result: OperationResult) -> Progress {
    if found == 0 {
        return Progress::failed("not_found", format!("No instance that can be imported was found in {}.", task.place));
    }
    if let (ImportSelector::InstanceId(_), Some(why)) = (&task.selector, result.skipped.values().next()) {
        return Progress::failed("not_imported", why.clone());
    }
    result.worker_id = if let [only] = result.imported[..] { Some(only) } else { None };
    Progress::Done(result)
}

async fn find(ctx: &Context, ec2: &dyn Ec2, task: &ImportTask) -> Result<Vec<InstanceObservation>, Ec2Error> {
    let named = async |pattern: &str| -> Result<InstanceFilter, Ec2Error> {
        let images = ec2.images(&task.place, pattern, &ctx.settings.trusted_image_owners).await?;
        Ok(InstanceFilter::Images(images.into_iter().map(|image| image.id).collect()))
    };
    let filter = match &task.selector {
        ImportSelector::InstanceId(id) => match id.parse::<InstanceId>() {
            Ok(id) => InstanceFilter::Ids(vec![id]),
            Err(_) => return Ok(vec![]),
        },
        ImportSelector::AmiId(id) => InstanceFilter::Images(vec![id.clone()]),
        ImportSelector::AmiName(name) => named(name).await?,
        ImportSelector::All => named(ctx.settings.ami_name(&task.place.region)).await?,
    };
    if matches!(&filter, InstanceFilter::Images(images) if images.is_empty()) {
        return Ok(vec![]);
    }
    let mut found = ec2.describe(&task.place, &filter).await?;
    found.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(found)
}

enum Taken {
    New(WorkerId),
    /// By an earlier run of this same operation.
    Before(WorkerId),
    Skipped(String),
    TagsRefused(Ec2Error),
    /// Refused, as when an earlier run set them already, but EC2 does not show them yet.
    TagsNotShown,
}

async fn take_over(
    ctx: &Context,
    ec2: &dyn Ec2,
    operation: &Operation,
    task: &ImportTask,
    seen: &InstanceObservation,
    only: bool,
) -> Result<Taken, AppError> {
    if matches!(seen.state, InstanceState::Terminated | InstanceState::ShuttingDown) {
        return Ok(Taken::Skipped(format!("Instance {} is {}.", seen.id, seen.state.name())));
    }
    let own = worker_id(operation, &seen.id);
    if let Some(other) = tagged_worker(ctx, seen).await?.filter(|other| *other != own) {
        return Ok(Taken::Skipped(format!("Instance {} belongs to worker {other}.", seen.id)));
    }
    if seen.tags.contains_key(MANAGED_TAG) {
        // Its permission ends where the tag is: it might be the mark of another deployment in the account.
        let id = &seen.id;
        let why = format!(
            "Instance {id} carries the tag {MANAGED_TAG} of a worker that is not known here. If no other \
             deployment manages it, take the tags {MANAGED_TAG} and {WORKER_TAG} off and import it again."
        );
        return Ok(Taken::Skipped(why));
    }
    let worker = imported_worker(ctx, operation, task, seen, own, only);
    let mut events = vec![WorkerEvent::Imported(seen.into())];
    let now = ctx.now();
    let mut after = worker.clone();
    after.apply(&events[0], now);
    events.extend(observe_instance(&after, Seen::Present(seen), now));
    let commit = Commit {
        change: Change::of(&worker, events, operation.requested_by.clone(), now),
        claim: Some((task.place.clone(), seen.id.clone(), own)),
        power: Some(PowerDue::hurried(own, None, now)),
        ..Commit::default()
    };
    let (taken, id) = match ctx.store.commit(&commit, ctx.settings.operation_retention).await {
        Ok(()) => (Taken::New(own), own),
        Err(CommitError::InstanceClaimed | CommitError::WorkerChanged | CommitError::Contended) => {
            match ctx.store.claimant(&task.place, &seen.id).await? {
                Some(holder) if holder == own => (Taken::Before(own), own),
                // It carries no mark of ours (see above). Once the import that took it over is surely at its
                // end, that says: its tags were refused, or SAFE_MODE was on. Nothing can act on it without them.
                Some(holder) if is_settled(ctx, holder).await? => (Taken::Before(holder), holder),
                Some(holder) => return Ok(Taken::Skipped(format!("Instance {} belongs to worker {holder}.", seen.id))),
                None => return Err(AppError::Busy(own)),
            }
        }
        Err(error) => return Err(into_app_error(error)),
    };
    let ours = BTreeMap::from([(WORKER_TAG.to_owned(), id.to_string()), (MANAGED_TAG.to_owned(), "true".to_owned())]);
    if ctx.settings.safe_mode {
        return Ok(taken);
    }
    match ec2.update_tags(&task.place, &seen.id, &ours, &[]).await {
        Ok(()) => Ok(taken),
        // What an earlier run tagged may not be tagged again, and EC2's lists follow late.
        Err(_) if tagged_meanwhile(ec2, task, seen, id).await => Ok(taken),
        Err(error) if matches!(taken, Taken::Before(_)) && !error.retryable() && id == own => Ok(Taken::TagsNotShown),
        Err(error) => Ok(Taken::TagsRefused(error)),
    }
}

/// Whether a worker lives, and is older than any import that is still under way.
async fn is_settled(ctx: &Context, id: WorkerId) -> Result<bool, AppError> {
    match ctx.store.worker(id).await {
        Ok(worker) => Ok(!worker.status.is_final() && ctx.now().duration_since(worker.created_at) > IMPORT_ENDS_WITHIN),
        Err(AppError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether EC2 shows our tags on the instance by now.
async fn tagged_meanwhile(ec2: &dyn Ec2, task: &ImportTask, seen: &InstanceObservation, id: WorkerId) -> bool {
    let again = ec2.describe(&task.place, &InstanceFilter::Ids(vec![seen.id.clone()])).await;
    again.is_ok_and(|found| found.iter().any(|now| is_ours(now, id)))
}

/// An earlier run of the same import took it over and tagged it: that was its last step.
fn is_ours(seen: &InstanceObservation, id: WorkerId) -> bool {
    seen.tags.get(WORKER_TAG) == Some(&id.to_string()) && seen.tags.contains_key(MANAGED_TAG)
}

/// The worker that an instance's tag names, if it lives and the instance is its own.
async fn tagged_worker(ctx: &Context, seen: &InstanceObservation) -> Result<Option<WorkerId>, AppError> {
    let Some(id) = seen.tags.get(WORKER_TAG).and_then(|text| text.parse::<WorkerId>().ok()) else { return Ok(None) };
    match ctx.store.worker(id).await {
        Ok(worker) if worker.status.is_final() => Ok(None),
        Ok(worker) => Ok(worker.instance.is_none_or(|facts| facts.id == seen.id).then_some(id)),
        Err(AppError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The same import of the same instance makes the same worker, however often it is tried.
fn worker_id(operation: &Operation, instance: &InstanceId) -> WorkerId {
    let digest = Sha256::digest(format!("{}/{instance}", operation.id));
    let random = digest.iter().take(16).fold(0_u128, |n, byte| (n << 8) | u128::from(*byte));
    WorkerId::new(operation.requested_at, random)
}

fn imported_worker(
    ctx: &Context,
    operation: &Operation,
    task: &ImportTask,
    seen: &InstanceObservation,
    id: WorkerId,
    only: bool,
) -> Worker {
    let tag_name = seen.tags.get("Name").and_then(|name| spec::check_name(name).ok());
    let given = task.name.as_ref().map(|name| if only { name.clone() } else { format!("{name} {}", seen.id) });
    let foreign = |key: &str| key.starts_with("aws:") || [WORKER_TAG, MANAGED_TAG, "Name"].contains(&key);
    let runs = matches!(seen.state, InstanceState::Running | InstanceState::Pending);
    let name = given.or(tag_name).unwrap_or_else(|| seen.id.to_string());
    let spec = LaunchSpec {
        image: ImageChoice::Id(seen.ami_id.clone()),
        detailed_monitoring: seen.detailed_monitoring,
        ..LaunchSpec::of_type(seen.instance_type.clone())
    };
    Worker {
        imported: true,
        status: WorkerStatus::Unknown,
        desired: if runs { DesiredState::Running } else { DesiredState::Stopped },
        state_reason: format!("Imported by {} while it was {}.", operation.requested_by, seen.state.name()),
        tags: seen
            .tags
            .iter()
            .filter(|(key, _)| !foreign(key))
            .take(spec::TAGS_MAX)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        ..Worker::draft(id, name, task.place.clone(), spec, ctx.now())
    }
}
