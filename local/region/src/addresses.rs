//! Addresses that belong to nobody: a mistake here can reach no stranger's machine.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// A public address that is neither taken nor `previous`: a stopped instance does not get its
/// address back. First the documentation ranges, then, for a large fleet, the benchmark range.
/// Source: RFC 5737, RFC 2544.
pub(crate) fn public(taken: &BTreeSet<&str>, previous: Option<&str>, random: u128) -> Option<String> {
    let free = |address: &String| !taken.contains(address.as_str()) && previous != Some(address.as_str());
    probe(508, random)
        .map(|n| {
            if n < 254 { Ipv4Addr::new(198, 51, 100, n as u8 + 1) } else { Ipv4Addr::new(203, 0, 113, (n - 253) as u8) }
        })
        .map(|address| address.to_string())
        .find(free)
        .or_else(|| {
            let first = u32::from(Ipv4Addr::new(198, 18, 0, 0));
            probe(1 << 17, random).map(|n| Ipv4Addr::from(first + n).to_string()).find(free)
        })
}

/// A private address of 10.0.0.0/8 that is not taken.
pub(crate) fn private(taken: &BTreeSet<&str>, random: u128) -> Option<String> {
    let first = u32::from(Ipv4Addr::new(10, 0, 0, 0));
    // The first and last few of a subnet are AWS's own.
    probe(1 << 24, random)
        .filter(|n| (10..=250).contains(&(n & 0xff)))
        .map(|n| Ipv4Addr::from(first + n).to_string())
        .find(|address| !taken.contains(address.as_str()))
}

/// All of `0..size`, from a random one on.
fn probe(size: u32, random: u128) -> impl Iterator<Item = u32> {
    let start = (random % u128::from(size)) as u32;
    (start..size).chain(0..start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_never_shared_and_never_the_last_one_again() {
        let mut given: Vec<String> = Vec::new();
        for _ in 0..600 {
            let taken = given.iter().map(String::as_str).collect();
            let next = public(&taken, given.last().map(String::as_str), 507).unwrap();
            given.push(next);
        }
        assert_eq!(given.iter().collect::<BTreeSet<_>>().len(), 600);
        assert_eq!(given[0], "203.0.113.254");
        assert_eq!(given[1], "198.51.100.1");
        assert!(given[599].starts_with("198.18."));
        let others: BTreeSet<&str> = given[1..508].iter().map(String::as_str).collect();
        assert!(public(&others, Some("203.0.113.254"), 0).unwrap().starts_with("198.18."));
    }
}
