//! The stored form of an actor.

use domain::Actor;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum ActorRecord {
    User { subject: String, username: String },
    System { name: String },
    Aws,
}

impl From<&Actor> for ActorRecord {
    fn from(actor: &Actor) -> Self {
        match actor {
            Actor::User { subject, username } => Self::User { subject: subject.clone(), username: username.clone() },
            Actor::System(name) => Self::System { name: name.clone() },
            Actor::Aws => Self::Aws,
        }
    }
}

impl From<ActorRecord> for Actor {
    fn from(record: ActorRecord) -> Self {
        match record {
            ActorRecord::User { subject, username } => Self::User { subject, username },
            ActorRecord::System { name } => Self::System(name),
            ActorRecord::Aws => Self::Aws,
        }
    }
}
