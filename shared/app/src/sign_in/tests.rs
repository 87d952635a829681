//! Signing in, carrying on and signing out by browser, with an issuer that rotates refresh tokens.

mod issuer;

use std::sync::Arc;

use async_trait::async_trait;
use domain::session::{Lifetimes, Session};
use domain::{Role, SignedDuration};

use super::SignInError;
use crate::error::{AppError, PortError};
use crate::ports::{Clock, Outgoing, Queue, Queues};
use crate::secret::hash;
use crate::testing::{CountingRandom, ManualClock, MemoryTable};
use crate::use_cases::begin_login::begin_login;
use crate::use_cases::end_session::end_session;
use crate::use_cases::finish_login::{Callback, FinishedLogin, finish_login};
use crate::use_cases::read_session::read_session;
use crate::use_cases::refresh_session::{Issuer, refresh_session};
use crate::{Context, Settings};
use issuer::{FakeIssuer, PlainSealer};

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

fn failed(result: Result<FinishedLogin, SignInError>) -> &'static str {
    match result {
        Err(SignInError::Failed(why)) => why,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("signed in"),
    }
}

#[tokio::test]
async fn a_code_becomes_a_session_that_the_table_knows_by_its_hash_only() {
    let bench = Bench::new();
    let begun = bench.begin().await;
    let login = bench.come_back(&begun).await.unwrap();
    assert_eq!(login.location, "https://ccm.example.com/workers?page=2");
    let session = read_session(&bench.ctx, &login.cookie).await.unwrap().session;
    assert_eq!((session.person.username.as_str(), session.person.role), ("ada", Role::Manager));
    assert_eq!(session, login.session);
    assert_eq!(bench.kinds(), ["SESSION"]);
    let items = format!("{:?}", bench.table.items());
    assert!(items.contains(&hash(&login.cookie)));
    for secret in [&login.cookie, &begun.browser, &begun.state] {
        assert!(!items.contains(secret.as_str()), "{secret}");
    }
    // The access token is nowhere: what it said is enough.
    assert!(!items.contains("access."));
}

#[tokio::test]
async fn the_nonce_the_verifier_and_the_state_are_new_each_time_and_a_browser_may_begin_twice() {
    let bench = Bench::new();
    let first = bench.begin().await;
    let first_asked = bench.issuer.asked();
    let second = begin_login(&bench.ctx, &bench.issuer, None, Some(&first.browser)).await.unwrap();
    let second_asked = bench.issuer.asked();
    assert_eq!(first.browser, second.browser);
    assert_ne!(first_asked.state, second_asked.state);
    assert_ne!(first_asked.nonce, second_asked.nonce);
    assert_ne!(first_asked.code_challenge, second_asked.code_challenge);
    bench.issuer.set(|it| it.nonce.clone_from(&first_asked.nonce));
    bench.come_back(&first).await.unwrap();
    bench.issuer.set(|it| it.nonce = second_asked.nonce);
    bench.come_back(&Begun { state: second_asked.state, browser: second.browser }).await.unwrap();
    // What is no value of ours is not taken over.
    let other = begin_login(&bench.ctx, &bench.issuer, None, Some("x; Domain=evil.example")).await.unwrap();
    assert_eq!(other.browser.len(), 43);
}

#[tokio::test]
async fn nobody_is_sent_elsewhere_after_signing_in() {
    let bench = Bench::new();
    for elsewhere in ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", ""] {
        let error = begin_login(&bench.ctx, &bench.issuer, Some(elsewhere), None).await.err().unwrap();
        assert!(matches!(&error, AppError::Invalid(invalid) if invalid.0[0].field == "return_to"), "{error}");
    }
    assert!(bench.table.items().is_empty());
}

#[tokio::test]
async fn a_sign_in_ends_once_and_in_the_browser_that_began_it() {
    let bench = Bench::new();
    let begun = bench.begin().await;
    let of_another = bench.begin().await;
    let stolen = Begun { state: begun.state.clone(), browser: of_another.browser.clone() };
    assert!(failed(bench.come_back(&stolen).await).contains("another browser"));
    let without = Callback { state: Some(&begun.state), code: Some("code"), ..Callback::default() };
    assert!(failed(bench.finish(&without).await).contains("another browser"));
    // It is not spoiled by that.
    bench.issuer.set(|it| it.nonce = it.nonces[0].clone());
    bench.come_back(&begun).await.unwrap();
    assert!(failed(bench.come_back(&begun).await).contains("finished before"));
    assert_eq!(bench.issuer.calls("exchange"), 1);
}

#[tokio::test]
async fn what_comes_back_must_be_complete_in_time_and_from_our_issuer() {
    let bench = Bench::new();
    let late = bench.begin().await;
    bench.pass(10);
    assert!(failed(bench.come_back(&late).await).contains("ten minutes"));
    assert!(failed(bench.finish(&Callback::default()).await).contains("without a state"));
    let unknown = Begun { state: "unknown".into(), browser: late.browser.clone() };
    assert!(failed(bench.come_back(&unknown).await).contains("never begun"));
    type Change = fn(&mut Callback<'static>);
    let cases: [(Change, &str); 3] = [
        (|it| it.code = None, "without a code"),
        (|it| it.issuer = Some("https://evil.example"), "another identity provider"),
        (|it| it.code = Some("stale"), "does not take its code"),
    ];
    for (change, why) in cases {
        let begun = bench.begin().await;
        let mut callback = Callback { code: Some("code"), ..Callback::default() };
        change(&mut callback);
        let callback = Callback { state: Some(&begun.state), browser: Some(&begun.browser), ..callback };
        assert!(failed(bench.finish(&callback).await).contains(why), "{why}");
    }
    let begun = bench.begin().await;
    let refused = Callback {
        state: Some(&begun.state),
        browser: Some(&begun.browser),
        error: Some("access_denied\r\n<script>"),
        ..Callback::default()
    };
    let error = bench.finish(&refused).await.err().unwrap();
    assert!(matches!(&error, SignInError::Denied(code) if code == "access_deniedscript"), "{error:?}");
    assert!(bench.table.items().is_empty(), "{:?}", bench.kinds());
}

#[tokio::test]
async fn tokens_of_another_sign_in_or_of_two_people_or_without_a_role_make_no_session() {
    let bench = Bench::new();
    type Change = fn(&mut issuer::State);
    let cases: [Change; 5] = [
        |it| it.nonce = "another".into(),
        |it| it.nonce = String::new(),
        |it| it.id_subject = Some("somebody else".into()),
        |it| it.gives_id_token = false,
        |it| it.role = None,
    ];
    for (at, change) in cases.into_iter().enumerate() {
        bench.issuer.set(|it| *it = issuer::State::default());
        let begun = bench.begin().await;
        bench.issuer.set(change);
        assert!(bench.come_back(&begun).await.is_err(), "case {at}");
    }
    assert!(bench.table.items().is_empty(), "{:?}", bench.kinds());
}

#[tokio::test]
async fn a_new_sign_in_ends_the_browsers_former_session() {
    let bench = Bench::new();
    let before = bench.signed_in().await;
    let begun = bench.begin().await;
    let callback = Callback {
        state: Some(&begun.state),
        code: Some("code"),
        browser: Some(&begun.browser),
        previous: Some(&before),
        ..Callback::default()
    };
    let login = bench.finish(&callback).await.unwrap();
    assert!(matches!(read_session(&bench.ctx, &before).await, Err(SignInError::Over)));
    assert!(read_session(&bench.ctx, &login.cookie).await.is_ok());
}

#[tokio::test]
async fn while_the_issuer_is_away_nobody_signs_in_and_nothing_is_left() {
    let bench = Bench::new();
    bench.issuer.set(|it| it.down = true);
    let error = begin_login(&bench.ctx, &bench.issuer, None, None).await.err().unwrap();
    assert!(matches!(error, AppError::Unavailable(_)));
    bench.issuer.set(|it| it.down = false);
    let begun = bench.begin().await;
    bench.issuer.set(|it| it.down = true);
    let error = bench.come_back(&begun).await.err().unwrap();
    assert!(matches!(error, SignInError::App(AppError::Unavailable(_))), "{error:?}");
    assert!(bench.table.items().is_empty());
}

#[tokio::test]
async fn a_refresh_does_nothing_before_its_time_and_fetches_new_tokens_then() {
    let bench = Bench::new();
    let cookie = bench.signed_in().await;
    bench.pass(3);
    bench.refresh(&cookie).await.unwrap();
    assert_eq!(bench.issuer.calls("refresh"), 0);
    bench.pass(1);
    bench.issuer.set(|it| it.role = Some(Role::User));
    let session = bench.refresh(&cookie).await.unwrap();
    assert_eq!(bench.issuer.calls("refresh"), 1);
    assert_eq!(session.access_expires_at, bench.clock.now() + SignedDuration::from_mins(5));
    // A role that was taken away at the issuer is gone here from then on.
    assert_eq!(read_session(&bench.ctx, &cookie).await.unwrap().session.person.role, Role::User);
    assert_eq!(bench.kinds(), ["SESSION"], "the lease is given back");
}

#[tokio::test]
async fn a_session_whose_access_token_ended_is_good_for_a_refresh_only() {
    let bench = Bench::new();
    let cookie = bench.signed_in().await;
    bench.pass(6);
    assert!(matches!(read_session(&bench.ctx, &cookie).await, Err(SignInError::RefreshNeeded)));
    bench.refresh(&cookie).await.unwrap();
    assert!(read_session(&bench.ctx, &cookie).await.is_ok());
}

#[tokio::test]
async fn two_tabs_that_refresh_at_once_use_one_refresh_token_and_both_stay_signed_in() {
    let bench = Bench::new();
    let cookie = bench.signed_in().await;
    for round in 1..=20 {
        bench.pass(4);
        let (one, other, third) =
            futures::join!(bench.refresh(&cookie), bench.refresh(&cookie), bench.refresh(&cookie));
        assert!(one.is_ok() && other.is_ok() && third.is_ok(), "round {round}: {one:?} {other:?} {third:?}");
        assert_eq!(bench.issuer.calls("refresh"), round);
    }
    // Once the access token has ended, who comes second is told to come back.
    bench.pass(6);
    let (one, other) = futures::join!(bench.refresh(&cookie), bench.refresh(&cookie));
    assert!(one.is_ok() && matches!(other, Err(SignInError::RefreshUnderWay)), "{one:?} {other:?}");
    assert!(bench.refresh(&cookie).await.is_ok());
    assert_eq!(bench.issuer.calls("refresh"), 21);
}

#[tokio::test]
async fn a_lease_left_by_a_crash_keeps_nobody_out_for_long() {
    let bench = Bench::new();
    let cookie = bench.signed_in().await;
    bench.pass(6);
    let (id, now) = (hash(&cookie), bench.clock.now());
    let left = bench.ctx.store.take_lease("session", &id, 7, now, SignedDuration::from_secs(15)).await.unwrap();
    assert!(left.is_some());
    assert!(matches!(bench.refresh(&cookie).await, Err(SignInError::RefreshUnderWay)));
    bench.clock.advance(SignedDuration::from_secs(17));
    bench.refresh(&cookie).await.unwrap();
    // Its holder, should it wake up, takes nobody's lease away.
    let theirs = bench.ctx.store.take_lease("session", &id, 8, bench.clock.now(), SignedDuration::from_secs(15)).await;
    assert!(theirs.unwrap().is_some());
    bench.ctx.store.give_back(left.unwrap()).await.unwrap();
    assert_eq!(bench.kinds(), ["LEASE", "SESSION"]);
}

#[tokio::test]
async fn a_refresh_token_that_the_issuer_does_not_take_ends_the_session() {
    let bench = Bench::new();
    let cookie = bench.signed_in().await;
    // Somebody used it before us: the issuer ends the whole family.
    bench.issuer.set(|it| it.good = "another".into());
    bench.pass(4);
    assert!(matches!(bench.refresh(&cookie).await, Err(SignInError::Over)));
    assert!(bench.table.items().is_empty());
    assert!(matches!(bench.refresh(&cookie).await, Err(SignInError::Over)));
    assert_eq!(bench.issuer.calls("refresh"), 1);
}

#[tokio::test]
async fn while_the_issuer_is_away_sessions_stay_as_they_are() {
    let bench = Bench::new();
    let cookie = bench.signed_in().await;
    bench.pass(4);
    bench.issuer.set(|it| it.down = true);
    let error = bench.refresh(&cookie).await.unwrap_err();
    assert!(matches!(error, SignInError::App(AppError::Unavailable(_))), "{error:?}");
    assert!(read_session(&bench.ctx, &cookie).await.is_ok());
    bench.issuer.set(|it| it.down = false);
    bench.refresh(&cookie).await.unwrap();
}

#[tokio::test]
async fn new_tokens_that_cannot_be_checked_yet_are_not_lost() {
    let bench = Bench::new();
    let cookie = bench.signed_in().await;
    bench.pass(4);
    bench.issuer.set(|it| it.keys_down = true);
    let error = bench.refresh(&cookie).await.unwrap_err();
    assert!(matches!(error, SignInError::App(AppError::Unavailable(_))), "{error:?}");
    bench.issuer.set(|it| it.keys_down = false);
    // The issuer has rotated the refresh token: the new one was kept.
    bench.refresh(&cookie).await.unwrap();
    assert_eq!(bench.issuer.calls("refresh"), 2);
}

#[tokio::test]
async fn somebody_elses_tokens_or_none_with_a_role_end_the_session() {
    type Change = fn(&mut issuer::State);
    let cases: [Change; 3] =
        [|it| it.role = None, |it| it.subject = "somebody else".into(), |it| it.id_subject = Some("mallory".into())];
    for change in cases {
        let bench = Bench::new();
        let cookie = bench.signed_in().await;
        bench.pass(4);
        bench.issuer.set(change);
        assert!(matches!(bench.refresh(&cookie).await, Err(SignInError::Over)));
        assert!(bench.table.items().is_empty());
    }
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_and_at_its_end_whatever_happens() {
    let bench = Bench::new();
    let unused = bench.signed_in().await;
    bench.pass(120);
    assert!(matches!(read_session(&bench.ctx, &unused).await, Err(SignInError::Over)));
    assert!(matches!(bench.refresh(&unused).await, Err(SignInError::Over)));
    let used = bench.signed_in().await;
    for _ in 0..10 {
        bench.pass(59);
        bench.refresh(&used).await.unwrap();
    }
    bench.pass(10);
    assert!(matches!(bench.refresh(&used).await, Err(SignInError::Over)));
    assert_eq!(bench.issuer.calls("refresh"), 10);
}

#[tokio::test]
async fn where_access_tokens_outlive_the_idle_time_a_refresh_notes_the_use() {
    let bench = Bench::new();
    bench.issuer.set(|it| it.access_minutes = 24 * 60);
    let cookie = bench.signed_in().await;
    for _ in 0..5 {
        bench.pass(70);
        bench.refresh(&cookie).await.unwrap();
    }
    assert!(read_session(&bench.ctx, &cookie).await.is_ok());
    assert_eq!(bench.issuer.calls("refresh"), 0);
}

#[tokio::test]
async fn signing_out_ends_the_session_here_and_at_the_issuer() {
    let bench = Bench::new();
    let cookie = bench.signed_in().await;
    let url = end_session(&bench.ctx, &bench.issuer, &PlainSealer, &cookie).await.unwrap().unwrap();
    assert_eq!(url, "https://id.example.com/logout?to=https://ccm.example.com/&hint=true");
    assert!(bench.table.items().is_empty());
    assert_eq!(bench.issuer.calls("revoke"), 1);
    assert!(matches!(read_session(&bench.ctx, &cookie).await, Err(SignInError::Over)));
    // Twice is no error, and tells the issuer nothing.
    assert_eq!(end_session(&bench.ctx, &bench.issuer, &PlainSealer, &cookie).await.unwrap(), None);
    assert_eq!(bench.issuer.calls("revoke"), 1);
}

#[tokio::test]
async fn signing_out_works_while_the_issuer_is_away() {
    let bench = Bench::new();
    let cookie = bench.signed_in().await;
    bench.issuer.set(|it| it.down = true);
    assert_eq!(end_session(&bench.ctx, &bench.issuer, &PlainSealer, &cookie).await.unwrap(), None);
    assert!(bench.table.items().is_empty());
}

#[tokio::test]
async fn whoever_signs_out_while_a_tab_refreshes_is_signed_out() {
    let bench = Bench::new();
    let cookie = bench.signed_in().await;
    bench.pass(4);
    let (refreshed, ended) =
        futures::join!(bench.refresh(&cookie), end_session(&bench.ctx, &bench.issuer, &PlainSealer, &cookie));
    assert!(ended.is_ok() && matches!(refreshed, Err(SignInError::Over)), "{refreshed:?}");
    assert!(bench.table.items().is_empty(), "{:?}", bench.kinds());
    // What the issuer gave to nobody is revoked too.
    assert_eq!(bench.issuer.calls("revoke"), 2);
}

#[tokio::test]
async fn a_write_that_fails_leaves_a_session_that_can_be_refreshed_or_is_over() {
    for writes in 0..4 {
        let bench = Bench::new();
        let cookie = bench.signed_in().await;
        bench.pass(4);
        bench.table.fail_writes_after(writes);
        let outcome = bench.refresh(&cookie).await;
        bench.table.heal();
        match writes {
            // Before the issuer was asked nothing is lost; after it the refresh token is.
            0 => assert!(outcome.is_err() && bench.refresh(&cookie).await.is_ok()),
            1 => {
                assert!(outcome.is_err());
                bench.clock.advance(SignedDuration::from_secs(17));
                assert!(matches!(bench.refresh(&cookie).await, Err(SignInError::Over)));
            }
            _ => assert!(outcome.is_ok(), "{outcome:?}"),
        }
    }
}
