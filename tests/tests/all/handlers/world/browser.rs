//! What browsers sign in with: an identity provider, a session, and a sign-in that the fixtures finish.

use std::sync::Mutex;

use app::Context;
use app::ports::{AuthorizationRequest, IdentityError, IdentityProvider, PortError, Sealer, Tokens};
use app::secret::{hash, pkce_challenge};
use app::store::{PendingLogin, StoredSession};
use async_trait::async_trait;
use domain::session::{Person, Session};
use domain::{Role, SignedDuration, Timestamp};
use serde_json::json;

use super::super::tokens::{self, claims, sign};

/// Where browsers reach us: the host of the fixtures.
pub(in crate::handlers) const PUBLIC_URL: &str = "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com";
/// The session of the fixtures, a manager's.
pub(crate) const SESSION: &str = "ZXhhbXBsZS1zZXNzaW9uLXJlcGxhY2VkLWJ5LWNhbGxlcg";
/// The browser of the fixture that comes back from the issuer, and its state.
const BROWSER: &str = "ZXhhbXBsZS1icm93c2VyLXJlcGxhY2VkLWJ5LWNhbGxlcl";
const STATE: &str = "replaced-by-the-caller";
const VERIFIER: &str = "the-verifier-of-the-fixture";
pub(crate) const NONCE: &str = "the-nonce-of-the-fixture";

/// An identity provider that signs a manager in, with real tokens for five minutes.
pub(in crate::handlers) struct TestIssuer(Mutex<Inner>);

struct Inner {
    clock: std::sync::Arc<dyn app::ports::Clock>,
    nonce: String,
    challenge: String,
    given: u32,
    /// Everything that no log may show.
    secrets: Vec<String>,
    down: bool,
}

impl TestIssuer {
    pub(in crate::handlers) fn new(clock: std::sync::Arc<dyn app::ports::Clock>) -> Self {
        let challenge = pkce_challenge(VERIFIER);
        Self(Mutex::new(Inner { clock, nonce: NONCE.into(), challenge, given: 0, secrets: vec![], down: false }))
    }

    /// From now on it does not answer.
    pub(in crate::handlers) fn go_down(&self) {
        self.0.lock().unwrap().down = true;
    }

    /// Everything that it gave out or was shown.
    pub(in crate::handlers) fn secrets(&self) -> Vec<String> {
        self.0.lock().unwrap().secrets.clone()
    }

    fn tokens(&self, nonce: Option<&str>) -> Result<Tokens, IdentityError> {
        let mut inner = self.0.lock().unwrap();
        if inner.down {
            return Err(PortError::new("issuer.token", super::INTERNAL).into());
        }
        let seconds = inner.clock.now().as_second();
        inner.given += 1;
        let mut access = claims(Role::Manager);
        access["exp"] = json!(seconds + 300);
        access["iat"] = json!(seconds);
        access["jti"] = json!(inner.given);
        let mut id = access.clone();
        id["typ"] = json!("ID");
        id["nonce"] = json!(nonce);
        let tokens = Tokens {
            access_token: sign(&access),
            id_token: Some(sign(&id)),
            refresh_token: Some(format!("the-refresh-token-{}", inner.given)),
        };
        let given = [Some(&tokens.access_token), tokens.id_token.as_ref(), tokens.refresh_token.as_ref()];
        inner.secrets.extend(given.into_iter().flatten().cloned());
        Ok(tokens)
    }
}

#[async_trait]
impl IdentityProvider for TestIssuer {
    fn issuer(&self) -> &str {
        tokens::ISSUER
    }

    fn client_id(&self) -> &str {
        tokens::AUDIENCE
    }

    async fn authorization_url(&self, request: &AuthorizationRequest) -> Result<String, IdentityError> {
        let mut inner = self.0.lock().unwrap();
        inner.nonce.clone_from(&request.nonce);
        inner.challenge.clone_from(&request.code_challenge);
        inner.secrets.extend([request.nonce.clone(), request.state.clone()]);
        Ok(format!("{}/authorize?state={}", tokens::ISSUER, request.state))
    }

    async fn exchange(&self, code: &str, verifier: &str, redirect_uri: &str) -> Result<Tokens, IdentityError> {
        assert_eq!(redirect_uri, format!("{PUBLIC_URL}/api/auth/callback"));
        let nonce = {
            let mut inner = self.0.lock().unwrap();
            inner.secrets.extend([code.to_owned(), verifier.to_owned()]);
            (pkce_challenge(verifier) == inner.challenge).then(|| inner.nonce.clone())
        };
        self.tokens(Some(&nonce.ok_or(IdentityError::InvalidGrant)?))
    }

    async fn refresh(&self, _: &str) -> Result<Tokens, IdentityError> {
        self.tokens(None)
    }

    async fn revoke(&self, _: &str) -> Result<(), IdentityError> {
        Ok(())
    }

    async fn sign_out(&self, _: &str) -> Result<(), IdentityError> {
        Ok(())
    }

    async fn logout_url(&self, return_to: &str) -> Result<Option<String>, IdentityError> {
        Ok(Some(format!("{}/logout?client_id=x&post_logout_redirect_uri={return_to}", tokens::ISSUER)))
    }
}

/// Records the session and the sign-in, begun at that time.
pub(super) async fn seed(context: &Context, sealer: &dyn Sealer, begun: Timestamp) {
    let hash_of_session = hash(SESSION);
    let sealed = json!({"refresh_token": "the-refresh-token-0"}).to_string();
    let sealed = sealer.seal(&sealed, &StoredSession::context(&hash_of_session)).await.unwrap();
    let person = Person { subject: "subject-of-manager".into(), username: "manager".into(), role: Role::Manager };
    let session = Session::begin(person, begun + SignedDuration::from_mins(5), begun, &context.settings.sessions);
    let mut stored = StoredSession { hash: hash_of_session, session, sealed, version: 0 };
    assert!(context.store.save_session(&mut stored).await.unwrap());
    let login = PendingLogin {
        browser_hash: hash(BROWSER),
        nonce: NONCE.into(),
        verifier: VERIFIER.into(),
        return_to: "/workers".into(),
        good_until: begun + SignedDuration::from_mins(10),
    };
    context.store.save_login(&hash(STATE), &login).await.unwrap();
}
