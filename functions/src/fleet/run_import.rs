//! run-import: messages that name imports.

use app::message::RunOperation;
use app::use_cases::run_operation::run_import;
use serde_json::Value;

use crate::deadline::Deadline;
use crate::queue_event;
use crate::world::{InvokeError, World};

pub(crate) async fn run(world: &World, event: Value, deadline: Deadline) -> Result<Value, InvokeError> {
    let ec2 = world.ec2()?;
    queue_event::each(event, deadline, |message: RunOperation| async move {
        run_import(&world.context, ec2, message.operation_id).await
    })
    .await
}
