//! One schedule.

use std::time::Duration;

use domain::{SignedDuration, Timestamp};
use http_api::{Function, Port};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::{Parts, event, stopping};
use crate::queues::uuid;

/// How often the fleet clock is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Fires at once and then on each multiple of `every` in fleet time, one invocation at a time: what
/// was missed meanwhile becomes one.
pub(super) async fn run(
    parts: Parts,
    function: &'static Function,
    name: &'static str,
    every: SignedDuration,
    mut stop: watch::Receiver<bool>,
) {
    let mut poll = tokio::time::interval(POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next = parts.fleet.now();
    loop {
        tokio::select! {
            biased;
            () = stopping(&mut stop) => return,
            _ = poll.tick() => {}
        }
        let now = parts.fleet.now();
        if now < next || behind(&parts, function) {
            continue;
        }
        next = following(now, every);
        let event = event::scheduled(name, parts.account(), &uuid(parts.random.next()), now);
        // Why it failed is in the log; the next tick is the retry.
        let _answer = parts.invoker.invoke(function, event).await;
    }
}

/// Consumers still work on what an earlier tick sent. With fleet time running fast, ticks come faster
/// than the machine can work, and would pile up; one that waits for the consumers is the same work once.
fn behind(parts: &Parts, function: &Function) -> bool {
    function.ports.iter().any(|port| match port {
        // A FIFO queue drops repeated messages by itself, and may hold back one group for long.
        Port::Send(queue) if !queue.is_fifo() => parts.source.waiting(*queue) > 0,
        _ => false,
    })
}

/// The next multiple of the interval after now.
fn following(now: Timestamp, every: SignedDuration) -> Timestamp {
    let every = every.as_secs().max(1);
    let next = (now.as_second().div_euclid(every) + 1).saturating_mul(every);
    Timestamp::from_second(next).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_on_the_multiples_however_late_the_last_one_was() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let minute = SignedDuration::from_mins(1);
        assert_eq!(following(at("2026-11-20T10:00:00Z"), minute), at("2026-11-20T10:01:00Z"));
        assert_eq!(following(at("2026-11-20T10:00:59.9Z"), minute), at("2026-11-20T10:01:00Z"));
        assert_eq!(following(at("2026-11-20T10:07:00Z"), SignedDuration::from_mins(5)), at("2026-11-20T10:10:00Z"));
    }
}
