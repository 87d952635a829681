//! A zone's process: its function's world once, then event after event.

use http_api::{Function, Zone};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde_json::Value;
use tracing_subscriber::EnvFilter;

use crate::environment::{Environment, EnvironmentError};
use crate::{InvokeError, World, invoke};

/// Runs the function that Lambda's `Handler` setting names, until Lambda ends the process. `world`
/// builds what functions of the zone need; each binary names its own, so that none links another's.
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
    let environment = Environment(&read);
    let name = environment.required("_HANDLER")?;
    let function = http_api::find(&name)
        .filter(|function| function.zone == zone)
        .ok_or_else(|| format!("the {} zone has no function {name:?}", zone.name()))?;
    let world = world(&environment, function).await?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let world = &world;
        async move { invoke(function, world, event.payload).await.map_err(|error| diagnostic(&error)) }
    }))
    .await
}

/// What Lambda shows of a failed invocation: its kind, to alarm on, and its words, for the log.
fn diagnostic(error: &InvokeError) -> Diagnostic {
    let kind = match error {
        InvokeError::App(app) if app.retryable() => "Retryable",
        InvokeError::App(_) => "Failed",
        InvokeError::Event(_) | InvokeError::Malformed(_) => "MalformedEvent",
        InvokeError::MissingPort(_) | InvokeError::NoConsumer(_) => "Misconfigured",
    };
    Diagnostic { error_type: kind.into(), error_message: error.to_string() }
}
