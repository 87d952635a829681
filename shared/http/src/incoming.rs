//! A request as the border hands it over, before anybody is asked who sent it.

use std::collections::BTreeMap;

/// A request as the border hands it over.
#[derive(Clone, Debug, Default)]
pub struct Incoming {
    /// The path as called.
    pub path: String,
    /// Path parameters, percent-decoded.
    pub path_parameters: BTreeMap<String, String>,
    /// Query parameters, percent-decoded; of a repeated one the last.
    pub query: BTreeMap<String, String>,
    /// Whether a query parameter was there more than once.
    pub repeats_query: bool,
    /// Headers, names in lower case; the values of a repeated one joined by commas.
    pub headers: BTreeMap<String, String>,
    /// Cookies, `name=value` each.
    pub cookies: Vec<String>,
    /// The body, base64 already taken off.
    pub body: Vec<u8>,
    /// The gateway's id of this request. Never taken from the client: it is what finds the log.
    pub request_id: String,
}

/// The value of a cookie. One that is there twice is nobody's: which of the two was set by us cannot be told.
#[must_use]
pub(crate) fn cookie<'a>(cookies: &'a [String], name: &str) -> Option<&'a str> {
    let mut values = cookie_values(cookies, name);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// Every value that a cookie is sent with.
pub(crate) fn cookie_values<'a>(cookies: &'a [String], name: &str) -> impl Iterator<Item = &'a str> {
    let pairs = cookies.iter().flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(move |(has, _)| *has == name).map(|(_, value)| value)
}
