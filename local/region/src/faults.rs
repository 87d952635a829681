//! What disturbs the calls and the notifications, and the count of the calls. Forgotten by a restart.

use std::collections::BTreeMap;

use app::ports::Ec2Error;
use serde::Deserialize;
use serde_json::Value;

/// The fault that does what was asked, and then answers `timeout`.
pub const TIMEOUT_AFTER_SUCCESS: &str = "timeout_after_success";

/// What the next calls of one name answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Fault {
    /// The API call, such as `RunInstances`.
    pub call: String,
    /// EC2's error code, or [`TIMEOUT_AFTER_SUCCESS`].
    pub error: String,
    /// How many calls.
    #[serde(default = "once")]
    pub count: u32,
}

/// A type that has no capacity, everywhere or in one zone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scarce {
    /// The type.
    pub instance_type: String,
    /// The zone; null for all of them.
    pub availability_zone: Option<String>,
}

impl Scarce {
    /// Whether it lacks that type in that zone.
    pub(crate) fn lacks(&self, instance_type: &str, zone: &str) -> bool {
        self.instance_type == instance_type && self.availability_zone.as_deref().is_none_or(|short| short == zone)
    }
}

fn once() -> u32 {
    1
}

#[derive(Default)]
pub(crate) struct Gate {
    calls: BTreeMap<&'static str, u64>,
    faults: Vec<Fault>,
    drop: u32,
    duplicate: u32,
    scarce: Vec<Scarce>,
}

impl Gate {
    pub(crate) fn count(&mut self, operation: &'static str, calls: u64) {
        *self.calls.entry(operation).or_default() += calls;
    }

    pub(crate) fn calls(&self) -> BTreeMap<String, u64> {
        self.calls.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    pub(crate) fn inject(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// The error of the oldest fault that waits for this call.
    pub(crate) fn take_fault(&mut self, operation: &str) -> Option<String> {
        self.faults.retain(|fault| fault.count > 0);
        let fault = self.faults.iter_mut().find(|fault| fault.call == operation)?;
        fault.count -= 1;
        Some(fault.error.clone())
    }

    pub(crate) fn set_scarce(&mut self, scarce: Vec<Scarce>) {
        self.scarce = scarce;
    }

    pub(crate) fn scarce(&self) -> &[Scarce] {
        &self.scarce
    }

    pub(crate) fn set_event_faults(&mut self, drop: u32, duplicate: u32) {
        (self.drop, self.duplicate) = (drop, duplicate);
    }

    /// Loses and repeats notifications as asked; a repeated one keeps its id, as EventBridge's do.
    pub(crate) fn disturb(&mut self, notices: Vec<Value>) -> Vec<Value> {
        let mut delivered = Vec::with_capacity(notices.len());
        for notice in notices {
            if self.drop > 0 {
                self.drop -= 1;
                continue;
            }
            if self.duplicate > 0 {
                self.duplicate -= 1;
                delivered.push(notice.clone());
            }
            delivered.push(notice);
        }
        delivered
    }
}

/// The answer with this code, in EC2's words where it has some of its own.
pub(crate) fn refusal(operation: &'static str, code: &str) -> Ec2Error {
    let message = match code {
        "timeout" => "no answer in time",
        "connection" => "the connection was lost",
        "RequestLimitExceeded" => "Request limit exceeded.",
        "InsufficientInstanceCapacity" => {
            "We currently do not have sufficient capacity in the Availability Zone you requested."
        }
        "VcpuLimitExceeded" => {
            "You have requested more vCPU capacity than your current vCPU limit allows for the instance bucket that \
             the specified instance type belongs to."
        }
        "UnauthorizedOperation" => "You are not authorized to perform this operation.",
        "InternalError" => "An internal error has occurred",
        "Unavailable" | "ServiceUnavailable" => "The service is unavailable. Please try again shortly.",
        _ => "The simulated region was told to answer so.",
    };
    Ec2Error { operation, code: code.into(), message: message.into() }
}
