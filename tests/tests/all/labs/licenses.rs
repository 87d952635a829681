//! Licences: registered and given back whatever goes wrong on the way, and no token anywhere.

use std::time::Duration;

use app::ports::{CmlLicensing, CmlSystem, Deregistration, LicenseToken, Timer};
use app::use_cases::license_commands::{Proxy, Registration, deregister_license, register_license, renew_license};
use app::use_cases::read_license::{LicenseDetails, get_license};
use app::use_cases::run_cml_operation::run_cml_operation;
use async_trait::async_trait;
use domain::operation::{Operation, OperationStatus};
use domain::{OperationId, Role};
use local_controllers::{ControllerFault, FaultOrder, LICENCE_TOKEN};

use super::world::{LabWorld, asked, person};

const TRANSPORT: (&str, &str) = ("PUT", "/licensing/transport");
const PRODUCT: (&str, &str) = ("PUT", "/licensing/product_license");
const STATUS: (&str, &str) = ("GET", "/licensing");
const REGISTRATION: (&str, &str) = ("POST", "/licensing/registration");
const FEATURES: (&str, &str) = ("PATCH", "/licensing/features");
const DEREGISTRATION: (&str, &str) = ("DELETE", "/licensing/deregistration");

/// Nobody's patience ends.
struct Patient;

#[async_trait]
impl Timer for Patient {
    async fn after(&self, _: Duration) {
        std::future::pending::<()>().await;
    }
}

pub(super) fn wanted(token: &str) -> Registration {
    Registration {
        token: LicenseToken(token.into()),
        product: "CML_Enterprise".into(),
        node_count: Some(50),
        ssms_url: Some("https://ssms.example.com/x".into()),
        proxy: None,
        reregister: false,
    }
}

impl LabWorld {
    /// A world whose first worker has no registration.
    pub(super) async fn unregistered() -> Self {
        let world = Self::new().await;
        let way = world.way(0).await;
        assert_eq!(world.client.deregister(way.access()).await, Ok(Deregistration::Done));
        assert!(!world.seat_is_taken());
        world
    }

    pub(super) fn seat_is_taken(&self) -> bool {
        self.controllers.taken_seats().unwrap().contains(&self.workers[0].1)
    }

    pub(super) async fn register(&self, wanted: Registration) -> OperationId {
        let admin = asked(&person(Role::Admin, "ada"));
        let secrets = self.secrets.as_ref();
        register_license(&self.ctx, secrets, &admin, self.worker(0), wanted).await.unwrap().id
    }

    pub(super) async fn deregister(&self) -> OperationId {
        deregister_license(&self.ctx, &asked(&person(Role::Admin, "ada")), self.worker(0)).await.unwrap().id
    }

    /// What the controller shows: registration, authorization and expansion nodes.
    pub(super) async fn standing(&self) -> (String, String, u32) {
        let status = self.client.licensing(self.way(0).await.access()).await.unwrap();
        let nodes = status.features.iter().find(|feature| feature.id.contains("NODE_COUNT")).unwrap();
        let (registration, authorization) = (status.registration.status, status.authorization.status);
        (registration.unwrap(), authorization.unwrap(), nodes.in_use.unwrap())
    }

    pub(super) async fn license(&self) -> LicenseDetails {
        let ports = (self.at(), self.secrets.as_ref() as &dyn app::ports::Secrets, &Patient as &dyn Timer);
        get_license(&self.ctx, ports, self.worker(0)).await.unwrap()
    }

    /// The token is in no item, no message and no file, and no longer among the secrets.
    pub(super) fn forgot(&self, token: &str) {
        assert_eq!(self.secrets.tokens(), [""; 0], "deleted when the operation ended");
        for item in self.table.items() {
            assert!(!format!("{item:?}").contains(token), "{item:?}");
        }
        for (queue, body) in self.queues.take() {
            assert!(!body.contains(token), "{queue:?}: {body}");
        }
        assert!(self.files.memory.all().is_empty());
    }
}

pub(super) fn warnings(operation: &Operation) -> Vec<String> {
    operation.result.clone().map(|result| result.warnings).unwrap_or_default()
}

pub(super) fn in_order() -> (String, String, u32) {
    ("COMPLETED".into(), "IN_COMPLIANCE".into(), 50)
}

#[tokio::test]
async fn a_registration_ends_in_compliance_with_its_seats_and_the_token_nowhere() {
    let world = LabWorld::unregistered().await;
    let id = world.register(wanted(LICENCE_TOKEN)).await;
    assert_eq!(world.secrets.tokens(), [id.to_string()]);
    let done = world.succeeded(id).await;
    assert_eq!(warnings(&done), [""; 0]);
    assert_eq!(world.standing().await, in_order());
    assert!(world.seat_is_taken());
    assert!(!format!("{done:?}").contains(LICENCE_TOKEN));
    world.forgot(LICENCE_TOKEN);
    let last = world.ctx.store.telemetry(world.worker(0)).await.unwrap().cml.cml.license.unwrap();
    assert!(last.may_hold_seat(), "known at once, not at the next reading");
}

#[tokio::test]
async fn a_registration_survives_a_fault_at_every_step_and_takes_one_seat() {
    let faults = [ControllerFault::BadGateway, ControllerFault::AnswerLost, ControllerFault::BrokenJson];
    for (method, path) in [TRANSPORT, PRODUCT, STATUS, REGISTRATION, FEATURES] {
        for fault in faults.clone() {
            // What is answered with nothing cannot be broken, and what is read broken is an error of CML's.
            if fault == ControllerFault::BrokenJson && method != "POST" {
                continue;
            }
            let world = LabWorld::unregistered().await;
            world.fault(0, fault.clone(), method, path).await;
            let id = world.register(wanted(LICENCE_TOKEN)).await;
            let done = world.ended(id).await;
            assert_eq!(done.status, OperationStatus::Succeeded, "{fault:?} at {method} {path}: {done:?}");
            assert_eq!(world.standing().await, in_order(), "{fault:?} at {method} {path}");
            world.forgot(LICENCE_TOKEN);
        }
    }
}

#[tokio::test]
async fn no_step_of_a_registration_is_passed_over_while_its_call_fails() {
    for (method, path) in [TRANSPORT, PRODUCT, STATUS, REGISTRATION, FEATURES] {
        let world = LabWorld::unregistered().await;
        let id = world.register(wanted(LICENCE_TOKEN)).await;
        world.order(0, FaultOrder::once(ControllerFault::BadGateway).at(method, path).always()).await;
        for _ in 0..10 {
            world.tick().await;
        }
        assert_eq!(world.operation(id).await.status, OperationStatus::Running, "{method} {path}");
    }
}

#[tokio::test]
async fn a_registration_survives_revoked_tokens_a_failing_table_and_messages_that_come_twice() {
    let world = LabWorld::unregistered().await;
    let id = world.register(wanted(LICENCE_TOKEN)).await;
    world.order(0, FaultOrder::once(ControllerFault::TokensRevoked)).await;
    run_cml_operation(&world.ctx, world.ports(), id).await.unwrap();
    run_cml_operation(&world.ctx, world.ports(), id).await.unwrap();
    world.succeeded(id).await;
    assert_eq!(world.standing().await, in_order());

    for writes in 0..6 {
        let world = LabWorld::unregistered().await;
        let id = world.register(wanted(LICENCE_TOKEN)).await;
        world.table.fail_writes_after(writes);
        let _ = run_cml_operation(&world.ctx, world.ports(), id).await;
        world.tick().await;
        world.table.heal();
        let done = world.ended(id).await;
        assert_eq!(done.status, OperationStatus::Succeeded, "after {writes} writes: {done:?}");
        assert_eq!(world.standing().await, in_order(), "after {writes} writes");
        world.forgot(LICENCE_TOKEN);
    }
}

#[tokio::test]
async fn a_token_that_smart_licensing_refuses_fails_in_its_words_and_the_right_one_may_follow() {
    let world = LabWorld::unregistered().await;
    let id = world.register(wanted("is-invalid")).await;
    let failed = world.failed(id).await;
    assert_eq!(failed, ("registration_failed".into(), "The registration token is not valid.".into()));
    world.forgot("is-invalid");
    assert!(!world.seat_is_taken());
    // The failure that CML still shows is not this one's, even when the first request never arrives.
    world.fault(0, ControllerFault::BadGateway, REGISTRATION.0, REGISTRATION.1).await;
    let id = world.register(wanted(LICENCE_TOKEN)).await;
    world.succeeded(id).await;
    assert_eq!(world.standing().await, in_order());
}

#[tokio::test]
async fn a_registration_that_stands_is_not_repeated_unless_that_is_asked_for() {
    let world = LabWorld::new().await;
    let id = world.register(wanted("another-token")).await;
    let done = world.succeeded(id).await;
    assert_eq!(
        warnings(&done),
        [
            "It was registered already: nothing was changed, and the token was not used. Ask with reregister to register it \
          anew."
        ]
    );
    world.forgot("another-token");
    for method_path in [None, Some(REGISTRATION)] {
        if let Some((method, path)) = method_path {
            world.fault(0, ControllerFault::AnswerLost, method, path).await;
        }
        let id = world.register(Registration { reregister: true, ..wanted("is-expired") }).await;
        let failed = world.failed(id).await;
        assert_eq!(failed, ("registration_failed".into(), "The registration token has expired.".into()));
        let id = world.register(Registration { reregister: true, ..wanted(LICENCE_TOKEN) }).await;
        world.succeeded(id).await;
    }
    assert_eq!(world.standing().await, in_order());
}

#[tokio::test]
async fn what_cml_refuses_is_told_word_for_word_and_what_we_can_judge_is_refused_at_once() {
    let world = LabWorld::unregistered().await;
    let id = world.register(Registration { product: "CML_Unheard_Of".into(), ..wanted(LICENCE_TOKEN) }).await;
    let said = "Licensing issue: Unknown product license CML_Unheard_Of.";
    assert_eq!(world.failed(id).await, ("cml_refused".into(), said.into()));
    world.forgot(LICENCE_TOKEN);
    let id = world.register(Registration { product: "CML_Personal".into(), ..wanted(LICENCE_TOKEN) }).await;
    assert_eq!(world.failed(id).await.0, "no_such_feature");

    let wrong = Registration {
        token: LicenseToken("not a token".into()),
        product: "a-b".into(),
        node_count: Some(501),
        ssms_url: Some("ssms.example.org".into()),
        proxy: Some(Proxy { server: "a proxy".into(), port: 0 }),
        reregister: false,
    };
    let told = wrong.check().unwrap_err().to_string();
    for field in ["token", "product", "features.node_count", "ssms_url", "proxy.server", "proxy.port"] {
        assert!(told.contains(field), "{told}");
    }
    assert!(!told.contains("not a token"), "{told}");
}

#[tokio::test]
async fn a_registration_that_never_ends_expires_and_its_token_goes_with_it() {
    let world = LabWorld::unregistered().await;
    let id = world.register(wanted(LICENCE_TOKEN)).await;
    world.order(0, FaultOrder::once(ControllerFault::BadGateway).always()).await;
    let expired = world.ended(id).await;
    assert_eq!(expired.status, OperationStatus::Expired);
    world.forgot(LICENCE_TOKEN);
}

#[tokio::test]
async fn a_seat_is_given_back_whatever_becomes_of_the_answer() {
    for fault in [None, Some(ControllerFault::BadGateway), Some(ControllerFault::AnswerLost)] {
        let world = LabWorld::new().await;
        let lost = fault.is_some();
        if let Some(fault) = fault {
            world.fault(0, fault, DEREGISTRATION.0, DEREGISTRATION.1).await;
        }
        let id = world.deregister().await;
        let done = world.succeeded(id).await;
        assert!(!world.seat_is_taken());
        assert_eq!(warnings(&done).len(), usize::from(lost), "{done:?}");
        // Already so.
        let again = world.deregister().await;
        assert_eq!(warnings(&world.succeeded(again).await), [""; 0]);
    }
}

#[tokio::test]
async fn a_seat_that_smart_licensing_did_not_hear_of_is_warned_of() {
    let world = LabWorld::new().await;
    world.order(0, FaultOrder::once(ControllerFault::DeregistrationUnheard)).await;
    let id = world.deregister().await;
    let done = world.succeeded(id).await;
    assert!(warnings(&done)[0].contains("the seat may still be taken"), "{done:?}");
    assert_eq!(world.standing().await.0, "NOT_REGISTERED");
}

#[tokio::test]
async fn nodes_that_run_keep_the_seat_in_cml_s_words() {
    let world = LabWorld::new().await;
    world.booted_lab(0, super::world::TWO_NODES).await;
    let id = world.deregister().await;
    let said = "Licensing issue: Cannot de-register when nodes are running.";
    assert_eq!(world.failed(id).await, ("cml_refused".into(), said.into()));
    assert!(world.seat_is_taken());
}

#[tokio::test]
async fn in_safe_mode_nothing_is_changed_of_a_licence() {
    let world = LabWorld::with(|settings| settings.safe_mode = true).await;
    let admin = asked(&person(Role::Admin, "ada"));
    let before = world.standing().await;
    let renew = renew_license(&world.ctx, &admin, world.worker(0)).await.unwrap().id;
    for id in [world.deregister().await, world.register(wanted(LICENCE_TOKEN)).await, renew] {
        assert_eq!(world.failed(id).await.0, "safe_mode");
    }
    assert_eq!(world.standing().await, before);
    world.forgot(LICENCE_TOKEN);
}

#[tokio::test]
async fn a_licence_is_read_from_its_controller_or_shown_as_it_was_read_last() {
    let world = LabWorld::new().await;
    let live = world.license().await;
    assert_eq!((live.not_live.as_deref(), live.read_at), (None, Some(world.ctx.now())));
    let license = live.license.unwrap();
    assert_eq!(license.reading.product.as_deref(), Some("CML_Enterprise"));
    let seats: Vec<_> = license.features.unwrap().into_iter().map(|f| (f.in_use, f.max)).collect();
    assert_eq!(seats, [(Some(1), Some(1)), (Some(100), Some(500))]);
    assert!(world.client.health(world.way(0).await.access()).await.unwrap().is_licensed.unwrap());

    world.order(0, FaultOrder::once(ControllerFault::BadGateway).always()).await;
    let never = world.license().await;
    assert_eq!((never.license, never.read_at), (None, None));
    assert!(never.not_live.unwrap().contains("502"));
}
