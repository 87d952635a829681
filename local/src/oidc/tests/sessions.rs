//! Browser sessions against this issuer, over HTTP: its refresh tokens are good once, so that a second use of
//! one would show.

use std::net::Ipv4Addr;

use app::ports::{Outgoing, PortError, Queue, Queues};
use app::sign_in::SignInError;
use app::testing::MemoryTable;
use app::use_cases::begin_login::begin_login;
use app::use_cases::end_session::end_session;
use app::use_cases::finish_login::{Callback, finish_login};
use app::use_cases::read_session::read_session;
use app::use_cases::refresh_session::{Issuer as Refresher, refresh_session};
use app::{Context, Settings};
use async_trait::async_trait;
use functions::{HttpKeys, IssuerHttp, OidcClient, OidcConfig};
use http_api::token::{AuthConfig, Authenticator, RoleRules, StoredKeys};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::*;
use crate::sealer::LocalSealer;

struct NoQueues;

#[async_trait]
impl Queues for NoQueues {
    async fn send(&self, _: Queue, _: Vec<Outgoing>) -> Result<(), PortError> {
        Err(PortError::new("sqs", "signing in sends nothing"))
    }
}

/// The issuer on a port of its own, and everything that signs in with it.
struct Served {
    ctx: Context,
    machine: Arc<ManualClock>,
    issuer: Issuer,
    client: OidcClient,
    auth: Authenticator,
    sealer: LocalSealer,
    server: AbortHandle,
    _folder: tempfile::TempDir,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn served() -> Served {
    let machine = Arc::new(ManualClock::at("2026-11-20T10:00:00Z".parse().unwrap()));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let documents = Documents::in_memory().unwrap();
    let random = Arc::new(CountingRandom::default());
    let issuer = Issuer::open(&base, &documents, machine.clone(), random.clone()).unwrap();
    let router = Router::new().nest(PATH, issuer.router());
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }).abort_handle();
    let mut settings = Settings::new("123456789012".parse().unwrap());
    settings.public_url = Some(base.parse().unwrap());
    let table = Arc::<MemoryTable>::default();
    let ctx = Context::new(table, Arc::new(NoQueues), machine.clone(), machine.clone(), random, settings);
    let config = OidcConfig {
        issuer: issuer.url().to_owned(),
        internal_issuer: issuer.url().to_owned(),
        client_id: CLIENT_ID.to_owned(),
        logout_url: None,
    };
    let audiences = vec![CLIENT_ID.to_owned()];
    let accepted =
        AuthConfig { issuer: issuer.url().to_owned(), roles: RoleRules::usual(&audiences), audiences, leeway_secs: 60 };
    let http = IssuerHttp::new().unwrap();
    let source = Arc::new(HttpKeys::new(issuer.jwks_url(), &http));
    let keys = StoredKeys::new(issuer.url().to_owned(), source, ctx.store.clone(), machine.clone(), true);
    let folder = tempfile::tempdir().unwrap();
    Served {
        ctx,
        client: OidcClient::new(config, machine.clone(), &http),
        auth: Authenticator::new(accepted, Arc::new(keys), machine.clone()),
        sealer: LocalSealer::open(&folder.path().join("sealing-key")).unwrap(),
        machine,
        issuer,
        server,
        _folder: folder,
    }
}

impl Served {
    /// The cookie of the user who signs in with the form.
    async fn sign_in(&self) -> String {
        let begun = begin_login(&self.ctx, &self.client, None, None).await.unwrap();
        let url = url::Url::parse(&begun.url).unwrap();
        let mut fields: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        fields.extend([("username".into(), "user".into()), ("password".into(), PASSWORD.into())]);
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let form = Request::post("/authorize").header("content-type", "application/x-www-form-urlencoded");
        let answer = self.issuer.router().oneshot(form.body(Body::from(body)).unwrap()).await.unwrap();
        let back = url::Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
        assert_eq!(back.path(), "/api/auth/callback");
        let query: BTreeMap<String, String> = back.query_pairs().into_owned().collect();
        let callback = Callback {
            state: query.get("state").map(String::as_str),
            code: query.get("code").map(String::as_str),
            issuer: query.get("iss").map(String::as_str),
            browser: Some(&begun.browser),
            ..Callback::default()
        };
        finish_login(&self.ctx, &self.client, &self.auth, &self.sealer, &callback).await.unwrap().cookie
    }

    async fn refresh(&self, cookie: &str) -> Result<domain::session::Session, SignInError> {
        let refresher = Refresher { provider: &self.client, tokens: &self.auth, sealer: &self.sealer };
        refresh_session(&self.ctx, refresher, cookie).await
    }
}

#[tokio::test]
async fn tabs_that_refresh_at_once_all_day_stay_signed_in() {
    let served = served().await;
    let cookie = served.sign_in().await;
    for _ in 0..5 {
        served.machine.advance(SignedDuration::from_mins(2 * 60 - 1));
        let before = read_session(&served.ctx, &cookie).await.unwrap().session.access_expires_at;
        let (one, other, third) =
            futures::join!(served.refresh(&cookie), served.refresh(&cookie), served.refresh(&cookie));
        assert!(one.is_ok() && other.is_ok() && third.is_ok(), "{one:?} {other:?} {third:?}");
        let after = read_session(&served.ctx, &cookie).await.unwrap().session.access_expires_at;
        assert!(after > before);
    }
}

#[tokio::test]
async fn a_refresh_token_used_by_somebody_else_ends_the_session() {
    let served = served().await;
    let cookie = served.sign_in().await;
    // The table is restored to what it was before a refresh: the token in it was used.
    let before = read_session(&served.ctx, &cookie).await.unwrap();
    served.machine.advance(SignedDuration::from_mins(2 * 60 - 1));
    served.refresh(&cookie).await.unwrap();
    let mut now = read_session(&served.ctx, &cookie).await.unwrap();
    now.sealed = before.sealed;
    assert!(served.ctx.store.save_session(&mut now).await.unwrap());
    served.machine.advance(SignedDuration::from_mins(2 * 60 - 1));
    assert!(matches!(served.refresh(&cookie).await, Err(SignInError::Over)));
    assert!(matches!(read_session(&served.ctx, &cookie).await, Err(SignInError::Over)));
}

#[tokio::test]
async fn signing_out_revokes_the_refresh_token_and_leads_to_the_issuer() {
    let served = served().await;
    let cookie = served.sign_in().await;
    let stored = read_session(&served.ctx, &cookie).await.unwrap();
    let url = end_session(&served.ctx, &served.client, &served.sealer, &cookie).await.unwrap().unwrap();
    assert!(url.starts_with(&format!("{}/logout?client_id={CLIENT_ID}&post_logout", served.issuer.url())), "{url}");
    // Should somebody bring the session back, its refresh token is worth nothing.
    let mut revived = app::store::StoredSession { version: 0, ..stored };
    assert!(served.ctx.store.save_session(&mut revived).await.unwrap());
    served.machine.advance(SignedDuration::from_mins(2 * 60 - 1));
    assert!(matches!(served.refresh(&cookie).await, Err(SignInError::Over)));
}
