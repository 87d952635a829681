//! An issuer that changes its keys, does not answer, or is asked about keys that somebody made up.

use app::ports::{TokenError, TokenVerifier};
use domain::SignedDuration;
use serde_json::{Value, json};

use super::issuer::{NOW, World, claims, claims_with, good, jwks, sign};

fn made_up(n: usize) -> String {
    sign(&format!("made-up-{n}"), 1, &claims())
}

/// The seconds after which a token can be judged.
async fn cannot_tell(world: &World, token: &str) -> i64 {
    let problem = world.bearer(token).await.expect_err("not known yet");
    assert_eq!(problem.status, 503, "{problem:?}");
    let [("retry-after", seconds)] = problem.headers.as_slice() else { panic!("{problem:?}") };
    seconds.parse().expect("seconds")
}

#[tokio::test]
async fn an_unknown_key_is_asked_for_at_most_once_a_minute() {
    let world = World::new();
    world.bearer(&good()).await.expect("good");
    assert!(world.refused(&made_up(0)).await.contains("does not have"));
    for minute in 0..5 {
        for n in 0..50 {
            let _whatever = world.bearer(&made_up(minute * 100 + n)).await;
        }
        assert_eq!(world.source.fetches() as usize, 2 + minute, "the first reading, and one a minute");
        world.clock.advance(SignedDuration::from_secs(60));
    }
}

#[tokio::test]
async fn made_up_keys_cost_a_new_ones_first_user_one_request_that_says_when_to_come_again() {
    let world = World::new();
    world.bearer(&good()).await.expect("good");
    world.refused(&made_up(0)).await;
    world.source.show(Some(jwks(&[("second", 1)])));
    world.clock.advance(SignedDuration::from_secs(18));
    let wait = cannot_tell(&world, &sign("second", 1, &claims())).await;
    assert_eq!(wait, 42);
    // Strangers go on, and it does not matter which of the tokens comes first after the wait.
    world.clock.advance(SignedDuration::from_secs(wait));
    let _whatever = world.bearer(&made_up(1)).await;
    assert!(world.bearer(&sign("second", 1, &claims())).await.is_ok());
    assert_eq!(world.source.fetches(), 3);
}

#[tokio::test]
async fn after_a_rotation_everybody_elses_old_token_is_refused_at_once() {
    let world = World::new();
    world.bearer(&good()).await.expect("good");
    world.source.show(Some(jwks(&[("second", 1)])));
    assert!(world.bearer(&sign("second", 1, &claims())).await.is_ok());
    // Not told to wait, whatever strangers do meanwhile: they have to sign in again.
    for n in 0..100 {
        let _whatever = world.bearer(&made_up(n)).await;
        assert!(world.refused(&good()).await.contains("does not have"));
    }
    assert_eq!(world.source.fetches(), 2);
}

#[tokio::test]
async fn a_withdrawn_key_that_comes_back_is_found() {
    let world = World::new();
    world.bearer(&good()).await.expect("good");
    world.source.show(Some(jwks(&[("second", 1)])));
    world.bearer(&sign("second", 1, &claims())).await.expect("good");
    world.source.show(Some(jwks(&[("first", 0), ("second", 1)])));
    world.clock.advance(SignedDuration::from_secs(60));
    assert!(world.bearer(&good()).await.is_ok());
}

#[tokio::test]
async fn a_token_that_its_key_would_not_save_uses_no_question_up() {
    let world = World::new();
    world.bearer(&good()).await.expect("good");
    for changes in [
        json!({"iss": "https://issuer.example/realms/other"}),
        json!({"aud": "other"}),
        json!({"exp": NOW - 60}),
        json!({"nbf": NOW + 60}),
        json!({"typ": "ID"}),
        json!({"sub": null}),
    ] {
        world.refused(&sign("second", 1, &claims_with(&changes))).await;
    }
    assert_eq!(world.source.fetches(), 1);
    world.source.show(Some(jwks(&[("second", 1)])));
    assert!(world.bearer(&sign("second", 1, &claims())).await.is_ok());
}

#[tokio::test]
async fn a_token_straight_from_the_issuer_asks_for_its_key_whatever_strangers_did() {
    let world = World::new();
    world.bearer(&good()).await.expect("good");
    world.refused(&made_up(0)).await;
    let new = sign("second", 1, &claims());
    let id = sign("third", 1, &claims_with(&json!({"typ": "ID", "aud": "ccm-web", "nonce": "n"})));

    // The issuer had just not answered a stranger, too.
    world.source.show(None);
    world.clock.advance(SignedDuration::from_secs(60));
    cannot_tell(&world, &made_up(1)).await;
    assert!(matches!(world.auth.access_token(&new).await, Err(TokenError::Unavailable(_))));

    world.source.show(Some(jwks(&[("second", 1)])));
    assert_eq!(world.auth.access_token(&new).await.expect("good").username, "ada");
    assert_eq!(world.bearer(&new).await.expect("known to all now").username, "ada");
    world.source.show(Some(jwks(&[("third", 1)])));
    assert_eq!(world.auth.id_token(&id, "ccm-web", Some("n")).await.expect("good").subject, "s-1");
    // Which does not use up the minute's question for others.
    world.source.show(Some(jwks(&[("first", 0)])));
    assert!(world.bearer(&good()).await.is_ok());
}

#[tokio::test]
async fn a_token_straight_from_the_issuer_asks_no_more_than_once() {
    let world = World::new();
    world.bearer(&good()).await.expect("good");
    let refused = world.auth.access_token(&made_up(0)).await;
    assert!(matches!(&refused, Err(TokenError::Refused(why)) if why.contains("does not have")), "{refused:?}");
    assert_eq!(world.source.fetches(), 2);
    // One with a known key asks nothing.
    world.auth.access_token(&good()).await.expect("good");
    assert_eq!(world.source.fetches(), 2);
}

#[tokio::test]
async fn a_key_that_is_new_right_after_the_keys_were_read_is_found_at_once() {
    let world = World::new();
    world.bearer(&good()).await.expect("good");
    world.source.show(Some(jwks(&[("second", 1)])));
    assert!(world.bearer(&sign("second", 1, &claims())).await.is_ok());
}

#[tokio::test]
async fn callers_at_the_same_time_share_one_fetch() {
    let world = World::new();
    let token = good();
    let answers = futures::future::join_all((0..8).map(|_| world.bearer(&token))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(world.source.fetches(), 1);
}

#[tokio::test]
async fn known_keys_serve_while_the_issuer_is_down() {
    let world = World::new();
    let lasting = sign("first", 0, &claims_with(&json!({"exp": NOW + 1_000_000})));
    world.bearer(&lasting).await.expect("good");
    let nothing = r#"{"keys": []}"#.to_owned();
    for answer in [None, Some("<html>".to_owned()), Some("x".repeat(300_000)), Some(nothing)] {
        world.source.show(answer);
        world.clock.advance(SignedDuration::from_hours(2));
        assert!(world.bearer(&lasting).await.is_ok());
        let unknown = sign("unknown", 0, &claims_with(&json!({"exp": NOW + 1_000_000})));
        assert_eq!(cannot_tell(&world, &unknown).await, 2, "it may be the issuer's new key");
        // Nor do they wait for the issuer each time.
        assert!(world.bearer(&lasting).await.is_ok());
    }
    assert_eq!(world.source.fetches(), 5);
}

#[tokio::test]
async fn a_withdrawn_key_is_forgotten_within_the_hour() {
    let world = World::new();
    let lasting = sign("first", 0, &claims_with(&json!({"exp": NOW + 1_000_000})));
    world.bearer(&lasting).await.expect("good");
    world.source.show(Some(jwks(&[("second", 1)])));
    world.clock.advance(SignedDuration::from_hours(1));
    world.refused(&lasting).await;
}

#[tokio::test]
async fn without_any_key_nobody_is_called_a_forger() {
    let world = World::new();
    for answer in [None, Some(r#"{"keys": []}"#.to_owned()), Some("[]".to_owned())] {
        world.source.show(answer);
        world.clock.advance(SignedDuration::from_secs(60));
        assert_eq!(world.bearer(&good()).await.expect_err("no keys").status, 503);
    }
    assert_eq!(world.source.fetches(), 3);
}

#[tokio::test]
async fn keys_for_other_uses_are_passed_over() {
    let world = World::new();
    let mut set: Value = serde_json::from_str(&jwks(&[("first", 0), ("for-encryption", 1), ("ps", 1)])).expect("JSON");
    set["keys"][1]["use"] = "enc".into();
    set["keys"][2]["alg"] = "PS256".into();
    let keys = set["keys"].as_array_mut().expect("keys");
    keys.extend([json!({"kty": "oct", "kid": "secret", "k": "AAAA"}), json!({"kty": "EC", "kid": "ec"}), json!(7)]);
    world.source.show(Some(set.to_string()));
    assert!(world.bearer(&good()).await.is_ok());
    for kid in ["for-encryption", "ps", "secret"] {
        world.clock.advance(SignedDuration::from_secs(60));
        assert!(world.refused(&sign(kid, 1, &claims())).await.contains("does not have"), "{kid}");
    }
}
