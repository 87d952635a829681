//! Create a worker: record it, its wish and its operation, and nothing more; EC2 is called by the operation.

use std::collections::BTreeMap;

use domain::operation::{Operation, Task};
use domain::reconcile::ReconcileRecord;
use domain::worker::{Change, DesiredState, IdlePolicy, LaunchSpec, Worker, WorkerEvent, spec};
use domain::{AccountId, Invalid, Place, Region, WorkerId};

use super::command::{Asked, new_operation, replay, start_new};
use super::endpoint::check_endpoint;
use crate::context::Context;
use crate::error::AppError;
use crate::store::{Commit, PowerDue};

/// What is asked for, before it is checked.
#[derive(Clone, Debug)]
pub struct NewWorker {
    /// The name.
    pub name: String,
    /// The region.
    pub region: String,
    /// The account; null for the home account.
    pub account_id: Option<String>,
    /// What to launch; an empty type stands for the default one.
    pub spec: LaunchSpec,
    /// Whether the fleet's alternatives hold, because neither a type nor any were named.
    pub takes_fleets_types: bool,
    /// Whose it is.
    pub owner: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Whether to launch it now.
    pub desired: DesiredState,
    /// Its own idle timeout.
    pub idle_timeout_minutes: Option<u32>,
    /// Where CML answers, if not where EC2 says.
    pub cml_endpoint: Option<String>,
    /// Which stored credentials to use, if not the fleet's.
    pub cml_credentials_ref: Option<String>,
}

/// Records the worker and starts its creation.
///
/// # Errors
/// What is wrong with the input, by field; the key does not fit; or a port failed.
pub async fn create_worker(ctx: &Context, asked: &Asked, new: NewWorker) -> Result<Operation, AppError> {
    if let Some(done) = replay(ctx, asked).await? {
        return Ok(done);
    }
    let now = ctx.now();
    let mut draft = draft(ctx, asked, WorkerId::new(now, ctx.random.next()), new)?;
    let id = draft.id;
    let operation = new_operation(ctx, Task::CreateWorker, Some(id), asked);
    let change = Change::of(&draft, vec![WorkerEvent::Created], asked.actor.clone(), now);
    let wish = change.as_ref().map_or(0, |change| change.worker.wish.number);
    let record = ReconcileRecord::default().for_wish(wish).asked(&operation);
    let commit = Commit {
        user_data: draft.spec.user_data.take().map(|script| (id, script)),
        change,
        power: Some(PowerDue::hurried(id, None, now).with_record(record)),
        ..Commit::default()
    };
    start_new(ctx, commit, operation, asked).await
}

/// The worker before its first event, checked.
fn draft(ctx: &Context, asked: &Asked, id: WorkerId, mut new: NewWorker) -> Result<Worker, Invalid> {
    let mut invalid = Invalid::default();
    let name = invalid.check(spec::check_name(&new.name));
    let region = invalid.check(new.region.parse::<Region>());
    let account = match &new.account_id {
        None => Some(ctx.settings.home_account.clone()),
        Some(text) => invalid.check(text.parse::<AccountId>()),
    };
    if new.spec.instance_type.is_empty() {
        new.spec.instance_type.clone_from(&ctx.settings.default_instance_type);
    }
    if new.takes_fleets_types {
        new.spec.fallback_instance_types.clone_from(&ctx.settings.fallback_instance_types);
    }
    new.spec.check(&mut invalid);
    spec::check_tags(&new.tags, &mut invalid);
    if let Some(minutes) = new.idle_timeout_minutes {
        invalid.check(spec::check_idle_timeout(minutes));
    }
    if new.desired == DesiredState::Terminated {
        invalid.push("desired_state", "must be running or stopped");
    }
    if let Some(owner) = &new.owner {
        spec::check_owner(owner, &mut invalid);
    }
    if let Some(endpoint) = &new.cml_endpoint {
        invalid.check(check_endpoint(endpoint, ctx.settings.allow_loopback_controllers));
    }
    if let Some(reference) = &new.cml_credentials_ref {
        invalid.check(super::endpoint::check_credentials_ref(reference));
    }
    let place = name.zip(account.zip(region));
    let (name, (account, region)) = invalid.finish(place)?;
    Ok(Worker {
        desired: new.desired,
        state_reason: format!("Created by {}.", asked.actor),
        cml_endpoint: new.cml_endpoint,
        cml_credentials_ref: new.cml_credentials_ref,
        owner: new.owner,
        tags: new.tags,
        idle_policy: IdlePolicy { enabled: true, timeout_minutes: new.idle_timeout_minutes },
        ..Worker::draft(id, name, Place { account, region }, new.spec, ctx.now())
    })
}
