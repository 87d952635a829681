//! The images that exist in every region.

use app::ports::ImageFacts;
use domain::Place;

/// Canonical's account.
const UBUNTU_OWNER: &str = "099720109477";
/// A stranger who publishes a "newer" CML, hoping that somebody matches by name alone.
const STRANGER: &str = "666666666666";

struct Entry {
    name: &'static str,
    created_at: &'static str,
    /// None: the account that asks has its own.
    owner: Option<&'static str>,
}

const CATALOGUE: [Entry; 5] = [
    Entry { name: "cml-2.9.1-47-amd64", created_at: "2026-02-10T09:14:31.000Z", owner: None },
    Entry { name: "cml-2.9.0-14-amd64", created_at: "2025-08-05T11:02:57.000Z", owner: None },
    Entry { name: "cml-2.8.0-6-amd64", created_at: "2024-12-12T16:40:08.000Z", owner: None },
    Entry { name: "cml-2.99.0-1-amd64", created_at: "2026-06-01T00:00:00.000Z", owner: Some(STRANGER) },
    Entry {
        name: "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260115",
        created_at: "2026-01-15T05:21:44.000Z",
        owner: Some(UBUNTU_OWNER),
    },
];

impl Entry {
    fn facts(&self, place: &Place) -> ImageFacts {
        let owner = self.owner.unwrap_or(place.account.as_str());
        let id = format!("ami-0{:016x}", fnv1a(format!("{owner}/{}/{}", place.region, self.name).as_bytes()));
        ImageFacts { id, name: self.name.into(), created_at: self.created_at.into() }
    }
}

/// The images an account has of its own in a region, newest first.
pub(crate) fn own(place: &Place) -> Vec<ImageFacts> {
    CATALOGUE.iter().filter(|entry| entry.owner.is_none()).map(|entry| entry.facts(place)).collect()
}

/// Whether an instance can be launched from this image: the account's own, or a public one.
pub(crate) fn exists(place: &Place, id: &str) -> bool {
    CATALOGUE.iter().any(|entry| entry.facts(place).id == id)
}

/// `DescribeImages` with the filter `name` and `Owners`; without owners, everybody's.
pub(crate) fn find(place: &Place, name_pattern: &str, owners: &[String]) -> Vec<ImageFacts> {
    let asked_for = |entry: &&Entry| {
        let owner = entry.owner.unwrap_or(place.account.as_str());
        owners.is_empty() || owners.iter().any(|o| o == owner || (o == "self" && owner == place.account.as_str()))
    };
    CATALOGUE
        .iter()
        .filter(asked_for)
        .filter(|entry| matches(name_pattern.as_bytes(), entry.name.as_bytes()))
        .map(|entry| entry.facts(place))
        .collect()
}

/// EC2's filter wildcards: `*` for any run, `?` for one character.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        // A second star adds nothing; skipping it keeps `***…` from costing more each time.
        Some((b'*', [b'*', ..])) => matches(&pattern[1..], text),
        Some((b'*', rest)) => (0..=text.len()).any(|n| matches(rest, &text[n..])),
        Some((b'?', rest)) => !text.is_empty() && matches(rest, &text[1..]),
        Some((byte, rest)) => text.first() == Some(byte) && matches(rest, &text[1..]),
    }
}

/// FNV-1a, 64 bits: the same id for the same image in every run.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_ec2s_do() {
        for (pattern, text, expected) in [
            ("cml-2.*", "cml-2.9.1", true),
            ("cml-2.?.1", "cml-2.9.1", true),
            ("*", "", true),
            ("**9*", "cml-2.9.1", true),
            ("cml-2", "cml-2.9.1", false),
            ("cml-2.?", "cml-2.", false),
            ("CML*", "cml-2.9.1", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }
}
