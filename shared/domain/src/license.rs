//! A worker's licence, and what is to be warned of.

use jiff::{SignedDuration, Timestamp};

use crate::metrics::LicenseReading;

/// So long before its end a licence is warned of.
pub const WARN_BEFORE: SignedDuration = SignedDuration::from_hours(24 * 30);
/// CML's word for what is paid for.
const IN_COMPLIANCE: &str = "IN_COMPLIANCE";

/// A licence as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct License {
    /// What is read of it each round.
    pub reading: LicenseReading,
    /// When the authorization ends, unless it is renewed.
    pub authorization_expires_at: Option<Timestamp>,
    /// What was bought; null when it is not known.
    pub features: Option<Vec<Feature>>,
}

/// A feature that was bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// CML's id of it.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// Seats in use.
    pub in_use: Option<u32>,
    /// The most seats that can be asked for.
    pub max: Option<u32>,
    /// Whether they are paid for: `IN_COMPLIANCE`.
    pub status: Option<String>,
}

impl License {
    /// What somebody should do something about, in words.
    #[must_use]
    pub fn warnings(&self, now: Timestamp) -> Vec<String> {
        if !self.reading.may_hold_seat() {
            return vec!["It is not registered.".into()];
        }
        let mut warnings = Vec::new();
        if let Some(word) = self.reading.authorization.as_deref().filter(|word| *word != IN_COMPLIANCE) {
            warnings.push(format!("It is not in compliance: CML shows {word}."));
        }
        let ends = [("registration", self.reading.expires_at), ("authorization", self.authorization_expires_at)];
        warnings.extend(ends.into_iter().filter_map(|(what, at)| expiry(what, at?, now)));
        warnings
    }
}

fn expiry(what: &str, at: Timestamp, now: Timestamp) -> Option<String> {
    let left = at.duration_since(now);
    if left > WARN_BEFORE {
        return None;
    }
    let days = left.as_hours() / 24;
    Some(match days {
        _ if left <= SignedDuration::ZERO => format!("The {what} has expired."),
        0 => format!("The {what} expires within a day."),
        1 => format!("The {what} expires in 1 day."),
        _ => format!("The {what} expires in {days} days."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn license(registration: &str, authorization: &str, hours_left: i64) -> License {
        let reading = LicenseReading {
            registration: Some(registration.into()),
            authorization: Some(authorization.into()),
            product: None,
            expires_at: Some(Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours_left)),
        };
        License { reading, ..License::default() }
    }

    #[test]
    fn the_end_is_warned_of_from_thirty_days_before_on_and_in_whole_days() {
        let expected = [
            (24 * 30 + 1, None),
            (24 * 30, Some("The registration expires in 30 days.")),
            (24 * 12 + 5, Some("The registration expires in 12 days.")),
            (24, Some("The registration expires in 1 day.")),
            (23, Some("The registration expires within a day.")),
            (0, Some("The registration has expired.")),
            (-50, Some("The registration has expired.")),
        ];
        for (hours, warning) in expected {
            let warnings = license("COMPLETED", "IN_COMPLIANCE", hours).warnings(Timestamp::UNIX_EPOCH);
            assert_eq!(warnings, warning.into_iter().collect::<Vec<_>>(), "{hours} h");
        }
    }

    #[test]
    fn what_is_not_paid_for_is_warned_of_and_what_is_not_registered_of_nothing_else() {
        let now = Timestamp::UNIX_EPOCH;
        let unpaid = license("COMPLETED", "OUT_OF_COMPLIANCE", 10_000).warnings(now);
        assert_eq!(unpaid, ["It is not in compliance: CML shows OUT_OF_COMPLIANCE."]);
        for word in ["NOT_REGISTERED", "not registered", "FAILED"] {
            assert_eq!(license(word, "EVAL", 1).warnings(now), ["It is not registered."], "{word}");
        }
        assert_eq!(License::default().warnings(now), ["It is not registered."]);
    }
}
