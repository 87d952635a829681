//! Signing out, and sessions that end by themselves.

use super::*;

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_and_at_its_end_whatever_happens() {
    let bench = Bench::new();
    let unused = bench.signed_in().await;
    bench.pass(120);
    assert!(matches!(read_session(&bench.ctx, &unused).await, Err(SignInError::Over)));
    assert!(matches!(bench.refresh(&unused).await, Err(SignInError::Over)));
    let used = bench.signed_in().await;
    for _ in 0..10 {
        bench.pass(59);
        bench.refresh(&used).await.unwrap();
    }
    bench.pass(10);
    assert!(matches!(bench.refresh(&used).await, Err(SignInError::Over)));
    assert_eq!(bench.issuer.calls("refresh"), 10);
}

#[tokio::test]
async fn signing_out_ends_the_session_here_and_at_the_issuer() {
    let bench = Bench::new();
    let cookie = bench.signed_in().await;
    let url = end_session(&bench.ctx, &bench.issuer, &PlainSealer, &cookie).await.unwrap().unwrap();
    assert_eq!(url, "https://id.example.com/logout?to=https://ccm.example.com/");
    assert!(bench.table.items().is_empty());
    bench.issuer.set(|it| assert_eq!(it.signed_out, ["refresh.1"]));
    assert!(matches!(read_session(&bench.ctx, &cookie).await, Err(SignInError::Over)));
    // Twice is no error, and tells the issuer nothing.
    assert_eq!(end_session(&bench.ctx, &bench.issuer, &PlainSealer, &cookie).await.unwrap(), None);
    assert_eq!(bench.issuer.calls("sign_out"), 1);
}

#[tokio::test]
async fn signing_out_works_while_the_issuer_is_away() {
    let bench = Bench::new();
    let cookie = bench.signed_in().await;
    bench.issuer.set(|it| it.down = true);
    assert_eq!(end_session(&bench.ctx, &bench.issuer, &PlainSealer, &cookie).await.unwrap(), None);
    assert!(bench.table.items().is_empty());
}

#[tokio::test]
async fn whoever_signs_out_while_a_tab_refreshes_is_signed_out() {
    let bench = Bench::new();
    let cookie = bench.signed_in().await;
    bench.pass(4);
    let (refreshed, ended) =
        futures::join!(bench.refresh(&cookie), end_session(&bench.ctx, &bench.issuer, &PlainSealer, &cookie));
    assert!(ended.is_ok() && matches!(refreshed, Err(SignInError::Over)), "{refreshed:?}");
    assert!(bench.table.items().is_empty(), "{:?}", bench.kinds());
    // What the issuer gave to nobody is revoked too.
    bench.issuer.set(|it| {
        assert_eq!(it.signed_out, ["refresh.1"]);
        assert_eq!(it.revoked, ["refresh.2"]);
    });
}
