//! No log of a whole run of `make test-all` shows a secret: of the tests' own process, of each function's
//! release binary, of each product that was started, each with everything that our crates have to say.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use crate::handlers::world;
use crate::run_log;

/// What secrets look like.
const PATTERNS: [(&str, &str); 4] = [
    ("a token", r"eyJ[\w-]{8,}\.[\w-]{8,}"),
    ("an API key", r"ccm_[0-9a-z]{12}_[\w-]{16,}"),
    ("a cookie", r"(?i)\b(session|login)(-\d+)?=[\w-]{16,}"),
    // As a field of a log, of JSON, of a form or of a structure; `password: must be ...` is a message.
    ("a password", r#"(?i)(password|secret|code_verifier|refresh_token|id_token_hint)\\?"?(=|": ?|: ")[^\s&]"#),
];

/// Secrets of the fixtures and of the simulated world, which look like nothing.
const KNOWN: [&str; 6] = [
    world::SESSION,
    "an example, not a secret",
    "anExampleNotAToken",
    "ccm-poller-password",
    "simulated-smart-account-token",
    "the-refresh-token-",
];

/// Names of the logs that a whole run leaves, by their beginning.
const LOGS: [&str; 4] = ["in-process", "lambda-", "local-", "browser-"];

/// Where a text shows a secret: what it is, and where, never the secret itself.
fn shown(text: &str, secrets: &[String]) -> Vec<String> {
    static COMPILED: LazyLock<[(&str, Regex); 4]> =
        LazyLock::new(|| PATTERNS.map(|(what, pattern)| (what, Regex::new(pattern).unwrap())));
    let mut shown = Vec::new();
    for (what, pattern) in &*COMPILED {
        shown.extend(pattern.find_iter(text).map(|found| format!("{what}: {}", place(text, found.start()))));
    }
    for secret in secrets {
        shown.extend(text.match_indices(secret).map(|(at, _)| format!("a known secret: {}", place(text, at))));
    }
    shown
}

/// The line, and what stands before the byte `at` in it.
fn place(text: &str, at: usize) -> String {
    let before = &text[..at];
    format!("line {}: {} ...", before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap_or_default())
}

/// The secrets that the tests of a run had, as they noted them: one in a line.
fn noted(folder: &Path) -> Vec<String> {
    let mut secrets: Vec<String> = KNOWN.map(str::to_owned).into();
    for file in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_some_and(|extension| extension == "secrets") {
            secrets.extend(fs::read_to_string(file).unwrap().lines().map(str::to_owned));
        }
    }
    secrets.retain(|secret| !secret.is_empty());
    secrets.sort();
    secrets.dedup();
    secrets
}

#[test]
#[ignore = "the last step of `make test-all`, once all logs are written"]
fn no_log_of_the_whole_run_shows_a_secret() {
    let folder = run_log::folder();
    let secrets = noted(&folder);
    assert!(secrets.len() > KNOWN.len(), "the browser noted what it had");
    let mut names = Vec::new();
    let mut found = String::new();
    for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        for place in shown(&text, &secrets) {
            found.push_str(&format!("{name}: {place}\n"));
        }
        if !text.is_empty() {
            names.push(name);
        }
    }
    for beginning in LOGS {
        assert!(names.iter().any(|name| name.starts_with(beginning)), "no log {beginning}* in {}", folder.display());
    }
    assert_eq!(found, "");
}

#[test]
fn each_kind_of_planted_secret_is_found_and_not_repeated() {
    let secrets = vec!["Zm9yLW9uZS10ZXN0LW9ubHk".to_owned()];
    let quiet = "INFO serve: signed in username=manager credential=\"session\"\n";
    assert_eq!(shown(quiet, &secrets), Vec::<String>::new());
    for (what, secret) in [
        ("a token", "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtYW5hZ2VyIn0.c2lnbmF0dXJl"),
        ("a token", "{\\\"access_token\\\":\\\"eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiJtYW5hZ2VyIn0"),
        ("an API key", "ccm_0123456789ab_ZXhhbXBsZS1zZXNzaW9uLXJlcGxhY2VkLWJ5LWNhbGxlcg"),
        ("a cookie", "__Host-session=ZXhhbXBsZS1zZXNzaW9uLXJl"),
        ("a cookie", "cookie: a=b; ccm-session-8000=ZXhhbXBsZS1zZXNzaW9uLXJl"),
        ("a cookie", "__Host-login=ZXhhbXBsZS1zZXNzaW9uLXJl"),
        ("a password", "grant_type=password&username=admin&password=test"),
        ("a password", r#"{"username": "admin", "password": "test"}"#),
        ("a password", r#"CmlCredentials { username: "ccm", password: "test" }"#),
        ("a password", "{\\\"refresh_token\\\":\\\"opaque"),
        ("a known secret", "header Zm9yLW9uZS10ZXN0LW9ubHk"),
    ] {
        let found = shown(&format!("{quiet}DEBUG before {secret} after\n"), &secrets);
        assert!(
            found.iter().any(|place| place.starts_with(&format!("{what}: line 2: DEBUG before"))),
            "{secret}: {found:?}"
        );
        let value = &secret[secret.len() - 6..];
        assert!(what == "a password" || found.iter().all(|place| !place.contains(value)), "{found:?}");
    }
}
