//! The end of a worker: how far it is, and what is still to be saved.

use crate::id::{BackupId, LabId};
use crate::lab::{LabLook, LabState};

use super::cml::BackUpLabTask;

/// The end of a worker, step by step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetireTask {
    /// How far it is.
    pub step: RetireStep,
    /// Labs still to be saved.
    pub labs: Vec<LabId>,
    /// The one that is being saved, the first of them, with how far that is.
    pub saving: Option<BackUpLabTask>,
    /// Labs saved, each as it was then.
    pub saved: Vec<SavedLab>,
    /// Labs that this end, or one before that did not come, had CML stop, and that were not seen started since.
    pub stopped: Vec<LabId>,
    /// The licence's seats were given back.
    pub deregistered: bool,
    /// Why it is terminated, in words.
    pub reason: String,
}

/// How far the end of a worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RetireStep {
    /// People are to be told in CML.
    Notify,
    /// Its labs are to be listed.
    List,
    /// Its labs are being saved, one after the other.
    BackUp,
    /// Its labs are to be stopped.
    StopLabs,
    /// Its nodes are coming down.
    AwaitNodes,
    /// Its licence's seats are to be given back.
    Deregister,
    /// Its labs are to be looked at once more.
    LookAgain,
    /// All is saved: it is to be wished gone.
    HandOver,
}

/// A saved lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedLab {
    /// Which.
    pub lab: LabId,
    /// As what.
    pub backup: BackupId,
    /// How CML showed it then; its state is that of after our stop, once that was seen.
    pub look: LabLook,
    /// We had CML stop it since.
    pub stopping: bool,
    /// How often it was saved.
    pub times: u32,
}

impl SavedLab {
    /// Whether all is saved that is known of it, given how CML shows it now; that our own stop came true is noted.
    fn holds(&mut self, now: &LabLook) -> bool {
        if self.look.modified_at != now.modified_at {
            return false;
        }
        if self.look.state != now.state && self.stopping && now.state != Some(LabState::Started) {
            // What is started from now on was started by somebody else.
            self.stopping = false;
            self.look.state.clone_from(&now.state);
        }
        self.look.state == now.state
    }
}

impl RetireTask {
    /// Nothing done yet, but what an end that was given up left saved and stopped. Of what is saved, what ran is saved
    /// anew: what was done on it since does not show.
    #[must_use]
    pub fn new(reason: String, saved: Vec<SavedLab>, stopped: Vec<LabId>) -> Self {
        let mut saved = saved;
        saved.retain(|one| one.look.state != Some(LabState::Started));
        for one in &mut saved {
            (one.stopping, one.times) = (false, 1);
        }
        Self { step: RetireStep::Notify, labs: vec![], saving: None, saved, stopped, deregistered: false, reason }
    }

    /// The labs that are to be saved, of those that CML lists: new ones, and those that were changed, started or
    /// stopped since they were saved, but not by us. One that cannot be read (null) and is saved is left at that.
    pub fn unsaved(&mut self, listed: &[(LabId, Option<LabLook>)]) -> Vec<LabId> {
        let mut unsaved = Vec::new();
        for (id, look) in listed {
            let holds = match (self.saved.iter_mut().find(|saved| saved.lab == *id), look) {
                (None, _) => false,
                (Some(_), None) => true,
                (Some(saved), Some(look)) => saved.holds(look),
            };
            if !holds {
                unsaved.push(id.clone());
            }
        }
        unsaved
    }

    /// The lab is saved.
    pub fn is_saved(&mut self, lab: LabId, backup: BackupId, look: LabLook) {
        let before = self.saved.iter().position(|saved| saved.lab == lab).map(|n| self.saved.remove(n));
        let times = before.as_ref().map_or(0, |before| before.times) + 1;
        // What an end before stopped may still be coming down when it is saved for the first time.
        if before.is_some_and(|before| !before.stopping) && look.state == Some(LabState::Started) {
            self.stopped.retain(|stopped| *stopped != lab);
        }
        self.saved.push(SavedLab { lab, backup, look, stopping: false, times });
    }

    /// We have CML stop these labs. True when that is news of one of them, to be written down before it is done.
    pub fn begin_stopping(&mut self, labs: &[LabId]) -> bool {
        let mut news = false;
        for saved in self.saved.iter_mut().filter(|saved| labs.contains(&saved.lab) && !saved.stopping) {
            (saved.stopping, news) = (true, true);
            if !self.stopped.contains(&saved.lab) {
                self.stopped.push(saved.lab.clone());
            }
        }
        news
    }

    /// How often a lab was saved already.
    #[must_use]
    pub fn times_saved(&self, lab: &LabId) -> u32 {
        self.saved.iter().find(|saved| saved.lab == *lab).map_or(0, |saved| saved.times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn look(second: i64, state: LabState) -> LabLook {
        LabLook { modified_at: Some(Timestamp::from_second(second).unwrap()), state: Some(state) }
    }

    fn lab() -> LabId {
        "lab-1".parse().unwrap()
    }

    /// One lab was saved as it ran.
    fn saved() -> RetireTask {
        let mut task = RetireTask::new("Terminated by ada.".into(), vec![], vec![]);
        task.is_saved(lab(), BackupId::new(Timestamp::UNIX_EPOCH, 1), look(10, LabState::Started));
        task
    }

    fn owes(task: &mut RetireTask, look: Option<LabLook>) -> bool {
        task.unsaved(&[(lab(), look)]) == [lab()]
    }

    #[test]
    fn a_lab_that_is_as_it_was_saved_or_cannot_be_read_is_not_saved_again() {
        assert!(!owes(&mut saved(), Some(look(10, LabState::Started))));
        assert!(!owes(&mut saved(), None));
    }

    #[test]
    fn a_lab_that_is_new_was_changed_or_stopped_by_somebody_is_to_be_saved() {
        assert!(owes(&mut saved(), Some(look(11, LabState::Started))));
        assert!(owes(&mut saved(), Some(look(10, LabState::Stopped))));
        let other: LabId = "lab-2".parse().unwrap();
        assert_eq!(saved().unsaved(&[(other.clone(), None)]), [other]);
    }

    #[test]
    fn our_own_stop_changes_nothing_and_what_is_started_after_it_is_to_be_saved() {
        let mut task = saved();
        assert!(task.begin_stopping(&[lab()]));
        assert!(!owes(&mut task, Some(look(10, LabState::Started))), "it comes down");
        assert!(!owes(&mut task, Some(look(10, LabState::Stopped))));
        assert!(owes(&mut task, Some(look(10, LabState::Started))), "started by somebody");
        let mut task = saved();
        assert!(task.begin_stopping(&[lab()]));
        assert!(owes(&mut task, Some(look(11, LabState::Stopped))), "changed while it came down");
    }

    #[test]
    fn a_lab_saved_again_is_one_lab_with_its_newest_backup() {
        let mut task = saved();
        let newest = BackupId::new(Timestamp::UNIX_EPOCH, 2);
        task.is_saved(lab(), newest, look(11, LabState::Started));
        assert_eq!((task.saved.len(), task.saved[0].backup, task.times_saved(&lab())), (1, newest, 2));
    }

    #[test]
    fn an_end_that_is_asked_again_keeps_what_did_not_run_when_it_was_saved() {
        let mut before = saved();
        let stopped: LabId = "lab-2".parse().unwrap();
        before.is_saved(stopped.clone(), BackupId::new(Timestamp::UNIX_EPOCH, 2), look(20, LabState::Stopped));
        let again = RetireTask::new("Terminated by bob.".into(), before.saved, before.stopped);
        assert_eq!(again.saved.iter().map(|saved| saved.lab.clone()).collect::<Vec<_>>(), [stopped]);
    }
}
