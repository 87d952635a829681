//! discover-instances: messages that name one account and region each.

use app::message::DiscoverInstances;
use app::use_cases::discover_instances::discover_instances;
use serde_json::Value;

use crate::deadline::Deadline;
use crate::queue_event;
use crate::world::{InvokeError, World};

pub(crate) async fn run(world: &World, event: Value, deadline: Deadline) -> Result<Value, InvokeError> {
    let ec2 = world.ec2()?;
    queue_event::each(event, deadline, |message: DiscoverInstances| async move {
        discover_instances(&world.context, ec2, &message.place).await
    })
    .await
}
