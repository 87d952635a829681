//! Who may call what.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Role;
use serde_json::json;

use super::fixtures;
use super::test_api::TestApi;
use super::tokens::{claims, forge, sign, token};
use super::world::now;

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "most of them are the matrix")]
async fn a_route_lets_in_its_least_role_and_those_above_and_nobody_else() {
    let mut matrix = String::from("function                nobody  user manager admin\n");
    for function in fixtures::endpoints() {
        let (needed, of_owner) = function.endpoint().map(|it| (it.access, it.of_owner)).unwrap();
        write!(matrix, "{:24}", function.name).unwrap();
        for caller in [None, Some(Role::User), Some(Role::Manager), Some(Role::Admin)] {
            let api = TestApi::new().await;
            let before = api.items();
            let call = api.fixture(function);
            let answer = match caller {
                None => call.await,
                Some(role) => call.by(role).await,
            };
            write!(matrix, "{:>6}", answer.status).unwrap();
            match (needed.least_role(), caller) {
                (Some(_), None) => assert_eq!(answer.status, 401, "{}", function.name),
                (Some(least), Some(role)) if role < least => {
                    assert_eq!(answer.status, 403, "{} as {}", function.name, role.name());
                }
                // The lab of the fixtures is ada's: a user acts on their own.
                (Some(_), Some(Role::User)) if fixtures::acts_on_a_lab(function) => {
                    assert_eq!(answer.status, 403, "{}", function.name);
                }
                // What the fixtures name is the user's.
                (Some(_), Some(role)) if of_owner && role > Role::User && matches!(answer.status, 403 | 404) => {}
                _ => assert!(answer.status < 303, "{} as {caller:?}: {answer:?}", function.name),
            }
            if answer.status >= 400 {
                assert_eq!(api.items(), before, "{} as {caller:?} wrote", function.name);
            }
        }
        matrix.push('\n');
    }
    insta::assert_snapshot!(matrix, @"
    function                nobody  user manager admin
    create-worker              401   403   403   202
    import-workers             401   403   403   202
    discover-workers           401   403   403   200
    list-discovered-instances   401   403   200   200
    list-workers               401   200   200   200
    get-worker                 401   200   200   200
    update-worker              401   403   200   200
    terminate-worker           401   403   403   202
    start-worker               401   403   202   202
    stop-worker                401   403   202   202
    refresh-worker             401   403   202   202
    set-worker-monitoring      401   403   403   202
    get-worker-metrics         401   200   200   200
    list-worker-events         401   200   200   200
    list-evidence              401   403   200   200
    download-evidence          401   403   200   200
    set-cml-credentials        401   403   403   204
    set-fleet-cml-credentials   401   403   403   204
    repin-certificate          401   403   403   200
    list-labs                  401   200   200   200
    list-worker-labs           401   200   200   200
    get-lab                    401   200   200   200
    download-lab               401   200   200   200
    import-lab                 401   403   202   202
    refresh-labs               401   403   202   202
    update-lab                 401   403   202   202
    delete-lab                 401   403   202   202
    start-lab                  401   403   202   202
    stop-lab                   401   403   202   202
    wipe-lab                   401   403   202   202
    back-up-lab                401   403   202   202
    restore-lab                401   403   202   202
    list-backups               401   200   200   200
    get-backup                 401   200   200   200
    download-backup            401   200   200   200
    delete-backup              401   403   403   204
    get-license                401   200   200   200
    register-license           401   403   403   202
    renew-license              401   403   403   202
    deregister-license         401   403   403   202
    query-cml                  401   200   200   200
    set-desired-state          401   403   202   202
    reconcile-worker           401   403   202   202
    get-reconciliation-stats   401   200   200   200
    trigger-reconciliation     401   403   403   202
    get-worker-power           401   200   200   200
    get-operation              401   200   200   200
    list-operations            401   200   200   200
    login                      302   302   302   302
    callback                   302   302   302   302
    refresh-session            200   200   200   200
    logout                     200   200   200   200
    session                    200   200   200   200
    whoami                     401   200   200   200
    create-api-key             401   201   201   201
    list-api-keys              401   200   200   200
    revoke-api-key             401   204   404   204
    rotate-api-key             401   200   404   403
    health                     200   200   200   200
    openapi                    200   200   200   200
    docs                       200   200   200   200
    fleet-metrics              401   200   200   200
    prometheus                 401   200   200   200
    ");
}

#[tokio::test]
async fn only_an_admin_sets_where_the_password_goes() {
    for field in ["cml_endpoint", "cml_credentials_ref"] {
        let value = if field == "cml_endpoint" { "https://cml.example.org" } else { "another" };
        for value in [json!(value), json!(null)] {
            let api = TestApi::new().await;
            let call = api.fixture(fixtures::function("update-worker")).json(&json!({ field: value }));
            assert_eq!(call.clone().as_manager().await.status, 403, "{field}");
            assert_eq!(call.as_admin().await.status, 200, "{field}");
        }
    }
}

#[tokio::test]
async fn a_token_that_is_not_the_issuers_for_us_and_now_is_a_401_with_a_challenge() {
    let api = TestApi::new().await;
    let with = |name: &str, value: serde_json::Value| {
        let mut claims = claims(Role::Admin);
        claims[name] = value;
        sign(&claims)
    };
    let ago = |seconds: i64| json!(now().as_second() - seconds);
    let good = token(Role::Admin);
    let (head, rest) = good.split_once('.').unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    let raised = URL_SAFE_NO_PAD.encode(claims(Role::Admin).to_string());
    let unsigned = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"of-the-issuer"}"#);
    let user = token(Role::User);
    let (user_head, user_signature) = (user.split('.').next().unwrap(), user.rsplit('.').next().unwrap());
    for (what, refused) in [
        ("expired", with("exp", ago(120))),
        ("not valid yet", with("nbf", ago(-120))),
        ("of another issuer", with("iss", json!("https://issuer.example/realms/other"))),
        ("for another audience", with("aud", json!("somebody-else"))),
        ("an id token", with("typ", json!("ID"))),
        ("without an end", with("exp", json!(null))),
        ("forged", forge(&claims(Role::Admin))),
        ("a user's, with an admin's claims", format!("{user_head}.{raised}.{user_signature}")),
        ("unsigned", format!("{unsigned}.{raised}.")),
        ("without its signature", format!("{head}.{raised}.")),
        ("cut short", format!("{head}.{signature}")),
        ("two", format!("{good},{good}")),
        ("empty", String::new()),
        ("no token at all", "x".into()),
        ("endless", "x".repeat(100_000)),
    ] {
        let answer = api.get("/api/workers").bearer(&refused).await;
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        assert!(answer.headers["www-authenticate"].contains("error=\"invalid_token\""), "{what}");
        assert!(refused.len() < 4 || !answer.body.contains(&refused), "{what}: the token comes back");
    }
    for scheme in ["Basic YWRtaW46dGVzdA==", "Token x", good] {
        let answer = api.get("/api/workers").header("authorization", scheme).await;
        assert_eq!(answer.status, 401, "{scheme}");
    }
    let nobody = with("realm_access", json!({"roles": ["offline_access"]}));
    assert_eq!(api.get("/api/workers").bearer(&nobody).await.status, 403);
    // A public endpoint does not care.
    assert_eq!(api.get("/api/health").bearer("x").await.status, 200);
}

#[tokio::test]
async fn the_request_id_is_the_gateways_and_not_the_callers() {
    let api = TestApi::new().await;
    // The harness compares it with the gateway's in every answer.
    let call = api.get("/api/health").header("x-request-id", "theirs").header("x-service-name", "theirs");
    assert_eq!(call.await.status, 200);
}
