//! Browser sessions as their browsers see them.

use domain::session::{Lifetimes, Session};
use serde::Serialize;
use utoipa::ToSchema;

use super::time;

/// Who is signed in, and for how long.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    /// The user's id at the identity provider.
    pub subject: String,
    /// The name to show.
    pub username: String,
    /// `admin`, `manager` or `user`.
    pub role: &'static str,
    /// When they signed in.
    pub created_at: String,
    /// Until when requests are answered without a refresh.
    pub access_expires_at: String,
    /// From when on a refresh does something. Do it then.
    pub refresh_after: String,
    /// When it ends whatever happens.
    pub ends_at: String,
}

impl SessionView {
    /// The session as its browser sees it.
    #[must_use]
    pub fn new(session: &Session, lifetimes: &Lifetimes) -> Self {
        Self {
            subject: session.person.subject.clone(),
            username: session.person.username.clone(),
            role: session.person.role.name(),
            created_at: time(session.created_at),
            access_expires_at: time(session.access_expires_at),
            refresh_after: time(session.refresh_after(lifetimes)),
            ends_at: time(session.ends_at),
        }
    }
}

/// What is left to do of a sign-out.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Logout {
    /// Where the browser goes to sign out at the identity provider too; null when there is no such place.
    pub logout_url: Option<String>,
}
