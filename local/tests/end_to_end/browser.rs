//! Signing in with a real browser: Debian's chromium, which `tests/browser/sign-in.mjs` drives, at the
//! development issuer and at Keycloak. `make test-all` installs what it needs and starts Keycloak.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, Response};
use serde_json::{Value, json};

use crate::process::{Product, log_file};

const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");
/// How long the browser may take: more than what `sign-in.mjs` gives itself, which then closes it.
const PATIENCE: Duration = Duration::from_secs(300);
/// So short that `sign-in.mjs` waits until a refresh is due, at half of it.
const SHORT_TOKEN_SECS: u32 = 20;

#[test]
fn a_person_signs_in_with_chromium_stays_in_with_two_tabs_and_signs_out() {
    let data = tempfile::tempdir().unwrap();
    sign_in(&Product::launch(data.path(), |command| command), "development");
}

#[test]
fn a_person_signs_in_with_chromium_at_keycloak_stays_in_with_two_tabs_and_signs_out() {
    let issuer = realm_with_short_tokens("in-a-browser");
    let data = tempfile::tempdir().unwrap();
    let product = Product::launch(data.path(), |command| command.args(["--issuer", &issuer]));
    let development = product.status("/dev/oidc/.well-known/openid-configuration");
    assert_eq!(development, 404, "the development issuer is off");
    sign_in(&product, "keycloak");
}

#[test]
fn an_issuer_that_is_not_there_is_named_when_the_product_starts() {
    let data = tempfile::tempdir().unwrap();
    // Port 9 of loopback: nobody listens there.
    let issuer = "http://127.0.0.1:9/realms/none";
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    command.args(["--port", "0", "--issuer", issuer, "--data-dir"]).arg(data.path()).stdin(Stdio::null());
    let ended = command.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(!ended.status.success() && said.contains(issuer) && said.contains("--issuer"), "{said}");
}

/// A person's day with one browser, as `sign-in.mjs` tells it.
fn sign_in(product: &Product, issuer: &str) {
    let (log, secrets) = (log_file(&format!("browser-{issuer}.log")), log_file(&format!("browser-{issuer}.secrets")));
    // Those of another run are not of this one.
    File::create(&secrets).expect("a file");
    let output = File::create(&log).expect("a log");
    let mut browser = Browser(
        Command::new("node")
            .arg(Path::new(PACKAGE).join("../tests/browser/sign-in.mjs"))
            .args([&product.base, issuer])
            .env("NOTED_SECRETS", &secrets)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("the log"))
            .stderr(output)
            .spawn()
            .expect("node runs"),
    );
    let status = browser.ended();
    let said = std::fs::read_to_string(&log).expect("the log");
    assert!(status.success(), "{said}");
    assert!(said.contains("ok  two tabs refreshed at once"), "{said}");
    assert_eq!(said.contains("(the token was fresh)"), issuer == "development", "{said}");
    assert!(said.contains("ok  a session that took another's place is refreshed"), "{said}");
    assert!(said.contains("ok  a __Host- cookie over http://127.0.0.1 is kept"), "{said}");
    assert!(said.contains("ok  the issuer's session has ended too"), "{said}");
}

/// The process that drives the browser, and closes it when it ends; told to end when dropped.
struct Browser(Child);

impl Browser {
    fn ended(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().expect("a child") {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the browser does not end");
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            // Killed outright it could not close the browser.
            let _told = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
            let _ended = self.0.wait();
        }
    }
}

/// A copy of our realm on the Keycloak of the tests, whose access tokens are so short that each refresh is a
/// real one: its issuer.
fn realm_with_short_tokens(name: &str) -> String {
    let (url, password) = (set_up("WIRE_KEYCLOAK_URL"), set_up("WIRE_KEYCLOAK_ADMIN_PASSWORD"));
    let _already = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().expect("a client");
    let form = format!("grant_type=password&client_id=admin-cli&username=admin&password={password}");
    let token = client
        .post(format!("{url}/realms/master/protocol/openid-connect/token"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    let token: Value = token.send().and_then(Response::json).expect("a token");
    let text = std::fs::read_to_string(format!("{PACKAGE}/../infra/keycloak/realm.json")).expect("our realm");
    let mut realm: Value = serde_json::from_str(&text).expect("JSON");
    realm["realm"] = json!(name);
    realm["accessTokenLifespan"] = json!(SHORT_TOKEN_SECS);
    let administrator = token["access_token"].as_str().expect("the administrator signs in");
    let made =
        client.post(format!("{url}/admin/realms")).bearer_auth(administrator).json(&realm).send().expect("an answer");
    assert_eq!(made.status(), 201, "{}", made.text().unwrap_or_default());
    format!("{url}/realms/{name}")
}

/// A variable that `make test-all` sets.
#[expect(clippy::disallowed_methods, reason = "a test reads what its runner set up")]
fn set_up(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run these tests with `make test-all`"))
}
