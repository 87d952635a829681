//! collect-aws: messages that name workers of one place.

use app::message::CollectAws;
use app::use_cases::collect_aws::collect_aws;
use serde_json::Value;

use crate::deadline::Deadline;
use crate::queue_event;
use crate::world::{InvokeError, World};

pub(crate) async fn run(world: &World, event: Value, deadline: Deadline) -> Result<Value, InvokeError> {
    let ec2 = world.ec2()?;
    let cloudwatch = world.cloudwatch.as_deref().ok_or(InvokeError::MissingPort("CloudWatch"))?;
    queue_event::each(event, deadline, |message: CollectAws| async move {
        collect_aws(&world.context, ec2, cloudwatch, &message).await
    })
    .await
}
