//! Operations on one worker's instance: look, judge, act, look again.

use domain::operation::plan::{self, Call, Step};
use domain::operation::{Operation, OperationResult, SAFE_MODE, SUPERSEDED, Task};
use domain::worker::observe::{Seen, observe_instance};
use domain::worker::{Command, Worker, command::command};
use domain::{Actor, InstanceId, WorkerId, price};

use crate::context::Context;
use crate::error::AppError;
use crate::ports::{Ec2, Ec2Error};
use crate::use_cases::change::{change, observe};
use crate::use_cases::instance::look;
use crate::use_cases::launch::{Asked, launch};
use crate::use_cases::operation_run::{Progress, frozen};
use crate::use_cases::start::start;

/// Calls in one run: start what was stopped is one; the rest is margin.
const CALLS_PER_RUN: usize = 3;

pub(super) async fn advance(
    ctx: &Context,
    ec2: &dyn Ec2,
    operation: &mut Operation,
    id: WorkerId,
) -> Result<Progress, AppError> {
    let mut worker = ctx.store.worker(id).await?;
    for _ in 0..CALLS_PER_RUN {
        let seen = match look(ec2, &worker).await {
            Ok(seen) => seen,
            Err(error) => return retry_or_fail(ctx, operation, &error),
        };
        let seen = seen.as_ref().map_or(Seen::Absent, Seen::Present);
        // What EC2 shows is EC2's news; who wished for it is in the event of the wish.
        worker = observe(ctx, &worker, &Actor::Aws, |worker| observe_instance(worker, seen, ctx.now())).await?;
        match plan::next_of(operation, &worker, seen) {
            Step::Done(detail) => return Ok(Progress::Done(result(&operation.task, id, detail))),
            Step::Fail(code, message) => return Ok(Progress::failed(code, message)),
            Step::Wait(what) => return Ok(Progress::waiting(ctx, what)),
            Step::Act(_) if ctx.now() >= operation.expires_at => {
                // Too late for another call; what it waited for all along is what it says.
                let what = operation.waiting_for.take().unwrap_or_else(|| "its turn".into());
                return Ok(Progress::waiting(ctx, what));
            }
            Step::Act(call) => {
                if let Some(held) = brake(ctx, call).await? {
                    return Ok(held);
                }
                let asked = act(ctx, ec2, operation, &worker, call).await?;
                operation.attempts += u32::from(!matches!(asked, Asked::NotBefore(..)));
                worker = match asked {
                    Asked::LookAgain(worker) => *worker,
                    Asked::NotBefore(until, what) => return Ok(Progress::Waiting(what, until)),
                    Asked::Unwanted(refusal) => {
                        return Ok(Progress::failed(SUPERSEDED, format!("It was not launched: {refusal}.")));
                    }
                    Asked::Refused(error) if call == Call::Launch && !error.retryable() => {
                        return give_up_launch(ctx, ec2, &worker, error).await;
                    }
                    Asked::Refused(error) => return retry_or_fail(ctx, operation, &error),
                };
            }
        }
    }
    Ok(Progress::waiting(ctx, "EC2 to show what was asked of it"))
}

/// What the brakes say of a call, if they hold it.
async fn brake(ctx: &Context, call: Call) -> Result<Option<Progress>, AppError> {
    if ctx.settings.safe_mode {
        let message = format!("SAFE_MODE is on: {call:?} was decided and recorded, and not done.");
        return Ok(Some(Progress::failed(SAFE_MODE, message)));
    }
    if call.is_destructive() { frozen(ctx).await } else { Ok(None) }
}

/// One call. The outer error is ours.
async fn act(
    ctx: &Context,
    ec2: &dyn Ec2,
    operation: &Operation,
    worker: &Worker,
    call: Call,
) -> Result<Asked, AppError> {
    let id = match (&worker.instance, call) {
        (_, Call::Launch) => return launch(ctx, ec2, worker.id, &operation.requested_by).await,
        (_, Call::Start) => return start(ctx, ec2, worker, &operation.requested_by).await,
        (None, _) => return Ok(Asked::LookAgain(Box::new(worker.clone()))),
        (Some(facts), _) => &facts.id,
    };
    let called = on_instance(ec2, operation, worker, id, call).await;
    Ok(called.map_or_else(Asked::Refused, |()| Asked::LookAgain(Box::new(worker.clone()))))
}

/// One call on an instance that exists.
async fn on_instance(
    ec2: &dyn Ec2,
    operation: &Operation,
    worker: &Worker,
    id: &InstanceId,
    call: Call,
) -> Result<(), Ec2Error> {
    let place = &worker.place;
    match call {
        // These choose what they ask for.
        Call::Launch | Call::Start => Ok(()),
        Call::Stop => ec2.stop(place, id).await,
        Call::Terminate => ec2.terminate(place, id).await,
        Call::SetMonitoring { enabled } => ec2.set_monitoring(place, id, enabled).await,
        Call::UpdateTags => {
            let remove = match &operation.task {
                Task::UpdateTags { remove } => {
                    remove.iter().filter(|key| !worker.tags.contains_key(*key)).cloned().collect()
                }
                _ => Vec::new(),
            };
            ec2.update_tags(place, id, &worker.ec2_tags(), &remove).await
        }
    }
}

/// EC2 refused for good. An earlier attempt that was never answered may have launched all the same:
/// then the instance is found by its tag, and nothing is given up.
async fn give_up_launch(ctx: &Context, ec2: &dyn Ec2, worker: &Worker, error: Ec2Error) -> Result<Progress, AppError> {
    let worker = ctx.store.worker(worker.id).await?;
    if !matches!(look(ec2, &worker).await, Ok(None)) {
        return Ok(Progress::waiting(ctx, "EC2 to show what an earlier attempt launched"));
    }
    let failed = Command::LaunchFailed { detail: format!("{}: {}", error.code, error.message) };
    change(ctx, worker.id, &Actor::Aws, |worker| Ok(command(worker, &failed)?)).await?;
    Ok(Progress::Failed(error.code, error.message))
}

fn retry_or_fail(ctx: &Context, operation: &Operation, error: &Ec2Error) -> Result<Progress, AppError> {
    if !error.retryable() {
        return Ok(Progress::Failed(error.code.clone(), error.message.clone()));
    }
    let wait = error.class().backoff(operation.attempts.max(1), ctx.random.next());
    let what = format!("EC2 to accept {} ({}: {})", error.operation, error.code, error.message);
    Ok(Progress::Waiting(what, ctx.now() + wait))
}

fn result(task: &Task, worker: WorkerId, detail: Option<String>) -> OperationResult {
    let monthly_cost_usd = match task {
        Task::SetMonitoring { enabled: true } => Some(price::detailed_monitoring_usd_per_month()),
        Task::SetMonitoring { enabled: false } => Some(0.0),
        _ => None,
    };
    OperationResult { worker_id: Some(worker), detail, monthly_cost_usd, ..OperationResult::default() }
}
