//! One queue's consumer.

use std::sync::Arc;
use std::time::Duration;

use app::ports::Queue;
use http_api::Function;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::{Parts, event, stopping};
use crate::queues::Received;

/// How much longer than an invocation may take its messages are out of sight.
const VISIBILITY_MARGIN: Duration = Duration::from_secs(30);
/// How soon a message that was not done comes again, at first and at most.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LAST_BACKOFF: Duration = Duration::from_secs(30);

/// The function table's limits.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Messages a batch, at most.
    pub(super) batch_size: u32,
    /// Batches at the same time, at most.
    pub(super) max_concurrency: u32,
}

/// Delivers the queue's messages until the stack stops, then waits for the deliveries under way.
pub(super) async fn run(
    parts: Parts,
    function: &'static Function,
    queue: Queue,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    let visibility = function.time_limit() + VISIBILITY_MARGIN;
    let places = Arc::new(Semaphore::new(usize::try_from(limits.max_concurrency).unwrap_or(1).max(1)));
    let mut deliveries = JoinSet::new();
    // Paces what comes after a failed receive.
    let mut pause = tokio::time::interval(FIRST_BACKOFF);
    pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let received = tokio::select! {
            biased;
            () = stopping(&mut stop) => break,
            received = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place, parts.source.receive(queue, limits.batch_size, visibility).await)
            } => received,
        };
        while deliveries.try_join_next().is_some() {}
        match received {
            (Ok(place), Ok(messages)) if !messages.is_empty() => {
                let parts = parts.clone();
                deliveries.spawn(async move {
                    deliver(&parts, function, queue, &messages).await;
                    drop(place);
                });
            }
            (Ok(_), Ok(_)) => {}
            // Nobody closes the semaphore.
            (Err(_), _) => break,
            (_, Err(error)) => {
                tracing::warn!(queue = queue.name(), %error, "messages cannot be received");
                pause.tick().await;
            }
        }
    }
    while deliveries.join_next().await.is_some() {}
}

async fn deliver(parts: &Parts, function: &'static Function, queue: Queue, messages: &[Received]) {
    let event = event::batch(queue, parts.account(), messages, parts.machine.now());
    let answer = parts.invoker.invoke(function, event).await;
    let failed = match &answer {
        Ok(answer) => event::failures(answer, messages),
        Err(_) => messages.iter().map(|message| message.id.as_str()).collect(),
    };
    for message in messages {
        let settled = if failed.contains(message.id.as_str()) {
            parts.source.release(queue, &message.receipt, backoff(message.receives)).await
        } else {
            parts.source.delete(queue, &message.receipt).await
        };
        if let Err(error) = settled {
            tracing::warn!(queue = queue.name(), %error, "a message cannot be settled; it comes again");
        }
    }
}

/// Twice as long each time.
fn backoff(receives: u32) -> Duration {
    FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(receives.saturating_sub(1))).min(LAST_BACKOFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backoff_grows_and_ends() {
        assert_eq!([1, 2, 3, 5, 60].map(|n| backoff(n).as_secs()), [1, 2, 4, 16, 30]);
    }
}
