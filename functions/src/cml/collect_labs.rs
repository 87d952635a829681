//! collect-labs: messages that name workers.

use app::message::CollectLabs;
use app::use_cases::collect_labs::collect_labs;
use serde_json::Value;

use crate::deadline::Deadline;
use crate::queue_event;
use crate::world::{InvokeError, World};

pub(crate) async fn run(world: &World, event: Value, deadline: Deadline) -> Result<Value, InvokeError> {
    let (controllers, secrets) = (world.controllers()?, world.secrets()?);
    queue_event::each(event, deadline, |message: CollectLabs| async move {
        collect_labs(&world.context, controllers, secrets, &message).await
    })
    .await
}
