//! A browser session: for whom it is, and how long it is good.

use jiff::{SignedDuration, Timestamp};

use crate::actor::Role;

/// An access token that ends within this long is renewed: a request under way must not outlive it. One that is
/// short is renewed at half its time, so that there is a time in which nothing is due.
const RENEW_AHEAD_MOST: SignedDuration = SignedDuration::from_secs(60);

/// Whose session it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The identity provider's stable id.
    pub subject: String,
    /// The name to show.
    pub username: String,
    /// The greatest role they have.
    pub role: Role,
}

/// How long sessions last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Without use.
    pub idle: SignedDuration,
    /// At all.
    pub most: SignedDuration,
}

impl Default for Lifetimes {
    /// A working day without use; signed in anew each day.
    fn default() -> Self {
        Self { idle: SignedDuration::from_hours(8), most: SignedDuration::from_hours(24) }
    }
}

/// A browser session. All times are machine time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whose it is.
    pub person: Person,
    /// When they signed in.
    pub created_at: Timestamp,
    /// When it ends whatever happens.
    pub ends_at: Timestamp,
    /// When it ends unless it is used before.
    pub idle_ends_at: Timestamp,
    /// When the access token behind it ends.
    pub access_expires_at: Timestamp,
    /// When that token is to be renewed.
    pub renew_at: Timestamp,
}

/// What a session is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// Requests.
    Live,
    /// Being refreshed, and nothing else: the access token has ended.
    RefreshNeeded,
    /// Nothing.
    Over,
}

/// What a refresh has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Nothing.
    None,
    /// Note that the session is used.
    Use,
    /// Fetch new tokens.
    Tokens,
}

impl Session {
    /// A session that begins now.
    #[must_use]
    pub fn begin(person: Person, access_expires_at: Timestamp, now: Timestamp, lifetimes: &Lifetimes) -> Self {
        let ends_at = now + lifetimes.most;
        let idle_ends_at = ends_at.min(now + lifetimes.idle);
        let renew_at = renew_at(access_expires_at, now);
        Self { person, created_at: now, ends_at, idle_ends_at, access_expires_at, renew_at }
    }

    /// What it is good for.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> SessionState {
        if now >= self.ends_at || now >= self.idle_ends_at {
            SessionState::Over
        } else if now >= self.access_expires_at {
            SessionState::RefreshNeeded
        } else {
            SessionState::Live
        }
    }

    /// What a refresh has to do now.
    #[must_use]
    pub fn renewal(&self, now: Timestamp, lifetimes: &Lifetimes) -> Renewal {
        if now >= self.renew_at {
            Renewal::Tokens
        } else if now >= self.use_noted_after(lifetimes) {
            Renewal::Use
        } else {
            Renewal::None
        }
    }

    /// From when on a refresh does something.
    #[must_use]
    pub fn refresh_after(&self, lifetimes: &Lifetimes) -> Timestamp {
        self.renew_at.min(self.use_noted_after(lifetimes))
    }

    /// Half of the time without use: noting each use would be a write a request.
    fn use_noted_after(&self, lifetimes: &Lifetimes) -> Timestamp {
        if self.idle_ends_at >= self.ends_at { self.ends_at } else { self.idle_ends_at - lifetimes.idle / 2 }
    }

    /// The same, used now.
    #[must_use]
    pub fn used(mut self, now: Timestamp, lifetimes: &Lifetimes) -> Self {
        self.idle_ends_at = self.ends_at.min(now + lifetimes.idle);
        self
    }

    /// The same, used now, with a new access token; the role and the name are the token's.
    #[must_use]
    pub fn renewed(self, person: Person, access_expires_at: Timestamp, now: Timestamp, lifetimes: &Lifetimes) -> Self {
        let renew_at = renew_at(access_expires_at, now);
        Self { person, access_expires_at, renew_at, ..self.used(now, lifetimes) }
    }
}

/// When an access token that was got `now` is to be renewed.
#[must_use]
pub fn renew_at(access_expires_at: Timestamp, now: Timestamp) -> Timestamp {
    let lasts = access_expires_at.duration_since(now).max(SignedDuration::ZERO);
    access_expires_at - RENEW_AHEAD_MOST.min(lasts / 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIFETIMES: Lifetimes = Lifetimes { idle: SignedDuration::from_mins(60), most: SignedDuration::from_hours(4) };

    fn at(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
    }

    fn session(access_minutes: i64) -> Session {
        let person = Person { subject: "s".into(), username: "ada".into(), role: Role::User };
        Session::begin(person, at(access_minutes), at(0), &LIFETIMES)
    }

    #[test]
    fn a_session_lives_needs_a_refresh_and_is_over() {
        let session = session(5);
        assert_eq!(session.state(at(4)), SessionState::Live);
        assert_eq!(session.state(at(5)), SessionState::RefreshNeeded);
        assert_eq!(session.state(at(59)), SessionState::RefreshNeeded);
        assert_eq!(session.state(at(60)), SessionState::Over);
    }

    #[test]
    fn tokens_are_renewed_a_minute_ahead_and_use_is_noted_at_half_time() {
        let short = session(5);
        assert_eq!(short.renewal(at(3), &LIFETIMES), Renewal::None);
        assert_eq!(short.renewal(at(4), &LIFETIMES), Renewal::Tokens);
        assert_eq!(short.refresh_after(&LIFETIMES), at(4));
        let long = session(120);
        assert_eq!(long.renewal(at(29), &LIFETIMES), Renewal::None);
        assert_eq!(long.renewal(at(30), &LIFETIMES), Renewal::Use);
        assert_eq!(long.refresh_after(&LIFETIMES), at(30));
        assert_eq!(long.used(at(30), &LIFETIMES).idle_ends_at, at(90));
    }

    #[test]
    fn a_short_access_token_is_renewed_at_half_its_time_and_not_at_once() {
        let second = |second| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second);
        for (lasts, due) in [(300, 240), (120, 60), (60, 30), (10, 5), (0, 0)] {
            let person = Person { subject: "s".into(), username: "ada".into(), role: Role::User };
            let session = Session::begin(person.clone(), second(lasts), second(0), &LIFETIMES);
            assert_eq!(session.refresh_after(&LIFETIMES), second(due), "{lasts}");
            let later = session.renewed(person, second(100 + lasts), second(100), &LIFETIMES);
            assert_eq!(later.refresh_after(&LIFETIMES), second(100 + due), "{lasts}");
        }
    }

    #[test]
    fn use_carries_a_session_on_but_not_beyond_its_end() {
        let mut session = session(1000);
        for minute in (30..240).step_by(30) {
            assert_eq!(session.state(at(minute)), SessionState::Live, "{minute}");
            session = session.used(at(minute), &LIFETIMES);
        }
        assert_eq!(session.idle_ends_at, at(240));
        // Nothing is left to be gained by noting it.
        assert_eq!(session.renewal(at(239), &LIFETIMES), Renewal::None);
        assert_eq!(session.state(at(240)), SessionState::Over);
    }

    proptest! {
        #[test]
        fn a_refresh_does_something_exactly_from_refresh_after_on(access in 1_i64..600, used in 0_i64..60, then in 0_i64..300) {
            let session = session(access).used(at(used), &LIFETIMES);
            let does = session.renewal(at(then), &LIFETIMES) != Renewal::None;
            // At its end a session is over, and nothing is done about its use.
            prop_assert!(does == (at(then) >= session.refresh_after(&LIFETIMES)));
            prop_assert!(session.state(session.ends_at) == SessionState::Over);
        }
    }
}
