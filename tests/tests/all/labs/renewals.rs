//! Renewals: done when CML shows that they are, and failed in its words.

use app::use_cases::license_commands::renew_license;
use domain::operation::OperationStatus;
use domain::{OperationId, Role, SignedDuration, Timestamp};
use local_controllers::{ControllerFault, FaultOrder};

use super::world::{LabWorld, asked, person};

const RENEWALS: [(&str, &str); 2] =
    [("PUT", "/licensing/registration/renew"), ("PUT", "/licensing/authorization/renew")];
const UNHEARD: &str = "Communication send error: the smart account cannot be reached.";

impl LabWorld {
    /// A world whose first worker's licence is two days old.
    async fn licensed_long_ago() -> Self {
        let world = Self::new().await;
        world.clock.advance(SignedDuration::from_hours(48));
        world
    }

    async fn renew(&self) -> OperationId {
        renew_license(&self.ctx, &asked(&person(Role::Admin, "ada")), self.worker(0)).await.unwrap().id
    }

    /// When registration and authorization end.
    async fn ends(&self) -> [Timestamp; 2] {
        let license = self.license().await.license.unwrap();
        [license.reading.expires_at.unwrap(), license.authorization_expires_at.unwrap()]
    }
}

#[tokio::test]
async fn a_renewal_succeeds_when_cml_shows_that_both_were_done_and_not_when_it_is_accepted() {
    let world = LabWorld::licensed_long_ago().await;
    let before = world.ends().await;
    let id = world.renew().await;
    world.deliver().await;
    let accepted = world.operation(id).await;
    assert_eq!(accepted.status, OperationStatus::Running, "{accepted:?}");
    assert_eq!(
        accepted.waiting_for.as_deref(),
        Some("Smart Licensing to renew the registration (it is COMPLETED)"),
        "what it waits for is said"
    );
    assert_eq!(world.ends().await, before);
    world.succeeded(id).await;
    let [registration, authorization] = world.ends().await;
    assert!(registration > before[0] && authorization > before[1]);
}

#[tokio::test]
async fn a_renewal_that_fails_later_fails_in_cmls_words_and_the_next_one_is_not_taken_for_it() {
    for (which, name) in ["registration", "authorization"].into_iter().enumerate() {
        let world = LabWorld::licensed_long_ago().await;
        let before = world.ends().await;
        let id = world.renew().await;
        if which == 1 {
            // The registration is asked for first.
            world.deliver().await;
        }
        world.order(0, FaultOrder::once(ControllerFault::RenewalFails)).await;
        let wanted = format!("The {name} was not renewed: {UNHEARD}");
        assert_eq!(world.failed(id).await, ("renewal_failed".into(), wanted), "{name}");
        assert_eq!(world.ends().await[1], before[1], "{name}");
        let again = world.renew().await;
        world.succeeded(again).await;
        assert!(world.ends().await[0] > before[0], "{name}");
    }
}

#[tokio::test]
async fn a_renewal_survives_whatever_becomes_of_an_answer() {
    for fault in [ControllerFault::BadGateway, ControllerFault::AnswerLost] {
        for (method, path) in RENEWALS.into_iter().chain([("GET", "/licensing")]) {
            let world = LabWorld::licensed_long_ago().await;
            let before = world.ends().await;
            world.fault(0, fault.clone(), method, path).await;
            let id = world.renew().await;
            world.succeeded(id).await;
            let after = world.ends().await;
            assert!(after[0] > before[0] && after[1] > before[1], "{fault:?} at {method} {path}");
        }
    }
}

#[tokio::test]
async fn a_renewal_that_cml_never_shows_as_done_expires() {
    let world = LabWorld::new().await;
    let id = world.renew().await;
    world.deliver().await;
    world.order(0, FaultOrder::once(ControllerFault::BadGateway).at("GET", "/licensing").always()).await;
    assert_eq!(world.ended(id).await.status, OperationStatus::Expired);
}

#[tokio::test]
async fn a_renewal_is_refused_in_cmls_words_where_no_registration_stands() {
    let world = LabWorld::unregistered().await;
    let id = world.renew().await;
    let said = "Licensing issue: The product is not registered.";
    assert_eq!(world.failed(id).await, ("cml_refused".into(), said.into()));
}
