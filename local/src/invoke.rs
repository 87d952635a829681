//! Running a function as Lambda does: by itself, with an end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use http_api::Function;
use serde_json::Value;

type Run = dyn Fn(&'static Function, Value) -> BoxFuture<'static, Result<Value, String>> + Send + Sync;

/// Runs functions. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Invoker(Arc<Run>);

impl Invoker {
    /// Runs functions by that.
    pub(crate) fn new<F>(run: F) -> Self
    where
        F: Fn(&'static Function, Value) -> BoxFuture<'static, Result<Value, String>> + Send + Sync + 'static,
    {
        Self(Arc::new(run))
    }

    /// The function's answer, in the time that Lambda would give it. A panic and a timeout are failures
    /// like any other; each is logged here.
    pub(crate) async fn invoke(&self, function: &'static Function, event: Value) -> Result<Value, Failed> {
        let limit = function.time_limit();
        let run = AssertUnwindSafe(async { (self.0)(function, event).await }).catch_unwind();
        let why = match tokio::time::timeout(limit, run).await {
            Ok(Ok(Ok(answer))) => return Ok(answer),
            Ok(Ok(Err(why))) => why,
            Ok(Err(_)) => "it panicked".into(),
            Err(_) => format!("it took more than {} s", limit.as_secs()),
        };
        tracing::warn!(function = function.name, why, "an invocation failed");
        Err(Failed)
    }
}

/// The invocation failed; why is in the log.
#[derive(Debug)]
pub(crate) struct Failed;
