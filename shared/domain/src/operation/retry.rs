//! Which AWS errors are worth another try, and when. By code, never by text.

use jiff::SignedDuration;

/// What an AWS error code means for the one who called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// Asked too fast.
    Throttled,
    /// No capacity of that type in that zone now.
    Capacity,
    /// The instance is between two states; it will be right soon.
    Transient,
    /// AWS or the network failed.
    Unavailable,
    /// The same call will fail again: the request itself is wrong or not allowed.
    Terminal,
}

impl ErrorClass {
    /// Classes by EC2's code. What is not listed is terminal: a new code must be seen, not retried for an hour.
    /// Source: EC2 API reference, "Error codes for the Amazon EC2 API".
    #[must_use]
    pub fn of(code: &str) -> Self {
        match code {
            "RequestLimitExceeded"
            | "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "TooManyRequestsException"
            | "EC2ThrottledException"
            | "SlowDown"
            | "BandwidthLimitExceeded" => Self::Throttled,
            "InsufficientInstanceCapacity"
            | "InsufficientHostCapacity"
            | "InsufficientReservedInstanceCapacity"
            | "InsufficientCapacity"
            | "InsufficientCapacityOnHost" => Self::Capacity,
            "IncorrectInstanceState"
            | "IncorrectState"
            | "InvalidInstanceID.NotFound"
            | "InvalidInstanceID.NotLinkable"
            | "ConcurrentModification"
            | "ResourceInUse" => Self::Transient,
            "InternalError"
            | "InternalFailure"
            | "InternalServerError"
            | "Unavailable"
            | "ServiceUnavailable"
            | "ServerInternal"
            | "RequestTimeout"
            | "RequestTimeoutException"
            // The credentials ended on the way; the next call is made with new ones.
            | "RequestExpired"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "timeout"
            | "connection" => Self::Unavailable,
            _ => Self::Terminal,
        }
    }

    /// Whether to try again at all.
    #[must_use]
    pub fn retryable(self) -> bool {
        match self {
            Self::Throttled | Self::Capacity | Self::Transient | Self::Unavailable => true,
            Self::Terminal => false,
        }
    }

    /// How long to wait before attempt `attempt + 1`: doubled each time, capped, and spread by up
    /// to a half by `random`, so that many do not come back at once.
    #[must_use]
    pub fn backoff(self, attempt: u32, random: u128) -> SignedDuration {
        let (first_secs, most_secs): (i64, i64) = match self {
            Self::Throttled | Self::Unavailable => (5, 120),
            Self::Transient => (10, 60),
            Self::Capacity => (60, 600),
            Self::Terminal => (0, 0),
        };
        let doubled = first_secs.saturating_mul(1_i64 << attempt.saturating_sub(1).min(16)).min(most_secs);
        let spread = i64::try_from(random % 512).unwrap_or(0) * doubled / 1024;
        SignedDuration::from_secs(doubled + spread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn throttling_and_capacity_are_retried_and_a_wrong_request_is_not() {
        assert_eq!(ErrorClass::of("RequestLimitExceeded"), ErrorClass::Throttled);
        assert_eq!(ErrorClass::of("InsufficientInstanceCapacity"), ErrorClass::Capacity);
        assert_eq!(ErrorClass::of("IncorrectInstanceState"), ErrorClass::Transient);
        for terminal in ["UnauthorizedOperation", "InvalidAMIID.NotFound", "VcpuLimitExceeded", "SomethingNew", ""] {
            assert!(!ErrorClass::of(terminal).retryable(), "{terminal}");
        }
    }

    proptest! {
        #[test]
        fn the_wait_grows_and_is_bounded(attempt in 1_u32..1_000, random: u128) {
            for class in [ErrorClass::Throttled, ErrorClass::Capacity, ErrorClass::Transient, ErrorClass::Unavailable] {
                let wait = class.backoff(attempt, random);
                prop_assert!(wait > SignedDuration::ZERO && wait <= SignedDuration::from_secs(900));
                prop_assert!(class.backoff(attempt + 1, 0) >= class.backoff(attempt, 0));
            }
        }
    }
}
