//! What of a controller's own API is passed through, and for whom. What is not listed is not there.

use crate::actor::Role;
use crate::id::LabId;

/// Paths below `/api/v0` that only read, and who may read them. Not listed, on purpose: telemetry (whole, it is
/// megabytes), the list of all labs (ours shows each caller theirs), console keys and logs (they open consoles, and
/// show what was typed), and whatever changes something: that has routes of its own.
const READABLE: [(&str, Role); 36] = [
    ("system_information", Role::User),
    ("system_health", Role::User),
    ("system_stats", Role::User),
    ("system/compute_hosts", Role::User),
    ("node_definitions", Role::User),
    ("node_definitions/{id}", Role::User),
    ("node_definitions/{id}/image_definitions", Role::User),
    ("simplified_node_definitions", Role::User),
    ("image_definitions", Role::User),
    ("image_definitions/{id}", Role::User),
    ("labs/{lab_id}", Role::User),
    ("labs/{lab_id}/annotations", Role::User),
    ("labs/{lab_id}/check_if_converged", Role::User),
    ("labs/{lab_id}/events", Role::User),
    ("labs/{lab_id}/interfaces", Role::User),
    ("labs/{lab_id}/interfaces/{id}", Role::User),
    ("labs/{lab_id}/lab_element_state", Role::User),
    ("labs/{lab_id}/layer3_addresses", Role::User),
    ("labs/{lab_id}/links", Role::User),
    ("labs/{lab_id}/links/{id}", Role::User),
    ("labs/{lab_id}/nodes", Role::User),
    ("labs/{lab_id}/nodes/{id}", Role::User),
    ("labs/{lab_id}/nodes/{id}/check_if_converged", Role::User),
    ("labs/{lab_id}/nodes/{id}/interfaces", Role::User),
    ("labs/{lab_id}/nodes/{id}/layer3_addresses", Role::User),
    ("labs/{lab_id}/nodes/{id}/state", Role::User),
    ("labs/{lab_id}/resource_pools", Role::User),
    ("labs/{lab_id}/simulation_stats", Role::User),
    ("labs/{lab_id}/state", Role::User),
    ("labs/{lab_id}/topology", Role::User),
    ("licensing", Role::Admin),
    ("licensing/features", Role::Admin),
    ("users", Role::Admin),
    ("users/{id}", Role::Admin),
    ("groups", Role::Admin),
    ("groups/{id}", Role::Admin),
];

/// CML's ids are UUIDs; those of definitions are short names.
const ID_MAX_CHARS: usize = 128;

/// A path that may be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readable {
    /// Who may, at least.
    pub least_role: Role,
    /// The lab that it is about, which they must see.
    pub lab: Option<LabId>,
}

/// Whether a path below `/api/v0`, without a slash before it, may be read. Every segment is one that CML reads as
/// we do: nothing is encoded in it, and none leads elsewhere.
#[must_use]
pub fn readable(path: &str) -> Option<Readable> {
    READABLE.iter().find_map(|(pattern, least_role)| {
        let lab = fit(pattern, path)?;
        Some(Readable { least_role: *least_role, lab })
    })
}

/// The lab in the path, if any, when the path fits.
fn fit(pattern: &str, path: &str) -> Option<Option<LabId>> {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    let mut lab = None;
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(lab),
            (Some("{lab_id}"), Some(id)) => lab = Some(id.parse().ok()?),
            (Some("{id}"), Some(id)) if is_id(id) => {}
            (Some(name), Some(given)) if name == given => {}
            _ => return None,
        }
    }
}

fn is_id(text: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.len() <= ID_MAX_CHARS && text.bytes().all(usual) && text.bytes().any(|byte| byte != b'.')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LAB: &str = "8f1c2a77-5d0b-4b6e-9c3a-d1e2f3a4b5c6";

    #[test]
    fn what_is_listed_may_be_read_by_who_may_and_tells_its_lab() {
        let read = |path: &str| readable(path).map(|readable| (readable.least_role, readable.lab.is_some()));
        assert_eq!(read("system_information"), Some((Role::User, false)));
        assert_eq!(read("node_definitions/cat8000v"), Some((Role::User, false)));
        assert_eq!(read(&format!("labs/{LAB}")), Some((Role::User, true)));
        assert_eq!(read("licensing"), Some((Role::Admin, false)));
        let about = readable(&format!("labs/{LAB}/nodes/n0/state")).unwrap().lab;
        assert_eq!(about.unwrap().as_str(), LAB);
    }

    #[test]
    fn what_is_not_listed_or_not_plain_is_not_there() {
        let lab = |rest: &str| format!("labs/{LAB}/{rest}");
        for path in [
            "",
            "/",
            "labs",
            "populate_lab_tiles",
            "telemetry/events",
            "keys/console",
            "diagnostics/user_list",
            "system/notices",
            "licensing/tech_support",
            "/system_health",
            "system_health/",
            "SYSTEM_HEALTH",
            "system_health?x=1",
            "labs//state",
            "labs/../users",
            "labs/%2e%2e/users",
            "node_definitions/..",
            "node_definitions/a b",
            "users/\u{e9}",
            &format!("users/{}", "a".repeat(129)),
            &lab("nodes/n0/consoles/0/log"),
            &lab("nodes/n0/keys/console"),
            &lab("start"),
            &lab("nodes/../../users"),
        ] {
            assert_eq!(readable(path), None, "{path:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_may_be_read_is_a_plain_path_and_a_lab_is_always_told(path in "(labs|users|system|[a-z./%?#\\\\]{1,6})(/[a-z0-9./%?#_-]{0,8}){0,5}") {
            if let Some(readable) = readable(&path) {
                prop_assert!(path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte)));
                prop_assert!(path.split('/').all(|segment| !segment.is_empty() && segment != "." && segment != ".."));
                prop_assert_eq!(path.starts_with("labs/"), readable.lab.is_some());
            }
        }
    }
}
