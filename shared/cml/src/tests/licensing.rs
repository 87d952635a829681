//! Smart Licensing.

use app::ports::{
    Authorization, CmlErrorKind, CmlLicensing, Deregistration, FeatureCount, LicenseFeature, LicensingAttempt,
    LicensingStatus, LicensingTransport, LicensingTransportChange, ProductInstance, ProductLicense, Registration,
};
use serde_json::Value;

use super::*;

/// A status of the 2.9 shape.
fn registered() -> Value {
    json!({
        "registration": {
            "status": "COMPLETED", "smart_account": "Example", "virtual_account": "Labs",
            "expires": "2027-01-31 08:09:10",
            "register_time": {"succeeded": null, "attempted": "2026-01-31 08:09:10", "scheduled": null,
                              "status": null, "failure": "OK", "success": "SUCCESS"},
            "renew_time": {"succeeded": "2026-02-01 00:00:00", "attempted": null, "scheduled": "2026-08-01 00:00:00",
                           "status": "SUCCEEDED", "failure": null, "success": null},
        },
        "authorization": {"status": "IN_COMPLIANCE", "expires": "2026-05-01 00:00:00", "renew_time": null},
        "features": [
            {"id": "regid.example,CML_NODE_COUNT,1.0", "name": "Nodes", "description": "More nodes", "in_use": 20,
             "status": "IN_COMPLIANCE", "version": "1.0", "min": 0, "max": 300, "minEndDate": null},
            {"name": "without an id"},
        ],
        "reservation_mode": false,
        "transport": {"default_ssms": "https://ssms.example.com", "ssms": "https://own.example.com",
                      "proxy": {"server": "proxy.example.com", "port": 8080}},
        "udi": {"hostname": "cml-controller", "product_uuid": "77777777-0000-4000-8000-000000000000"},
        "product_license": {"active": "CML_Enterprise", "is_enterprise": true},
        "something": "new",
    })
}

#[tokio::test]
async fn the_status_is_read_field_by_field() {
    let controller = Controller::saying(registered()).await;
    let expected = LicensingStatus {
        registration: Registration {
            status: Some("COMPLETED".into()),
            smart_account: Some("Example".into()),
            virtual_account: Some("Labs".into()),
            expires_at: time("2027-01-31T08:09:10Z"),
            registered: LicensingAttempt {
                attempted_at: time("2026-01-31T08:09:10Z"),
                failure: Some("OK".into()),
                success: Some("SUCCESS".into()),
                ..LicensingAttempt::default()
            },
            renewed: LicensingAttempt {
                succeeded_at: time("2026-02-01T00:00:00Z"),
                scheduled_at: time("2026-08-01T00:00:00Z"),
                status: Some("SUCCEEDED".into()),
                ..LicensingAttempt::default()
            },
        },
        authorization: Authorization {
            status: Some("IN_COMPLIANCE".into()),
            expires_at: time("2026-05-01T00:00:00Z"),
            renewed: LicensingAttempt::default(),
        },
        features: vec![LicenseFeature {
            id: "regid.example,CML_NODE_COUNT,1.0".into(),
            name: Some("Nodes".into()),
            description: Some("More nodes".into()),
            in_use: Some(20),
            status: Some("IN_COMPLIANCE".into()),
            version: Some("1.0".into()),
            min: Some(0),
            max: Some(300),
        }],
        reservation_mode: Some(false),
        transport: LicensingTransport {
            default_ssms: Some("https://ssms.example.com".into()),
            ssms: Some("https://own.example.com".into()),
            proxy_server: Some("proxy.example.com".into()),
            proxy_port: Some(8_080),
        },
        instance: ProductInstance {
            hostname: Some("cml-controller".into()),
            product_uuid: Some("77777777-0000-4000-8000-000000000000".into()),
        },
        product: ProductLicense { active: Some("CML_Enterprise".into()), is_enterprise: Some(true) },
    };
    assert_eq!(controller.client.licensing(controller.access()).await.unwrap(), expected);
}

#[tokio::test]
async fn what_is_asked_of_licensing_is_asked_as_cml_s_own_client_asks() {
    let controller = Controller::start(|_| no_content()).await;
    let (client, access) = (&controller.client, controller.access());
    client.set_licensing_transport(access, LicensingTransportChange::default()).await.unwrap();
    let own = LicensingTransportChange {
        ssms: Some("https://own.example.com"),
        proxy_server: Some("proxy.example.com"),
        proxy_port: Some(8_080),
    };
    client.set_licensing_transport(access, own).await.unwrap();
    client.set_product_license(access, "CML_Enterprise").await.unwrap();
    client.register(access, "a-token", true).await.unwrap();
    client.renew_registration(access).await.unwrap();
    client.renew_authorization(access).await.unwrap();
    client.set_features(access, &[FeatureCount { id: "regid.x,1.0".into(), count: 20 }]).await.unwrap();
    client.set_reservation_mode(access, true).await.unwrap();
    client.cancel_reservation(access).await.unwrap();
    client.forget_confirmation_code(access).await.unwrap();
    client.forget_return_code(access).await.unwrap();
    let asked = controller.lines();
    let asked: Vec<_> = asked.iter().map(|line| line.replace("/api/v0/licensing/", "")).collect();
    let expected = [
        r#"PUT transport {"proxy":{"port":null,"server":null},"ssms":null}"#,
        r#"PUT transport {"proxy":{"port":8080,"server":"proxy.example.com"},"ssms":"https://own.example.com"}"#,
        r#"PUT product_license "CML_Enterprise""#,
        r#"POST registration {"reregister":true,"token":"a-token"}"#,
        "PUT registration/renew",
        "PUT authorization/renew",
        r#"PATCH features [{"count":20,"id":"regid.x,1.0"}]"#,
        "PUT reservation/mode true",
        "DELETE reservation/cancel",
        "DELETE reservation/confirmation_code",
        "DELETE reservation/return_code",
    ];
    assert_eq!(asked, expected);
}

#[tokio::test]
async fn the_codes_of_a_reservation_are_handed_on() {
    let controller = Controller::start(|request| match request.line.contains("tech_support") {
        true => Answer::Typed("text/plain", "Smart Agent: not a JSON text".into()),
        false => Answer::json(&json!(request.line)),
    })
    .await;
    let (client, access) = (&controller.client, controller.access());
    let codes = [
        client.request_reservation(access).await.unwrap(),
        client.complete_reservation(access, "auth").await.unwrap(),
        client.release_reservation(access).await.unwrap(),
        client.discard_reservation(access, "auth").await.unwrap(),
        client.reservation_confirmation_code(access).await.unwrap(),
        client.reservation_return_code(access).await.unwrap(),
    ];
    let asked = ["POST request", "POST complete", "DELETE release", "POST discard", "GET confirmation_code"];
    let expected = asked.into_iter().chain(["GET return_code"]);
    let expected: Vec<_> = expected.map(|line| line.replace(' ', " /api/v0/licensing/reservation/")).collect();
    assert_eq!(codes, expected[..]);
    assert_eq!(client.licensing_tech_support(access).await.unwrap(), "Smart Agent: not a JSON text");
}

/// How a deregistration ends, or the kind and status of its error.
type End = Result<Deregistration, (CmlErrorKind, u16)>;

#[tokio::test]
async fn the_ends_of_a_deregistration_are_told_apart() {
    let gone = "Licensing issue: The product has already been de-registered.";
    let busy = "Licensing issue: Cannot de-register when nodes are running.";
    let ends: [(Answer, End); 7] = [
        (no_content(), Ok(Deregistration::Done)),
        (Answer::Whole(200, "null".into()), Ok(Deregistration::Done)),
        (Answer::Whole(202, String::new()), Ok(Deregistration::SeatMayBeTaken)),
        (refusal(400, gone), Ok(Deregistration::NotRegistered { description: gone.into() })),
        (refusal(400, busy), Err((CmlErrorKind::Refused, 400))),
        (refusal(409, "Another licensing operation is in progress."), Err((CmlErrorKind::Refused, 409))),
        (refusal(403, "Not an admin."), Err((CmlErrorKind::Denied, 403))),
    ];
    for (answer, expected) in ends {
        let answer = std::sync::Mutex::new(Some(answer));
        let controller = Controller::start(move |_| answer.lock().unwrap().take().unwrap()).await;
        let end = controller.client.deregister(controller.access()).await;
        let end = end.map_err(|error| (error.kind, error.status.unwrap()));
        assert_eq!(end, expected);
        assert_eq!(controller.lines(), ["DELETE /api/v0/licensing/deregistration"]);
    }
}

#[tokio::test]
async fn a_deregistration_whose_answer_is_lost_is_neither_done_nor_repeated() {
    let controller = Controller::start(|_| Answer::Cut).await;
    let error = controller.client.deregister(controller.access()).await.unwrap_err();
    assert_eq!((error.kind, error.outcome_unknown()), (CmlErrorKind::Unreachable, true));
    assert_eq!(controller.lines().len(), 1);
}
