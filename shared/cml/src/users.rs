//! Users and groups, read only, and who we are among them.

use app::ports::{CmlAccess, CmlError, CmlGroup, CmlIdentity, CmlUser, CmlUsers};
use async_trait::async_trait;
use serde_json::Value;

use crate::CmlClient;
use crate::auth::Session;
use crate::call::Call;
use crate::json::{bool_at, id_of, list, object, text_at, texts_at, time_at};
use crate::system;

const USERS: &str = "GET /users";
const USER: &str = "GET /users/{user_id}";
const GROUPS: &str = "GET /groups";
/// Until 2.9: whether a token is good.
const AUTH_OK: &str = "GET /authok";
/// From 2.10 on: whose it is, too.
const AUTHENTICATION: &str = "GET /authentication";
/// Some 1 kB a user, with the ids of all labs of each.
const USERS_BYTES: usize = 4 * 1024 * 1024;

fn user(user: &Value) -> Option<CmlUser> {
    Some(CmlUser {
        id: id_of(user)?,
        username: text_at(user, "/username"),
        fullname: text_at(user, "/fullname"),
        email: text_at(user, "/email"),
        is_admin: bool_at(user, "/admin"),
        groups: texts_at(user, "/groups"),
        created_at: time_at(user, "/created"),
    })
}

fn group(group: &Value) -> Option<CmlGroup> {
    Some(CmlGroup {
        id: id_of(group)?,
        name: text_at(group, "/name"),
        description: text_at(group, "/description"),
        members: texts_at(group, "/members"),
    })
}

async fn who_am_i(session: &Session<'_>) -> Result<CmlIdentity, CmlError> {
    let (information, _) = system::information(session.transport()).await?;
    let call = if tells_who(&information.version) {
        Call::new(AUTHENTICATION)?
    } else {
        session.change(&Call::new(AUTH_OK)?).await?;
        let Some(id) = session.user_id().await else { return Ok(CmlIdentity::default()) };
        Call::with_ids(USER, &[&id])?
    };
    let answer = object(call.operation, session.json(&call).await?)?;
    let own = session.user_id().await;
    Ok(CmlIdentity {
        user_id: id_of(&answer).or(own),
        username: text_at(&answer, "/username"),
        is_admin: bool_at(&answer, "/admin"),
    })
}

/// From 2.10 on, and what spells its version in a way yet unknown.
fn tells_who(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    match (parts.next().flatten(), parts.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) >= (2, 10),
        _ => true,
    }
}

#[async_trait]
impl CmlUsers for CmlClient {
    async fn who_am_i(&self, access: CmlAccess<'_>) -> Result<CmlIdentity, CmlError> {
        who_am_i(&self.session(access).await?).await
    }

    async fn users(&self, access: CmlAccess<'_>) -> Result<Vec<CmlUser>, CmlError> {
        let answer = self.session(access).await?.json_up_to(USERS_BYTES, &Call::new(USERS)?).await?;
        list(USERS, &answer, user)
    }

    async fn groups(&self, access: CmlAccess<'_>) -> Result<Vec<CmlGroup>, CmlError> {
        let answer = self.session(access).await?.json_up_to(USERS_BYTES, &Call::new(GROUPS)?).await?;
        list(GROUPS, &answer, group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_ask_who_we_are_goes_by_the_version() {
        for old in ["2.4.0.dev0+build.f904bdf8", "2.8.1", "2.9.1+build.7"] {
            assert!(!tells_who(old), "{old}");
        }
        for new in ["2.10.0", "2.11.0+sso", "3.0.0", "unknown", "2"] {
            assert!(tells_who(new), "{new}");
        }
    }
}
