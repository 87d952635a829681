//! One function on one event: which code a row of the function table runs.

use std::time::Duration;

use http_api::{Function, Trigger};
use serde_json::Value;

use crate::deadline::Deadline;
use crate::world::{InvokeError, World};
use crate::{api, cml, fleet, http_event};

/// Runs one function on one event, JSON in and JSON out, in the time that the function has.
///
/// # Errors
/// As [`invoke_within`].
pub async fn invoke(function: &'static Function, world: &World, event: Value) -> Result<Value, InvokeError> {
    invoke_within(function, world, event, function.time_limit()).await
}

/// Runs one function on one event, JSON in and JSON out. Shortly before `time_left` is over it answers
/// for what is done: a request with a problem, a batch with the messages that are not.
///
/// # Errors
/// The invocation failed as a whole. A message that fails is no error: it is in the answer.
pub async fn invoke_within(
    function: &'static Function,
    world: &World,
    event: Value,
    time_left: Duration,
) -> Result<Value, InvokeError> {
    let deadline = Deadline::before(time_left);
    match function.trigger {
        Trigger::Http(_) => http_event::answer(function, world, event, deadline).await,
        // A batch has a way to say what was not done.
        Trigger::Queue { .. } => consume(function, world, event, deadline).await,
        Trigger::Schedule { .. } | Trigger::Stream { .. } | Trigger::Ec2StateChange => {
            let consumed = deadline.within(consume(function, world, event, deadline)).await;
            consumed.unwrap_or(Err(InvokeError::OutOfTime(function.name)))
        }
    }
}

async fn consume(
    function: &'static Function,
    world: &World,
    event: Value,
    deadline: Deadline,
) -> Result<Value, InvokeError> {
    match function.name {
        "dispatch-discovery" => api::dispatch_discovery::run(world).await,
        "dispatch-labs" => api::dispatch_labs::run(world).await,
        "dispatch-metrics" => api::dispatch_metrics::run(world).await,
        "dispatch-power" => api::dispatch_power::run(world).await,
        "publish-events" => api::publish_events::run(world, event).await,
        "collect-aws" => fleet::collect_aws::run(world, event, deadline).await,
        "discover-instances" => fleet::discover_instances::run(world, event, deadline).await,
        "control-power" => fleet::control_power::run(world, event, deadline).await,
        "run-import" => fleet::run_import::run(world, event, deadline).await,
        "run-operation" => fleet::run_operation::run(world, event, deadline).await,
        "record-instance-state" => fleet::record_instance_state::run(world, event).await,
        "collect-cml" => cml::collect_cml::run(world, event, deadline).await,
        "collect-labs" => cml::collect_labs::run(world, event, deadline).await,
        "run-cml-operation" => cml::run_cml_operation::run(world, event, deadline).await,
        other => Err(InvokeError::NoConsumer(other)),
    }
}
