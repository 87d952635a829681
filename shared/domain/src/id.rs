//! Typed ids: a worker's id cannot be passed where an operation's is meant.

use std::fmt;
use std::str::FromStr;

use crate::invalid::InvalidField;
use jiff::Timestamp;
use ulid::Ulid;

macro_rules! generated_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Ulid);

        impl $name {
            /// A new id: sortable by `now`, unique by `random`.
            #[must_use]
            pub fn new(now: Timestamp, random: u128) -> Self {
                Self(Ulid::from_parts(u64::try_from(now.as_millisecond()).unwrap_or(0), random))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut buffer = [0_u8; ulid::ULID_LEN];
                write!(f, concat!($prefix, "{}"), self.0.array_to_str(&mut buffer).to_ascii_lowercase())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidField;

            fn from_str(text: &str) -> Result<Self, InvalidField> {
                text.strip_prefix($prefix)
                    // One spelling per id: an upper-case twin must not name the same thing.
                    .filter(|rest| !rest.bytes().any(|b| b.is_ascii_uppercase()))
                    .and_then(|rest| Ulid::from_string(&rest.to_ascii_uppercase()).ok())
                    .map(Self)
                    .filter(|id| id.to_string() == text)
                    .ok_or_else(|| InvalidField::new("id", concat!("is not an id of the form ", $prefix, "<26 characters>")))
            }
        }
    };
}

generated_id!(
    /// A worker: the thing users name, whatever EC2 instance stands behind it today.
    WorkerId, "wkr-"
);
generated_id!(
    /// One asynchronous command and its outcome.
    OperationId, "op-"
);

generated_id!(
    /// A lab saved with its configurations.
    BackupId, "bak-"
);

generated_id!(
    /// A text kept of a failure. Its random part is made of the cause: the same failure gives the same id.
    EvidenceId, "evd-"
);

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $field:literal, $check:expr, $message:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text as AWS spells it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidField;

            fn from_str(text: &str) -> Result<Self, InvalidField> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.to_owned())) } else { Err(InvalidField::new($field, $message)) }
            }
        }
    };
}

checked_text!(
    /// A 12-digit AWS account id.
    AccountId,
    "account_id",
    |t| t.len() == 12 && t.bytes().all(|b| b.is_ascii_digit()),
    "must be an AWS account id of 12 digits"
);
checked_text!(
    /// An AWS region name such as `eu-central-1`.
    Region,
    "region",
    is_region,
    "must be an AWS region name such as us-east-1"
);
checked_text!(
    /// An EC2 instance id: `i-` and 8 or 17 hexadecimal digits.
    InstanceId,
    "instance_id",
    |t| t
        .strip_prefix("i-")
        .is_some_and(|h| matches!(h.len(), 8 | 17) && h.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())),
    "must be an EC2 instance id such as i-0123456789abcdef0"
);

checked_text!(
    /// A lab's id, as its controller gave it: a UUID today, six hexadecimal digits once.
    LabId,
    "lab_id",
    |t| (1..=64).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'),
    "must be the id of a lab"
);

/// `us-east-1`, `us-gov-west-1`, `ap-southeast-2`: lower-case words, then one number.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let Some((number, words)) = parts.split_last() else { return false };
    text.len() <= 32
        && (2..=4).contains(&words.len())
        && words.iter().all(|w| w.len() >= 2 && w.bytes().all(|b| b.is_ascii_lowercase()))
        && matches!(number.len(), 1 | 2)
        && number.bytes().all(|b| b.is_ascii_digit())
}

/// Where an instance lives. Every EC2 call goes through the client of one place: a client of
/// another region says "not found" of an instance that runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The AWS account.
    pub account: AccountId,
    /// The AWS region.
    pub region: Region,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_itself_and_sorts_by_time() {
        let earlier = WorkerId::new(Timestamp::from_second(1_000).unwrap(), 7);
        let later = WorkerId::new(Timestamp::from_second(2_000).unwrap(), 3);
        assert_eq!(earlier.to_string().parse::<WorkerId>().unwrap(), earlier);
        assert!(earlier.to_string() < later.to_string());
    }

    #[test]
    fn an_id_of_another_kind_spelling_or_length_is_refused() {
        let id = OperationId::new(Timestamp::from_second(1_000).unwrap(), 7).to_string();
        assert!(id.parse::<WorkerId>().is_err());
        assert!(id.to_ascii_uppercase().parse::<OperationId>().is_err());
        assert!(format!("{id}0").parse::<OperationId>().is_err());
        assert!("wkr-../../etc/passwd".parse::<WorkerId>().is_err());
    }

    #[test]
    fn aws_names_are_checked_by_shape() {
        for good in ["us-east-1", "eu-central-1", "us-gov-west-1", "ap-southeast-4", "us-iso-east-1"] {
            assert!(good.parse::<Region>().is_ok(), "{good}");
        }
        for bad in ["", "us", "us-east", "US-EAST-1", "us-east-1a", "us east 1", "mars-1"] {
            assert!(bad.parse::<Region>().is_err(), "{bad}");
        }
        assert!("i-0123456789abcdef0".parse::<InstanceId>().is_ok());
        assert!("i-0123".parse::<InstanceId>().is_err());
        assert!("12345678901a".parse::<AccountId>().is_err());
    }
}
