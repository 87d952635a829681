//! Carrying a session on, with an issuer that rotates refresh tokens.

use futures::FutureExt;

use super::*;

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
    let left = bench.ctx.store.take_lease("session", &id, 7, now, SignedDuration::from_secs(25)).await.unwrap();
    assert!(left.is_some());
    assert!(matches!(bench.refresh(&cookie).await, Err(SignInError::RefreshUnderWay)));
    bench.clock.advance(SignedDuration::from_secs(27));
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
        // Nor is the refresh token left alive that came with them.
        bench.issuer.set(|it| assert_eq!(it.revoked, ["refresh.2"]));
    }
}

#[tokio::test]
async fn where_access_tokens_outlive_the_idle_time_a_refresh_notes_the_use() {
    let bench = Bench::new();
    bench.issuer.set(|it| it.access_secs = 24 * 60 * 60);
    let cookie = bench.signed_in().await;
    for _ in 0..5 {
        bench.pass(70);
        bench.refresh(&cookie).await.unwrap();
    }
    assert!(read_session(&bench.ctx, &cookie).await.is_ok());
    assert_eq!(bench.issuer.calls("refresh"), 0);
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
            // Before the issuer was asked nothing is lost; after it the refresh token is, when no attempt succeeds.
            0 => assert!(outcome.is_err() && bench.refresh(&cookie).await.is_ok()),
            1 => {
                assert!(outcome.is_err());
                bench.clock.advance(SignedDuration::from_secs(27));
                assert!(matches!(bench.refresh(&cookie).await, Err(SignInError::Over)));
            }
            _ => assert!(outcome.is_ok(), "{outcome:?}"),
        }
    }
}

#[tokio::test]
async fn new_tokens_survive_a_table_that_fails_for_a_moment() {
    let bench = Bench::new();
    let cookie = bench.signed_in().await;
    for _ in 0..2 {
        bench.pass(4);
        // The lease is taken; then the session cannot be written, several times.
        bench.table.fail_writes(1, 3);
        bench.refresh(&cookie).await.unwrap();
    }
    assert_eq!(bench.issuer.calls("refresh"), 2);
    assert!(read_session(&bench.ctx, &cookie).await.is_ok());
}

#[tokio::test]
async fn a_second_tab_waits_as_long_as_the_first_may_take_and_uses_no_token_twice() {
    let bench = Bench::new();
    let cookie = bench.signed_in().await;
    bench.pass(6);
    bench.issuer.set(|it| it.hangs = true);
    {
        let mut first = std::pin::pin!(bench.refresh(&cookie));
        assert!(futures::poll!(&mut first).is_pending());
        assert!(futures::poll!(&mut first).is_pending());
        for second in 1..REQUEST_TIME_LIMIT.as_secs() {
            bench.clock.advance(SignedDuration::from_secs(1));
            // It does not ask the issuer, which would keep it waiting too.
            let other = bench.refresh(&cookie).now_or_never();
            assert!(matches!(other, Some(Err(SignInError::RefreshUnderWay))), "after {second} s: {other:?}");
        }
        // It answers at the last moment.
        bench.issuer.set(|it| it.hangs = false);
        first.await.unwrap();
    }
    assert_eq!(bench.issuer.calls("refresh"), 1);
    bench.refresh(&cookie).await.unwrap();
    assert!(read_session(&bench.ctx, &cookie).await.is_ok());
}

#[tokio::test]
async fn new_tokens_are_put_on_what_another_tab_made_of_the_session_meanwhile() {
    let bench = Bench::new();
    let cookie = bench.signed_in().await;
    for round in 1..=2 {
        bench.pass(4);
        bench.issuer.set(|it| it.hangs = true);
        let refreshed = {
            let mut refresh = std::pin::pin!(bench.refresh(&cookie));
            assert!(futures::poll!(&mut refresh).is_pending());
            // Another tab notes its use.
            let mut other = bench.ctx.store.session(&hash(&cookie)).await.unwrap().unwrap();
            assert!(bench.ctx.store.save_session(&mut other).await.unwrap());
            bench.issuer.set(|it| it.hangs = false);
            refresh.await.unwrap()
        };
        assert_eq!(refreshed.access_expires_at, bench.clock.now() + SignedDuration::from_mins(5), "round {round}");
        assert_eq!(read_session(&bench.ctx, &cookie).await.unwrap().session, refreshed);
        // The second round uses the refresh token that the first was given.
        assert_eq!(bench.issuer.calls("refresh"), round);
    }
}

#[tokio::test]
async fn a_session_that_the_issuer_ends_is_over_although_another_tab_just_noted_its_use() {
    let bench = Bench::new();
    let cookie = bench.signed_in().await;
    bench.issuer.set(|it| (it.good, it.hangs) = ("another".into(), true));
    bench.pass(4);
    let mut refresh = std::pin::pin!(bench.refresh(&cookie));
    assert!(futures::poll!(&mut refresh).is_pending());
    let mut other = bench.ctx.store.session(&hash(&cookie)).await.unwrap().unwrap();
    assert!(bench.ctx.store.save_session(&mut other).await.unwrap());
    bench.issuer.set(|it| it.hangs = false);
    assert!(matches!(refresh.await, Err(SignInError::Over)));
    assert!(bench.table.items().is_empty(), "{:?}", bench.kinds());
}

#[tokio::test]
async fn no_refresh_token_is_spent_while_its_successor_could_not_be_sealed() {
    let bench = Bench::new();
    let cookie = bench.signed_in().await;
    bench.pass(4);
    let broken = Issuer { provider: &bench.issuer, tokens: &bench.issuer, sealer: &BrokenSealer };
    let error = refresh_session(&bench.ctx, broken, &cookie).await.unwrap_err();
    assert!(matches!(error, SignInError::App(AppError::Unavailable(_))), "{error:?}");
    assert_eq!(bench.issuer.calls("refresh"), 0);
    bench.refresh(&cookie).await.unwrap();
}

#[tokio::test]
async fn access_tokens_of_a_minute_are_used_before_they_are_renewed() {
    let bench = Bench::new();
    bench.issuer.set(|it| it.access_secs = 60);
    let cookie = bench.signed_in().await;
    for round in 1..=3 {
        bench.clock.advance(SignedDuration::from_secs(29));
        bench.refresh(&cookie).await.unwrap();
        assert_eq!(bench.issuer.calls("refresh"), round - 1);
        bench.clock.advance(SignedDuration::from_secs(1));
        bench.refresh(&cookie).await.unwrap();
        assert_eq!(bench.issuer.calls("refresh"), round);
    }
}
