//! control-power: messages that name workers, one group each; EC2 is read once for all of them.

use app::message::ControlPower;
use app::use_cases::control_power::Judgement;
use domain::WorkerId;
use serde_json::Value;

use crate::deadline::Deadline;
use crate::queue_event::Batch;
use crate::world::{InvokeError, World};

pub(crate) async fn run(world: &World, event: Value, deadline: Deadline) -> Result<Value, InvokeError> {
    let batch = Batch::<ControlPower>::read(event)?;
    let mut ids: Vec<WorkerId> = batch.messages().map(|message| message.worker_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let Some(judgement) = deadline.within(Judgement::look(&world.context, world.ec2_ports()?, &ids)).await else {
        return batch.none_done();
    };
    let judgement = &judgement?;
    batch.each(deadline, |message| judgement.judge(message.worker_id)).await
}
