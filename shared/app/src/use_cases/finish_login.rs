//! Finish a sign-in: the browser is back with a code, which becomes tokens, and they a session.

use domain::session::Session;

use super::begin_login::{CALLBACK_PATH, public_url};
use super::end_session::cause;
use crate::context::Context;
use crate::error::AppError;
use crate::ports::{
    IdentityError, IdentityProvider, PortError, Sealer, TokenVerifier, Tokens, VerifiedIdToken, VerifiedToken,
};
use crate::secret::{hash, new_secret};
use crate::sign_in::{SealedTokens, SignInError, person, revoke};
use crate::store::{PendingLogin, StoredSession};

/// Longest error code of the issuer that is repeated.
const CODE_MAX_CHARS: usize = 64;

/// What the browser brings back.
#[derive(Default)]
pub struct Callback<'a> {
    /// The state it was sent with.
    pub state: Option<&'a str>,
    /// The code.
    pub code: Option<&'a str>,
    /// The issuer that sent it back (RFC 9207).
    pub issuer: Option<&'a str>,
    /// The issuer's error, when it gave no code.
    pub error: Option<&'a str>,
    /// What the browser kept since the beginning.
    pub browser: Option<&'a str>,
    /// The cookie of the session it had until now.
    pub previous: Option<&'a str>,
}

/// A sign-in that is finished.
pub struct FinishedLogin {
    /// The value of the session's cookie.
    pub cookie: String,
    /// The session.
    pub session: Session,
    /// Where the browser goes: an address here.
    pub location: String,
}

/// Makes a session of what the browser brings back.
///
/// # Errors
/// It is not the browser that began, it comes twice or too late, the issuer refused, its tokens are not good
/// here, or a port failed. Then there is no session, and the browser has to begin anew.
pub async fn finish_login(
    ctx: &Context,
    provider: &dyn IdentityProvider,
    tokens: &dyn TokenVerifier,
    sealer: &dyn Sealer,
    callback: &Callback<'_>,
) -> Result<FinishedLogin, SignInError> {
    let login = claim(ctx, callback).await?;
    if callback.issuer.is_some_and(|issuer| issuer != provider.issuer()) {
        return Err(SignInError::Failed("It comes back from another identity provider."));
    }
    if let Some(error) = callback.error {
        let plain = |c: &char| c.is_ascii_alphanumeric() || "_-.".contains(*c);
        return Err(SignInError::Denied(error.chars().filter(plain).take(CODE_MAX_CHARS).collect()));
    }
    let code = callback.code.ok_or(SignInError::Failed("It comes back without a code."))?;
    let public_url = public_url(ctx)?;
    let exchanged = provider.exchange(code, &login.verifier, &public_url.at(CALLBACK_PATH)).await;
    let given = exchanged.map_err(|error| match error {
        IdentityError::InvalidGrant => SignInError::Failed("The identity provider does not take its code."),
        IdentityError::Unavailable(error) => AppError::Unavailable(error).into(),
    })?;
    let refresh_token = given.refresh_token.clone();
    let (who, signed_in) = match verify(provider, tokens, given, &login.nonce).await {
        Ok(verified) => verified,
        Err(error) => {
            // While the keys cannot be had nothing is known against them, nor against the issuer's session.
            if let (Some(token), false) = (&refresh_token, matches!(error, SignInError::App(_))) {
                revoke(provider, token).await;
            }
            return Err(error);
        }
    };
    let issuer_session = signed_in.issuer_session;
    let (cookie, session) =
        keep(ctx, sealer, SealedTokens { refresh_token, issuer_session: issuer_session.clone() }, &who).await?;
    if let Some(previous) = callback.previous
        // The new session is there, and its cookie on the way: no failure may cost the browser that.
        && let Err(error) = end_former(ctx, provider, sealer, &hash(previous), issuer_session.as_deref()).await
    {
        tracing::warn!(cause = cause(&error), "the browser's former session was not ended");
    }
    tracing::info!(subject = who.subject, username = who.username, role = who.role.name(), "signed in");
    Ok(FinishedLogin { cookie, session, location: public_url.at(&login.return_to) })
}

/// Uses up the sign-in that the browser comes back from.
async fn claim(ctx: &Context, callback: &Callback<'_>) -> Result<PendingLogin, SignInError> {
    let unknown = SignInError::Failed("It was finished before, or never begun.");
    let state = hash(callback.state.ok_or(SignInError::Failed("It comes back without a state."))?);
    let Some(login) = ctx.store.login(&state).await? else { return Err(unknown) };
    // Before it is used up: whoever learns a state must not be able to spoil it.
    if callback.browser.is_none_or(|browser| hash(browser) != login.browser_hash) {
        return Err(SignInError::Failed("It was begun in another browser, or without cookies."));
    }
    if !ctx.store.use_login(&state).await? {
        return Err(unknown);
    }
    if login.good_until <= ctx.machine_clock.now() {
        return Err(SignInError::Failed("It took longer than ten minutes."));
    }
    Ok(login)
}

async fn verify(
    provider: &dyn IdentityProvider,
    tokens: &dyn TokenVerifier,
    given: Tokens,
    nonce: &str,
) -> Result<(VerifiedToken, VerifiedIdToken), SignInError> {
    let id_token = given.id_token.ok_or(SignInError::Failed("The identity provider gives no id token."))?;
    let signed_in = tokens.id_token(&id_token, provider.client_id(), Some(nonce)).await?;
    let who = tokens.access_token(&given.access_token).await?;
    if who.subject != signed_in.subject {
        return Err(SignInError::Failed("The identity provider's tokens are of two people."));
    }
    Ok((who, signed_in))
}

/// Ends the session that the browser had before, and revokes its refresh token, unless the new session stands on
/// the same session of the issuer's: Keycloak would end that, and the new one with it.
async fn end_former(
    ctx: &Context,
    provider: &dyn IdentityProvider,
    sealer: &dyn Sealer,
    hash: &str,
    issuer_session: Option<&str>,
) -> Result<(), AppError> {
    let Some(former) = ctx.store.session(hash).await? else { return Ok(()) };
    ctx.store.end_session(hash).await?;
    let tokens = SealedTokens::open(sealer, &former).await?;
    let shared = issuer_session.is_some() && tokens.issuer_session.as_deref() == issuer_session;
    if let (Some(token), false) = (&tokens.refresh_token, shared) {
        revoke(provider, token).await;
    }
    Ok(())
}

/// Stores the session: the value of its cookie, and what it is.
async fn keep(
    ctx: &Context,
    sealer: &dyn Sealer,
    tokens: SealedTokens,
    who: &VerifiedToken,
) -> Result<(String, Session), AppError> {
    let cookie = new_secret(ctx.random.as_ref());
    let hash = hash(&cookie);
    let sealed = tokens.seal(SealedTokens::sealing(sealer, &hash).await?)?;
    let session = Session::begin(person(who), who.expires_at, ctx.machine_clock.now(), &ctx.settings.sessions);
    let mut stored = StoredSession { hash, session, sealed, version: 0 };
    if !ctx.store.save_session(&mut stored).await? {
        return Err(AppError::Unavailable(PortError::new("random", "gave the same 256 bits twice")));
    }
    Ok((cookie, stored.session))
}
