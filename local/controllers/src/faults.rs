//! What can be made to go wrong with a controller, on demand.

use axum::http::Method;
use serde::Deserialize;

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControllerFault {
    /// The answer comes after so many milliseconds of machine time.
    Slow(u64),
    /// nginx answers 502 with a page of HTML, and the request reaches nobody.
    BadGateway,
    /// That status with these words, and what was asked for is not done.
    Refuses {
        /// The HTTP status.
        status: u16,
        /// What CML says.
        description: String,
    },
    /// 404, as a version answers that has no such path.
    Absent,
    /// A success whose JSON ends halfway. What was asked for is done.
    BrokenJson,
    /// A success whose body never ends. What was asked for is done.
    EndlessBody,
    /// What was asked for is done, and the connection is cut before the answer.
    AnswerLost,
    /// The smart account does not hear of a deregistration (202): its seat stays taken.
    DeregistrationUnheard,
    /// The smart account cannot be reached for a registration.
    RegistrationFails,
    /// The smart account cannot be reached for a renewal.
    RenewalFails,
    /// 401 in the version's words, as for a token that it does not know; what signs in is let through.
    Unauthorized,
    /// At once: every token given until now is refused (401), new ones are good.
    TokensRevoked,
    /// At once: the controller has a new certificate, as after a new installation.
    ChangedCertificate,
}

/// An order for a fault, as `POST /dev/cml/{instance_id}/faults` may take it:
/// `{"fault": "bad_gateway", "count": 3, "method": "GET", "path": "/labs/*/state"}` or
/// `{"fault": {"slow": 5000}}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultOrder {
    /// What goes wrong.
    pub fault: ControllerFault,
    /// How many requests it befalls; every one, until cleared, when null. Of no meaning for what happens at once.
    #[serde(default = "once")]
    pub count: Option<u32>,
    /// Only requests with this method.
    #[serde(default)]
    pub method: Option<String>,
    /// Only requests to this path, below `/api/v0`; a segment `*` stands for any one.
    #[serde(default)]
    pub path: Option<String>,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of the field")]
fn once() -> Option<u32> {
    Some(1)
}

impl FaultOrder {
    /// The fault for the next request, whichever it is.
    #[must_use]
    pub fn once(fault: ControllerFault) -> Self {
        Self { fault, count: once(), method: None, path: None }
    }

    /// The same for so many requests.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        Self { count: Some(count), ..self }
    }

    /// The same for every request, until cleared.
    #[must_use]
    pub fn always(self) -> Self {
        Self { count: None, ..self }
    }

    /// The same, for requests to one path only: `at("POST", "/import")`.
    #[must_use]
    pub fn at(self, method: &str, path: &str) -> Self {
        Self { method: Some(method.into()), path: Some(path.into()), ..self }
    }

    fn befalls(&self, method: &Method, path: &str) -> bool {
        let method_fits = self.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method.as_str()));
        method_fits && self.path.as_deref().is_none_or(|pattern| fits(pattern, path))
    }
}

fn fits(pattern: &str, path: &str) -> bool {
    let path = path.strip_prefix("/api/v0").unwrap_or(path);
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted == "*" || wanted == given => {}
            _ => return false,
        }
    }
}

/// The faults that wait for their requests, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<FaultOrder>);

impl Faults {
    pub(crate) fn add(&mut self, order: FaultOrder) {
        self.0.push(order);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault that befalls a request as a whole.
    pub(crate) fn of_request(&mut self, method: &Method, path: &str) -> Option<ControllerFault> {
        self.take(|order| !order.fault.is_of_licensing() && order.befalls(method, path))
    }

    /// Whether the fault, one of licensing, befalls what is being done.
    pub(crate) fn of_licensing(&mut self, fault: &ControllerFault) -> bool {
        self.take(|order| order.fault == *fault).is_some()
    }

    fn take(&mut self, wanted: impl Fn(&FaultOrder) -> bool) -> Option<ControllerFault> {
        let at = self.0.iter().position(|order| order.count != Some(0) && wanted(order))?;
        let order = &mut self.0[at];
        let fault = order.fault.clone();
        if let Some(count) = &mut order.count {
            *count -= 1;
            if *count == 0 {
                self.0.remove(at);
            }
        }
        Some(fault)
    }
}

impl ControllerFault {
    fn is_of_licensing(&self) -> bool {
        matches!(self, Self::DeregistrationUnheard | Self::RegistrationFails | Self::RenewalFails)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_befalls_what_it_was_ordered_for_and_as_often() {
        let mut faults = Faults::default();
        faults.add(FaultOrder::once(ControllerFault::Absent).at("GET", "/labs/*/state").times(2));
        for (method, path) in
            [(Method::PUT, "/labs/a/state"), (Method::GET, "/labs/a"), (Method::GET, "/labs/a/b/state")]
        {
            assert_eq!(faults.of_request(&method, &format!("/api/v0{path}")), None, "{method} {path}");
        }
        let mut ask = || faults.of_request(&Method::GET, "/api/v0/labs/a/state");
        let absent = Some(ControllerFault::Absent);
        assert_eq!([ask(), ask(), ask()], [absent.clone(), absent, None]);
    }

    #[test]
    fn an_order_reads_as_its_documentation_says() {
        let order = |text: &str| serde_json::from_str::<FaultOrder>(text).map_err(|error| error.to_string());
        let gateway = FaultOrder::once(ControllerFault::BadGateway).at("GET", "/labs/*/state").times(3);
        let text = r#"{"fault": "bad_gateway", "count": 3, "method": "GET", "path": "/labs/*/state"}"#;
        assert_eq!(order(text), Ok(gateway));
        assert_eq!(order(r#"{"fault": {"slow": 5000}}"#), Ok(FaultOrder::once(ControllerFault::Slow(5_000))));
        let always = FaultOrder::once(ControllerFault::Absent).always();
        assert_eq!(order(r#"{"fault": "absent", "count": null}"#), Ok(always));
        let refuses = ControllerFault::Refuses { status: 409, description: "Busy.".into() };
        let text = r#"{"fault": {"refuses": {"status": 409, "description": "Busy."}}}"#;
        assert_eq!(order(text), Ok(FaultOrder::once(refuses)));
        order(r#"{"fault": "sunshine"}"#).unwrap_err();
        order(r#"{"fault": "absent", "when": "later"}"#).unwrap_err();
    }
}
