//! What an operator may choose. Read from the environment once, at the edge.

use std::collections::BTreeMap;

use domain::backup::Retention;
use domain::power::PowerPolicy;
use domain::reconcile::ReconcilePolicy;
use domain::session::Lifetimes;
use domain::worker::CmlAddress;
use domain::{AccountId, LabOwners, Place, Region, SignedDuration, Visibility};

use crate::public_url::PublicUrl;

/// The reference of the fleet's default CML credentials.
pub const FLEET_CREDENTIALS_REF: &str = "fleet";

/// What an operator may choose.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The account that a worker belongs to when none is named: the one this runs in.
    pub home_account: AccountId,
    /// The type to launch when none is named.
    pub default_instance_type: String,
    /// Types to take where EC2 has none of the one wished for, for workers that name neither; best first.
    pub fallback_instance_types: Vec<String>,
    /// Where instances that nobody manages are looked for, beside where workers run.
    pub discovery_places: Vec<Place>,
    /// The image name pattern to launch when none is named.
    pub default_ami_name: String,
    /// The same by region, before the default.
    pub ami_names: BTreeMap<Region, String>,
    /// Whose images are trusted when they are chosen by name: account ids, or `self`.
    pub trusted_image_owners: Vec<String>,
    /// The rules of idle shutdown, and how often workers are read.
    pub power: PowerPolicy,
    /// The rules of keeping workers as they are wanted.
    pub reconcile: ReconcilePolicy,
    /// The same for labs.
    pub reconcile_labs: ReconcilePolicy,
    /// Which of an instance's addresses CML is reached at.
    pub cml_address: CmlAddress,
    /// How often labs are read.
    pub labs_interval: SignedDuration,
    /// How long samples are kept.
    pub sample_retention: SignedDuration,
    /// How long ended operations are kept.
    pub operation_retention: SignedDuration,
    /// How long backups of labs are kept, and how many of each lab.
    pub backups: Retention,
    /// Where browsers reach us. Without it nobody signs in with one.
    pub public_url: Option<PublicUrl>,
    /// How long browser sessions last, machine time.
    pub sessions: Lifetimes,
    /// Whether users see the whole fleet or what is theirs.
    pub visibility: Visibility,
    /// Which of our users a CML user is.
    pub lab_owners: LabOwners,
    /// Decide and record, act on nothing.
    pub safe_mode: bool,
    /// Whether controllers may be on loopback: the local stack's are.
    pub allow_loopback_controllers: bool,
}

impl Settings {
    /// The defaults, for the account this runs in.
    #[must_use]
    pub fn new(home_account: AccountId) -> Self {
        Self {
            home_account,
            default_instance_type: "m5zn.metal".into(),
            fallback_instance_types: vec![],
            discovery_places: vec![],
            default_ami_name: "cml-2.*".into(),
            ami_names: BTreeMap::new(),
            trusted_image_owners: vec!["self".into()],
            power: PowerPolicy::default(),
            reconcile: ReconcilePolicy::workers(),
            reconcile_labs: ReconcilePolicy::labs(),
            cml_address: CmlAddress::Public,
            labs_interval: SignedDuration::from_mins(30),
            sample_retention: SignedDuration::from_hours(24 * 30),
            operation_retention: SignedDuration::from_hours(24 * 90),
            backups: Retention::default(),
            public_url: None,
            sessions: Lifetimes::default(),
            visibility: Visibility::default(),
            lab_owners: LabOwners::default(),
            safe_mode: false,
            allow_loopback_controllers: false,
        }
    }

    /// The image name pattern of a region.
    #[must_use]
    pub fn ami_name(&self, region: &Region) -> &str {
        self.ami_names.get(region).unwrap_or(&self.default_ami_name)
    }
}
