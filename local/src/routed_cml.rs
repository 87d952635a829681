//! The way to simulated controllers: the public address that EC2 tells leads to the loopback address
//! where that instance's controller listens.

use std::net::IpAddr;

use app::ports::{CmlError, CmlErrorKind, CmlTarget};
use cml::CmlClient;
use local_controllers::Controllers;
use local_region::SimulatedCloud;
use url::{Host, Url};

/// The real client, with simulated addresses. As in the real world, an address leads to whoever has
/// it now: a stale one to a stranger, or to nobody.
pub(crate) fn routed(client: CmlClient, cloud: SimulatedCloud, controllers: Controllers) -> CmlClient {
    let listening_at = move |public: IpAddr| {
        let owner = cloud.running().into_iter().find(|instance| instance.public_ip.parse() == Ok(public))?;
        controllers.address(&owner.instance_id).map(|address| format!("https://{address}"))
    };
    client.routed(move |target| match address(&target.endpoint) {
        // A name, or the loopback address of a controller: an admin gave it.
        None => Ok(target.clone()),
        Some(address) => {
            let endpoint = listening_at(address).ok_or_else(|| unreachable(address))?;
            Ok(CmlTarget { endpoint, ..target.clone() })
        }
    })
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
