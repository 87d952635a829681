//! Carry a session on: with new tokens when the access token is about to end, by a note of its use otherwise.
//!
//! A refresh token that the issuer rotates is good once, so only the holder of a lease uses it; whoever comes
//! second finds the session refreshed, or is told to come back in a second.

use domain::SignedDuration;
use domain::session::{Renewal, Session, SessionState};

use crate::context::Context;
use crate::error::AppError;
use crate::ports::{IdentityError, IdentityProvider, Sealer, TokenError, TokenVerifier, Tokens};
use crate::secret::hash;
use crate::sign_in::{SealedTokens, SignInError, person};
use crate::store::StoredSession;

/// Longer than a refresh takes, with every timeout on its way.
const LEASE: SignedDuration = SignedDuration::from_secs(15);

/// What a refresh needs beside the table.
#[derive(Clone, Copy)]
pub struct Issuer<'a> {
    /// Gives new tokens.
    pub provider: &'a dyn IdentityProvider,
    /// Checks them.
    pub tokens: &'a dyn TokenVerifier,
    /// Seals them.
    pub sealer: &'a dyn Sealer,
}

/// Carries the session of a cookie on, and tells how long it is good for now.
///
/// # Errors
/// [`SignInError::Over`]: there is none, or it is over, or the issuer does not carry it on.
/// [`SignInError::RefreshUnderWay`]: another request refreshes it, and it is good for nothing until then.
/// The table or the issuer cannot be reached: the session stays as it is.
pub async fn refresh_session(ctx: &Context, issuer: Issuer<'_>, cookie: &str) -> Result<Session, SignInError> {
    let stored = find(ctx, &hash(cookie)).await?;
    match stored.session.renewal(ctx.machine_clock.now(), &ctx.settings.sessions) {
        Renewal::None => return Ok(stored.session),
        Renewal::Use => return note_use(ctx, stored).await,
        Renewal::Tokens => {}
    }
    let now = ctx.machine_clock.now();
    let Some(lease) = ctx.store.take_lease("session", &stored.hash, ctx.random.next(), now, LEASE).await? else {
        let good = stored.session.state(now) == SessionState::Live;
        return if good { Ok(stored.session) } else { Err(SignInError::RefreshUnderWay) };
    };
    let outcome = under_lease(ctx, issuer, &stored.hash).await;
    if let Err(error) = ctx.store.give_back(lease).await {
        tracing::warn!(%error, "a lease was not given back; it ends by itself");
    }
    outcome
}

/// The session, unless it is over.
async fn find(ctx: &Context, hash: &str) -> Result<StoredSession, SignInError> {
    let stored = ctx.store.session(hash).await?.ok_or(SignInError::Over)?;
    let over = stored.session.state(ctx.machine_clock.now()) == SessionState::Over;
    if over { Err(SignInError::Over) } else { Ok(stored) }
}

async fn note_use(ctx: &Context, mut stored: StoredSession) -> Result<Session, SignInError> {
    stored.session = stored.session.used(ctx.machine_clock.now(), &ctx.settings.sessions);
    save(ctx, stored).await?.ok_or(SignInError::Over)
}

/// Writes a session. One that others changed meanwhile is what they made of it; none when they ended it.
async fn save(ctx: &Context, mut stored: StoredSession) -> Result<Option<Session>, AppError> {
    if ctx.store.save_session(&mut stored).await? {
        return Ok(Some(stored.session));
    }
    Ok(ctx.store.session(&stored.hash).await?.map(|other| other.session))
}

async fn under_lease(ctx: &Context, issuer: Issuer<'_>, hash: &str) -> Result<Session, SignInError> {
    // Who had the lease before may just have done it.
    let stored = find(ctx, hash).await?;
    if stored.session.renewal(ctx.machine_clock.now(), &ctx.settings.sessions) != Renewal::Tokens {
        return Ok(stored.session);
    }
    let old = SealedTokens::open(issuer.sealer, &stored).await?;
    let Some(refresh_token) = &old.refresh_token else { return end(ctx, &stored, "it has no refresh token").await };
    match issuer.provider.refresh(refresh_token).await {
        Ok(given) => renew(ctx, issuer, stored, old, given).await,
        Err(IdentityError::InvalidGrant) => end(ctx, &stored, "the issuer does not take its refresh token").await,
        Err(IdentityError::Unavailable(error)) => Err(AppError::Unavailable(error).into()),
    }
}

/// Takes the new tokens over, when they are as good as the old ones were.
async fn renew(
    ctx: &Context,
    issuer: Issuer<'_>,
    mut stored: StoredSession,
    old: SealedTokens,
    given: Tokens,
) -> Result<Session, SignInError> {
    let verified = verify(issuer, &stored, &given).await;
    let newest = given.refresh_token.or(old.refresh_token);
    let tokens = SealedTokens { refresh_token: newest.clone(), id_token: given.id_token.or(old.id_token) };
    let unchecked = match verified {
        Ok(who) => {
            let (now, lifetimes) = (ctx.machine_clock.now(), &ctx.settings.sessions);
            stored.session = stored.session.renewed(person(&who), who.expires_at, now, lifetimes);
            None
        }
        // The old refresh token may be worth nothing by now: the new one is kept until the keys can be had.
        Err(TokenError::Unavailable(error)) => Some(error),
        Err(TokenError::Refused(why)) => {
            tracing::warn!(why, "the issuer's new tokens are not good here");
            return end(ctx, &stored, "its new tokens are not good").await;
        }
    };
    stored.sealed = tokens.seal(issuer.sealer, &stored.hash).await?;
    match (save(ctx, stored).await?, unchecked) {
        (Some(_), Some(error)) => Err(AppError::Unavailable(error).into()),
        (Some(session), None) => Ok(session),
        (None, _) => {
            // Signed out meanwhile: nobody is left to use what the issuer just gave.
            if let Some(token) = newest
                && let Err(error) = issuer.provider.revoke(&token).await
            {
                tracing::warn!(%error, "the refresh token of an ended session was not revoked");
            }
            Err(SignInError::Over)
        }
    }
}

async fn verify(
    issuer: Issuer<'_>,
    stored: &StoredSession,
    given: &Tokens,
) -> Result<crate::ports::VerifiedToken, TokenError> {
    let who = issuer.tokens.access_token(&given.access_token).await?;
    let mut subjects = vec![who.subject.clone()];
    if let Some(token) = &given.id_token {
        subjects.push(issuer.tokens.id_token(token, issuer.provider.client_id(), None).await?);
    }
    if subjects.iter().any(|subject| *subject != stored.session.person.subject) {
        return Err(TokenError::Refused("They are of somebody else.".into()));
    }
    Ok(who)
}

/// Ends a session that cannot be carried on; if others changed it meanwhile, it is what they made of it.
async fn end(ctx: &Context, stored: &StoredSession, why: &str) -> Result<Session, SignInError> {
    if !ctx.store.end_session_version(stored).await?
        && let Some(other) = ctx.store.session(&stored.hash).await?
    {
        return Ok(other.session);
    }
    tracing::info!(subject = stored.session.person.subject, why, "a session ended");
    Err(SignInError::Over)
}
