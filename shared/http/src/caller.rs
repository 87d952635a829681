//! Who calls, and how they showed it.

use domain::session::Person;
use domain::{Actor, Role, Sight, Visibility, WorkerId};

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The identity provider's stable id.
    pub subject: String,
    /// The name to show.
    pub username: String,
    /// The greatest role they have.
    pub role: Role,
    /// How they showed who they are.
    pub via: Via,
    /// Whose things are theirs: their own name, and for a key its maker's.
    pub acts_for: String,
    /// The one worker that their key is good for.
    pub bound_to: Option<WorkerId>,
}

/// How a caller showed who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// An access token of the issuer.
    Token,
    /// A browser session.
    Session,
    /// An API key, as it is.
    ApiKey,
    /// A request signed with a key.
    Signature,
}

impl Via {
    /// The name in answers and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Session => "session",
            Self::ApiKey => "api_key",
            Self::Signature => "signature",
        }
    }
}

impl Caller {
    /// A person who showed in that way who they are.
    #[must_use]
    pub fn person_via(person: Person, via: Via) -> Self {
        let Person { subject, username, role } = person;
        let caller = Self { subject, acts_for: username.clone(), username, role, via, bound_to: None };
        caller.note();
        caller
    }

    /// Notes in the request's span who calls, so that every line of the log tells, a refusal's too.
    pub(crate) fn note(&self) {
        let span = tracing::Span::current();
        span.record("caller", self.username.as_str());
        span.record("subject", self.subject.as_str());
        span.record("role", self.role.name());
        span.record("via", self.via.name());
    }

    /// What they see.
    #[must_use]
    pub fn sight(&self, visibility: Visibility) -> Sight {
        visibility.of(&self.acting_person())
    }

    /// The caller as the person whose things are theirs: of a key its maker's.
    #[must_use]
    pub fn acting_person(&self) -> Person {
        Person { username: self.acts_for.clone(), ..self.person() }
    }

    /// The caller as a person, for what people keep: keys, sessions.
    #[must_use]
    pub fn person(&self) -> Person {
        Person { subject: self.subject.clone(), username: self.username.clone(), role: self.role }
    }

    /// The caller as the actor of an event.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::User { subject: self.subject.clone(), username: self.username.clone() }
    }
}
