use std::sync::{Arc, Mutex};

use app::testing::ManualClock;
use aws_sdk_kms::config::{BehaviorVersion, Config, Credentials, Region};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;

const ARN: &str = "arn:aws:kms:us-east-1:123456789012:key/1";

/// A KMS with one data key, for the encryption context that it was made for.
#[derive(Clone, Debug, Default)]
struct Wire {
    made_for: Arc<Mutex<Option<Value>>>,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Wire {
    fn answer(&self, action: &str, request: &Value) -> (u16, Value) {
        let mut made_for = self.made_for.lock().unwrap();
        let plaintext = STANDARD.encode([7_u8; 32]);
        match action {
            "GenerateDataKey" => {
                *made_for = Some(request["EncryptionContext"].clone());
                let encrypted = STANDARD.encode("an encrypted key");
                (200, json!({"KeyId": ARN, "Plaintext": plaintext, "CiphertextBlob": encrypted}))
            }
            _ if made_for.as_ref() == Some(&request["EncryptionContext"]) => {
                (200, json!({"KeyId": ARN, "Plaintext": plaintext}))
            }
            _ => (400, json!({"__type": "InvalidCiphertextException"})),
        }
    }

    fn sealer(&self) -> KmsSealer {
        let connector = SharedHttpConnector::new(self.clone());
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("k", "s", None, None, "test"))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        KmsSealer::new(Client::from_conf(config), ARN.into(), Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH)))
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let action = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let (status, answer) = self.answer(&action, &body);
        self.asked.lock().unwrap().push((action, body));
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(answer.to_string()))))
    }
}

#[tokio::test]
async fn a_text_is_sealed_with_a_data_key_bound_to_its_item() {
    let wire = Wire::default();
    let sealer = wire.sealer();
    let sealed = sealer.seal("a refresh token", "SESSION#1").await.unwrap();
    assert!(sealed.starts_with("kms1.") && !sealed.contains("refresh"), "{sealed}");
    assert_eq!(sealer.open(&sealed, "SESSION#1").await.unwrap(), "a refresh token");
    let asked = wire.asked.lock().unwrap().clone();
    let context = json!({"ccm:kind": "SESSION", "ccm:item": "SESSION#1"});
    for (at, action) in ["GenerateDataKey", "Decrypt"].into_iter().enumerate() {
        assert_eq!((asked[at].0.as_str(), &asked[at].1["KeyId"]), (action, &json!(ARN)));
        assert_eq!(asked[at].1["EncryptionContext"], context);
    }
    assert_eq!(asked[0].1["KeySpec"], "AES_256");
}

#[tokio::test]
async fn what_was_sealed_for_another_item_or_is_no_seal_does_not_open() {
    let sealer = Wire::default().sealer();
    let sealed = sealer.seal("a refresh token", "SESSION#1").await.unwrap();
    let error = sealer.open(&sealed, "SESSION#2").await.unwrap_err();
    assert_eq!(error.operation, "kms.Decrypt");
    for broken in ["", "kms1.", "kms1.a", "kms2.YQ.YQ", "kms1.YQ.!", "local1.YQ"] {
        assert!(sealer.open(broken, "SESSION#1").await.is_err(), "{broken}");
    }
}

#[tokio::test]
async fn kms_is_asked_once_for_a_signing_secret_and_each_time_for_a_session() {
    for (context, times) in [("API-KEY#1", 1), ("SESSION#1", 3)] {
        let wire = Wire::default();
        let sealer = wire.sealer();
        let sealed = sealer.seal("a secret", context).await.unwrap();
        for _ in 0..3 {
            assert_eq!(sealer.open(&sealed, context).await.unwrap(), "a secret");
        }
        // What is remembered opens nothing elsewhere.
        assert!(sealer.open(&sealed, "API-KEY#2").await.is_err());
        let decrypted = wire.asked.lock().unwrap().iter().filter(|(action, _)| action == "Decrypt").count();
        assert_eq!(decrypted, times + 1, "{context}");
    }
}
