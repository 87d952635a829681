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

/// How CML shows a lab at a moment: by it is known whether somebody worked on it since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabLook {
    /// When it was last changed.
    pub modified_at: Option<Timestamp>,
    /// Whether it runs.
    pub state: Option<LabState>,
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

    /// Whether both change the same text.
    fn overlaps(&self, other: &Self) -> bool {
        let both = |of: fn(&Self) -> &Option<String>| of(self).is_some() && of(other).is_some();
        both(|edit| &edit.title) || both(|edit| &edit.description) || both(|edit| &edit.notes)
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

    /// Whether `newer`, asked for later, wants the lab otherwise than this does: then this must not be asked for
    /// any more. A wipe or a deletion needs the stop before it, and is needed by nothing.
    #[must_use]
    pub fn contradicted_by(&self, newer: &Self) -> bool {
        match (self, newer) {
            (Self::Start, Self::Stop | Self::Wipe | Self::Delete)
            | (Self::Stop | Self::Wipe | Self::Delete, Self::Start) => true,
            (Self::Update(older), Self::Update(newer)) => older.overlaps(newer),
            _ => false,
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
        // A lab shows STARTED as soon as one node runs: that all of them do is known only once CML was asked, which
        // starts the rest and may be repeated.
        LabAction::Start => asked > 0 && *seen.state == LabState::Started,
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
mod tests;
