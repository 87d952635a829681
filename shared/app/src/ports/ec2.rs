//! EC2, in the verbs this product needs. Every call names its place.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::instance::InstanceObservation;
use domain::operation::retry::ErrorClass;
use domain::worker::LaunchSpec;
use domain::{InstanceId, Place};

/// EC2 said no: its own code and message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("EC2 {operation}: {code}: {message}")]
pub struct Ec2Error {
    /// The API call, such as `RunInstances`.
    pub operation: &'static str,
    /// EC2's code, or `timeout` or `connection` when none was received.
    pub code: String,
    /// EC2's message.
    pub message: String,
}

impl Ec2Error {
    /// What the code means for a caller.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        ErrorClass::of(&self.code)
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retryable(&self) -> bool {
        self.class().retryable()
    }
}

/// Everything `RunInstances` needs. The adapter adds what is not a choice: IMDSv2 required, an
/// encrypted gp3 root volume, one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchRequest {
    /// `ClientToken`: the same token never starts a second instance.
    pub client_token: String,
    /// The image, resolved.
    pub ami_id: String,
    /// The rest of the choices; its `image` has been resolved.
    pub spec: LaunchSpec,
    /// All tags, ours included; on the instance and its volumes.
    pub tags: BTreeMap<String, String>,
}

/// Which instances to describe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstanceFilter {
    /// These; those unknown are left out of the answer (`Filters: instance-id`, not `InstanceIds`,
    /// which fails as a whole for one unknown id).
    Ids(Vec<InstanceId>),
    /// Those that carry this tag, with this value if one is given.
    Tag(String, Option<String>),
    /// Those launched from any of these images.
    Images(Vec<String>),
}

/// One image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFacts {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// When it was made, RFC 3339.
    pub created_at: String,
}

/// EC2's status checks of a running instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChecks {
    /// The instance.
    pub id: InstanceId,
    /// `ok`, `impaired`, `initializing`, `insufficient-data`.
    pub instance: String,
    /// The same words.
    pub system: String,
}

/// EC2.
#[async_trait]
pub trait Ec2: Send + Sync {
    /// Launches one instance, or returns the one this token launched before.
    async fn run_instance(&self, place: &Place, request: &LaunchRequest) -> Result<InstanceObservation, Ec2Error>;

    /// Asks for a start.
    async fn start(&self, place: &Place, id: &InstanceId) -> Result<(), Ec2Error>;

    /// Gives a stopped instance another type.
    async fn modify_type(&self, place: &Place, id: &InstanceId, instance_type: &str) -> Result<(), Ec2Error>;

    /// Asks for a stop.
    async fn stop(&self, place: &Place, id: &InstanceId) -> Result<(), Ec2Error>;

    /// Asks for a termination.
    async fn terminate(&self, place: &Place, id: &InstanceId) -> Result<(), Ec2Error>;

    /// All instances that match, all pages.
    async fn describe(&self, place: &Place, filter: &InstanceFilter) -> Result<Vec<InstanceObservation>, Ec2Error>;

    /// Status checks of these instances, at most 100, all just seen running: one unknown id fails the call.
    async fn status_checks(&self, place: &Place, ids: &[InstanceId]) -> Result<Vec<StatusChecks>, Ec2Error>;

    /// What the instance wrote on its console, the last 64 KB at most; null when EC2 has nothing of it. The newest
    /// where the type allows that (Nitro), otherwise what EC2 kept of its last boot.
    async fn console_output(&self, place: &Place, id: &InstanceId) -> Result<Option<String>, Ec2Error>;

    /// Sets and removes tags.
    async fn update_tags(
        &self,
        place: &Place,
        id: &InstanceId,
        set: &BTreeMap<String, String>,
        remove: &[String],
    ) -> Result<(), Ec2Error>;

    /// Turns detailed monitoring on or off.
    async fn set_monitoring(&self, place: &Place, id: &InstanceId, enabled: bool) -> Result<(), Ec2Error>;

    /// Available images whose name matches the pattern (`*` and `?`), published by one of the owners
    /// (account ids, or `self`); all pages, any order.
    async fn images(&self, place: &Place, name_pattern: &str, owners: &[String]) -> Result<Vec<ImageFacts>, Ec2Error>;
}
