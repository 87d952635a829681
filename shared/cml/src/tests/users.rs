//! Users, groups, and who we are.

use app::ports::{CmlErrorKind, CmlGroup, CmlIdentity, CmlUser, CmlUsers};

use super::*;

/// Whose the tokens of these tests are.
const OURS: &str = "5d4c3b2a-0000-4000-8000-0000000000ff";

/// A controller of that version, where we are an administrator.
async fn controller(version: &'static str) -> Controller {
    Controller::start(move |request| match request.line.as_str() {
        "GET /api/v0/system_information" => Answer::json(&json!({"version": version, "ready": true})),
        "GET /api/v0/authok" if !version.starts_with("2.1") => Answer::json(&json!("OK")),
        "GET /api/v0/authentication" if version.starts_with("2.1") => {
            Answer::json(&json!({"id": OURS, "username": "fleet", "admin": true, "token": null}))
        }
        line if line == format!("GET /api/v0/users/{OURS}") => {
            Answer::json(&json!({"id": OURS, "username": "fleet", "admin": true, "opt_in": null}))
        }
        _ => refusal(404, "Not Found"),
    })
    .await
}

#[tokio::test]
async fn who_we_are_is_asked_in_each_version_s_own_way() {
    let ours = CmlIdentity { user_id: Some(OURS.into()), username: Some("fleet".into()), is_admin: Some(true) };
    let user = format!("GET /api/v0/users/{OURS}");
    let old = ["GET /api/v0/system_information", "GET /api/v0/authok", user.as_str()];
    let new = ["GET /api/v0/system_information", "GET /api/v0/authentication"];
    for (version, expected) in [("2.8.1", &old[..]), ("2.9.1+build.7", &old), ("2.10.0", &new), ("2.11.0+sso", &new)] {
        let controller = controller(version).await;
        assert_eq!(controller.client.who_am_i(controller.access()).await.unwrap(), ours, "{version}");
        assert_eq!(controller.lines(), expected, "{version}");
    }
}

#[tokio::test]
async fn a_token_that_is_not_good_is_nobody_s() {
    let controller = Controller::start(|request| match request.line.as_str() {
        "GET /api/v0/system_information" => Answer::json(&json!({"version": "2.9.1", "ready": true})),
        _ => refusal(401, "No authorization token provided."),
    })
    .await;
    let error = controller.client.who_am_i(controller.access()).await.unwrap_err();
    assert_eq!((error.kind, error.operation), (CmlErrorKind::Denied, "GET /authok"));
}

#[tokio::test]
async fn users_and_groups_are_read_field_by_field() {
    let controller = Controller::start(|request| match request.line.as_str() {
        "GET /api/v0/users" => Answer::json(&json!([
            {"id": OURS, "username": "fleet", "fullname": "", "email": "fleet@example.com", "admin": true,
             "groups": ["g-1"], "labs": ["l-1"], "created": "2026-01-05T09:10:11+00:00", "opt_in": "UNSET"},
            {"id": "u-2", "opt_in": true},
        ])),
        _ => {
            Answer::json(&json!([{"id": "g-1", "name": "students", "description": "", "members": [OURS], "labs": []}]))
        }
    })
    .await;
    let ours = CmlUser {
        id: OURS.into(),
        username: Some("fleet".into()),
        fullname: Some(String::new()),
        email: Some("fleet@example.com".into()),
        is_admin: Some(true),
        groups: vec!["g-1".into()],
        created_at: time("2026-01-05T09:10:11Z"),
    };
    let other = CmlUser { id: "u-2".into(), ..CmlUser::default() };
    assert_eq!(controller.client.users(controller.access()).await.unwrap(), [ours, other]);
    let students = CmlGroup {
        id: "g-1".into(),
        name: Some("students".into()),
        description: Some(String::new()),
        members: vec![OURS.into()],
    };
    assert_eq!(controller.client.groups(controller.access()).await.unwrap(), [students]);
    assert_eq!(controller.lines(), ["GET /api/v0/users", "GET /api/v0/groups"]);
}
