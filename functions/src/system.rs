//! The machine's clock and random numbers.

use app::ports::{Clock, Random};
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
