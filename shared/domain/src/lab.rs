//! Labs: what they show, and the next step of what is done to one.

use jiff::Timestamp;

use crate::id::{LabId, WorkerId};
use crate::invalid::Invalid;

/// CML's longest title, in characters. Source: CML's `OpenAPI` document, `LabTitle`.
pub const TITLE_MAX_CHARS: usize = 64;
/// CML's longest description, in characters. Source: the same, `LabDescription`.
pub const DESCRIPTION_MAX_CHARS: usize = 4_096;
/// CML's longest notes, in characters. Source: the same, `LabNotes`.
pub const NOTES_MAX_CHARS: usize = 32_768;
/// How often CML is asked for the same before it is given up.
const ASKS_MAX: u32 = 3;

/// What a lab shows, in CML's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabState {
    /// It has never run, or was wiped.
    DefinedOnCore,
    /// At least one node runs.
    Started,
    /// It ran; its disks are kept.
    Stopped,
    /// Something that CML says and we do not know.
    Other(String),
}

impl LabState {
    /// CML's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::DefinedOnCore => "DEFINED_ON_CORE",
            Self::Started => "STARTED",
            Self::Stopped => "STOPPED",
            Self::Other(name) => name,
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "DEFINED_ON_CORE" => Self::DefinedOnCore,
            "STARTED" => Self::Started,
            "STOPPED" => Self::Stopped,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// A lab as it was read last.
#[derive(Clone, Debug, PartialEq)]
pub struct Lab {
    /// CML's id.
    pub id: LabId,
    /// The worker it is on.
    pub worker_id: WorkerId,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: Option<String>,
    /// Its notes, in Markdown.
    pub notes: Option<String>,
    /// What it shows.
    pub state: Option<LabState>,
    /// The id of the CML user who owns it.
    pub owner: Option<String>,
    /// That user's name.
    pub owner_username: Option<String>,
    /// How many nodes it has.
    pub node_count: Option<u32>,
    /// How many links it has.
    pub link_count: Option<u32>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    pub modified_at: Option<Timestamp>,
    /// When it was read last.
    pub synced_at: Timestamp,
    /// Since when a full listing has not had it. It is dropped at the second that does not.
    pub missing_since: Option<Timestamp>,
}

/// What is changed of a lab; null leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabEdit {
    /// Its title.
    pub title: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// Its notes.
    pub notes: Option<String>,
}

impl LabEdit {
    /// Whether CML will take it.
    ///
    /// # Errors
    /// Which fields are too long or empty, or that nothing is changed.
    pub fn check(&self) -> Result<(), Invalid> {
        let mut invalid = Invalid::default();
        if *self == Self::default() {
            invalid.push("title", "give title, description or notes: nothing would change".to_owned());
        }
        if let Some(title) = &self.title {
            check_title(title, &mut invalid);
        }
        let mut at_most = |field: &str, text: Option<&String>, max: usize| {
            if text.is_some_and(|text| text.chars().count() > max) {
                invalid.push(field, format!("must have at most {max} characters"));
            }
        };
        at_most("description", self.description.as_ref(), DESCRIPTION_MAX_CHARS);
        at_most("notes", self.notes.as_ref(), NOTES_MAX_CHARS);
        invalid.finish(Some(()))
    }
}

/// Notes what is wrong with a title.
pub fn check_title(title: &str, invalid: &mut Invalid) {
    let chars = title.chars().count();
    if chars == 0 || chars > TITLE_MAX_CHARS || title.chars().any(char::is_control) {
        invalid.push("title", format!("must have 1 to {TITLE_MAX_CHARS} characters, without control characters"));
    }
}

/// What can be done to a lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabAction {
    /// Start all its nodes.
    Start,
    /// Stop all its nodes.
    Stop,
    /// Wipe the disks of all its nodes.
    Wipe,
    /// Delete it.
    Delete,
    /// Change what is said of it.
    Update(LabEdit),
}

impl LabAction {
    /// The kind in answers.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Start => "start_lab",
            Self::Stop => "stop_lab",
            Self::Wipe => "wipe_lab",
            Self::Delete => "delete_lab",
            Self::Update(_) => "update_lab",
        }
    }
}

/// What a controller shows of a lab.
#[derive(Clone, Copy, Debug)]
pub struct LabSeen<'a> {
    /// Its state.
    pub state: &'a LabState,
    /// Every node is where it was sent to.
    pub converged: bool,
}

/// The next step of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabStep {
    /// Ask CML for it, then look again.
    Ask,
    /// Nothing to do but wait for this.
    Wait(String),
    /// Done, and seen done.
    Done,
    /// It cannot be done: code and message.
    Fail(&'static str, String),
}

/// The next step of `action`, of which CML was asked `asked` times, given what the controller shows (null:
/// there is no such lab). What CML refuses it refuses in its own words; here only what it shows counts.
#[must_use]
pub fn next(action: &LabAction, asked: u32, seen: Option<LabSeen<'_>>) -> LabStep {
    let Some(seen) = seen else {
        return match action {
            LabAction::Delete => LabStep::Done,
            _ => LabStep::Fail("lab_not_found", "The controller has no such lab (any more).".into()),
        };
    };
    let reached = match action {
        LabAction::Start => *seen.state == LabState::Started,
        LabAction::Stop => matches!(seen.state, LabState::Stopped | LabState::DefinedOnCore),
        LabAction::Wipe => *seen.state == LabState::DefinedOnCore,
        LabAction::Delete => false,
        // Nothing shows that a text was taken but the answer to the call.
        LabAction::Update(_) => asked > 0,
    };
    match action {
        LabAction::Start | LabAction::Stop | LabAction::Wipe if reached && !seen.converged => {
            LabStep::Wait(format!("its nodes to {}", what_nodes_do(action)))
        }
        _ if reached => LabStep::Done,
        _ if asked > 0 && !seen.converged => LabStep::Wait(format!("its nodes to {}", what_nodes_do(action))),
        _ if asked >= ASKS_MAX => LabStep::Fail(
            "not_reached",
            format!("CML was asked {asked} times and still shows {}. Look at the lab in CML.", seen.state.name()),
        ),
        _ => LabStep::Ask,
    }
}

fn what_nodes_do(action: &LabAction) -> &'static str {
    match action {
        LabAction::Start => "boot",
        LabAction::Stop => "stop",
        LabAction::Wipe | LabAction::Delete | LabAction::Update(_) => "settle",
    }
}

/// Nodes that a product licence lets run by itself. Source: Cisco's "CML licensing" page: 20 with Personal,
/// Education and Enterprise, 40 with Personal Plus.
const NODES_BY_PRODUCT: [(&str, u32); 4] =
    [("CML_Enterprise", 20), ("CML_Education", 20), ("CML_Personal", 20), ("CML_Personal40", 40)];

/// What is said before the start of a lab of `nodes` nodes, while `running` others run, when the licence (the
/// product, and `bought` nodes beside it) does not let them all run. Nothing when something of it is unknown.
#[must_use]
pub fn seats_warning(nodes: Option<u32>, running: u32, product: Option<&str>, bought: u32) -> Option<String> {
    let (nodes, product) = (nodes?, product?);
    let (_, own) = NODES_BY_PRODUCT.iter().find(|(name, _)| *name == product)?;
    let licensed = own.saturating_add(bought);
    (running.saturating_add(nodes) > licensed).then(|| {
        format!(
            "The lab has {nodes} nodes and {running} run already, but the licence ({product}) lets {licensed} run: CML \
             may refuse some of them."
        )
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(state: &LabState, converged: bool) -> Option<LabSeen<'_>> {
        Some(LabSeen { state, converged })
    }

    fn states() -> impl Strategy<Value = LabState> {
        prop::sample::select(vec!["DEFINED_ON_CORE", "STARTED", "STOPPED", "PAUSED"]).prop_map(LabState::from_name)
    }

    fn actions() -> impl Strategy<Value = LabAction> {
        let edit = LabEdit { title: Some("t".into()), ..LabEdit::default() };
        prop::sample::select(vec![
            LabAction::Start,
            LabAction::Stop,
            LabAction::Wipe,
            LabAction::Delete,
            LabAction::Update(edit),
        ])
    }

    #[test]
    fn a_start_is_done_when_the_lab_has_converged_and_not_when_cml_has_accepted_it() {
        let (stopped, started) = (LabState::Stopped, LabState::Started);
        assert_eq!(next(&LabAction::Start, 0, seen(&stopped, true)), LabStep::Ask);
        assert_eq!(next(&LabAction::Start, 1, seen(&started, false)), LabStep::Wait("its nodes to boot".into()));
        assert_eq!(next(&LabAction::Start, 1, seen(&started, true)), LabStep::Done);
    }

    #[test]
    fn a_lab_that_is_gone_is_deleted_and_nothing_else() {
        assert_eq!(next(&LabAction::Delete, 1, None), LabStep::Done);
        assert!(matches!(next(&LabAction::Start, 1, None), LabStep::Fail("lab_not_found", _)));
    }

    #[test]
    fn a_text_is_what_cml_takes() {
        let edit = |title: &str| LabEdit { title: Some(title.into()), ..LabEdit::default() };
        assert!(edit("a").check().is_ok() && edit(&"é".repeat(64)).check().is_ok());
        for bad in [edit(""), edit(&"a".repeat(65)), edit("a\nb"), LabEdit::default()] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
        let long = LabEdit { notes: Some("n".repeat(32_769)), ..LabEdit::default() };
        assert_eq!(long.check().unwrap_err().to_string(), "notes must have at most 32768 characters");
    }

    #[test]
    fn a_lab_beyond_the_licence_is_warned_of_and_the_unknown_is_not() {
        let warned = |nodes, running, product, bought| seats_warning(nodes, running, product, bought).is_some();
        assert!(!warned(Some(20), 0, Some("CML_Enterprise"), 0));
        assert!(warned(Some(21), 0, Some("CML_Enterprise"), 0));
        assert!(!warned(Some(21), 0, Some("CML_Enterprise"), 5));
        assert!(warned(Some(21), 5, Some("CML_Enterprise"), 5));
        assert!(!warned(Some(40), 0, Some("CML_Personal40"), 0));
        assert!(warned(Some(u32::MAX), u32::MAX, Some("CML_Personal"), u32::MAX - 30));
        assert!(!warned(None, 100, Some("CML_Personal"), 0) && !warned(Some(100), 0, None, 0));
        assert!(!warned(Some(100), 0, Some("CML_Something"), 0));
    }

    proptest! {
        #[test]
        fn every_state_gives_a_step_and_asking_ends(action in actions(), state in states(), converged: bool, asked in 0_u32..6) {
            let step = next(&action, asked, seen(&state, converged));
            if step == LabStep::Ask {
                prop_assert!(asked < ASKS_MAX);
                // A lab on its way is not pushed again.
                prop_assert!(asked == 0 || converged);
            }
        }

        #[test]
        fn a_state_reads_back(name in "\\PC{0,20}") {
            let state = LabState::from_name(&name);
            prop_assert_eq!(state.name(), name);
        }
    }
}
