//! Where browsers reach us.

use std::str::FromStr;

use domain::InvalidField;
use url::{Host, Url};

/// Where browsers reach us: an origin, such as `https://ccm.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    /// Host and port, as in the `Host` header.
    authority: String,
    port: u16,
    is_https: bool,
}

impl PublicUrl {
    /// The origin, exactly as browsers send it.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether it is reached by TLS; only the local stack is not.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// What requests to it have in the header `Host`.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of a path, which begins with a slash.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }
}

impl FromStr for PublicUrl {
    type Err = InvalidField;

    fn from_str(text: &str) -> Result<Self, InvalidField> {
        let wrong = || InvalidField::new("public_url", "must be https://<host> without a path, or http on loopback");
        let url = Url::parse(text).map_err(|_| wrong())?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let anonymous = url.username().is_empty() && url.password().is_none();
        let is_https = url.scheme() == "https";
        if !(is_https || url.scheme() == "http" && is_loopback(&url)) || !bare || !anonymous {
            return Err(wrong());
        }
        let port = url.port_or_known_default().ok_or_else(wrong)?;
        let (origin, authority) = (url.origin().ascii_serialization(), url.authority().to_owned());
        Ok(Self { origin, authority, port, is_https })
    }
}

/// Whether what is sent there stays on this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_spelled_as_browsers_spell_it() {
        for (given, origin) in [
            ("https://ccm.example.com", "https://ccm.example.com"),
            ("https://CCM.example.com:443/", "https://ccm.example.com"),
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("http://localhost:80", "http://localhost"),
            ("http://[::1]:8000", "http://[::1]:8000"),
        ] {
            let url: PublicUrl = given.parse().unwrap();
            assert_eq!(url.origin(), origin);
            assert!(origin.ends_with(&format!("//{}", url.authority())));
            assert_eq!(url.at("/api/auth/callback"), format!("{origin}/api/auth/callback"));
            assert_eq!(url.is_https(), given.starts_with("https"));
        }
        let port = |given: &str| given.parse::<PublicUrl>().unwrap().port();
        assert_eq!([port("https://a"), port("http://localhost"), port("http://127.0.0.1:8000")], [443, 80, 8000]);
        for given in [
            "",
            "ccm.example.com",
            "https://a/b",
            "https://a?b",
            "https://u:p@a",
            "ftp://a",
            "https://",
            "http://ccm.example.com",
            "http://127.0.0.1.evil.example",
            "http://198.51.100.7",
        ] {
            assert!(given.parse::<PublicUrl>().is_err(), "{given}");
        }
    }
}
