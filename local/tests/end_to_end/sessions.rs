//! Signing in by browser, as a browser does it: the real binary, redirects and cookies followed by hand.

use std::collections::BTreeMap;
use std::path::Path;

use reqwest::Url;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::redirect::Policy;
use serde_json::{Value, json};

use super::process::Product;

/// A browser with one jar for one site, where it follows no redirect by itself.
struct Browser<'a> {
    base: &'a str,
    client: Client,
    jar: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    fn new(product: &'a Product) -> Self {
        let client = Client::builder().redirect(Policy::none()).build().expect("a client");
        Self { base: &product.base, client, jar: BTreeMap::new() }
    }

    fn get(&mut self, path: &str) -> Response {
        let request = self.client.get(self.address(path));
        self.send(request)
    }

    /// A page of the product does it.
    fn post(&mut self, path: &str) -> Response {
        let request = self.client.post(self.address(path)).header("origin", self.base);
        self.send(request)
    }

    fn address(&self, path: &str) -> String {
        if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) }
    }

    fn send(&mut self, mut request: RequestBuilder) -> Response {
        let cookies: Vec<_> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        let answer = request.send().expect("an answer");
        for set in answer.headers().get_all("set-cookie") {
            let set = set.to_str().expect("text");
            assert!(set.contains("; HttpOnly") && set.contains("; SameSite=Lax"), "{set}");
            let (name, value) = set.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            if set.contains("; Max-Age=0;") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Signs in with the issuer's form; where that leads.
    fn sign_in(&mut self, path: &str, username: &str) -> String {
        let authorize = location(&self.get(path));
        let form = self.get(&authorize);
        assert!(form.text().expect("a page").contains("name=\"password\""));
        let url = Url::parse(&authorize).expect("an address");
        let mut fields: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        fields.extend([("username".into(), username.into()), ("password".into(), "test".into())]);
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let form = self.client.post(url.as_str()).header("content-type", "application/x-www-form-urlencoded");
        let callback = location(&self.send(form.body(body)));
        let back = self.get(&callback);
        assert_eq!(back.status(), 302, "{}", back.text().unwrap_or_default());
        location(&back)
    }
}

fn location(answer: &Response) -> String {
    assert!(answer.status().is_redirection(), "{}", answer.status());
    answer.headers()["location"].to_str().expect("text").to_owned()
}

fn read(answer: Response) -> (u16, Value) {
    (answer.status().as_u16(), answer.json().unwrap_or(Value::Null))
}

fn files_hold(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).expect("a folder").any(|entry| {
        let path = entry.expect("an entry").path();
        path.is_file() && std::fs::read(&path).expect("a file").windows(text.len()).any(|part| part == text.as_bytes())
    })
}

#[test]
fn a_person_signs_in_by_browser_works_and_signs_out() {
    let data = tempfile::tempdir().unwrap();
    let product = Product::start(data.path());
    let mut browser = Browser::new(&product);
    assert_eq!(browser.get("/api/auth/session").status(), 401);
    let landed = browser.sign_in("/api/auth/login?return_to=/api/docs", "manager");
    assert_eq!(landed, format!("{}/api/docs", product.base));

    let (status, session) = read(browser.get("/api/auth/session"));
    assert_eq!((status, &session["username"], &session["role"]), (200, &json!("manager"), &json!("manager")));
    assert_eq!(browser.get("/api/workers").status(), 200);
    let (status, me) = read(browser.get("/api/auth/me"));
    assert_eq!((status, &me["credential"]), (200, &json!("session")));
    let (status, refreshed) = read(browser.post("/api/auth/refresh"));
    assert_eq!((status, &refreshed), (200, &session), "nothing is due yet");

    // Another site's page has the browser send its cookie.
    let name = format!("ccm-session-{}", Url::parse(&product.base).unwrap().port().unwrap());
    let cookie = browser.jar[&name].clone();
    let forged = browser.client.post(format!("{}/api/auth/logout", product.base));
    let forged = forged.header("origin", "http://evil.example").header("cookie", format!("{name}={cookie}"));
    let (status, problem) = read(forged.send().unwrap());
    assert_eq!((status, &problem["type"]), (403, &json!("urn:cml-cloud-manager:problem:cross_origin")));

    assert!(!files_hold(data.path(), &cookie), "the cookie's value is kept somewhere");
    // The session outlives the process: it, and the key of its tokens, are kept.
    let base = product.base.clone();
    let (status, logout) = read(browser.post("/api/auth/logout"));
    assert_eq!(status, 200, "{logout}");
    let out = logout["logout_url"].as_str().unwrap();
    assert!(out.starts_with(&format!("{base}/dev/oidc/logout?")) && !out.contains("eyJ"), "{out}");
    assert_eq!(location(&browser.get(out)), format!("{base}/"));
    assert!(!browser.jar.contains_key(&name));
    let again = browser.client.get(format!("{base}/api/auth/session")).header("cookie", format!("{name}={cookie}"));
    assert_eq!(again.send().unwrap().status(), 401);
}

#[test]
fn a_login_at_localhost_ends_in_a_session_at_the_address_that_the_issuer_sends_back_to() {
    let data = tempfile::tempdir().unwrap();
    let product = Product::start(data.path());
    let mut browser = Browser::new(&product);
    let localhost = product.base.replace("127.0.0.1", "localhost");
    let there = location(&browser.get(&format!("{localhost}/api/auth/login?return_to=/api/docs")));
    assert_eq!(there, format!("{}/api/auth/login?return_to=%2Fapi%2Fdocs", product.base));
    assert!(browser.jar.is_empty(), "nothing has begun at the other name");
    assert_eq!(browser.sign_in(&there, "user"), format!("{}/api/docs", product.base));
    assert_eq!(browser.get("/api/auth/session").status(), 200);
}
