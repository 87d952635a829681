//! CML's password goes to the controller that it belongs to, and to nobody else.

use app::message::{CollectAws, CollectCml};
use app::use_cases::collect_aws::collect_aws;
use app::use_cases::collect_cml::collect_cml;
use app::use_cases::update_worker::repin_certificate;
use domain::WorkerId;
use domain::metrics::ServiceStatus;
use domain::worker::CmlAddress;

use super::fake_cml::FleetSecret;
use super::world::{World, asked, home};

async fn read(world: &World, id: WorkerId) -> Result<(), app::AppError> {
    collect_cml(&world.ctx, &world.cml, &FleetSecret, &CollectCml { worker_ids: vec![id] }).await
}

async fn errors(world: &World, id: WorkerId) -> String {
    world.ctx.store.telemetry(id).await.unwrap().cml.errors.join("; ")
}

#[tokio::test]
async fn nothing_is_sent_to_an_address_that_ec2_has_not_confirmed_lately() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    world.pass(20 * 60);
    let (asked, sent) = (world.cml.asked(), world.cml.credentials_sent().len());
    read(&world, id).await.unwrap();
    assert_eq!((world.cml.asked(), world.cml.credentials_sent().len()), (asked, sent));
    assert!(errors(&world, id).await.contains("may be somebody else's by now"));
    assert_eq!(world.worker(id).await.service, ServiceStatus::Unavailable);

    let aws = CollectAws { place: home(), worker_ids: vec![id] };
    collect_aws(&world.ctx, &world.ec2, &world.cloud, &aws).await.unwrap();
    read(&world, id).await.unwrap();
    assert_eq!(world.cml.credentials_sent().len(), sent + 1);
    assert_eq!(world.worker(id).await.service, ServiceStatus::Available);
}

#[tokio::test]
async fn before_the_first_contact_the_address_is_read_from_ec2_once_more() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    repin_certificate(&world.ctx, &asked(), id).await.unwrap();
    world.pass(3 * 60);
    let before = world.cml.asked();
    read(&world, id).await.unwrap();
    assert_eq!(world.cml.asked(), before);
    assert!(errors(&world, id).await.contains("read from EC2 once more"));
    // The next tick reads it, and has the controller asked.
    world.tick().await;
    let worker = world.until(id, |worker| worker.certificate_sha256.is_some()).await;
    assert_eq!(worker.service, ServiceStatus::Available);
}

#[tokio::test]
async fn nothing_is_sent_to_the_address_of_a_worker_that_does_not_run() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    world.cloud.stop_by_hand(&world.instance(id).await).unwrap();
    world.deliver_events().await;
    let asked = world.cml.asked();
    read(&world, id).await.unwrap();
    assert_eq!(world.cml.asked(), asked);
}

#[tokio::test]
async fn no_credentials_are_sent_before_the_certificate_is_recorded() {
    let world = World::new();
    let id = world.running_worker("lab").await;
    let sent = world.cml.credentials_sent().len();
    if world.worker(id).await.certificate_sha256.is_some() {
        repin_certificate(&world.ctx, &asked(), id).await.unwrap();
    }
    world.table.memory.fail_writes_after(0);
    assert!(read(&world, id).await.is_err());
    assert_eq!(world.cml.credentials_sent().len(), sent);
    world.table.memory.heal();
    read(&world, id).await.unwrap();
    let all = world.cml.credentials_sent();
    assert_eq!(all.len(), sent + 1);
    assert!(all.iter().all(|target| target.certificate_sha256.as_deref() == Some("aa11")), "{all:?}");
}

#[tokio::test]
async fn no_credentials_are_sent_before_cml_is_ready() {
    let world = World::new();
    world.cml.set(|says| says.ready = false);
    let id = world.running_worker("lab").await;
    world.ticks(6).await;
    assert_eq!(world.worker(id).await.service, ServiceStatus::Starting);
    assert!(world.cml.credentials_sent().is_empty());
    world.cml.set(|says| says.ready = true);
    world.until(id, |worker| worker.service == ServiceStatus::Available).await;
}

#[tokio::test]
async fn a_changed_certificate_is_an_error_until_an_admin_lets_it_be_recorded_anew() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    world.cml.set(|says| says.certificate = "bb22");
    let sent = world.cml.credentials_sent().len();
    world.until(id, |worker| worker.service == ServiceStatus::Error).await;
    assert_eq!(world.cml.credentials_sent().len(), sent);
    assert!(errors(&world, id).await.contains("CertificateChanged"));
    repin_certificate(&world.ctx, &asked(), id).await.unwrap();
    let worker = world.until(id, |worker| worker.service == ServiceStatus::Available).await;
    assert_eq!(worker.certificate_sha256.as_deref(), Some("bb22"));
}

#[tokio::test]
async fn cml_is_asked_at_the_kind_of_address_that_is_reached_and_at_no_other() {
    for (kind, prefix) in [(CmlAddress::Public, "https://"), (CmlAddress::Private, "https://10.")] {
        let world = World::with(|settings| settings.cml_address = kind);
        let id = world.ready_worker("lab").await;
        let instance = world.worker(id).await.instance.unwrap();
        let address = if kind == CmlAddress::Public { instance.public_ip } else { instance.private_ip };
        let expected = format!("https://{}", address.unwrap());
        assert!(expected.starts_with(prefix), "{expected}");
        let asked = world.cml.credentials_sent();
        assert!(!asked.is_empty() && asked.iter().all(|target| target.endpoint == expected), "{asked:?}");
    }
}

#[tokio::test]
async fn where_cml_is_reached_by_name_a_worker_without_one_is_not_asked_and_says_why() {
    let world = World::with(|settings| settings.cml_address = CmlAddress::Named);
    let id = world.running_worker("lab").await;
    world.ticks(10).await;
    assert_eq!(world.cml.asked(), 0);
    let errors = errors(&world, id).await;
    assert!(errors.contains("cml_endpoint"), "{errors}");
}
