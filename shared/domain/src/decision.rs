//! What a judgement answers: what to do, why, and when to judge again.

use jiff::Timestamp;

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Nothing: it is as wished.
    None,
    /// Nothing yet.
    Wait,
    /// Launch what never had an instance.
    Launch,
    /// Start what is stopped.
    Start,
    /// Stop what runs.
    Stop,
    /// Terminate what is wanted gone.
    Terminate,
    /// Launch anew what was lost.
    Relaunch,
    /// Ask a person: what would be right is not ours to decide.
    Ask,
    /// Judge it no more: there is nothing left of it.
    Forget,
    /// Somebody should look: it takes longer than it should.
    Investigate,
    /// Try no more until somebody wishes again.
    GiveUp,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 11] = [
        Self::None,
        Self::Wait,
        Self::Launch,
        Self::Start,
        Self::Stop,
        Self::Terminate,
        Self::Relaunch,
        Self::Ask,
        Self::Forget,
        Self::Investigate,
        Self::GiveUp,
    ];

    /// The name in items and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Wait => "wait",
            Self::Launch => "launch",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Terminate => "terminate",
            Self::Relaunch => "relaunch",
            Self::Ask => "ask",
            Self::Forget => "forget",
            Self::Investigate => "investigate",
            Self::GiveUp => "give_up",
        }
    }

    /// The action of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// It starts an operation.
    #[must_use]
    pub fn acts(self) -> bool {
        matches!(self, Self::Launch | Self::Start | Self::Stop | Self::Terminate | Self::Relaunch)
    }

    /// It ends what runs or destroys what is: the brakes stop it.
    #[must_use]
    pub fn is_destructive(self) -> bool {
        matches!(self, Self::Stop | Self::Terminate)
    }
}

/// A judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What to do now.
    pub action: Action,
    /// Why, for people.
    pub reason: String,
    /// What is done if nothing happens until then.
    pub next: Option<(Action, Timestamp)>,
    /// When to judge again.
    pub next_check_at: Timestamp,
}

/// A time as people read it in a reason: to the minute, with its zone.
pub(crate) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
