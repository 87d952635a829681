//! Signing in: from the first redirect to the session.

use super::*;

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
        // The refresh token that came with them is not left alive.
        bench.issuer.set(|it| assert_eq!(it.revoked, ["refresh.1"], "case {at}"));
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
    // At the issuer they are of two sessions: the former's refresh token is of no use to anybody.
    bench.issuer.set(|it| it.session = Some("session-2".into()));
    let login = bench.finish(&callback).await.unwrap();
    assert!(matches!(read_session(&bench.ctx, &before).await, Err(SignInError::Over)));
    assert!(read_session(&bench.ctx, &login.cookie).await.is_ok());
    bench.issuer.set(|it| assert_eq!(it.revoked, ["refresh.1"]));
}

#[tokio::test]
async fn a_new_sign_in_revokes_nothing_that_it_stands_on_itself() {
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
    bench.finish(&callback).await.unwrap();
    assert_eq!(bench.kinds(), ["SESSION"]);
    bench.issuer.set(|it| assert!(it.revoked.is_empty(), "Keycloak ends the session of both with it"));
}

#[tokio::test]
async fn a_former_session_that_cannot_be_ended_does_not_cost_the_browser_the_new_one() {
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
    // The sign-in is used up and the session written; then the table fails.
    bench.table.fail_writes_after(2);
    let login = bench.finish(&callback).await.unwrap();
    bench.table.heal();
    assert!(read_session(&bench.ctx, &login.cookie).await.is_ok());
    assert!(read_session(&bench.ctx, &before).await.is_ok(), "the table did not fail");
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
