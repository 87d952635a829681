//! Good tokens, bad tokens, and an issuer that changes its keys or does not answer.

mod bad_tokens;
pub(in crate::token) mod issuer;
mod keys;

use domain::Role;
use jsonwebtoken::encode;
use serde_json::json;

use super::*;
use issuer::{KEYS, NOW, World, claims, claims_with, good, sign};

#[tokio::test]
async fn a_good_token_tells_who_calls() {
    let world = World::new();
    let ada =
        Caller::person_via(Person { subject: "s-1".into(), username: "ada".into(), role: Role::Manager }, Via::Token);
    assert_eq!(world.bearer(&good()).await, Ok(ada.clone()));
    assert_eq!(world.auth.authenticate(&format!("  bEaReR   {} ", good())).await, Ok(ada));
    assert_eq!(world.source.fetches(), 1);
}

#[tokio::test]
async fn roles_and_names_come_from_either_provider() {
    let world = World::new();
    for (changes, username, role) in [
        (json!({"realm_access": null, "resource_access": {"ccm-web": {"roles": ["admin"]}}}), "ada", Role::Admin),
        (
            json!({"aud": null, "client_id": "ccm", "token_use": "access", "typ": null, "realm_access": null,
                   "cognito:groups": ["user"], "preferred_username": null, "username": "bob"}),
            "bob",
            Role::User,
        ),
        (json!({"preferred_username": "", "cognito:username": "cy"}), "cy", Role::Manager),
        (json!({"aud": "ccm", "preferred_username": null, "nbf": NOW + 29, "exp": NOW - 29}), "s-1", Role::Manager),
        (json!({"exp": NOW as f64 + 0.5, "realm_access": {"roles": ["admin", "user", 7]}}), "ada", Role::Admin),
    ] {
        let caller = world.bearer(&sign("first", 0, &claims_with(&changes))).await.expect("good");
        assert_eq!((caller.username.as_str(), caller.role), (username, role), "{changes}");
    }
}

#[tokio::test]
async fn a_header_that_asks_for_more_than_is_understood_is_refused() {
    let world = World::new();
    let sign_with = |change: fn(&mut Header)| {
        let mut header = Header { kid: Some("first".into()), ..Header::new(Algorithm::RS256) };
        change(&mut header);
        encode(&header, &claims(), &KEYS[0].private).expect("a token")
    };
    for (token, why) in [
        (sign_with(|h| h.kid = None), "name the key"),
        (sign_with(|h| h.crit = Some(vec!["b64".into()])), "extensions"),
        (sign_with(|h| h.typ = Some("logout+jwt".into())), "not an access token"),
        (sign_with(|h| h.alg = Algorithm::RS512), "RS256"),
    ] {
        let detail = world.refused(&token).await;
        assert!(detail.contains(why), "{why}: {detail}");
    }
    assert!(world.bearer(&sign_with(|h| h.typ = Some("at+jwt".into()))).await.is_ok());
}
