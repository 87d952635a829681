//! Take existing instances under management: record the operation; EC2 is asked by it.

use domain::operation::{ImportSelector, ImportTask, Operation, Task};
use domain::worker::spec;
use domain::{AccountId, InstanceId, Invalid, Place, Region};

use super::command::{Asked, new_operation, replay, start_new};
use crate::context::Context;
use crate::error::AppError;
use crate::store::Commit;

/// What is asked for, before it is checked.
#[derive(Clone, Debug, Default)]
pub struct NewImport {
    /// The region.
    pub region: String,
    /// The account; null for the home account.
    pub account_id: Option<String>,
    /// One instance.
    pub instance_id: Option<String>,
    /// All of an image.
    pub ami_id: Option<String>,
    /// All of images of this name pattern.
    pub ami_name: Option<String>,
    /// All CML instances.
    pub all: bool,
    /// The name to give.
    pub name: Option<String>,
}

/// Starts the import. An instance that a worker already stands for is refused at once.
///
/// # Errors
/// What is wrong with the input, by field; the instance is taken; the key does not fit; or a port failed.
pub async fn import_workers(ctx: &Context, asked: &Asked, new: NewImport) -> Result<Operation, AppError> {
    if let Some(done) = replay(ctx, asked).await? {
        return Ok(done);
    }
    let task = check(ctx, new)?;
    if let ImportSelector::InstanceId(id) = &task.selector {
        let id: InstanceId = id.parse()?;
        if let Some(worker) = ctx.store.claimant(&task.place, &id).await? {
            return Err(AppError::Conflict(format!("instance {id} belongs to worker {worker}")));
        }
    }
    let operation = new_operation(ctx, Task::ImportWorkers(task), None, asked);
    start_new(ctx, Commit::default(), operation, asked).await
}

fn check(ctx: &Context, new: NewImport) -> Result<ImportTask, Invalid> {
    let mut invalid = Invalid::default();
    let region = invalid.check(new.region.parse::<Region>());
    let account = match &new.account_id {
        None => Some(ctx.settings.home_account.clone()),
        Some(text) => invalid.check(text.parse::<AccountId>()),
    };
    let name = new.name.and_then(|name| invalid.check(spec::check_name(&name)));
    if let Some(id) = &new.instance_id {
        invalid.check(id.parse::<InstanceId>());
    }
    if let Some(id) = &new.ami_id {
        spec::check_ami_id(id, &mut invalid);
    }
    if let Some(name) = &new.ami_name {
        spec::check_ami_name(name, &mut invalid);
    }
    let mut selectors = Vec::new();
    selectors.extend(new.instance_id.map(ImportSelector::InstanceId));
    selectors.extend(new.ami_id.map(ImportSelector::AmiId));
    selectors.extend(new.ami_name.map(ImportSelector::AmiName));
    selectors.extend(new.all.then_some(ImportSelector::All));
    if selectors.len() != 1 {
        invalid.push("instance_id", "or ami_id or ami_name or all must be given, and only one of them");
    }
    let selected = selectors.pop();
    let place = account.zip(region).map(|(account, region)| Place { account, region });
    let task = place.zip(selected).map(|(place, selector)| ImportTask { place, selector, name });
    invalid.finish(task)
}
