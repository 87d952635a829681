//! dispatch-metrics: a schedule's tick, whatever the event says.

use app::use_cases::dispatch_metrics::dispatch_metrics;
use serde_json::Value;

use crate::world::{InvokeError, World};

pub(crate) async fn run(world: &World) -> Result<Value, InvokeError> {
    dispatch_metrics(&world.context).await?;
    Ok(Value::Null)
}
