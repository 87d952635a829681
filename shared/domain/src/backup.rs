//! Backups of labs, and how long they are kept.

use jiff::{SignedDuration, Timestamp};

use crate::actor::Actor;
use crate::id::{BackupId, LabId, WorkerId};
use crate::lab::LabLook;

/// A lab as it was saved. It outlives the lab and the worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Its id.
    pub id: BackupId,
    /// The worker that the lab was on.
    pub worker_id: WorkerId,
    /// That worker's name when the lab was saved.
    pub worker_name: String,
    /// The lab.
    pub lab_id: LabId,
    /// The CML user who owned the lab.
    pub lab_owner: Option<String>,
    /// The lab's title.
    pub title: String,
    /// The lab's description.
    pub description: Option<String>,
    /// How many nodes it has.
    pub node_count: u32,
    /// How large its file is, in bytes.
    pub bytes: u64,
    /// SHA-256 of its file, hexadecimal.
    pub sha256: String,
    /// When it was saved.
    pub made_at: Timestamp,
    /// Who asked for it.
    pub made_by: Actor,
    /// Nodes, by label, of which the file has what was stored before instead of what runs, and why.
    pub not_extracted: Vec<(String, String)>,
    /// How CML showed the lab when it was downloaded.
    pub lab_look: LabLook,
    /// From when on it may be dropped. The newest of a lab stays all the same.
    pub expires_at: Timestamp,
}

impl Backup {
    /// Where its file is kept.
    #[must_use]
    pub fn file_key(&self) -> String {
        file_key(self.id)
    }
}

/// The folder of all backups' files.
pub const BACKUPS_FOLDER: &str = "backups";

/// Where the file of a backup is kept.
#[must_use]
pub fn file_key(id: BackupId) -> String {
    format!("{BACKUPS_FOLDER}/{id}.yaml")
}

/// How long backups are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long each of them.
    pub keep_for: SignedDuration,
    /// How many of one lab, at most; the newest is kept even at 0.
    pub per_lab: usize,
}

impl Default for Retention {
    /// 90 days, and 20 of one lab.
    fn default() -> Self {
        Self { keep_for: SignedDuration::from_hours(24 * 90), per_lab: 20 }
    }
}

impl Retention {
    /// When a backup made at `made_at` may be dropped.
    #[must_use]
    pub fn expiry(&self, made_at: Timestamp) -> Timestamp {
        made_at.checked_add(self.keep_for).unwrap_or(Timestamp::MAX)
    }

    /// Which of one lab's backups are to be dropped: those past their time and those that are too many, and
    /// never the newest.
    #[must_use]
    pub fn beyond(&self, mut of_one_lab: Vec<Backup>, now: Timestamp) -> Vec<Backup> {
        of_one_lab.sort_by_key(|backup| std::cmp::Reverse((backup.made_at, backup.id)));
        let older = of_one_lab.into_iter().enumerate().skip(1);
        older.filter(|(n, backup)| *n >= self.per_lab || backup.expires_at <= now).map(|(_, backup)| backup).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RETENTION: Retention = Retention { keep_for: SignedDuration::from_hours(24), per_lab: 3 };

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + hour * 3_600).unwrap()
    }

    fn made(hour: i64) -> Backup {
        let made_at = at(hour);
        Backup {
            id: BackupId::new(made_at, u128::try_from(hour).unwrap()),
            worker_id: WorkerId::new(at(0), 1),
            worker_name: "a".into(),
            lab_id: "lab".parse().unwrap(),
            lab_owner: None,
            title: "t".into(),
            description: None,
            node_count: 2,
            bytes: 100,
            sha256: "00".into(),
            made_at,
            made_by: Actor::Aws,
            not_extracted: vec![],
            lab_look: LabLook::default(),
            expires_at: RETENTION.expiry(made_at),
        }
    }

    fn dropped(hours: &[i64], now: i64) -> Vec<i64> {
        let beyond = RETENTION.beyond(hours.iter().map(|hour| made(*hour)).collect(), at(now));
        hours.iter().copied().filter(|hour| beyond.iter().any(|backup| backup.made_at == at(*hour))).collect()
    }

    #[test]
    fn what_is_past_its_time_or_too_many_is_dropped_and_never_the_newest() {
        assert_eq!(dropped(&[], 0), [0; 0]);
        assert_eq!(dropped(&[1, 2, 3], 4), [0; 0]);
        assert_eq!(dropped(&[4, 1, 3, 2], 5), [1], "three of a lab");
        assert_eq!(dropped(&[1, 2, 20], 26), [1, 2], "a day each");
        assert_eq!(dropped(&[1], 1_000), [0; 0], "the newest");
        assert_eq!(dropped(&[1, 2], 1_000), [1]);
        let none = Retention { per_lab: 0, ..RETENTION };
        assert_eq!(none.beyond(vec![made(1), made(2)], at(3)), [made(1)]);
    }

    proptest! {
        #[test]
        fn the_newest_stays_and_what_stays_is_in_time_and_few(mut hours in prop::collection::vec(0_i64..60, 0..9), now in 0_i64..90) {
            hours.sort_unstable();
            hours.dedup();
            let gone = dropped(&hours, now);
            let stays: Vec<i64> = hours.iter().copied().filter(|hour| !gone.contains(hour)).collect();
            prop_assert_eq!(stays.last(), hours.last());
            prop_assert!(stays.len() <= RETENTION.per_lab);
            prop_assert!(stays.iter().rev().skip(1).all(|hour| at(*hour) + RETENTION.keep_for > at(now)));
        }
    }
}
