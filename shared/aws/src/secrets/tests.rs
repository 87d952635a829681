use std::collections::VecDeque;

use app::testing::ManualClock;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Config, Credentials, Region};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;

use super::*;

/// Answers in order, and what was asked: the action, and its body.
#[derive(Clone, Debug, Default)]
struct Wire {
    answers: Arc<Mutex<VecDeque<(u16, String)>>>,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let action = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        self.asked.lock().unwrap().push((action, body));
        let (status, body) = self.answers.lock().unwrap().pop_front().unwrap_or((418, "{}".into()));
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))))
    }
}

impl Wire {
    fn new<const N: usize>(answers: [(u16, Value); N]) -> Self {
        let answers = answers.into_iter().map(|(status, body)| (status, body.to_string())).collect();
        Self { answers: Arc::new(Mutex::new(answers)), asked: Arc::default() }
    }

    fn secrets(&self, clock: &Arc<ManualClock>) -> SecretsManagerSecrets {
        over(self.clone(), clock)
    }

    fn actions(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(action, _)| action.clone()).collect()
    }
}

fn over(connector: impl HttpConnector + 'static, clock: &Arc<ManualClock>) -> SecretsManagerSecrets {
    let connector = SharedHttpConnector::new(connector);
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("k", "s", None, None, "test"))
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    SecretsManagerSecrets::new(Client::from_conf(config), "ccm-test".into(), clock.clone())
}

/// As much of Secrets Manager as is used: by name, the versions that are current and previous.
#[derive(Debug, Default)]
struct Store(Mutex<BTreeMap<String, Vec<String>>>);

impl Store {
    fn answer(&self, action: &str, body: &Value) -> (u16, Value) {
        let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
        let (name, mut kept) = (text("SecretId"), self.0.lock().unwrap());
        match action {
            "GetSecretValue" => {
                let age = usize::from(text("VersionStage") == PREVIOUS);
                let version = kept.get(&name).and_then(|versions| versions.get(age));
                version.map_or_else(no_previous, |version| (200, json!({"Name": name, "SecretString": version})))
            }
            "PutSecretValue" => {
                let Some(versions) = kept.get_mut(&name) else { return no_previous() };
                versions.insert(0, text("SecretString"));
                (200, json!({}))
            }
            "CreateSecret" => {
                kept.insert(text("Name"), vec![text("SecretString")]);
                (200, json!({}))
            }
            "DeleteSecret" => kept.remove(&name).map_or_else(no_previous, |_| (200, json!({}))),
            _ => refusal("UnknownOperationException"),
        }
    }
}

impl HttpConnector for Store {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let action = target.rsplit('.').next().unwrap_or_default();
        let body = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let (status, body) = self.answer(action, &body);
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body.to_string()))))
    }
}

fn stored(password: &str) -> (u16, Value) {
    let text = json!({"username": "poller", "password": password}).to_string();
    (200, json!({"Name": "ccm-test/cml-credentials/fleet", "SecretString": text}))
}

fn no_previous() -> (u16, Value) {
    refusal("ResourceNotFoundException")
}

fn refusal(code: &str) -> (u16, Value) {
    (400, json!({"__type": code, "Message": "no"}))
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at("2026-01-31T12:00:00Z".parse().unwrap()))
}

fn credentials(password: &str) -> CmlCredentials {
    CmlCredentials { username: "poller".into(), password: password.into() }
}

#[tokio::test]
async fn what_was_read_and_what_was_not_there_is_good_for_a_minute() {
    let wire = Wire::new([no_previous(), stored("one"), no_previous(), stored("two"), stored("one")]);
    let clock = clock();
    let secrets = wire.secrets(&clock);
    let mut read = Vec::new();
    for seconds in [0, 59, 1, 59, 1] {
        clock.advance(SignedDuration::from_secs(seconds));
        read.push(secrets.cml_credentials("fleet").await.unwrap());
    }
    let one = Some(CmlLogins::from(credentials("one")));
    let two = Some(CmlLogins { current: credentials("two"), previous: Some(credentials("one")) });
    assert!(read == [None, None, one.clone(), one, two]);
    assert_eq!(wire.actions(), ["GetSecretValue"; 5]);
    let asked = wire.asked.lock().unwrap();
    assert_eq!(asked[0].1, json!({"SecretId": "ccm-test/cml-credentials/fleet"}));
    assert_eq!(asked[2].1, json!({"SecretId": "ccm-test/cml-credentials/fleet", "VersionStage": "AWSPREVIOUS"}));
}

#[tokio::test]
async fn a_secret_is_made_when_first_set_even_if_two_do_so_at_once_and_what_was_kept_is_forgotten() {
    let wire = Wire::new([
        stored("one"),
        no_previous(),
        refusal("ResourceNotFoundException"),
        refusal("ResourceNotFoundException"),
        refusal("ResourceExistsException"),
        (200, json!({})),
        stored("two"),
        stored("one"),
    ]);
    let secrets = wire.secrets(&clock());
    secrets.cml_credentials("fleet").await.unwrap();
    secrets.set_cml_credentials("fleet", &credentials("two")).await.unwrap();
    assert!(secrets.cml_credentials("fleet").await.unwrap().unwrap().current == credentials("two"));
    assert_eq!(wire.actions()[2..6], ["GetSecretValue", "PutSecretValue", "CreateSecret", "PutSecretValue"]);
    let asked = wire.asked.lock().unwrap();
    let sent: Value = serde_json::from_str(asked[5].1["SecretString"].as_str().unwrap()).unwrap();
    assert_eq!(sent, json!({"username": "poller", "password": "two"}));
}

#[tokio::test]
async fn a_token_is_kept_under_its_own_name_and_deleted_for_good() {
    let wire = Wire::new([
        refusal("ResourceNotFoundException"),
        (200, json!({})),
        (200, json!({"SecretString": "abc"})),
        (200, json!({})),
        refusal("ResourceNotFoundException"),
    ]);
    let secrets = wire.secrets(&clock());
    let token = LicenseToken("abc".into());
    secrets.put_token("op-1", &token).await.unwrap();
    assert!(secrets.token("op-1").await.unwrap() == Some(token));
    secrets.delete_token("op-1").await.unwrap();
    secrets.delete_token("op-1").await.unwrap();
    let actions = ["PutSecretValue", "CreateSecret", "GetSecretValue", "DeleteSecret", "DeleteSecret"];
    assert_eq!(wire.actions(), actions);
    let asked = wire.asked.lock().unwrap();
    assert_eq!(asked[1].1["Name"], "ccm-test/license-tokens/op-1");
    let deleted = json!({"SecretId": "ccm-test/license-tokens/op-1", "ForceDeleteWithoutRecovery": true});
    assert_eq!(asked[3].1, deleted);
}

#[tokio::test]
async fn a_malformed_secret_is_told_without_its_words_and_a_refusal_is_not_an_absence() {
    let wire = Wire::new([
        (200, json!({"SecretString": "hunter2"})),
        (200, json!({"SecretString": "{\"password\": \"hunter2\"}"})),
        refusal("AccessDeniedException"),
    ]);
    let secrets = wire.secrets(&clock());
    for _ in 0..3 {
        let error = secrets.cml_credentials("fleet").await.unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn secrets_manager_is_as_every_store_of_secrets_must_be() {
    app::testing::check_secrets(&over(Store::default(), &clock())).await.unwrap();
}
