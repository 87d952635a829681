//! What a caller may ask for when a worker is made, checked field by field.

use std::collections::BTreeMap;

use crate::instance::{MANAGED_TAG, WORKER_TAG};
use crate::invalid::{Invalid, InvalidField};

/// Longest name: EC2's `Name` tag value holds 256 characters; a table column does not.
pub const NAME_MAX_CHARS: usize = 100;
/// EC2 allows 50 tags a resource; ours take some.
/// Source: EC2 user guide, "Tag restrictions".
pub const TAGS_MAX: usize = 40;
/// Source: EC2 user guide, "Work with instance user data": 16 KB, before base64.
pub const USER_DATA_MAX_BYTES: usize = 16 * 1024;
/// The shortest and longest idle timeout, in minutes.
pub const IDLE_TIMEOUT_MINUTES: std::ops::RangeInclusive<u32> = 5..=10_080;
/// Volume sizes: CML's own root is 64 GiB; gp3 ends at 16 TiB.
/// Source: EBS user guide, "General Purpose SSD volumes".
pub const VOLUME_GIB: std::ops::RangeInclusive<u32> = 32..=16_384;
/// Alternatives that one worker may name, of types and of subnets.
pub const FALLBACKS_MAX: usize = 5;

/// Which image to launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageChoice {
    /// This image.
    Id(String),
    /// The newest image of this name pattern that a trusted owner published.
    Name(String),
    /// The default of the region.
    RegionDefault,
}

/// What to launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchSpec {
    /// The EC2 type.
    pub instance_type: String,
    /// The image.
    pub image: ImageChoice,
    /// Types to take where EC2 has none of that one, best first.
    pub fallback_instance_types: Vec<String>,
    /// The subnet; null for the account's default.
    pub subnet_id: Option<String>,
    /// Subnets, and so zones, to launch in where EC2 has no capacity in that one, best first.
    pub fallback_subnet_ids: Vec<String>,
    /// Security groups; empty for the default one.
    pub security_group_ids: Vec<String>,
    /// The instance profile's name.
    pub instance_profile: Option<String>,
    /// Size of the encrypted gp3 root volume; null for the image's.
    pub volume_gib: Option<u32>,
    /// Ask for nested virtualisation (C8i, M8i, R8i).
    pub nested_virtualization: bool,
    /// Ask for one-minute metrics, which cost extra.
    pub detailed_monitoring: bool,
    /// The boot script.
    pub user_data: Option<String>,
}

impl LaunchSpec {
    /// Of that type, of the region's image, and in all else as EC2 and the account have it by default.
    #[must_use]
    pub fn of_type(instance_type: impl Into<String>) -> Self {
        Self {
            instance_type: instance_type.into(),
            image: ImageChoice::RegionDefault,
            fallback_instance_types: vec![],
            subnet_id: None,
            fallback_subnet_ids: vec![],
            security_group_ids: vec![],
            instance_profile: None,
            volume_gib: None,
            nested_virtualization: false,
            detailed_monitoring: false,
            user_data: None,
        }
    }

    /// Notes what EC2 would refuse, before anything is recorded.
    pub fn check(&self, invalid: &mut Invalid) {
        if !is_instance_type(&self.instance_type) {
            invalid.push("instance_type", "must be an EC2 instance type such as m5zn.metal");
        }
        match &self.image {
            ImageChoice::Id(id) => check_ami_id(id, invalid),
            ImageChoice::Name(name) => check_ami_name(name, invalid),
            ImageChoice::RegionDefault => {}
        }
        if self.subnet_id.as_deref().is_some_and(|id| !is_resource_id(id, "subnet-")) {
            invalid.push("subnet_id", "must be a subnet id such as subnet-0123456789abcdef0");
        }
        self.check_fallbacks(invalid);
        if self.security_group_ids.len() > 16 {
            invalid.push("security_group_ids", "must hold at most 16 ids");
        }
        for (n, id) in self.security_group_ids.iter().enumerate().filter(|(_, id)| !is_resource_id(id, "sg-")) {
            invalid.push(format!("security_group_ids[{n}]"), format!("must be a security group id, not {id:?}"));
        }
        if self.instance_profile.as_ref().is_some_and(|p| p.is_empty() || p.len() > 128) {
            invalid.push("instance_profile", "must have 1 to 128 characters");
        }
        if self.volume_gib.is_some_and(|gib| !VOLUME_GIB.contains(&gib)) {
            invalid.push("volume_gib", "must be 32 to 16384");
        }
        if self.user_data.as_ref().is_some_and(|data| data.len() > USER_DATA_MAX_BYTES) {
            invalid.push("user_data", "must be at most 16384 bytes");
        }
    }

    fn check_fallbacks(&self, invalid: &mut Invalid) {
        let lists = [
            ("fallback_instance_types", &self.fallback_instance_types),
            ("fallback_subnet_ids", &self.fallback_subnet_ids),
        ];
        for (field, _) in lists.iter().filter(|(_, list)| list.len() > FALLBACKS_MAX) {
            invalid.push(*field, "must hold at most 5 of them");
        }
        for (n, name) in self.fallback_instance_types.iter().enumerate().filter(|(_, name)| !is_instance_type(name)) {
            let message = format!("must be an EC2 instance type such as m5zn.metal, not {name:?}");
            invalid.push(format!("fallback_instance_types[{n}]"), message);
        }
        let wrong = |id: &str| !is_resource_id(id, "subnet-");
        for (n, id) in self.fallback_subnet_ids.iter().enumerate().filter(|(_, id)| wrong(id)) {
            invalid.push(format!("fallback_subnet_ids[{n}]"), format!("must be a subnet id, not {id:?}"));
        }
        if self.subnet_id.is_none() && !self.fallback_subnet_ids.is_empty() {
            invalid.push("fallback_subnet_ids", "needs a subnet_id to be the alternative of");
        }
    }
}

/// When a worker may be stopped for being idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdlePolicy {
    /// The per-worker switch.
    pub enabled: bool,
    /// Its own timeout in minutes; null for the fleet's.
    pub timeout_minutes: Option<u32>,
}

impl Default for IdlePolicy {
    fn default() -> Self {
        Self { enabled: true, timeout_minutes: None }
    }
}

/// A worker's name: 1 to 100 visible characters.
///
/// # Errors
/// Names the field `name`.
pub fn check_name(name: &str) -> Result<String, InvalidField> {
    let trimmed = name.trim();
    if trimmed.is_empty() || trimmed.chars().count() > NAME_MAX_CHARS || trimmed.chars().any(char::is_control) {
        return Err(InvalidField::new("name", "must have 1 to 100 characters and no control characters"));
    }
    Ok(trimmed.to_owned())
}

/// An image id.
pub fn check_ami_id(id: &str, invalid: &mut Invalid) {
    if !is_resource_id(id, "ami-") {
        invalid.push("ami_id", "must be an image id such as ami-0123456789abcdef0");
    }
}

/// An image name or pattern. Source: EC2 API reference, `RegisterImage` (3 to 128 characters).
pub fn check_ami_name(name: &str, invalid: &mut Invalid) {
    if !(3..=128).contains(&name.len()) || name.chars().any(char::is_control) {
        invalid.push("ami_name", "must have 3 to 128 characters and no control characters");
    }
}

/// Whose a worker is: 1 to 128 characters, none of them control characters.
pub fn check_owner(owner: &str, invalid: &mut Invalid) {
    if owner.is_empty() || owner.chars().count() > 128 || owner.chars().any(char::is_control) {
        invalid.push("owner", "must have 1 to 128 characters and no control characters");
    }
}

/// Tags within EC2's limits that do not touch AWS's names or ours.
/// Source: EC2 user guide, "Tag restrictions" (key 128, value 256, no `aws:`).
pub fn check_tags(tags: &BTreeMap<String, String>, invalid: &mut Invalid) {
    if tags.len() > TAGS_MAX {
        invalid.push("tags", "must hold at most 40 tags");
    }
    for (key, value) in tags {
        check_tag_key(key, invalid);
        if value.chars().count() > 256 || value.chars().any(char::is_control) {
            invalid.push(format!("tags.{key}"), "must have at most 256 characters and no control characters");
        }
    }
}

/// One tag key: 1 to 128 characters, neither AWS's nor ours.
pub fn check_tag_key(key: &str, invalid: &mut Invalid) {
    if key.is_empty() || key.chars().count() > 128 || key.chars().any(char::is_control) {
        invalid.push("tags", "must have keys of 1 to 128 characters, none of them control characters");
    } else if key.to_ascii_lowercase().starts_with("aws:") || [WORKER_TAG, MANAGED_TAG, "Name"].contains(&key) {
        invalid.push(format!("tags.{key}"), "is kept by AWS or by this product and cannot be set");
    }
}

/// The idle timeout in minutes.
///
/// # Errors
/// Names the field `idle_timeout_minutes`.
pub fn check_idle_timeout(minutes: u32) -> Result<u32, InvalidField> {
    if IDLE_TIMEOUT_MINUTES.contains(&minutes) {
        Ok(minutes)
    } else {
        Err(InvalidField::new("idle_timeout_minutes", "must be 5 to 10080"))
    }
}

fn is_instance_type(text: &str) -> bool {
    text.len() <= 32
        && text.split_once('.').is_some_and(|(family, size)| {
            let word =
                |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            word(family) && word(size)
        })
}

fn is_resource_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|rest| matches!(rest.len(), 8 | 17) && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> LaunchSpec {
        LaunchSpec::of_type("m5zn.metal")
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let mut invalid = Invalid::default();
        LaunchSpec {
            instance_type: "huge".into(),
            image: ImageChoice::Id("ami-nope".into()),
            fallback_instance_types: vec![],
            subnet_id: Some("subnet-1".into()),
            fallback_subnet_ids: vec![],
            security_group_ids: vec!["sg-0123456789abcdef0".into(), "default".into()],
            volume_gib: Some(8),
            user_data: Some("x".repeat(USER_DATA_MAX_BYTES + 1)),
            ..spec()
        }
        .check(&mut invalid);
        let fields: Vec<&str> = invalid.0.iter().map(|f| f.field.as_str()).collect();
        assert_eq!(
            fields,
            ["instance_type", "ami_id", "subnet_id", "security_group_ids[1]", "volume_gib", "user_data"]
        );
    }

    #[test]
    fn a_plain_spec_is_fine() {
        let mut invalid = Invalid::default();
        spec().check(&mut invalid);
        assert_eq!(invalid, Invalid::default());
    }

    #[test]
    fn tags_of_aws_and_of_ours_cannot_be_set() {
        for key in ["aws:createdBy", "AWS:x", "ccm:worker-id", "ccm:managed", "Name", ""] {
            let mut invalid = Invalid::default();
            check_tags(&BTreeMap::from([(key.to_owned(), "v".to_owned())]), &mut invalid);
            assert_eq!(invalid.0.len(), 1, "{key}");
        }
    }

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(check_name("  lab 1 ").unwrap(), "lab 1");
        for bad in ["", "   ", "a\nb", &"x".repeat(101)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
