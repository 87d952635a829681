//! Tokens that must not let anybody in, one test each. How the issuer's keys may fail to come is tested with
//! the real client, in `functions::jwks`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::SignedDuration;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::super::TOKEN_MAX_BYTES;
use super::issuer::{KEYS, NOW, World, claims, claims_with, good, jwks, sign};

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// Each of these claims in place of the good one is refused with those words.
async fn refused_claims(cases: &[(Value, &str)]) {
    let world = World::new();
    for (changes, why) in cases {
        let detail = world.refused(&sign("first", 0, &claims_with(changes))).await;
        assert!(detail.contains(why), "{changes}: {detail}");
    }
    // It was for that claim alone.
    assert!(world.bearer(&good()).await.is_ok());
}

#[tokio::test]
async fn a_token_with_the_algorithm_none_is_refused() {
    let world = World::new();
    for alg in ["none", "None", "nOnE"] {
        let token = format!("{}.{}.", part(&json!({"alg": alg, "kid": "first"})), part(&claims()));
        assert!(world.refused(&token).await.contains("cannot be read"), "{alg}");
    }
    let unsigned = format!("{}.{}.", part(&json!({"alg": "RS256", "kid": "first"})), part(&claims()));
    assert!(world.refused(&unsigned).await.contains("signature"));
}

#[tokio::test]
async fn a_token_signed_with_the_public_key_as_a_shared_secret_is_refused() {
    // Who trusts the header's algorithm believes this one.
    let world = World::new();
    let secret = EncodingKey::from_secret(KEYS[0].public_pem.as_bytes());
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let header = Header { kid: Some("first".into()), ..Header::new(algorithm) };
        let token = encode(&header, &claims(), &secret).expect("a token");
        assert!(world.refused(&token).await.contains("not signed with RS256 or ES256"), "{algorithm:?}");
    }
}

#[tokio::test]
async fn a_token_that_says_another_algorithm_than_its_keys_is_refused() {
    let world = World::new();
    let (_, rest) = good().split_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).expect("three parts");
    let token = format!("{}.{rest}", part(&json!({"alg": "ES256", "kid": "first"})));
    assert!(world.refused(&token).await.contains("way of the key"));
}

#[tokio::test]
async fn a_token_that_names_a_key_of_nobody_is_refused() {
    let world = World::new();
    // Each time, and not by asking each time: once for the first keys, and once for this one.
    for _ in 0..5 {
        assert!(world.refused(&sign("second", 1, &claims())).await.contains("does not have"));
    }
    assert_eq!(world.source.fetches(), 2);
}

#[tokio::test]
async fn a_token_that_names_the_issuers_key_and_is_signed_with_another_is_refused() {
    let world = World::new();
    assert!(world.refused(&sign("first", 1, &claims())).await.contains("signature"));
}

#[tokio::test]
async fn a_token_whose_claims_were_changed_after_it_was_signed_is_refused() {
    let world = World::new();
    let good = good();
    let parts: Vec<_> = good.split('.').collect();
    let raised = part(&claims_with(&json!({"realm_access": {"roles": ["admin"]}})));
    assert!(world.refused(&format!("{}.{raised}.{}", parts[0], parts[2])).await.contains("signature"));
}

#[tokio::test]
async fn a_token_of_another_issuer_is_refused() {
    refused_claims(&[
        (json!({"iss": "https://issuer.example/realms/other"}), "another issuer"),
        (json!({"iss": "https://issuer.example/realms/lab/"}), "another issuer"),
        (json!({"iss": null}), "claims are wrong"),
    ])
    .await;
}

#[tokio::test]
async fn a_token_for_another_audience_is_refused() {
    refused_claims(&[
        (json!({"aud": ["account"], "client_id": "ccm"}), "another audience"),
        (json!({"aud": []}), "another audience"),
        (json!({"aud": null}), "another audience"),
        (json!({"aud": null, "client_id": "other"}), "another audience"),
    ])
    .await;
}

#[tokio::test]
async fn an_id_token_in_place_of_an_access_token_is_refused() {
    refused_claims(&[
        (json!({"typ": "ID"}), "not an access token"),
        (json!({"token_use": "id"}), "not an access token"),
        (json!({"typ": null, "at_hash": "x"}), "not an access token"),
        (json!({"typ": null, "nonce": "x"}), "not an access token"),
    ])
    .await;
}

#[tokio::test]
async fn a_refresh_or_logout_token_in_place_of_an_access_token_is_refused() {
    let kinds = ["Refresh", "Offline", "Logout"].map(|typ| (json!({"typ": typ}), "not an access token"));
    refused_claims(&kinds).await;
}

#[tokio::test]
async fn a_token_of_an_unknown_kind_or_bound_to_a_key_is_refused() {
    refused_claims(&[
        (json!({"typ": "Entitlement"}), "not an access token"),
        (json!({"typ": "DPoP"}), "not an access token"),
        (json!({"cnf": {"jkt": "x"}}), "not an access token"),
    ])
    .await;
}

#[tokio::test]
async fn an_expired_token_is_refused() {
    refused_claims(&[
        (json!({"exp": NOW - 30}), "has expired"),
        (json!({"exp": -1e300}), "has expired"),
        (json!({"exp": null}), "claims are wrong"),
        (json!({"exp": "tomorrow"}), "claims are wrong"),
    ])
    .await;
}

#[tokio::test]
async fn a_token_that_is_not_valid_yet_is_refused() {
    refused_claims(&[(json!({"nbf": NOW + 31}), "not valid yet"), (json!({"nbf": "now"}), "claims are wrong")]).await;
}

#[tokio::test]
async fn a_token_that_does_not_say_whose_it_is_is_refused() {
    refused_claims(&[(json!({"sub": ""}), "whose it is"), (json!({"sub": null}), "claims are wrong")]).await;
}

#[tokio::test]
async fn a_token_without_a_role_of_ours_is_known_but_not_allowed() {
    let world = World::new();
    for changes in [
        json!({"realm_access": null}),
        json!({"realm_access": {"roles": ["Admin", "root"]}}),
        json!({"realm_access": "admin", "cognito:groups": "admin", "resource_access": {"other": {"roles": ["admin"]}}}),
    ] {
        let problem = world.bearer(&sign("first", 0, &claims_with(&changes))).await.expect_err("no role");
        assert_eq!(problem.status, 403, "{changes}");
        assert!(problem.detail.contains("none of the roles"), "{}", problem.detail);
    }
}

#[tokio::test]
async fn a_huge_token_is_refused_before_it_is_read() {
    let world = World::new();
    assert!(world.refused(&"a".repeat(TOKEN_MAX_BYTES + 1)).await.contains("too long"));
    // A good one too: it is the size that counts.
    let huge = sign("first", 0, &claims_with(&json!({"padding": "x".repeat(TOKEN_MAX_BYTES)})));
    assert!(world.refused(&huge).await.contains("too long"));
    let large = sign("first", 0, &claims_with(&json!({"padding": "x".repeat(TOKEN_MAX_BYTES / 2)})));
    assert!(world.bearer(&large).await.is_ok());
}

#[tokio::test]
async fn a_malformed_token_is_refused_without_asking_the_issuer() {
    let world = World::new();
    let bad_header = format!("{}.{}.AAAA", URL_SAFE_NO_PAD.encode("{\"alg\":"), part(&claims()));
    for token in ["", "x", "a.b", "a.b.c", "a.b.c.d", "{}", "\u{e9}.b.c", "..", bad_header.as_str()] {
        assert!(world.refused(token).await.contains("cannot be read"), "{token}");
    }
    for nothing in ["", "Basic YTpi", good().as_str()] {
        let problem = world.auth.authenticate(nothing).await.expect_err("no token");
        assert_eq!(problem.headers, [("www-authenticate", "Bearer realm=\"cml-cloud-manager\"".to_owned())]);
    }
    assert_eq!(world.source.fetches(), 0);
}

#[tokio::test]
async fn neither_of_two_authorization_headers_is_believed() {
    // A repeated header arrives joined by a comma.
    let world = World::new();
    for separator in [", ", ",", ", Bearer ", ",Bearer ", " "] {
        let two = format!("{}{separator}{}", good(), good());
        assert!(world.refused(&two).await.contains("exactly one"), "{separator:?}");
    }
    assert_eq!(world.source.fetches(), 0);
}

#[tokio::test]
async fn a_token_whose_key_was_rotated_away_is_refused() {
    let world = World::new();
    let lasting = sign("first", 0, &claims_with(&json!({"exp": NOW + 1_000_000})));
    world.bearer(&lasting).await.expect("good");
    world.source.show(Some(jwks(&[("second", 1)])));
    // The first token with the new key brings it, and ends the old one's time.
    world.bearer(&sign("second", 1, &claims())).await.expect("good");
    assert!(world.refused(&lasting).await.contains("does not have"));
    // Even where the id of the key is used again.
    world.source.show(Some(jwks(&[("first", 1)])));
    world.clock.advance(SignedDuration::from_secs(60));
    assert!(world.refused(&lasting).await.contains("signature"));
}
