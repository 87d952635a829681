//! An issuer in memory: it rotates refresh tokens, and can be told to misbehave.

use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use domain::{Role, SignedDuration, Timestamp};

use crate::ports::{
    AuthorizationRequest, Clock, IdentityError, IdentityProvider, PortError, SealOnce, Sealer, TokenError,
    TokenVerifier, Tokens, VerifiedIdToken, VerifiedToken,
};
use crate::secret::pkce_challenge;

/// What the issuer does, and what was asked of it.
pub(super) struct State {
    pub(super) down: bool,
    /// Answers nothing until it does not hang any more.
    pub(super) hangs: bool,
    /// The session of its own that it names, if it names any.
    pub(super) session: Option<String>,
    /// The refresh tokens that were made worthless, and those whose session was ended.
    pub(super) revoked: Vec<String>,
    pub(super) signed_out: Vec<String>,
    pub(super) keys_down: bool,
    pub(super) subject: String,
    pub(super) id_subject: Option<String>,
    pub(super) role: Option<Role>,
    /// What the id token says; set to what was asked for last.
    pub(super) nonce: String,
    pub(super) nonces: Vec<String>,
    pub(super) gives_id_token: bool,
    pub(super) access_secs: i64,
    /// The one refresh token that is good.
    pub(super) good: String,
    asked: Option<AuthorizationRequest>,
    challenges: Vec<String>,
    calls: Vec<&'static str>,
    given: u32,
}

impl Default for State {
    fn default() -> Self {
        Self {
            down: false,
            hangs: false,
            session: Some("session-1".into()),
            revoked: vec![],
            signed_out: vec![],
            keys_down: false,
            subject: "subject-of-ada".into(),
            id_subject: None,
            role: Some(Role::Manager),
            nonce: String::new(),
            nonces: vec![],
            gives_id_token: true,
            access_secs: 5 * 60,
            good: String::new(),
            asked: None,
            challenges: vec![],
            calls: vec![],
            given: 0,
        }
    }
}

pub(super) struct FakeIssuer {
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
}

impl FakeIssuer {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { state: Mutex::default(), clock }
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
    }

    /// The sign-in that was asked for last.
    pub(super) fn asked(&self) -> AuthorizationRequest {
        self.state().asked.clone().unwrap()
    }

    /// How often it was called so.
    pub(super) fn calls(&self, what: &str) -> usize {
        self.state().calls.iter().filter(|call| **call == what).count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Every call takes a while, in which others go on.
    async fn called(&self, what: &'static str) -> Result<(), IdentityError> {
        self.state().calls.push(what);
        tokio::task::yield_now().await;
        while self.state().hangs {
            tokio::task::yield_now().await;
        }
        if self.state().down {
            return Err(PortError::new("issuer", "refused the connection").into());
        }
        Ok(())
    }

    fn tokens(&self) -> Tokens {
        let end = self.clock.now() + SignedDuration::from_secs(self.state().access_secs);
        let mut state = self.state();
        state.given += 1;
        state.good = format!("refresh.{}", state.given);
        let id_subject = state.id_subject.as_ref().unwrap_or(&state.subject);
        Tokens {
            access_token: format!("access.{}.{end}", state.subject),
            id_token: state.gives_id_token.then(|| format!("id.{id_subject}.{}", state.nonce)),
            refresh_token: Some(state.good.clone()),
        }
    }
}

#[async_trait]
impl IdentityProvider for FakeIssuer {
    fn issuer(&self) -> &str {
        "https://id.example.com"
    }

    fn client_id(&self) -> &str {
        "client"
    }

    async fn authorization_url(&self, request: &AuthorizationRequest) -> Result<String, IdentityError> {
        self.called("authorize").await?;
        self.set(|it| {
            it.asked = Some(request.clone());
            it.nonce.clone_from(&request.nonce);
            it.nonces.push(request.nonce.clone());
            it.challenges.push(request.code_challenge.clone());
        });
        Ok("https://id.example.com/authorize".into())
    }

    async fn exchange(&self, code: &str, verifier: &str, _: &str) -> Result<Tokens, IdentityError> {
        self.called("exchange").await?;
        if code != "code" || !self.state().challenges.contains(&pkce_challenge(verifier)) {
            return Err(IdentityError::InvalidGrant);
        }
        Ok(self.tokens())
    }

    async fn refresh(&self, refresh_token: &str) -> Result<Tokens, IdentityError> {
        self.called("refresh").await?;
        if self.state().good != refresh_token {
            self.set(|it| it.good = String::new());
            return Err(IdentityError::InvalidGrant);
        }
        self.set(|it| it.nonce = "-".into());
        Ok(self.tokens())
    }

    async fn revoke(&self, refresh_token: &str) -> Result<(), IdentityError> {
        self.called("revoke").await?;
        self.set(|it| it.revoked.push(refresh_token.into()));
        Ok(())
    }

    async fn sign_out(&self, refresh_token: &str) -> Result<(), IdentityError> {
        self.called("sign_out").await?;
        self.set(|it| it.signed_out.push(refresh_token.into()));
        Ok(())
    }

    async fn logout_url(&self, return_to: &str) -> Result<Option<String>, IdentityError> {
        self.called("logout").await?;
        Ok(Some(format!("https://id.example.com/logout?to={return_to}")))
    }
}

#[async_trait]
impl TokenVerifier for FakeIssuer {
    async fn access_token(&self, token: &str) -> Result<VerifiedToken, TokenError> {
        let state = self.state();
        if state.keys_down {
            return Err(TokenError::Unavailable(PortError::new("jwks", "no keys")));
        }
        let refused = || TokenError::Refused("The token is not valid.".into());
        let (subject, end) = token.strip_prefix("access.").and_then(|t| t.split_once('.')).ok_or_else(refused)?;
        let role = state.role.ok_or_else(|| TokenError::Refused("The token gives no role.".into()))?;
        let expires_at: Timestamp = end.parse().unwrap();
        Ok(VerifiedToken { subject: subject.into(), username: "ada".into(), role, expires_at })
    }

    async fn id_token(&self, token: &str, client_id: &str, nonce: Option<&str>) -> Result<VerifiedIdToken, TokenError> {
        assert_eq!(client_id, "client");
        let refused = || TokenError::Refused("The id token is not valid.".into());
        let (subject, has) = token.strip_prefix("id.").and_then(|t| t.split_once('.')).ok_or_else(refused)?;
        if nonce.is_some_and(|nonce| nonce != has) {
            return Err(refused());
        }
        Ok(VerifiedIdToken { subject: subject.into(), issuer_session: self.state().session.clone() })
    }
}

/// Seals by turning the text round: enough to see that what is stored was sealed for its item.
pub(super) struct PlainSealer;

#[async_trait]
impl Sealer for PlainSealer {
    async fn sealing(&self, context: &str) -> Result<SealOnce, PortError> {
        let context = context.to_owned();
        Ok(Box::new(move |text| Ok(format!("{context}|{}", text.chars().rev().collect::<String>()))))
    }

    async fn open(&self, sealed: &str, context: &str) -> Result<String, PortError> {
        let other = || PortError::new("sealer.open", "sealed for another item");
        let (sealed_for, text) = sealed.split_once('|').ok_or_else(other)?;
        (sealed_for == context).then(|| text.chars().rev().collect()).ok_or_else(other)
    }
}

/// Opens, but has nothing to seal with.
pub(super) struct BrokenSealer;

#[async_trait]
impl Sealer for BrokenSealer {
    async fn sealing(&self, _: &str) -> Result<SealOnce, PortError> {
        Err(PortError::new("sealer.seal", "gave no key"))
    }

    async fn open(&self, sealed: &str, context: &str) -> Result<String, PortError> {
        PlainSealer.open(sealed, context).await
    }
}
