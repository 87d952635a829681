//! Who used a worker, and when: what CML's telemetry and node counts tell.

use jiff::{SignedDuration, Timestamp};

/// One entry of CML's telemetry feed, reduced to what is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelemetryEvent {
    /// CML's category, such as `start_lab`.
    pub category: String,
    /// When CML recorded it.
    pub at: Timestamp,
    /// The CML user it was done by, when the entry names one.
    pub user_id: Option<String>,
}

/// Categories that a person causes. Everything else is the machine talking to itself
/// (`boot_node`, `queue_node`, `lab_autostart`, `system_stats`, ...).
/// Source: CML 2.9 OpenAPI, telemetry categories.
const BY_PEOPLE: [&str; 9] = [
    "export_lab",
    "import_lab",
    "packet_capture",
    "start_lab",
    "start_node",
    "stop_lab",
    "stop_node",
    "user_activity",
    "wipe_node",
];

/// How far a controller's clock may run ahead of ours.
const CLOCK_AHEAD: SignedDuration = SignedDuration::from_mins(10);

/// What is known of a worker's use, kept from one reading to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// When a person last did something.
    pub person_at: Option<Timestamp>,
    /// What they did, in CML's word.
    pub person_did: Option<String>,
    /// When nodes were last seen running.
    pub nodes_ran_at: Option<Timestamp>,
    /// The newest telemetry entry judged so far: CML returns its whole history each time.
    pub high_water: Option<Timestamp>,
}

impl Activity {
    /// What is known after one more reading.
    ///
    /// `our_user_id` is the CML user that this product reads with: its own calls appear in the feed
    /// as `user_activity`. It is excluded by exact id, and by nothing vaguer: people may well work as
    /// CML's built-in admin.
    #[must_use]
    pub fn after(
        &self,
        events: &[TelemetryEvent],
        our_user_id: Option<&str>,
        running_nodes: Option<u32>,
        now: Timestamp,
    ) -> Self {
        let mut next = self.clone();
        // A controller's clock may run ahead a little. What it dates far ahead says nothing, and as a
        // mark it would hide everything until then.
        let believed = now + CLOCK_AHEAD;
        for event in events.iter().filter(|e| e.at <= believed && self.high_water.is_none_or(|mark| e.at > mark)) {
            next.high_water = next.high_water.max(Some(event.at));
            let at = event.at.min(now);
            let person = BY_PEOPLE.contains(&event.category.as_str())
                && (our_user_id.is_none() || event.user_id.as_deref() != our_user_id);
            if person && next.person_at.is_none_or(|known| at > known) {
                next.person_at = Some(at);
                next.person_did = Some(event.category.clone());
            }
        }
        if running_nodes.is_some_and(|nodes| nodes > 0) {
            next.nodes_ran_at = Some(now);
        }
        next
    }

    /// What is known when nodes that ran at the look before, `last_look`, do not run `now`: until when they did is
    /// not known, and an outage may lie between. What is not known is not taken for idle.
    #[must_use]
    pub fn nodes_ended(self, last_look: Option<Timestamp>, now: Timestamp) -> Self {
        if last_look.is_none() || self.nodes_ran_at != last_look {
            return self;
        }
        // Just before: at this look none ran, which is what the next one goes by.
        Self { nodes_ran_at: Some(now - SignedDuration::from_millis(1)), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn event(category: &str, second: i64, user: Option<&str>) -> TelemetryEvent {
        TelemetryEvent { category: category.into(), at: at(second), user_id: user.map(Into::into) }
    }

    const ADMIN: &str = "00000000-0000-4000-a000-000000000000";

    #[test]
    fn a_person_working_as_the_built_in_admin_is_a_person() {
        let seen = Activity::default().after(&[event("user_activity", 50, Some(ADMIN))], Some("poller"), None, at(100));
        assert_eq!(seen.person_at, Some(at(50)));
    }

    #[test]
    fn our_own_reading_is_nobody() {
        let seen = Activity::default().after(&[event("user_activity", 50, Some(ADMIN))], Some(ADMIN), None, at(100));
        assert_eq!(seen.person_at, None);
        assert_eq!(seen.high_water, Some(at(50)));
    }

    #[test]
    fn every_category_of_people_counts_and_those_of_the_machine_do_not() {
        for category in BY_PEOPLE {
            let seen = Activity::default().after(&[event(category, 50, None)], Some("poller"), None, at(100));
            assert_eq!(seen.person_did.as_deref(), Some(category));
        }
        for category in ["boot_node", "queue_node", "lab_autostart", "system_stats", "running_nodes", "wipe_lab", "new"]
        {
            let seen = Activity::default().after(&[event(category, 50, None)], Some("poller"), None, at(100));
            assert_eq!(seen.person_at, None, "{category}");
        }
    }

    #[test]
    fn history_below_the_high_water_mark_is_not_judged_again() {
        let first = Activity::default().after(&[event("start_lab", 50, None)], None, None, at(100));
        let again = first.after(&[event("start_lab", 50, None), event("stop_lab", 60, None)], None, None, at(200));
        assert_eq!(again.person_did.as_deref(), Some("stop_lab"));
        assert_eq!(again.high_water, Some(at(60)));
    }

    #[test]
    fn an_entry_a_little_ahead_counts_once_as_now_and_one_far_ahead_never() {
        let ahead = [event("start_lab", 500, None), event("stop_lab", 9_999, None)];
        let seen = Activity::default().after(&ahead, None, None, at(100));
        assert_eq!((seen.person_at, seen.person_did.as_deref()), (Some(at(100)), Some("start_lab")));
        let later = seen.after(&ahead, None, None, at(200));
        assert_eq!(later.person_at, Some(at(100)));
    }

    #[test]
    fn running_nodes_are_remembered_and_unknown_counts_change_nothing() {
        let seen = Activity::default().after(&[], None, Some(2), at(100));
        assert_eq!(seen.nodes_ran_at, Some(at(100)));
        let later = seen.after(&[], None, Some(0), at(200)).after(&[], None, None, at(300));
        assert_eq!(later.nodes_ran_at, Some(at(100)));
    }

    #[test]
    fn nodes_that_ended_while_nobody_looked_count_as_having_run_until_the_next_look() {
        let ran = Activity::default().after(&[], None, Some(2), at(100));
        let ended = ran.clone().nodes_ended(Some(at(100)), at(4_000));
        assert_eq!(ended.nodes_ran_at, Some(at(4_000) - SignedDuration::from_millis(1)));
        assert_eq!(ended.clone().nodes_ended(Some(at(4_000)), at(5_000)), ended, "once: they ran at no look since");
        assert_eq!(Activity::default().nodes_ended(None, at(100)).nodes_ran_at, None);
    }
}
