//! The identity provider, as a client of it sees it: where people sign in, and what codes and refresh
//! tokens are good for.

use std::fmt;

use async_trait::async_trait;

use super::error::PortError;

/// What a sign-in is asked for with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationRequest {
    /// Where the browser comes back to.
    pub redirect_uri: String,
    /// Comes back with the browser, and finds what is kept of this sign-in.
    pub state: String,
    /// Comes back in the id token.
    pub nonce: String,
    /// SHA-256 of the verifier, as PKCE's S256 has it.
    pub code_challenge: String,
}

/// What the issuer gives for a code or a refresh token. Never logged or returned.
#[derive(Clone, PartialEq, Eq)]
pub struct Tokens {
    /// To be known by.
    pub access_token: String,
    /// Who signed in; a refresh may leave it out.
    pub id_token: Option<String>,
    /// For new tokens; an issuer that does not rotate it leaves it out at a refresh.
    pub refresh_token: Option<String>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

/// Why the identity provider gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The code or the refresh token is not good, and never will be again.
    #[error("the identity provider does not take the code or the refresh token")]
    InvalidGrant,
    /// It does not answer, or not as it should; the same may succeed later.
    #[error(transparent)]
    Unavailable(#[from] PortError),
}

/// The identity provider.
#[async_trait]
pub trait IdentityProvider: Send + Sync {
    /// The issuer, as its tokens spell it.
    fn issuer(&self) -> &str;

    /// Who we are to it.
    fn client_id(&self) -> &str;

    /// Where a browser is sent to sign in.
    async fn authorization_url(&self, request: &AuthorizationRequest) -> Result<String, IdentityError>;

    /// What a code is good for, once.
    async fn exchange(&self, code: &str, verifier: &str, redirect_uri: &str) -> Result<Tokens, IdentityError>;

    /// New tokens. Never tried twice: an issuer that rotates refresh tokens takes the second try for a theft.
    async fn refresh(&self, refresh_token: &str) -> Result<Tokens, IdentityError>;

    /// Makes a refresh token worthless, where the issuer has a way to. Some issuers end with it all that was
    /// signed in by the same session of theirs.
    async fn revoke(&self, refresh_token: &str) -> Result<(), IdentityError>;

    /// Ends the issuer's session that a refresh token is of, where it can be ended from here; otherwise makes the
    /// token worthless.
    async fn sign_out(&self, refresh_token: &str) -> Result<(), IdentityError>;

    /// Where a browser is sent to sign out at the issuer too, if there is such a place; it comes back to
    /// `return_to`. No token is in it: addresses are kept by browsers and logs.
    async fn logout_url(&self, return_to: &str) -> Result<Option<String>, IdentityError>;
}
