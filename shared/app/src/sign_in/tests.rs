//! Signing in, carrying on and signing out by browser, with an issuer that rotates refresh tokens.

mod beginning;
mod ending;
mod issuer;
mod refreshing;

use std::sync::Arc;

use async_trait::async_trait;
use domain::session::{Lifetimes, Session};
use domain::{Role, SignedDuration};

use super::SignInError;
use crate::context::REQUEST_TIME_LIMIT;
use crate::error::AppError;
use crate::ports::{Clock, Outgoing, PortError, Queue, Queues};
use crate::secret::hash;
use crate::testing::{CountingRandom, ManualClock, MemoryTable};
use crate::use_cases::begin_login::begin_login;
use crate::use_cases::end_session::end_session;
use crate::use_cases::finish_login::{Callback, FinishedLogin, finish_login};
use crate::use_cases::read_session::read_session;
use crate::use_cases::refresh_session::{Issuer, refresh_session};
use crate::{Context, Settings};
use issuer::{BrokenSealer, FakeIssuer, PlainSealer};

struct NoQueues;

#[async_trait]
impl Queues for NoQueues {
    async fn send(&self, _: Queue, _: Vec<Outgoing>) -> Result<(), PortError> {
        Err(PortError::new("sqs", "signing in sends nothing"))
    }
}

struct Bench {
    ctx: Context,
    clock: Arc<ManualClock>,
    table: Arc<MemoryTable>,
    issuer: FakeIssuer,
}

/// What a browser has after [`Bench::begin`].
struct Begun {
    state: String,
    browser: String,
}

impl Bench {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at("2026-11-20T10:00:00Z".parse().unwrap()));
        let table = Arc::<MemoryTable>::default();
        let mut settings = Settings::new("123456789012".parse().unwrap());
        settings.public_url = Some("https://ccm.example.com".parse().unwrap());
        settings.sessions = Lifetimes { idle: SignedDuration::from_hours(2), most: SignedDuration::from_hours(10) };
        let random = Arc::new(CountingRandom::default());
        let ctx = Context::new(table.clone(), Arc::new(NoQueues), clock.clone(), clock.clone(), random, settings);
        Self { ctx, table, issuer: FakeIssuer::new(clock.clone()), clock }
    }

    fn pass(&self, minutes: i64) {
        self.clock.advance(SignedDuration::from_mins(minutes));
    }

    async fn begin(&self) -> Begun {
        let begun = begin_login(&self.ctx, &self.issuer, Some("/workers?page=2"), None).await.unwrap();
        let asked = self.issuer.asked();
        assert_eq!(asked.redirect_uri, "https://ccm.example.com/api/auth/callback");
        Begun { state: asked.state, browser: begun.browser }
    }

    async fn finish(&self, callback: &Callback<'_>) -> Result<FinishedLogin, SignInError> {
        finish_login(&self.ctx, &self.issuer, &self.issuer, &PlainSealer, callback).await
    }

    async fn come_back(&self, begun: &Begun) -> Result<FinishedLogin, SignInError> {
        self.finish(&Callback {
            state: Some(&begun.state),
            code: Some("code"),
            browser: Some(&begun.browser),
            ..Callback::default()
        })
        .await
    }

    /// The cookie of a person who signed in.
    async fn signed_in(&self) -> String {
        let begun = self.begin().await;
        self.come_back(&begun).await.unwrap().cookie
    }

    async fn refresh(&self, cookie: &str) -> Result<Session, SignInError> {
        let issuer = Issuer { provider: &self.issuer, tokens: &self.issuer, sealer: &PlainSealer };
        refresh_session(&self.ctx, issuer, cookie).await
    }

    /// The kinds of items that are there.
    fn kinds(&self) -> Vec<String> {
        self.table.items().into_iter().map(|item| item.sk).collect()
    }
}
