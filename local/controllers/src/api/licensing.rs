//! The licence.

use axum::Json;
use axum::extract::State;
use serde_json::Value;

use super::Machined;
use super::system::HOSTNAME;
use crate::failure::Failure;
use crate::machine::Caller;

pub(super) async fn show(State(machine): Machined, caller: Caller) -> Result<Json<Value>, Failure> {
    caller.must_be_admin()?;
    machine.with(|turn| {
        let controller = turn.controller();
        let running = controller.demand(turn.now).running_nodes;
        Ok(Json(controller.licence.describe(HOSTNAME, &controller.product_uuid, running)))
    })
}
