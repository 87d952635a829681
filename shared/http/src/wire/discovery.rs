//! Instances that nobody manages, as callers see them.

use app::store::PlaceLook;
use domain::Place;
use domain::discovery::Discovered;
use serde::Serialize;
use utoipa::ToSchema;

use super::{maybe_time, time};

/// A CML instance that no worker stands for. `import-workers` takes it over.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = DiscoveredInstance)]
pub struct DiscoveredView {
    /// Its AWS account.
    pub account_id: String,
    /// Its region.
    pub region: String,
    /// The instance.
    pub instance_id: String,
    /// Its `Name` tag.
    pub name: Option<String>,
    /// EC2's word for its state.
    pub state: &'static str,
    /// The EC2 type.
    pub instance_type: String,
    /// The image it was launched from.
    pub ami_id: String,
    /// Whether it carries our tag, though no worker stands for it.
    pub tagged: bool,
    /// The worker that its tag `ccm:worker-id` names; it is not, or no more, that worker's instance.
    pub tagged_worker_id: Option<String>,
    /// When it was first found.
    pub first_seen_at: String,
    /// When it was last listed.
    pub last_seen_at: String,
    /// Since when EC2 does not list it; missed twice, it is gone from here.
    pub missed_since: Option<String>,
}

/// An account and region, and the last look at it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DiscoveryPlace {
    /// The AWS account.
    pub account_id: String,
    /// The region.
    pub region: String,
    /// When it was last looked at.
    pub looked_at: String,
    /// Why nothing could be seen there, in EC2's words.
    pub error: Option<String>,
}

/// A page of instances that nobody manages, and the places that are looked at.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DiscoveredInstanceList {
    /// The instances, by place.
    pub items: Vec<DiscoveredView>,
    /// Where the next page begins; null at the end.
    pub next_cursor: Option<String>,
    /// The last look at each place.
    pub places: Vec<DiscoveryPlace>,
}

/// An account and region that are being looked at.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DiscoveryAskedPlace {
    /// The AWS account.
    pub account_id: String,
    /// The region.
    pub region: String,
}

/// Where it is being looked: what is found there, and when, is in the list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DiscoveryAsked {
    /// The places.
    pub places: Vec<DiscoveryAskedPlace>,
}

impl From<&Discovered> for DiscoveredView {
    fn from(one: &Discovered) -> Self {
        Self {
            account_id: one.place.account.to_string(),
            region: one.place.region.to_string(),
            instance_id: one.instance_id.to_string(),
            name: one.name.clone(),
            state: one.state.name(),
            instance_type: one.instance_type.clone(),
            ami_id: one.ami_id.clone(),
            tagged: one.tagged,
            tagged_worker_id: one.worker_tag.clone(),
            first_seen_at: time(one.first_seen_at),
            last_seen_at: time(one.last_seen_at),
            missed_since: maybe_time(one.missed_since),
        }
    }
}

impl From<&Place> for DiscoveryAskedPlace {
    fn from(place: &Place) -> Self {
        Self { account_id: place.account.to_string(), region: place.region.to_string() }
    }
}

impl From<&PlaceLook> for DiscoveryPlace {
    fn from(look: &PlaceLook) -> Self {
        let (account_id, region) = (look.place.account.to_string(), look.place.region.to_string());
        Self { account_id, region, looked_at: time(look.looked_at), error: look.error.clone() }
    }
}
