//! What administrators tell the users of a controller.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How important a notice is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Level {
    #[default]
    Info,
    Success,
    Warning,
    Error,
}

/// A notice.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Notice {
    pub(crate) id: String,
    pub(crate) level: Level,
    pub(crate) label: String,
    pub(crate) content: String,
    /// Shown to users.
    pub(crate) enabled: bool,
    pub(crate) groups: Vec<String>,
    /// By user: whether they have seen it.
    pub(crate) acknowledged: BTreeMap<String, bool>,
}

/// Whether only administrators may sign in, and what the others are told.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Maintenance {
    pub(crate) on: bool,
    /// A notice's id.
    pub(crate) notice: Option<String>,
}
