//! A zone's process: its function's world once, then event after event.

use std::time::Duration;

use app::ports::Clock;
use http_api::{Function, Zone};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde_json::Value;
use tracing_subscriber::EnvFilter;

use crate::environment::{Environment, EnvironmentError};
use crate::invoke::invoke_within;
use crate::system::SystemClock;
use crate::world::{InvokeError, World};

/// Runs the function that Lambda's `Handler` setting names, until Lambda ends the process. `world`
/// builds what functions of the zone need; each binary names its own, so that none links another's.
///
/// There is no handler for `SIGTERM`: Lambda sends it only where an extension is registered, between two
/// events, and nothing is kept between two events that would have to be saved.
///
/// # Errors
/// The zone has no such function, its environment is wrong, or the Lambda runtime cannot be reached.
pub async fn run(
    zone: Zone,
    world: impl AsyncFnOnce(&Environment<'_>, &Function) -> Result<World, EnvironmentError>,
) -> Result<(), Error> {
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")))
        .without_time() // CloudWatch notes the time of each line.
        .init();
    #[expect(clippy::disallowed_methods, reason = "the edge is where the environment comes in")]
    let read = |name: &str| std::env::var(name).ok();
    let started = start(zone, &Environment(&read), world).await;
    // lambda_runtime has no call to report it: Lambda shows that the process ended, and the log why.
    let (function, world) = started.inspect_err(|error| tracing::error!(%error, "the function cannot start"))?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let world = &world;
        async move {
            let time_left = time_left(event.context.deadline);
            // All that any function may do is in this future: too much for the stack.
            let answer = Box::pin(invoke_within(function, world, event.payload, time_left)).await;
            answer.map_err(|error| diagnostic(&error))
        }
    }))
    .await
}

/// The function that `_HANDLER` names, and its world.
async fn start(
    zone: Zone,
    environment: &Environment<'_>,
    world: impl AsyncFnOnce(&Environment<'_>, &Function) -> Result<World, EnvironmentError>,
) -> Result<(&'static Function, World), Error> {
    let name = environment.required("_HANDLER")?;
    let function = http_api::find(&name)
        .filter(|function| function.zone == zone)
        .ok_or_else(|| format!("the {} zone has no function {name:?}", zone.name()))?;
    Ok((function, world(environment, function).await?))
}

/// The time until Lambda ends the invocation. `deadline` is in milliseconds since 1970, by the same clock.
fn time_left(deadline: u64) -> Duration {
    let now = u64::try_from(SystemClock.now().as_millisecond()).unwrap_or_default();
    Duration::from_millis(deadline.saturating_sub(now))
}

/// What Lambda shows of a failed invocation: its kind, to alarm on, and its words, for the log.
fn diagnostic(error: &InvokeError) -> Diagnostic {
    let kind = match error {
        InvokeError::App(app) if app.retryable() => "Retryable",
        InvokeError::App(_) => "Failed",
        InvokeError::OutOfTime(_) => "OutOfTime",
        InvokeError::Event(_) | InvokeError::Malformed(_) => "MalformedEvent",
        InvokeError::MissingPort(_) | InvokeError::NoConsumer(_) => "Misconfigured",
    };
    Diagnostic { error_type: kind.into(), error_message: error.to_string() }
}
