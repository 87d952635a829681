//! Where CML may be: an admin can set an address, but not one that leads inside.

use std::net::{IpAddr, Ipv6Addr};

use domain::InvalidField;

/// An address that an admin set: `https://` and a host name or IP, with an optional port. Never
/// loopback (outside the local stack), link-local, unspecified or multicast: an address is where
/// the CML password goes, and a metadata service is not a controller.
///
/// # Errors
/// Names the field `cml_endpoint`.
pub fn check_endpoint(text: &str, allow_loopback: bool) -> Result<(), InvalidField> {
    let wrong = |message: &str| Err(InvalidField::new("cml_endpoint", message));
    let Some(authority) = text.strip_prefix("https://") else { return wrong("must begin with https://") };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    if authority.is_empty() || text.len() > 260 {
        return wrong("must be https:// and a host name or address");
    }
    let Some(host) = host_of(authority) else {
        return wrong("must be https:// and a host name or address, with at most a port");
    };
    match host.parse::<IpAddr>() {
        Ok(address) if forbidden(address, allow_loopback) => {
            wrong("must not be a loopback, link-local, unspecified or multicast address")
        }
        Ok(_) => Ok(()),
        Err(_) if host.eq_ignore_ascii_case("localhost") && !allow_loopback => wrong("must not be localhost"),
        Err(_) if is_host_name(host) => Ok(()),
        Err(_) => wrong("must name a host by letters, digits, dots and hyphens"),
    }
}

/// A reference to stored credentials: what a secret's name may hold.
///
/// # Errors
/// Names the field `cml_credentials_ref`.
pub fn check_credentials_ref(text: &str) -> Result<(), InvalidField> {
    let fine = (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if fine {
        Ok(())
    } else {
        Err(InvalidField::new(
            "cml_credentials_ref",
            "must have 1 to 128 letters, digits, dots, hyphens or underscores",
        ))
    }
}

fn host_of(authority: &str) -> Option<&str> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        (host, after.strip_prefix(':').or(if after.is_empty() { Some("443") } else { None })?)
    } else {
        authority.split_once(':').unwrap_or((authority, "443"))
    };
    port.parse::<u16>().ok().filter(|port| *port > 0).map(|_| host)
}

const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

fn forbidden(address: IpAddr, allow_loopback: bool) -> bool {
    let address = address.to_canonical();
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        // The second is the metadata service over IPv6. Source: EC2 user guide, "Instance metadata".
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6 == METADATA_V6,
    };
    link_local || address.is_unspecified() || address.is_multicast() || (address.is_loopback() && !allow_loopback)
}

fn is_host_name(host: &str) -> bool {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    // Only digits and dots, but no address: a shortened one (127.1) that some resolvers accept.
    host.bytes().any(|b| b.is_ascii_alphabetic()) && host.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_leads_inside_is_refused() {
        for bad in [
            "http://cml.example.org",
            "https://",
            "https://127.0.0.1",
            "https://127.1",
            "https://2130706433",
            "https://[::1]:443",
            "https://[::ffff:127.0.0.1]",
            "https://169.254.169.254",
            "https://[fe80::1]",
            "https://[fd00:ec2::254]",
            "https://0.0.0.0",
            "https://localhost:8443",
            "https://user@cml.example.org",
            "https://cml.example.org/path",
            "https://cml.example.org:0",
            "https://cml example.org",
        ] {
            assert!(check_endpoint(bad, false).is_err(), "{bad}");
        }
        for good in [
            "https://cml.example.org",
            "https://10.0.0.7",
            "https://cml.example.org:8443/",
            "https://[2001:db8::1]:443",
        ] {
            assert!(check_endpoint(good, false).is_ok(), "{good}");
        }
        assert!(check_endpoint("https://127.0.0.1:8443", true).is_ok());
        assert!(check_endpoint("https://169.254.169.254", true).is_err());
    }
}
