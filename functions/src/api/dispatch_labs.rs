//! dispatch-labs: a schedule's tick, whatever the event says.

use app::use_cases::dispatch_labs::dispatch_labs;
use serde_json::Value;

use crate::world::{InvokeError, World};

pub(crate) async fn run(world: &World) -> Result<Value, InvokeError> {
    dispatch_labs(&world.context).await?;
    Ok(Value::Null)
}
