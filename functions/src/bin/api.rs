//! The api zone's binary: every HTTP endpoint and the dispatchers. Lambda's `Handler` says which one.

use functions::environment::Environment;
use functions::{InvokeError, invoke};
use http_api::Zone;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde_json::Value;
use tracing_subscriber::EnvFilter;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
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
        .filter(|function| function.zone == Zone::Api)
        .ok_or_else(|| format!("the api zone has no function {name:?}"))?;
    let world = environment.api_world(function).await?;
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
