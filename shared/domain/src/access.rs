//! What a key of ours may do: scopes, and the worker it may be bound to.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::actor::Role;
use crate::id::WorkerId;
use crate::invalid::InvalidField;

/// Letters of a key id: no two that look alike, none that needs an escape.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const ID_CHARS: usize = 12;

/// The public part of an API key: it names the key, and is no secret.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiKeyId(String);

impl ApiKeyId {
    /// An id made of 60 of the random bits.
    #[must_use]
    pub fn new(random: u128) -> Self {
        let letter = |at: usize| char::from(ALPHABET[usize::try_from((random >> (5 * at)) & 31).unwrap_or(0)]);
        Self((0..ID_CHARS).map(letter).collect())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ApiKeyId {
    type Err = InvalidField;

    fn from_str(text: &str) -> Result<Self, InvalidField> {
        let fits = text.len() == ID_CHARS && text.bytes().all(|b| ALPHABET.contains(&b));
        fits.then(|| Self(text.to_owned())).ok_or_else(|| InvalidField::new("key_id", "is not the id of an API key"))
    }
}

/// To look, or also to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// Look.
    Read,
    /// Change; includes looking.
    Write,
}

/// A right on one group of routes: `workers:read`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The group, as the API's documentation names it.
    pub group: String,
    /// The right.
    pub right: Right,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let right = match self.right {
            Right::Read => "read",
            Right::Write => "write",
        };
        write!(f, "{}:{right}", self.group)
    }
}

impl FromStr for Scope {
    type Err = InvalidField;

    fn from_str(text: &str) -> Result<Self, InvalidField> {
        let wrong = || InvalidField::new("scopes", "must be <group>:read or <group>:write, such as workers:read");
        let (group, right) = text.split_once(':').ok_or_else(wrong)?;
        let right = match right {
            "read" => Right::Read,
            "write" => Right::Write,
            _ => return Err(wrong()),
        };
        let named = !group.is_empty() && group.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        named.then(|| Self { group: group.to_owned(), right }).ok_or_else(wrong)
    }
}

/// How a key is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Sent as it is, in a header.
    Bearer,
    /// Never sent: it signs requests.
    Signing,
}

impl KeyKind {
    /// The name in bodies and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::Signing => "signing",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Bearer, Self::Signing].into_iter().find(|kind| kind.name() == name)
    }
}

/// An API key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// What its owner calls it.
    pub name: String,
    /// How it is used.
    pub kind: KeyKind,
    /// The subject of the person who made it.
    pub owner: String,
    /// That person's name.
    pub owner_username: String,
    /// What its bearer may do at most; never more than its maker might.
    pub role: Role,
    /// The groups it opens.
    pub scopes: Vec<Scope>,
    /// The one worker it is good for.
    pub worker: Option<WorkerId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is not accepted any more.
    pub expires_at: Option<Timestamp>,
}

/// Why a key does not open a route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// A scope is missing.
    #[error("the key does not have the scope {0}")]
    Scope(Scope),
    /// It is for another worker, or for one worker only.
    #[error("the key is good for the worker {0} only")]
    Worker(WorkerId),
}

impl ApiKey {
    /// Whether it has expired.
    #[must_use]
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// Whether it opens a route of that group for that right, on that worker (none where the route names none).
    ///
    /// # Errors
    /// What stands in the way.
    pub fn check(&self, group: &str, right: Right, worker: Option<WorkerId>) -> Result<(), KeyRefusal> {
        if !self.scopes.iter().any(|scope| scope.group == group && scope.right >= right) {
            return Err(KeyRefusal::Scope(Scope { group: group.to_owned(), right }));
        }
        match self.worker {
            Some(only) if worker != Some(only) => Err(KeyRefusal::Worker(only)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(scopes: &[&str], worker: Option<WorkerId>) -> ApiKey {
        ApiKey {
            id: ApiKeyId::new(7),
            name: "ci".into(),
            kind: KeyKind::Bearer,
            owner: "s".into(),
            owner_username: "ada".into(),
            role: Role::Manager,
            scopes: scopes.iter().map(|text| text.parse().unwrap()).collect(),
            worker,
            created_at: Timestamp::UNIX_EPOCH,
            expires_at: None,
        }
    }

    #[test]
    fn a_scope_opens_its_group_and_write_includes_read() {
        let reads = key(&["workers:read"], None);
        assert_eq!(reads.check("workers", Right::Read, None), Ok(()));
        let missing = reads.check("workers", Right::Write, None).unwrap_err();
        assert_eq!(missing.to_string(), "the key does not have the scope workers:write");
        assert!(reads.check("power", Right::Read, None).is_err());
        assert_eq!(key(&["workers:write"], None).check("workers", Right::Read, None), Ok(()));
        assert!(key(&[], None).check("workers", Right::Read, None).is_err());
    }

    #[test]
    fn a_key_of_one_worker_opens_no_route_of_another_nor_one_of_all() {
        let (mine, other) = (WorkerId::new(Timestamp::UNIX_EPOCH, 1), WorkerId::new(Timestamp::UNIX_EPOCH, 2));
        let key = key(&["workers:read"], Some(mine));
        assert_eq!(key.check("workers", Right::Read, Some(mine)), Ok(()));
        assert_eq!(key.check("workers", Right::Read, Some(other)), Err(KeyRefusal::Worker(mine)));
        assert_eq!(key.check("workers", Right::Read, None), Err(KeyRefusal::Worker(mine)));
    }

    #[test]
    fn a_key_ends_at_its_end() {
        let mut key = key(&[], None);
        assert!(!key.has_expired(Timestamp::MAX));
        key.expires_at = Some(Timestamp::from_second(10).unwrap());
        assert!(!key.has_expired(Timestamp::from_second(9).unwrap()));
        assert!(key.has_expired(Timestamp::from_second(10).unwrap()));
    }

    #[test]
    fn what_is_no_scope_is_refused() {
        for text in
            ["", "workers", "workers:", ":read", "workers:admin", "Workers:read", "workers:read:write", "*:read"]
        {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_id_reads_back_and_nothing_else_is_one(random: u128, text in "\\PC{0,14}") {
            let id = ApiKeyId::new(random);
            prop_assert_eq!(id.as_str().parse::<ApiKeyId>(), Ok(id.clone()));
            prop_assert!(text.parse::<ApiKeyId>().is_err() || text.len() == ID_CHARS);
        }
    }
}
