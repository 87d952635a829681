//! Keycloak itself, with the realm of `infra/keycloak/realm.json`.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use domain::SignedDuration;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::set_up;
use super::sign_in::{Believer, client, form, send};
use crate::run_log;

const REALM: &str = "cml-cloud-manager";
const CLIENT_ID: &str = "cml-cloud-manager-public";
const USERS: [&str; 3] = ["admin", "manager", "user"];
const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

/// A realm of a Keycloak.
struct Realm {
    http: Client,
    base: String,
    name: String,
    admin_password: String,
}

impl Realm {
    /// The realm of the Keycloak that the tests share.
    fn shared() -> Self {
        let admin_password = set_up("WIRE_KEYCLOAK_ADMIN_PASSWORD");
        run_log::note_secret("keycloak", &admin_password);
        Self { http: client(), base: set_up("WIRE_KEYCLOAK_URL"), name: REALM.into(), admin_password }
    }

    /// A copy of it, for a test that changes it.
    async fn copied(name: &str) -> Self {
        let text = std::fs::read_to_string(format!("{PACKAGE}/../infra/keycloak/realm.json")).unwrap();
        let mut realm: Value = serde_json::from_str(&text).unwrap();
        realm["realm"] = json!(name);
        let copy = Self { name: name.into(), ..Self::shared() };
        copy.admin(Method::POST, "", &realm).await;
        copy
    }

    fn issuer(&self) -> String {
        format!("{}/realms/{}", self.base, self.name)
    }

    fn believer(&self) -> Believer {
        let issuer = self.issuer();
        Believer::new(&issuer, CLIENT_ID, &format!("{issuer}/protocol/openid-connect/certs"))
    }

    async fn tokens(&self, realm: &str, fields: &[(&str, &str)]) -> Value {
        let url = format!("{}/realms/{realm}/protocol/openid-connect/token", self.base);
        send(form(self.http.post(url), fields)).await
    }

    /// Signs a user in as curl does.
    async fn sign_in(&self, user: &str) -> Value {
        let who = [("username", user), ("password", "test"), ("scope", "openid")];
        self.tokens(&self.name, &[&[("grant_type", "password"), ("client_id", CLIENT_ID)], &who[..]].concat()).await
    }

    async fn access_token(&self, user: &str) -> String {
        text(&self.sign_in(user).await["access_token"])
    }

    /// A call of the admin API below `/admin/realms`.
    async fn admin(&self, method: Method, path: &str, body: &Value) -> Value {
        let url = format!("{}/admin/realms{path}", self.base);
        send(self.http.request(method, url).bearer_auth(self.admin_token().await).json(body)).await
    }

    /// A token of Keycloak's administrator, who is in a realm of its own. It lives a minute.
    async fn admin_token(&self) -> String {
        let who = [("username", "admin"), ("password", self.admin_password.as_str())];
        let grant = [&[("grant_type", "password"), ("client_id", "admin-cli")], &who[..]].concat();
        text(&self.tokens("master", &grant).await["access_token"])
    }

    /// Makes a new key, which signs from now on.
    async fn add_signing_key(&self, priority: u32) {
        let kind = "org.keycloak.keys.KeyProvider";
        let config = json!({"priority": [priority.to_string()], "algorithm": ["RS256"]});
        let provider = json!({
            "name": format!("new-{priority}"), "providerId": "rsa-generated", "providerType": kind, "config": config,
        });
        self.admin(Method::POST, &format!("/{}/components", self.name), &provider).await;
    }

    /// Takes the key away that signed first.
    async fn remove_first_signing_key(&self) {
        let path = format!("/{}/components", self.name);
        let providers = self.admin(Method::GET, &format!("{path}?name=rsa-generated"), &Value::Null).await;
        let id = text(&providers[0]["id"]);
        self.admin(Method::DELETE, &format!("{path}/{id}"), &Value::Null).await;
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not text: {value}")).to_owned()
}

/// A person with a client that signs in again when it is told 401.
struct Person<'a> {
    realm: &'a Realm,
    name: &'static str,
    token: String,
    refused: u32,
}

impl<'a> Person<'a> {
    async fn new(realm: &'a Realm, name: &'static str) -> Self {
        Self { realm, name, token: realm.access_token(name).await, refused: 0 }
    }

    async fn call(&mut self, believer: &Believer) -> u16 {
        let status = believer.status(&self.token).await;
        if status != 200 {
            self.refused += 1;
        }
        if status == 401 {
            self.token = self.realm.access_token(self.name).await;
        }
        status
    }
}

#[tokio::test]
async fn a_realm_role_opens_what_it_should() {
    let realm = Realm::shared();
    let believer = realm.believer();
    for (user, statuses) in USERS.iter().zip([[200, 404, 404], [200, 404, 403], [200, 403, 403]]) {
        assert_eq!(believer.statuses(&realm.access_token(user).await).await, statuses, "{user}");
    }
}

#[tokio::test]
async fn only_the_access_token_is_taken() {
    let realm = Realm::shared();
    let believer = realm.believer();
    let tokens = realm.sign_in("admin").await;
    assert_eq!(believer.status(&text(&tokens["access_token"])).await, 200);
    assert!(believer.refusal(&text(&tokens["id_token"])).await.contains("not an access token"));
    // Keycloak signs its refresh tokens with a secret of its own.
    assert!(believer.refusal(&text(&tokens["refresh_token"])).await.contains("not signed with"));
}

#[tokio::test]
async fn a_token_of_another_realm_is_refused() {
    let realm = Realm::shared();
    let token = realm.admin_token().await;
    assert!(realm.believer().refusal(&token).await.contains("does not have"));
}

#[tokio::test]
async fn a_token_for_another_client_is_refused() {
    let realm = Realm::shared();
    let other = json!({"clientId": "other", "publicClient": true, "directAccessGrantsEnabled": true});
    realm.admin(Method::POST, "/cml-cloud-manager/clients", &other).await;
    let grant = [("grant_type", "password"), ("client_id", "other"), ("username", "admin"), ("password", "test")];
    let token = text(&realm.tokens(REALM, &grant).await["access_token"]);
    assert!(realm.believer().refusal(&token).await.contains("another audience"));
}

#[tokio::test]
async fn an_expired_token_is_refused() {
    let realm = Realm::shared();
    let believer = realm.believer();
    let token = realm.access_token("user").await;
    // Five minutes is what it lives, a minute how far clocks may be apart.
    believer.clock.advance(SignedDuration::from_mins(5));
    assert_eq!(believer.status(&token).await, 200);
    believer.clock.advance(SignedDuration::from_mins(1));
    assert!(believer.refusal(&token).await.contains("expired"));
}

#[tokio::test]
async fn a_new_key_costs_nobody_more_than_one_request() {
    let realm = Realm::copied("rotating").await;
    let believer = realm.believer();
    let old = realm.access_token("user").await;
    let (rotated, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let calls = async {
        let mut people = vec![];
        for name in USERS {
            people.push(Person::new(&realm, name).await);
        }
        while !done.load(Ordering::SeqCst) {
            for person in &mut people {
                if rotated.load(Ordering::SeqCst) {
                    person.token = realm.access_token(person.name).await;
                }
                person.call(&believer).await;
            }
            tokio::task::yield_now().await;
        }
        // Now that it is over, everybody has called with a new token, and calls once more with the same.
        for person in &mut people {
            person.token = realm.access_token(person.name).await;
            person.call(&believer).await;
            assert_eq!(person.call(&believer).await, 200, "{}", person.name);
        }
        people.into_iter().map(|person| (person.name, person.refused)).collect::<Vec<_>>()
    };
    let rotation = async {
        assert_eq!(believer.status(&old).await, 200);
        realm.add_signing_key(200).await;
        rotated.store(true, Ordering::SeqCst);
        let new = realm.access_token("admin").await;
        assert_ne!(key_of(&new), key_of(&old), "Keycloak signs with another key");
        realm.remove_first_signing_key().await;
        done.store(true, Ordering::SeqCst);
    };
    let (refused, ()) = futures::join!(calls, rotation);
    for (name, times) in refused {
        assert!(times <= 1, "{name} was refused {times} times");
    }

    // The removed key is believed until the keys are read again, within the hour; its tokens live five minutes.
    let late = realm.believer();
    assert!(late.refusal(&old).await.contains("does not have"), "whoever reads the keys now does not know the old one");
}

/// The id of the key that signed a token.
fn key_of(token: &str) -> Option<String> {
    jsonwebtoken::decode_header(token).unwrap().kid
}

#[tokio::test]
async fn a_restarted_keycloak_with_new_keys_costs_nobody_more_than_one_request() {
    let mut own = OwnKeycloak::start("restarted").await;
    let realm = own.realm();
    let believer = realm.believer();
    let mut people = vec![];
    for name in USERS {
        people.push(Person::new(&realm, name).await);
    }
    for person in &mut people {
        assert_eq!(person.call(&believer).await, 200);
    }

    own.stop().await;
    for person in &mut people {
        assert_eq!(person.call(&believer).await, 200, "known keys serve while it is down");
    }
    let old = people[0].token.clone();

    own.restart().await;
    for person in &mut people {
        // Its sessions are gone: the clients have nothing left to refresh.
        person.token = realm.access_token(person.name).await;
        assert_ne!(key_of(&person.token), key_of(&old), "it has new keys");
    }
    for round in 0..3 {
        for person in &mut people {
            let status = person.call(&believer).await;
            assert!(round == 0 || status == 200, "{}: {status}", person.name);
        }
    }
    for person in people {
        assert!(person.refused <= 1, "{} was refused {} times", person.name, person.refused);
    }
    assert!(believer.refusal(&old).await.contains("does not have"));
}

/// A Keycloak of the test's own, on one port and with a database in memory: each start has new keys.
struct OwnKeycloak {
    directory: String,
    port: u16,
    process: Child,
}

impl OwnKeycloak {
    async fn start(name: &str) -> Self {
        let directory = format!("{}/keycloak-{name}-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Self::spawn(&directory, port);
        let mut own = Self { directory, port, process };
        own.ready().await;
        own
    }

    fn spawn(directory: &str, port: u16) -> Child {
        let mut command = Command::new(format!("{PACKAGE}/emulators/keycloak/serve"));
        command.arg(port.to_string()).arg(directory).env("KC_BOOTSTRAP_ADMIN_PASSWORD", "test");
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap()
    }

    /// It imports the realm before it listens.
    async fn ready(&mut self) {
        let mut tick = tokio::time::interval(Duration::from_millis(250));
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            assert_eq!(self.process.try_wait().unwrap(), None, "Keycloak ended");
            assert!(started.elapsed() < Duration::from_secs(300), "Keycloak does not answer");
            tick.tick().await;
        }
    }

    async fn stop(&mut self) {
        self.process.kill().await.unwrap();
    }

    async fn restart(&mut self) {
        self.process = Self::spawn(&self.directory, self.port);
        self.ready().await;
    }

    fn realm(&self) -> Realm {
        let base = format!("http://127.0.0.1:{}", self.port);
        Realm { http: client(), base, name: REALM.into(), admin_password: "test".into() }
    }
}

impl Drop for OwnKeycloak {
    fn drop(&mut self) {
        // The process is killed with the handle; what it still writes meanwhile may keep a file or two.
        let _removed = std::fs::remove_dir_all(&self.directory);
    }
}
