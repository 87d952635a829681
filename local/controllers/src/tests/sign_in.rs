use super::*;

const REFUSAL: &str = r#"{"code":401,"description":"No authorization token provided."}"#;

#[tokio::test]
async fn without_a_token_with_a_false_one_or_after_its_day_nothing_is_told() {
    let fleet = Fleet::ready(OLD).await;
    let admin = fleet.admin(OLD).await;
    assert_eq!(admin.get("/authok").await, "admin");
    for token in ["", "a.b.c"] {
        let answer = fleet.ask(OLD, Method::GET, "/labs", token, "").await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::UNAUTHORIZED, REFUSAL));
    }
    // Fleet time may run ahead by days; a token lives by machine time.
    fleet.pass(7 * 86_400);
    assert_eq!(admin.get("/labs").await, json!([]));
    fleet.machine_clock.advance(SignedDuration::from_hours(24));
    assert_eq!(admin.ask(Method::GET, "/labs", "").await.text, REFUSAL);
}

#[tokio::test]
async fn signing_out_ends_one_token_or_all_of_the_user() {
    let fleet = Fleet::ready(OLD).await;
    let [one, two, three] = [fleet.admin(OLD).await, fleet.admin(OLD).await, fleet.admin(OLD).await];
    assert_eq!(one.ask(Method::DELETE, "/logout", "").await.json(), true);
    assert_eq!(one.ask(Method::GET, "/labs", "").await.text, REFUSAL);
    assert_eq!(two.get("/labs").await, json!([]));
    two.ask(Method::DELETE, "/logout?clear_all_sessions=true", "").await;
    assert_eq!(three.ask(Method::GET, "/labs", "").await.text, REFUSAL);
}

#[tokio::test]
async fn a_wrong_password_is_403_and_an_empty_name_is_a_validation_error() {
    let fleet = Fleet::ready(OLD).await;
    let answer = fleet.sign_in_as(OLD, "admin", "wrong").await;
    assert_eq!((answer.status, answer.json()["code"].as_u64()), (StatusCode::FORBIDDEN, Some(403)));
    let answer = fleet.sign_in_as(OLD, "", "wrong").await.json();
    let detail: Value = serde_json::from_str(answer["description"].as_str().unwrap()).unwrap();
    assert_eq!(detail["Input validation failed"][0]["location"], json!(["body", "username"]));
}

#[tokio::test]
async fn each_version_checks_tokens_at_its_own_path() {
    let fleet = Fleet::on(Documents::in_memory().unwrap(), start());
    fleet.controllers.sync(&[running(OLD, start()), running(NEW, start())]).await;
    fleet.pass(180);
    for (instance, good, bad) in [(OLD, "/authok", "/authentication"), (NEW, "/authentication", "/authok")] {
        let admin = fleet.admin(instance).await;
        admin.get(good).await;
        assert_eq!(admin.ask(Method::GET, bad, "").await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn who_is_no_administrator_sees_only_their_own_labs_and_no_licence() {
    let fleet = Fleet::ready(OLD).await;
    let admin = fleet.admin(OLD).await;
    let (theirs, _) = admin.make_lab("Of the admin").await;
    let made = admin.post("/users", json!({ "username": "ada", "password": "pw" })).await;
    let ada = fleet.client(OLD, "ada", "pw").await;
    let (own, _) = ada.make_lab("Of Ada").await;

    for path in ["/labs", "/labs?show_all=true"] {
        assert_eq!(ada.get(path).await, json!([own]), "{path}");
    }
    let answer = ada.ask(Method::GET, &format!("/labs/{theirs}"), "").await.json();
    assert_eq!(answer, json!({ "code": 404, "description": format!("Lab not found: {theirs}") }));
    assert_eq!(ada.ask(Method::GET, "/licensing", "").await.status, StatusCode::FORBIDDEN);

    assert_eq!(admin.get("/labs").await, json!([theirs]));
    assert_eq!(admin.get("/labs?show_all=true").await, json!([theirs, own]));
    let lab = admin.get(&format!("/labs/{own}")).await;
    assert_eq!((&lab["owner"], &lab["owner_username"]), (&made["id"], &json!("ada")));
}
