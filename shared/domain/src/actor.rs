//! Who did it: every event and every operation carries an actor.

use std::fmt;

/// What a signed-in caller may do; each role includes those below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads; acts only on what is theirs.
    User,
    /// Starts and stops workers, runs labs.
    Manager,
    /// Everything, and everything that costs or destroys.
    Admin,
}

impl Role {
    /// Every role, from the least to the greatest.
    pub const ALL: [Self; 3] = [Self::User, Self::Manager, Self::Admin];

    /// The name in tokens and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Manager => "manager",
            Self::Admin => "admin",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// Who caused an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A signed-in person: the token's subject, and the name to show.
    User {
        /// The identity provider's stable id.
        subject: String,
        /// The name to show.
        username: String,
    },
    /// One of our own automations, by name: `idle-shutdown`, `metrics`.
    System(String),
    /// Somebody or something on AWS's side: a person at the EC2 console, a failed host.
    Aws,
}

impl Actor {
    /// Our idle shutdown.
    #[must_use]
    pub fn idle_shutdown() -> Self {
        Self::System("idle-shutdown".into())
    }

    /// What keeps everything as it is wanted.
    #[must_use]
    pub fn reconciler() -> Self {
        Self::System("reconciler".into())
    }

    /// Our observation of EC2 and CML.
    #[must_use]
    pub fn metrics() -> Self {
        Self::System("metrics".into())
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { username, .. } => f.write_str(username),
            Self::System(name) => f.write_str(name),
            Self::Aws => f.write_str("AWS"),
        }
    }
}
