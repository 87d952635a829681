//! The machine's clock and random numbers.

use std::time::Duration;

use app::ports::{Clock, Random, Timer};
use async_trait::async_trait;
use domain::Timestamp;

/// The machine's clock; in AWS fleet time is machine time.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where time comes in")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The machine's timer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemTimer;

#[async_trait]
impl Timer for SystemTimer {
    #[expect(clippy::disallowed_methods, reason = "this is where time comes in")]
    async fn after(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// The operating system's random numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn next(&self) -> u128 {
        let mut bytes = [0_u8; 16];
        // Without randomness nothing may go on: ids would repeat.
        #[expect(clippy::expect_used, reason = "the kernel's generator does not fail once seeded")]
        getrandom::fill(&mut bytes).expect("the operating system has random numbers");
        u128::from_be_bytes(bytes)
    }
}
