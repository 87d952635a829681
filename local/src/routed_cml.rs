//! The way to simulated controllers: the public address that EC2 tells leads to the loopback address
//! where that instance's controller listens.

use std::net::IpAddr;

use app::ports::{
    Cml, CmlCredentials, CmlError, CmlErrorKind, CmlTarget, ControllerReading, FirstContact, SystemInformation,
};
use async_trait::async_trait;
use cml::CmlClient;
use domain::Timestamp;
use local_controllers::Controllers;
use local_region::SimulatedCloud;
use url::{Host, Url};

/// The real client, with simulated addresses. As in the real world, an address leads to whoever has
/// it now: a stale one to a stranger, or to nobody.
pub(crate) struct RoutedCml {
    client: CmlClient,
    cloud: SimulatedCloud,
    controllers: Controllers,
}

impl RoutedCml {
    /// That client, on the network of that cloud.
    pub(crate) fn new(client: CmlClient, cloud: SimulatedCloud, controllers: Controllers) -> Self {
        Self { client, cloud, controllers }
    }

    fn routed(&self, target: &CmlTarget) -> Result<CmlTarget, CmlError> {
        match address(&target.endpoint) {
            // A name, or the loopback address of a controller: an admin gave it.
            None => Ok(target.clone()),
            Some(address) => {
                let endpoint = self.listening_at(address).ok_or_else(|| unreachable(address))?;
                Ok(CmlTarget { endpoint, ..target.clone() })
            }
        }
    }

    fn listening_at(&self, public: IpAddr) -> Option<String> {
        let owner = self.cloud.running().into_iter().find(|instance| instance.public_ip.parse() == Ok(public))?;
        self.controllers.address(&owner.instance_id).map(|address| format!("https://{address}"))
    }
}

/// The numeric address of an endpoint, unless it is this machine's own.
fn address(endpoint: &str) -> Option<IpAddr> {
    let address = match Url::parse(endpoint).ok()?.host()? {
        Host::Domain(_) => return None,
        Host::Ipv4(address) => IpAddr::V4(address),
        Host::Ipv6(address) => IpAddr::V6(address),
    };
    (!address.is_loopback()).then_some(address)
}

fn unreachable(address: IpAddr) -> CmlError {
    CmlError {
        operation: "connect",
        status: None,
        kind: CmlErrorKind::Unreachable,
        message: format!("nothing answers at {address}"),
    }
}

#[async_trait]
impl Cml for RoutedCml {
    async fn system_information(&self, target: &CmlTarget) -> Result<FirstContact, CmlError> {
        self.client.system_information(&self.routed(target)?).await
    }

    async fn read(
        &self,
        target: &CmlTarget,
        credentials: &CmlCredentials,
        information: &SystemInformation,
        telemetry_after: Option<Timestamp>,
    ) -> Result<ControllerReading, CmlError> {
        self.client.read(&self.routed(target)?, credentials, information, telemetry_after).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numeric_addresses_elsewhere_are_routed() {
        assert_eq!(address("https://198.51.100.7"), Some("198.51.100.7".parse().unwrap()));
        assert_eq!(address("https://203.0.113.9:8443"), Some("203.0.113.9".parse().unwrap()));
        for passed_on in ["https://127.0.0.1:9443", "https://[::1]:9443", "https://cml.example.com", "nonsense"] {
            assert_eq!(address(passed_on), None, "{passed_on}");
        }
    }
}
