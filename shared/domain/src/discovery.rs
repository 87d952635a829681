//! CML instances that nobody here manages: what is known of them, and when one counts as gone.
//!
//! Nothing is taken over by being found; that is an import, which a person asks for.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{InstanceId, Place};
use crate::instance::{InstanceObservation, InstanceState, WORKER_TAG};
use jiff::{SignedDuration, Timestamp};

/// The second look that does not show it counts only so long after the first: a look may be repeated at once.
pub const MISSED_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(4);

/// An instance that no worker stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovered {
    /// Account and region.
    pub place: Place,
    /// The instance.
    pub instance_id: InstanceId,
    /// Its `Name` tag.
    pub name: Option<String>,
    /// EC2's state.
    pub state: InstanceState,
    /// The type.
    pub instance_type: String,
    /// The image it was launched from.
    pub ami_id: String,
    /// It carries our tag, though no worker stands for it.
    pub tagged: bool,
    /// The worker that its tag names: it was launched for that one, here or elsewhere.
    pub worker_tag: Option<String>,
    /// When it was first found.
    pub first_seen_at: Timestamp,
    /// When it was last listed.
    pub last_seen_at: Timestamp,
    /// Since when EC2 does not list it.
    pub missed_since: Option<Timestamp>,
}

/// What a look at a place changes of what is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// What is there, or was missed for the first time.
    pub keep: Vec<Discovered>,
    /// What is gone, or managed by now.
    pub forget: Vec<InstanceId>,
}

/// One instance that EC2 lists, and whether it carries our tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// What EC2 says of it.
    pub seen: InstanceObservation,
    /// Whether it carries our tag.
    pub tagged: bool,
}

/// Compares what is `known` of a place with what a look showed. What a worker stands for is `claimed`.
#[must_use]
pub fn sweep(
    place: &Place,
    known: &[Discovered],
    sightings: &[Sighting],
    claimed: &BTreeSet<InstanceId>,
    now: Timestamp,
) -> Sweep {
    let known: BTreeMap<&InstanceId, &Discovered> = known.iter().map(|one| (&one.instance_id, one)).collect();
    let mut sweep = Sweep::default();
    let mut listed = BTreeSet::new();
    for Sighting { seen, tagged } in sightings {
        let ends = matches!(seen.state, InstanceState::ShuttingDown | InstanceState::Terminated);
        if ends || claimed.contains(&seen.id) || !listed.insert(&seen.id) {
            continue;
        }
        sweep.keep.push(Discovered {
            place: place.clone(),
            instance_id: seen.id.clone(),
            name: seen.tags.get("Name").cloned(),
            state: seen.state,
            instance_type: seen.instance_type.clone(),
            ami_id: seen.ami_id.clone(),
            tagged: *tagged,
            worker_tag: seen.tags.get(WORKER_TAG).cloned(),
            first_seen_at: known.get(&seen.id).map_or(now, |before| before.first_seen_at),
            last_seen_at: now,
            missed_since: None,
        });
    }
    for (id, before) in known.into_iter().filter(|(id, _)| !listed.contains(id)) {
        match before.missed_since {
            _ if claimed.contains(id) => sweep.forget.push(id.clone()),
            None => sweep.keep.push(Discovered { missed_since: Some(now), ..before.clone() }),
            Some(since) if now.duration_since(since) >= MISSED_AGAIN_AFTER => sweep.forget.push(id.clone()),
            Some(_) => {}
        }
    }
    sweep
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{at, instance};

    fn here() -> Place {
        Place { account: "123456789012".parse().unwrap(), region: "us-east-1".parse().unwrap() }
    }

    fn seen(state: InstanceState) -> Vec<Sighting> {
        vec![Sighting { seen: instance(state), tagged: false }]
    }

    fn look(known: &[Discovered], sightings: &[Sighting], minute: i64) -> Sweep {
        sweep(&here(), known, sightings, &BTreeSet::new(), at(minute))
    }

    #[test]
    fn what_is_found_is_kept_with_the_time_it_was_first_seen() {
        let first = look(&[], &seen(InstanceState::Running), 0).keep;
        assert_eq!((first.len(), first[0].first_seen_at, first[0].missed_since), (1, at(0), None));
        let again = look(&first, &seen(InstanceState::Stopped), 5).keep;
        assert_eq!(
            (again[0].first_seen_at, again[0].last_seen_at, again[0].state),
            (at(0), at(5), InstanceState::Stopped)
        );
    }

    #[test]
    fn one_is_gone_only_when_it_was_missed_twice_a_while_apart() {
        let found = look(&[], &seen(InstanceState::Running), 0).keep;
        let missed = look(&found, &[], 5);
        assert_eq!((missed.keep[0].missed_since, missed.forget.len()), (Some(at(5)), 0));
        // The same message delivered twice is one look.
        assert_eq!(look(&missed.keep, &[], 6), Sweep::default());
        assert_eq!(look(&missed.keep, &[], 10).forget, [found[0].instance_id.clone()]);
        let back = look(&missed.keep, &seen(InstanceState::Running), 10);
        assert_eq!((back.keep[0].missed_since, back.keep[0].first_seen_at), (None, at(0)));
    }

    #[test]
    fn what_ends_is_not_found_and_what_a_worker_stands_for_is_forgotten_at_once() {
        for state in [InstanceState::ShuttingDown, InstanceState::Terminated] {
            assert_eq!(look(&[], &seen(state), 0), Sweep::default());
        }
        let found = look(&[], &seen(InstanceState::Running), 0).keep;
        let claimed = BTreeSet::from([found[0].instance_id.clone()]);
        for sightings in [seen(InstanceState::Running), vec![]] {
            let swept = sweep(&here(), &found, &sightings, &claimed, at(1));
            assert_eq!(swept, Sweep { keep: vec![], forget: vec![found[0].instance_id.clone()] });
        }
    }

    #[test]
    fn one_that_is_found_by_its_image_and_by_its_tag_is_one() {
        let twice = [seen(InstanceState::Running), seen(InstanceState::Running)].concat();
        assert_eq!(look(&[], &twice, 0).keep.len(), 1);
    }
}
