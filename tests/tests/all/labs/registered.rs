//! What a registration leaves as it is, and where its token goes when something fails.

use app::ports::{CmlLicensing, LicensingTransport, LicensingTransportChange, Secrets};
use app::use_cases::license_commands::{Proxy, Registration, register_license};
use domain::Role;
use local_controllers::{ControllerFault, FaultOrder, LICENCE_TOKEN};

use super::licenses::{in_order, wanted, warnings};
use super::world::{LabWorld, asked, person};

const PROXY: LicensingTransportChange<'static> = LicensingTransportChange {
    ssms: Some("https://ssms.example.com/first"),
    proxy_server: Some("proxy.example.com"),
    proxy_port: Some(3128),
};

impl LabWorld {
    /// The way to Smart Software Manager: address, proxy and port.
    async fn transport(&self) -> (String, Option<String>, Option<u16>) {
        let LicensingTransport { ssms, proxy_server, proxy_port, .. } =
            self.client.licensing(self.way(0).await.access()).await.unwrap().transport;
        (ssms.unwrap(), proxy_server, proxy_port)
    }

    async fn set_transport(&self, transport: LicensingTransportChange<'_>) {
        self.client.set_licensing_transport(self.way(0).await.access(), transport).await.unwrap();
    }
}

fn to(ssms: &str, proxy: Option<(&str, u16)>) -> (String, Option<String>, Option<u16>) {
    (ssms.into(), proxy.map(|(server, _)| server.into()), proxy.map(|(_, port)| port))
}

#[tokio::test]
async fn of_a_worker_that_is_registered_nothing_is_changed() {
    let world = LabWorld::new().await;
    world.set_transport(PROXY).await;
    let before = world.client.licensing(world.way(0).await.access()).await.unwrap();
    let proxy = Some(Proxy { server: "other.example.com".into(), port: 80 });
    let id = world.register(Registration { product: "CML_Personal".into(), proxy, ..wanted("another-token") }).await;
    let done = world.succeeded(id).await;
    assert_eq!(warnings(&done).len(), 1, "{done:?}");
    assert!(warnings(&done)[0].contains("nothing was changed"), "{done:?}");
    assert_eq!(world.client.licensing(world.way(0).await.access()).await.unwrap(), before);
    world.forgot("another-token");
}

#[tokio::test]
async fn the_way_to_smart_licensing_is_set_as_far_as_it_is_given_and_stays_otherwise() {
    let (first, proxy) = ("https://ssms.example.com/first", ("proxy.example.com", 3128));
    let (second, other) = ("https://ssms.example.com/second", ("other.example.com", 80));
    let given = |(server, port): (&str, u16)| Some(Proxy { server: server.into(), port });
    for (ssms_url, set_proxy, wanted_way) in [
        (None, None, to(first, Some(proxy))),
        (Some(second), None, to(second, Some(proxy))),
        (None, given(other), to(first, Some(other))),
        (Some(second), given(other), to(second, Some(other))),
    ] {
        let world = LabWorld::unregistered().await;
        world.set_transport(PROXY).await;
        let ssms_url = ssms_url.map(str::to_owned);
        let id = world.register(Registration { ssms_url, proxy: set_proxy, ..wanted(LICENCE_TOKEN) }).await;
        world.succeeded(id).await;
        assert_eq!((world.transport().await, world.standing().await), (wanted_way, in_order()));
    }
}

#[tokio::test]
async fn a_token_whose_operation_could_not_be_recorded_is_deleted() {
    let world = LabWorld::unregistered().await;
    world.table.fail_writes_after(0);
    let admin = asked(&person(Role::Admin, "ada"));
    let secrets: &dyn Secrets = world.secrets.as_ref();
    register_license(&world.ctx, secrets, &admin, world.worker(0), wanted(LICENCE_TOKEN)).await.unwrap_err();
    world.table.heal();
    world.forgot(LICENCE_TOKEN);
}

#[tokio::test]
async fn a_token_that_cml_repeats_is_shown_to_nobody() {
    for status in [400, 409, 500, 502] {
        let world = LabWorld::unregistered().await;
        let id = world.register(wanted(LICENCE_TOKEN)).await;
        let description = format!("Licensing issue: {LICENCE_TOKEN} is not wanted now.");
        let fault = ControllerFault::Refuses { status, description };
        world.order(0, FaultOrder::once(fault).at("POST", "/licensing/registration")).await;
        world.deliver().await;
        let first = format!("{:?}", world.operation(id).await);
        assert!(first.contains("[token] is not wanted now"), "{status}: {first}");
        assert!(!first.contains(LICENCE_TOKEN), "{status}: {first}");
        world.ended(id).await;
        world.forgot(LICENCE_TOKEN);
    }
    // Nor is one that is repeated later, when the registration has failed.
    let world = LabWorld::unregistered().await;
    let id = world.register(wanted("a-token-of-nobody")).await;
    let wanted = ("registration_failed".into(), "The registration token [token] was not found.".into());
    assert_eq!(world.failed(id).await, wanted);
    world.forgot("a-token-of-nobody");
}
