//! control-power: messages that name workers, one group each, judged together to read EC2 once.

use app::message::ControlPower;
use app::use_cases::control_power::control_power;
use domain::WorkerId;
use serde_json::Value;

use crate::queue_event::{self, Batch};
use crate::{InvokeError, World};

pub(crate) async fn run(world: &World, event: Value) -> Result<Value, InvokeError> {
    let Batch { messages, unreadable: mut failed } = queue_event::read_all::<ControlPower>(event)?;
    let mut ids: Vec<WorkerId> = messages.iter().map(|(_, message)| message.worker_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let results = control_power(&world.context, world.ec2()?, &ids).await?;
    for (worker, result) in ids.iter().zip(results) {
        let Err(error) = result else { continue };
        tracing::error!(worker_id = %worker, why = queue_event::describe(&error), "a worker could not be judged");
        // All of the worker's messages come back: they are one group, in order.
        failed.extend(messages.iter().filter(|(_, m)| m.worker_id == *worker).map(|(id, _)| id.clone()));
    }
    queue_event::answer(failed)
}
