//! What is done at a CML controller, with how far it is. Progress is kept in the task, so that whoever
//! takes the next step knows what may have been done already.

use jiff::Timestamp;

use crate::id::{BackupId, LabId};
use crate::lab::LabAction;

/// Something done to a lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabTask {
    /// Which lab.
    pub lab: LabId,
    /// What.
    pub action: LabAction,
    /// How often CML was asked for it.
    pub asked: u32,
    /// How often in a row what CML shows of the lab could not be read.
    pub misread: u32,
}

impl LabTask {
    /// Nothing done yet.
    #[must_use]
    pub fn new(lab: LabId, action: LabAction) -> Self {
        Self { lab, action, asked: 0, misread: 0 }
    }
}

/// A lab made of a topology that waits in the store of files, or of a backup there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportLabTask {
    /// What it is made of.
    pub from: LabSource,
    /// Its title.
    pub title: String,
    /// When CML was asked last, machine time. From then on a lab under the import's own title may be there, and is
    /// looked for before CML is asked again: no import is ever sent twice blindly.
    pub asked_at: Option<Timestamp>,
    /// The lab, once it is there.
    pub lab: Option<LabId>,
    /// What CML left out or changed, in its words.
    pub warnings: Vec<String>,
}

/// What a lab is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabSource {
    /// A topology somebody sent; its key in the store of files.
    Topology(String),
    /// A backup.
    Backup(BackupId),
}

impl ImportLabTask {
    /// The kind in answers.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.from {
            LabSource::Topology(_) => "import_lab",
            LabSource::Backup(_) => "restore_lab",
        }
    }
}

/// A lab to save.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackUpLabTask {
    /// Which lab.
    pub lab: LabId,
    /// The backup that it becomes: chosen before, so that a repeated step makes no second one.
    pub backup: BackupId,
    /// The ids of nodes whose running configuration CML was asked to store, and has answered of.
    pub extracted: Vec<String>,
    /// Nodes, by label, of which it could not be had, with CML's words.
    pub not_extracted: Vec<(String, String)>,
    /// In how many runs CML left something without an answer, or without a whole one.
    pub unanswered: u32,
}

impl BackUpLabTask {
    /// Nothing done yet.
    #[must_use]
    pub fn new(lab: LabId, backup: BackupId) -> Self {
        Self { lab, backup, extracted: vec![], not_extracted: vec![], unanswered: 0 }
    }
}

/// A registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterLicenseTask {
    /// The product licence: `CML_Enterprise`.
    pub product: String,
    /// Where the token is kept until it is used; never the token.
    pub token_ref: String,
    /// Smart Software Manager on premises; null leaves the way there as it is.
    pub ssms_url: Option<String>,
    /// The proxy on the way there, address and port; null leaves it as it is.
    pub proxy: Option<(String, u16)>,
    /// Seats by feature id.
    pub features: Vec<(String, u32)>,
    /// Register although a registration is there.
    pub reregister: bool,
    /// How far it is.
    pub step: RegisterStep,
    /// What CML showed of registrations before the token was sent: whatever else it shows is news of ours.
    pub before: Option<String>,
    /// CML has taken the token on.
    pub accepted: bool,
}

/// A renewal of a licence's registration, and then of its authorization.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RenewLicenseTask {
    /// Which of the two is being renewed.
    pub step: RenewStep,
    /// What CML showed of its renewals before it was asked: whatever else it shows is news of ours. Null while it
    /// is not asked.
    pub before: Option<String>,
    /// CML has taken the request on.
    pub accepted: bool,
}

/// How far a renewal is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum RenewStep {
    /// The registration is being renewed.
    #[default]
    Registration,
    /// The authorization is being renewed.
    Authorization,
}

/// How far a registration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegisterStep {
    /// Whether a registration stands is to be looked at, and if none does, transport and product licence are to be set.
    Prepare,
    /// The token is to be sent.
    Register,
    /// It was sent, or may have been: the status tells.
    AwaitRegistration,
    /// Features are to be set.
    SetFeatures,
    /// Compliance is waited for.
    AwaitCompliance,
}

/// Something to tell people in CML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeTask {
    /// Its headline, 1 to 128 characters.
    pub label: String,
    /// What is said, at most 8,192 characters; null takes away what was said under that headline.
    pub content: Option<String>,
}
