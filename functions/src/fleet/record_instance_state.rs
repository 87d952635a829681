//! record-instance-state: EC2's own state-change notifications.

use app::AppError;
use app::use_cases::record_instance_state::record_instance_state;
use domain::{InstanceId, Place};
use serde::Deserialize;
use serde_json::Value;

use crate::world::{InvokeError, World};

/// What is read of the notification. Source: EC2 user guide, "State change events".
#[derive(Deserialize)]
struct Notification {
    account: String,
    region: String,
    detail: Detail,
}

#[derive(Deserialize)]
struct Detail {
    #[serde(rename = "instance-id")]
    instance_id: String,
}

pub(crate) async fn run(world: &World, event: Value) -> Result<Value, InvokeError> {
    let notification: Notification = serde_json::from_value(event)?;
    let malformed = |field: domain::InvalidField| InvokeError::Malformed(field.to_string());
    let place = Place {
        account: notification.account.parse().map_err(malformed)?,
        region: notification.region.parse().map_err(malformed)?,
    };
    let instance: InstanceId = notification.detail.instance_id.parse().map_err(malformed)?;
    match record_instance_state(&world.context, world.ec2()?, &place, &instance).await {
        // A claim without a worker: a write that never happened. Another delivery would not help.
        Err(AppError::NotFound { .. }) => Ok(Value::Null),
        other => Ok(other.map(|()| Value::Null)?),
    }
}
