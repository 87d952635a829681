use axum::body::Body;
use tower::ServiceExt;

use super::*;

/// The status of a request for `/dev/oidc/...` or a lever, by that name of the machine and from that page.
async fn status(host: Option<&str>, origin: Option<&str>) -> u16 {
    let address = SocketAddr::from(([127, 0, 0, 1], 8000));
    let router = Router::new().route("/dev", get(|| async { "levers" }));
    let router = router.layer(from_fn_with_state(address, only_from_here));
    let mut request = Request::get("/dev");
    for (name, value) in [(HOST, host), (ORIGIN, origin)] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_name_that_was_bound_to_this_machine_pulls_no_lever() {
    for host in ["127.0.0.1:8000", "localhost:8000", "LOCALHOST:8000"] {
        assert_eq!(status(Some(host), None).await, 200, "{host}");
    }
    for host in [
        "evil.example:8000",
        "evil.example",
        "127.0.0.1:9000",
        "127.0.0.1",
        "localhost",
        "localhost.evil.example:8000",
        "127.0.0.1:8000.evil.example",
        "",
    ] {
        assert_eq!(status(Some(host), None).await, 403, "{host}");
    }
    assert_eq!(status(None, None).await, 403);
}

#[tokio::test]
async fn a_page_of_another_machine_pulls_no_lever() {
    assert_eq!(status(Some("127.0.0.1:8000"), Some("http://127.0.0.1:5173")).await, 200);
    for origin in ["https://evil.example", "null", "http://evil.example:8000"] {
        assert_eq!(status(Some("127.0.0.1:8000"), Some(origin)).await, 403, "{origin}");
    }
}
