//! The states of labs, nodes, links and interfaces, in CML's own words.

use std::fmt;

/// A state. Labs know the first three; nodes know all. Source: CML 2.9 OpenAPI; 2.10 added STARTING.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CmlState {
    /// Defined and never started, or wiped since.
    DefinedOnCore,
    /// Stopped; its disks are kept.
    Stopped,
    /// Running. Of a node: it has a process, and may still boot.
    Started,
    /// Waits for its turn to start.
    Queued,
    /// About to run (from 2.10 on).
    Starting,
    /// Runs and has finished booting.
    Booted,
    /// Its compute is not connected.
    Disconnected,
    /// A state that this version of the client does not know, as CML spells it.
    Other(String),
}

impl CmlState {
    /// The state of that name; every name is one.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "DEFINED_ON_CORE" => Self::DefinedOnCore,
            "STOPPED" => Self::Stopped,
            "STARTED" => Self::Started,
            "QUEUED" => Self::Queued,
            "STARTING" => Self::Starting,
            "BOOTED" => Self::Booted,
            "DISCONNECTED" => Self::Disconnected,
            other => Self::Other(other.to_owned()),
        }
    }

    /// CML's name of it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::DefinedOnCore => "DEFINED_ON_CORE",
            Self::Stopped => "STOPPED",
            Self::Started => "STARTED",
            Self::Queued => "QUEUED",
            Self::Starting => "STARTING",
            Self::Booted => "BOOTED",
            Self::Disconnected => "DISCONNECTED",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for CmlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_known_by_its_name_and_an_unknown_one_is_kept() {
        for name in ["DEFINED_ON_CORE", "STOPPED", "STARTED", "QUEUED", "STARTING", "BOOTED", "DISCONNECTED"] {
            let state = CmlState::from_name(name);
            assert_eq!(state.to_string(), name);
            assert!(!matches!(state, CmlState::Other(_)), "{name}");
        }
        assert_eq!(CmlState::from_name("MIGRATING"), CmlState::Other("MIGRATING".into()));
        assert_eq!(CmlState::from_name("MIGRATING").name(), "MIGRATING");
    }
}
