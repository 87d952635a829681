//! Bodies that callers send about workers.

use std::collections::BTreeMap;

use app::ports::CmlCredentials;
use app::use_cases::create_worker::NewWorker;
use app::use_cases::import_workers::NewImport;
use domain::worker::command::Update;
use domain::worker::{DesiredState, ImageChoice, LaunchSpec};
use domain::{Invalid, InvalidField};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

/// A worker to be made. Only `name` and `region` are needed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWorker {
    /// 1 to 100 characters; need not be unique.
    #[schema(example = "lab-1")]
    pub name: String,
    /// The AWS region.
    #[schema(example = "us-east-1")]
    pub region: String,
    /// The AWS account; the one this runs in by default.
    pub account_id: Option<String>,
    /// The EC2 type; the fleet's default by default.
    #[schema(example = "m5zn.metal")]
    pub instance_type: Option<String>,
    /// Types to take where EC2 has no capacity of that one, best first, at most 5; the fleet's where neither this
    /// nor a type is named.
    pub fallback_instance_types: Option<Vec<String>>,
    /// The image; not together with `ami_name`.
    pub ami_id: Option<String>,
    /// The newest image of this name by a trusted owner; the region's default by default.
    pub ami_name: Option<String>,
    /// A template to take defaults from. None can be made yet, so none can be named.
    pub template_id: Option<String>,
    /// The subnet.
    pub subnet_id: Option<String>,
    /// Subnets to launch in where EC2 has no capacity in that one, best first, at most 5.
    #[serde(default)]
    pub fallback_subnet_ids: Vec<String>,
    /// Security groups.
    #[serde(default)]
    pub security_group_ids: Vec<String>,
    /// The instance profile's name.
    pub instance_profile: Option<String>,
    /// The size of the encrypted gp3 root volume in GiB.
    pub volume_gib: Option<u32>,
    /// Nested virtualisation, on types that offer it.
    #[serde(default)]
    pub nested_virtualization: bool,
    /// EC2 detailed monitoring; on by default.
    pub detailed_monitoring: Option<bool>,
    /// The boot script, at most 16384 bytes.
    pub user_data: Option<String>,
    /// Whose it is.
    pub owner: Option<String>,
    /// Tags, kept equal in EC2.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// `running` (launched now) or `stopped` (launched at its first start).
    pub desired_state: Option<String>,
    /// Minutes without use until it is stopped, 5 to 10080; the fleet's by default.
    pub idle_timeout_minutes: Option<u32>,
    /// Where CML answers, when not where EC2 says: `https://host`.
    pub cml_endpoint: Option<String>,
    /// Which stored credentials to use, when not the fleet's.
    pub cml_credentials_ref: Option<String>,
}

impl CreateWorker {
    /// The use case's input.
    ///
    /// # Errors
    /// Fields that exclude each other, and names that are not known.
    pub fn into_new_worker(self) -> Result<NewWorker, Invalid> {
        let mut invalid = Invalid::default();
        let image = match (self.ami_id, self.ami_name) {
            (Some(_), Some(_)) => {
                invalid.push("ami_name", "cannot be given together with ami_id");
                ImageChoice::RegionDefault
            }
            (Some(id), None) => ImageChoice::Id(id),
            (None, Some(name)) => ImageChoice::Name(name),
            (None, None) => ImageChoice::RegionDefault,
        };
        if self.template_id.is_some() {
            invalid.push("template_id", "does not name a template");
        }
        if self.instance_type.as_deref() == Some("") {
            invalid.push("instance_type", "must be an EC2 instance type such as m5zn.metal");
        }
        let desired = match self.desired_state.as_deref() {
            None => Some(DesiredState::Running),
            Some(name) => invalid.check(
                DesiredState::from_name(name)
                    .ok_or_else(|| InvalidField::new("desired_state", "must be running or stopped")),
            ),
        };
        let takes_fleets_types = self.instance_type.is_none() && self.fallback_instance_types.is_none();
        invalid.finish(desired).map(|desired| NewWorker {
            name: self.name,
            region: self.region,
            account_id: self.account_id,
            spec: LaunchSpec {
                instance_type: self.instance_type.unwrap_or_default(),
                image,
                fallback_instance_types: self.fallback_instance_types.unwrap_or_default(),
                subnet_id: self.subnet_id,
                fallback_subnet_ids: self.fallback_subnet_ids,
                security_group_ids: self.security_group_ids,
                instance_profile: self.instance_profile,
                volume_gib: self.volume_gib,
                nested_virtualization: self.nested_virtualization,
                detailed_monitoring: self.detailed_monitoring.unwrap_or(true),
                user_data: self.user_data,
            },
            takes_fleets_types,
            owner: self.owner,
            tags: self.tags,
            desired,
            idle_timeout_minutes: self.idle_timeout_minutes,
            cml_endpoint: self.cml_endpoint,
            cml_credentials_ref: self.cml_credentials_ref,
        })
    }
}

/// Instances to take under management: exactly one of `instance_id`, `ami_id`, `ami_name`, `all`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportWorkers {
    /// The AWS region.
    #[schema(example = "us-east-1")]
    pub region: String,
    /// The AWS account; the one this runs in by default.
    pub account_id: Option<String>,
    /// One instance.
    pub instance_id: Option<String>,
    /// All instances of this image.
    pub ami_id: Option<String>,
    /// All instances of images of this name by a trusted owner.
    pub ami_name: Option<String>,
    /// All instances of the region's default images.
    #[serde(default)]
    pub all: bool,
    /// The name to give, followed by the instance's id where there are several; its own by default.
    pub name: Option<String>,
}

impl From<ImportWorkers> for NewImport {
    fn from(body: ImportWorkers) -> Self {
        Self {
            region: body.region,
            account_id: body.account_id,
            instance_id: body.instance_id,
            ami_id: body.ami_id,
            ami_name: body.ami_name,
            all: body.all,
            name: body.name,
        }
    }
}

/// Fields to change; absent ones stay, null clears.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateWorker {
    /// The new name.
    #[serde(default, deserialize_with = "not_null")]
    pub name: Option<String>,
    /// The new owner, or null.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub owner: Option<Option<String>>,
    /// Tags to set; a null value removes the tag.
    #[serde(default)]
    pub tags: BTreeMap<String, Option<String>>,
    /// Whether it may be stopped for being idle.
    #[serde(default, deserialize_with = "not_null")]
    pub idle_shutdown: Option<bool>,
    /// Its own idle timeout in minutes, or null for the fleet's.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>)]
    pub idle_timeout_minutes: Option<Option<u32>>,
    /// Where CML answers (admin), or null for where EC2 says.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub cml_endpoint: Option<Option<String>>,
    /// Which stored credentials to use (admin), or null for the fleet's.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub cml_credentials_ref: Option<Option<String>>,
}

/// May be absent, but not null: there is nothing that null could mean.
fn not_null<'a, D: Deserializer<'a>, T: Deserialize<'a>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Tells "absent" from "null".
fn present<'a, D: Deserializer<'a>, T: Deserialize<'a>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

impl UpdateWorker {
    /// Whether it changes what only an admin may.
    #[must_use]
    pub fn needs_admin(&self) -> bool {
        self.cml_endpoint.is_some() || self.cml_credentials_ref.is_some()
    }

    /// The use case's input.
    #[must_use]
    pub fn into_update(self) -> Update {
        let mut set_tags = BTreeMap::new();
        let mut remove_tags = Vec::new();
        for (key, value) in self.tags {
            match value {
                Some(value) => {
                    set_tags.insert(key, value);
                }
                None => remove_tags.push(key),
            }
        }
        Update {
            name: self.name,
            owner: self.owner,
            set_tags,
            remove_tags,
            idle_enabled: self.idle_shutdown,
            idle_timeout_minutes: self.idle_timeout_minutes,
            cml_endpoint: self.cml_endpoint,
            cml_credentials_ref: self.cml_credentials_ref,
        }
    }
}

/// Why a worker is stopped; the body may be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StopWorker {
    /// The reason others read, at most 200 characters.
    pub reason: Option<String>,
}

/// Detailed monitoring on or off.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetMonitoring {
    /// On or off.
    pub enabled: bool,
}

/// A CML user and password; never returned.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetCmlCredentials {
    /// The CML user, best one of this product's own.
    pub username: String,
    /// Its password.
    #[schema(format = Password, write_only)]
    pub password: String,
}

impl From<SetCmlCredentials> for CmlCredentials {
    fn from(body: SetCmlCredentials) -> Self {
        Self { username: body.username, password: body.password }
    }
}
