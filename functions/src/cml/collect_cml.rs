//! collect-cml: messages that name workers.

use app::message::CollectCml;
use app::use_cases::collect_cml::collect_cml;
use serde_json::Value;

use crate::deadline::Deadline;
use crate::queue_event;
use crate::world::{InvokeError, World};

pub(crate) async fn run(world: &World, event: Value, deadline: Deadline) -> Result<Value, InvokeError> {
    let cml = world.cml.as_deref().ok_or(InvokeError::MissingPort("CML client"))?;
    let secrets = world.secrets()?;
    queue_event::each(event, deadline, |message: CollectCml| async move {
        collect_cml(&world.context, cml, secrets, &message).await
    })
    .await
}
