//! Ids, queries and cursors that are not what they should be, on every route that takes one.

use http_api::Function;

use super::fixtures::{self, endpoints};
use super::test_api::{Call, TestApi};
use super::world::WORKER;

/// The route's path parameter.
fn parameter(function: &Function) -> Option<&'static str> {
    let path = function.endpoint().unwrap().path;
    ["worker_id", "operation_id"].into_iter().find(|name| path.contains(name))
}

async fn refused(api: &TestApi, call: Call<'_>, status: u16, what: &str) -> Vec<String> {
    let before = api.items();
    let answer = call.as_admin().await;
    assert_eq!(answer.status, status, "{what}: {answer:?}");
    assert_eq!(api.items(), before, "{what}");
    answer.fields()
}

#[tokio::test]
async fn an_id_that_nothing_has_is_a_404_whatever_it_looks_like() {
    let api = TestApi::new().await;
    let upper = WORKER.to_uppercase();
    let long = "w".repeat(8_000);
    let mut tried = 0;
    for function in endpoints() {
        let Some(name) = parameter(function) else { continue };
        for id in [
            "wkr-01kjzzzzzzzzzzzzzzzzzzzzzz",
            "op-01kjzzzzzzzzzzzzzzzzzzzzzz",
            "i-0123456789abcdef0",
            "wkr-",
            "0",
            "*",
            " ",
            "../operations",
            "a/b",
            "\u{0}",
            "\u{1f4a5}",
            "'; DROP TABLE workers; --",
            &upper,
            &long,
        ] {
            refused(&api, api.fixture(function).id(name, id), 404, &format!("{} of {id:.40}", function.name)).await;
            tried += 1;
        }
    }
    assert!(tried > 150, "{tried}");
}

/// API Gateway hands the path over decoded: what stands there need not be possible in a URI.
#[tokio::test]
async fn a_path_or_a_query_that_is_no_uri_is_refused_like_any_other() {
    let api = TestApi::new().await;
    for id in
        ["a b", "\u{e9}", "%", "%zz", "a?b#c", "\"<>\\^`{|}", "\u{0}", "\n", "\u{1f4a5}", "[::1]", "@host:99999999"]
    {
        let call = api.fixture(fixtures::function("get-worker")).id("worker_id", id);
        refused(&api, call.raw_path(&format!("/api/workers/{id}")), 404, id).await;
    }
    for query in [
        "limit=a b",
        "limit=\u{e9}",
        "limit=%",
        "limit=%zz",
        "limit=\"<>\\^`{|}",
        "limit=\u{0}",
        "limit=1#2",
        "limit=?",
    ] {
        let call = api.fixture(fixtures::function("list-workers")).raw_query(query);
        assert_eq!(refused(&api, call, 422, query).await, ["limit"]);
    }
}

#[tokio::test]
async fn a_worker_that_is_gone_can_be_read_and_not_changed() {
    let api = TestApi::new().await;
    let mut told = Vec::new();
    for function in endpoints().filter(|function| parameter(function) == Some("worker_id")) {
        let before = api.items();
        let answer = api.fixture(function).id("worker_id", super::world::TERMINATED).as_admin().await;
        let reads = function.endpoint().unwrap().method == "GET";
        let path = function.endpoint().unwrap().path;
        let names_more = path.contains("{lab_id}") || path.contains("{evidence_id}");
        let expected = match (reads, names_more, path.contains("/cml/")) {
            // Its labs went with it, and so did its controller; what was kept is of another.
            (true, true, _) => 404,
            (true, _, true) | (false, ..) => 409,
            (true, ..) => 200,
        };
        assert_eq!(answer.status, expected, "{}: {answer:?}", function.name);
        assert_eq!(api.items(), before, "{}", function.name);
        if !reads {
            told.push(answer.json()["detail"].as_str().unwrap().to_owned());
        }
    }
    told.dedup();
    insta::assert_snapshot!(told.join("\n"), @"
    The worker is terminated; it cannot be changed.
    The worker is terminated; it cannot be terminated.
    The worker is terminated; it cannot be started.
    The worker is terminated; it cannot be stopped.
    The worker is terminated; it cannot be changed.
    The worker is terminated; it cannot be stopped.
    The worker is terminated; it cannot be judged.
    ");
}

#[tokio::test]
async fn an_odd_query_is_taken_or_refused_with_its_field_and_never_our_mistake() {
    let api = TestApi::new().await;
    // API Gateway takes a request line and headers of 10,240 bytes together.
    let long = "x".repeat(8_000);
    let odd = [
        "",
        " ",
        "0",
        "-1",
        "201",
        "1e9",
        "x",
        "\u{0}",
        "\u{1f4a5}",
        "' OR 1=1 --",
        "=",
        "a=b=c",
        "true,false",
        "null",
        "18446744073709551616",
        "-009999-01-02T01:59:59Z",
        "9999-12-30T22:00:00Z",
        "0000-00-00T00:00:00Z",
        "2026-03-02T09:00:00",
        "eyJwayI6IldPUktFUlMifQ",
        "WyJnc2kxIiwiV09SS0VSUyIsIiIsIiIsIiJd",
        &long,
    ];
    for function in endpoints() {
        for (name, _) in function.endpoint().unwrap().query {
            for value in odd {
                let answer = api.fixture(function).query(name, value).as_admin().await;
                let what = format!("{}?{name}={value:.40}", function.name);
                if function.name == "callback" {
                    // The issuer spells it, not a caller: whoever comes back so signs in again.
                    assert!(matches!(answer.status, 302 | 400), "{what}: {answer:?}");
                    continue;
                }
                // One of a command is of a new one each time.
                let good = if function.endpoint().unwrap().is_change() { 202 } else { 200 };
                assert!(answer.status == good || answer.status == 422, "{what}: {answer:?}");
                if answer.status == 422 {
                    // A span names its begin, whichever end of it is out of place.
                    let fields = answer.fields();
                    assert!(fields == [*name] || (*name == "to" && fields == ["from"]), "{what}: {fields:?}");
                    assert!(answer.body.len() < 1_000, "{what}");
                }
            }
        }
    }
}

#[tokio::test]
async fn both_ends_of_time_are_no_span_and_no_mistake_of_ours() {
    let api = TestApi::new().await;
    let call = || api.fixture(fixtures::function("get-worker-metrics")).as_user();
    let (first, last) = ("-009999-01-02T01:59:59Z", "9999-12-30T22:00:00.999999999Z");
    for (from, to) in [(first, first), (last, last), (first, last), (last, first)] {
        let answer = call().query("from", from).query("to", to).await;
        assert!(matches!(answer.status, 200 | 422), "{from} to {to}: {answer:?}");
    }
    for end in [first, last] {
        let path = format!("/api/workers/{WORKER}/metrics?to={end}");
        assert!(matches!(api.get(&path).as_user().await.status, 200 | 422), "{end}");
    }
}

#[tokio::test]
async fn a_page_has_1_to_200_items() {
    let api = TestApi::new().await;
    let mut tried = 0;
    for function in endpoints() {
        if !function.endpoint().unwrap().query.iter().any(|(name, _)| *name == "limit") {
            continue;
        }
        for good in ["1", "200"] {
            assert_eq!(api.fixture(function).query("limit", good).as_admin().await.status, 200, "{good}");
        }
        for bad in ["0", "201", "x", "-5", "1.5", "", " 7"] {
            let what = format!("{}?limit={bad}", function.name);
            assert_eq!(refused(&api, api.fixture(function).query("limit", bad), 422, &what).await, ["limit"]);
        }
        tried += 1;
    }
    assert_eq!(tried, 10);
}

#[tokio::test]
async fn a_cursor_leads_on_and_only_in_its_own_list() {
    let api = TestApi::new().await;
    let next = |path: String| {
        let api = &api;
        async move { api.get(&path).as_user().await.json()["next_cursor"].as_str().unwrap().to_owned() }
    };
    let workers = next("/api/workers?limit=1".into()).await;
    let events = next(format!("/api/workers/{WORKER}/events?limit=1")).await;
    let operations = next("/api/operations?limit=1".into()).await;
    let lists = ["/api/workers".to_owned(), format!("/api/workers/{WORKER}/events"), "/api/operations".into()];
    for (list, own) in lists.iter().zip([&workers, &events, &operations]) {
        for cursor in [&workers, &events, &operations] {
            let answer = api.get(list).query("cursor", cursor).as_user().await;
            assert_eq!(answer.status, if cursor == own { 200 } else { 422 }, "{list} with {cursor}");
        }
        let cut = &own[..own.len() - 3];
        let answer = api.get(list).query("cursor", cut).as_user().await;
        assert_eq!((answer.status, answer.fields()), (422, vec!["cursor".to_owned()]));
    }
    // A cursor of one filter is no cursor of another.
    let answer = api.get("/api/workers?region=eu-west-1").query("cursor", &workers).as_user().await;
    assert_eq!(answer.status, 422);
}
