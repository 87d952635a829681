//! run-cml-operation: messages that name operations.

use app::message::RunOperation;
use app::use_cases::run_cml_operation::run_cml_operation;
use serde_json::Value;

use crate::deadline::Deadline;
use crate::queue_event;
use crate::world::{InvokeError, World};

pub(crate) async fn run(world: &World, event: Value, deadline: Deadline) -> Result<Value, InvokeError> {
    let ports = world.cml_ports()?;
    queue_event::each(event, deadline, |message: RunOperation| async move {
        run_cml_operation(&world.context, ports, message.operation_id).await
    })
    .await
}
