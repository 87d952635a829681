//! Carry a session on: with new tokens when the access token is about to end, by a note of its use otherwise.
//!
//! A refresh token that the issuer rotates is good once, so only the holder of a lease uses it; whoever comes
//! second finds the session refreshed, or is told to come back in a second.

use domain::SignedDuration;
use domain::session::{Renewal, Session, SessionState};

use crate::context::{Context, REQUEST_TIME_LIMIT};
use crate::error::AppError;
use crate::ports::{
    IdentityError, IdentityProvider, PortError, SealOnce, Sealer, TokenError, TokenVerifier, Tokens, VerifiedToken,
};
use crate::secret::hash;
use crate::sign_in::{SealedTokens, SignInError, person, revoke};
use crate::store::StoredSession;

/// More than a request may take: whoever takes the lease over must not find the refresh token in use still. The
/// rest is for what is on its way to the issuer when the request is given up.
const LEASE: SignedDuration = SignedDuration::from_secs(REQUEST_TIME_LIMIT.as_secs() + 5);
/// How often the new tokens are tried to be written: others change the session meanwhile, or the table fails.
const ATTEMPTS: usize = 5;

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
    if ctx.store.save_session(&mut stored).await? {
        return Ok(stored.session);
    }
    // Somebody else noted it, or renewed or ended the session: it is what they made of it.
    Ok(ctx.store.session(&stored.hash).await?.ok_or(SignInError::Over)?.session)
}

async fn under_lease(ctx: &Context, issuer: Issuer<'_>, hash: &str) -> Result<Session, SignInError> {
    // Who had the lease before may just have done it.
    let stored = find(ctx, hash).await?;
    if stored.session.renewal(ctx.machine_clock.now(), &ctx.settings.sessions) != Renewal::Tokens {
        return Ok(stored.session);
    }
    let old = SealedTokens::open(issuer.sealer, &stored).await?;
    let Some(refresh_token) = &old.refresh_token else { return end(ctx, stored, "it has no refresh token").await };
    // Before the old refresh token is spent: a new one that could not be sealed would be lost.
    let seal = SealedTokens::sealing(issuer.sealer, hash).await?;
    match issuer.provider.refresh(refresh_token).await {
        Ok(given) => renew(ctx, issuer, stored, seal, old, given).await,
        Err(IdentityError::InvalidGrant) => end(ctx, stored, "the issuer does not take its refresh token").await,
        Err(IdentityError::Unavailable(error)) => Err(AppError::Unavailable(error).into()),
    }
}

/// Takes the new tokens over, when they are as good as the old ones were.
async fn renew(
    ctx: &Context,
    issuer: Issuer<'_>,
    stored: StoredSession,
    seal: SealOnce,
    old: SealedTokens,
    given: Tokens,
) -> Result<Session, SignInError> {
    let verified = verify(issuer, &stored, &given).await;
    let tokens = SealedTokens { refresh_token: given.refresh_token.or(old.refresh_token), ..old };
    let (who, unchecked) = match verified {
        Ok(who) => (Some(who), None),
        // The old refresh token may be worth nothing by now: the new one is kept until the keys can be had.
        Err(TokenError::Unavailable(error)) => (None, Some(error)),
        Err(TokenError::Refused(why)) => {
            tracing::warn!(why, "the issuer's new tokens are not good here");
            let outcome = end(ctx, stored, "its new tokens are not good").await;
            give_up(issuer, &tokens).await;
            return outcome;
        }
    };
    let sealed = tokens.seal(seal)?;
    match (save_tokens(ctx, stored, &sealed, who.as_ref()).await?, unchecked) {
        (Some(_), Some(error)) => Err(AppError::Unavailable(error).into()),
        (Some(session), None) => Ok(session),
        (None, _) => {
            // Signed out meanwhile: nobody is left to use what the issuer just gave.
            give_up(issuer, &tokens).await;
            Err(SignInError::Over)
        }
    }
}

async fn give_up(issuer: Issuer<'_>, tokens: &SealedTokens) {
    if let Some(token) = &tokens.refresh_token {
        revoke(issuer.provider, token).await;
    }
}

/// Puts new tokens on the session, in whatever way others have changed it meanwhile; none when they ended it.
/// A table that fails is tried again: nothing else has the new refresh token.
async fn save_tokens(
    ctx: &Context,
    mut stored: StoredSession,
    sealed: &str,
    who: Option<&VerifiedToken>,
) -> Result<Option<Session>, AppError> {
    let mut cause = PortError::new("session.save", "others changed the session again and again");
    for _ in 0..ATTEMPTS {
        let mut next = StoredSession { sealed: sealed.to_owned(), ..stored.clone() };
        if let Some(who) = who {
            let (now, lifetimes) = (ctx.machine_clock.now(), &ctx.settings.sessions);
            next.session = next.session.renewed(person(who), who.expires_at, now, lifetimes);
        }
        let saved = match ctx.store.save_session(&mut next).await {
            Ok(true) => return Ok(Some(next.session)),
            Ok(false) => ctx.store.session(&stored.hash).await,
            Err(error) => Err(error),
        };
        match saved {
            Ok(None) => return Ok(None),
            Ok(Some(other)) => stored = other,
            // Should it have been written all the same, the next attempt finds it so.
            Err(AppError::Unavailable(error)) => cause = error,
            Err(error) => return Err(error),
        }
    }
    Err(AppError::Unavailable(cause))
}

async fn verify(issuer: Issuer<'_>, stored: &StoredSession, given: &Tokens) -> Result<VerifiedToken, TokenError> {
    let who = issuer.tokens.access_token(&given.access_token).await?;
    let mut subjects = vec![who.subject.clone()];
    if let Some(token) = &given.id_token {
        subjects.push(issuer.tokens.id_token(token, issuer.provider.client_id(), None).await?.subject);
    }
    if subjects.iter().any(|subject| *subject != stored.session.person.subject) {
        return Err(TokenError::Refused("They are of somebody else.".into()));
    }
    Ok(who)
}

/// Ends a session whose tokens cannot be carried on. If it has others by now, it is what somebody made of it.
async fn end(ctx: &Context, mut stored: StoredSession, why: &str) -> Result<Session, SignInError> {
    for _ in 0..ATTEMPTS {
        if ctx.store.end_session_version(&stored).await? {
            tracing::info!(subject = stored.session.person.subject, why, "a session ended");
            return Err(SignInError::Over);
        }
        match ctx.store.session(&stored.hash).await? {
            None => return Err(SignInError::Over),
            Some(other) if other.sealed != stored.sealed => return Ok(other.session),
            Some(other) => stored = other,
        }
    }
    let cause = PortError::new("session.end", "others changed the session again and again");
    Err(AppError::Unavailable(cause).into())
}
