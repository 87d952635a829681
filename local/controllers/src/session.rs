//! Tokens. They live by machine time, and end with the process: whoever holds one signs in again.

use std::collections::BTreeMap;

use app::ports::Random;
use domain::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::model::new_uuid;

const ISSUER: &str = "com.cisco.virl";
const LIFETIME: SignedDuration = SignedDuration::from_hours(24);

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    iat: i64,
    exp: i64,
    sub: String,
    /// Two tokens of one second must not be the same one.
    jti: String,
}

/// Who holds a valid token.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) user_id: String,
    token_id: String,
}

struct Live {
    user_id: String,
    until: i64,
}

/// The tokens of one controller.
pub(crate) struct Sessions {
    key: [u8; 32],
    /// By token id.
    live: BTreeMap<String, Live>,
}

impl Sessions {
    pub(crate) fn new(random: &dyn Random) -> Self {
        let mut key = [0; 32];
        key[..16].copy_from_slice(&random.next().to_be_bytes());
        key[16..].copy_from_slice(&random.next().to_be_bytes());
        Self { key, live: BTreeMap::new() }
    }

    /// A token for a user; null only if it cannot be signed.
    pub(crate) fn open(&mut self, user_id: &str, now: Timestamp, random: &dyn Random) -> Option<String> {
        let claims = Claims {
            iss: ISSUER.into(),
            iat: now.as_second(),
            exp: (now + LIFETIME).as_second(),
            sub: user_id.into(),
            jti: new_uuid(random),
        };
        let token = jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(&self.key)).ok()?;
        self.live.retain(|_, live| live.until > now.as_second());
        self.live.insert(claims.jti, Live { user_id: claims.sub, until: claims.exp });
        Some(token)
    }

    /// Whose token this is, if it is one of ours, not over and not signed out.
    pub(crate) fn check(&self, token: &str, now: Timestamp) -> Option<Session> {
        let mut validation = Validation::new(Algorithm::HS256);
        // Expiry is judged below, by the clock we are given.
        validation.validate_exp = false;
        validation.set_issuer(&[ISSUER]);
        let key = DecodingKey::from_secret(&self.key);
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation).ok()?.claims;
        let live = self.live.get(&claims.jti)?;
        (live.until > now.as_second()).then(|| Session { user_id: live.user_id.clone(), token_id: claims.jti })
    }

    /// Signs everybody out.
    pub(crate) fn close_all(&mut self) {
        self.live.clear();
    }

    /// Signs out: this token, or all of its user.
    pub(crate) fn close(&mut self, session: &Session, all_of_user: bool) {
        self.live.retain(|token_id, live| {
            *token_id != session.token_id && !(all_of_user && live.user_id == session.user_id)
        });
    }
}
