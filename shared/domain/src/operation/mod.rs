//! An operation: one asynchronous command, from its acceptance to its outcome.
//!
//! An operation always ends: succeeded when EC2 shows the result, failed with EC2's own words, or
//! expired at its deadline. Accepted is not done.

pub mod cml;
pub mod evidence;
pub mod plan;
pub mod retire;
pub mod retry;
pub mod work;

use std::collections::BTreeMap;

use crate::actor::Actor;
use crate::evidence::EvidencePointer;
use crate::id::{BackupId, LabId, OperationId, Place, WorkerId};
use jiff::{SignedDuration, Timestamp};

/// The code of what `SAFE_MODE` held: nothing was done.
pub const SAFE_MODE: &str = "safe_mode";
/// The code of what gave way to another wish.
pub const SUPERSEDED: &str = "superseded";

/// What is to be done, with everything the doing needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Launch the worker's instance and see it run.
    CreateWorker,
    /// Take instances that exist under management.
    ImportWorkers(ImportTask),
    /// Start it and see it run.
    StartWorker,
    /// Stop it and see it stopped.
    StopWorker,
    /// Terminate it and see it gone.
    TerminateWorker,
    /// Read its metrics now.
    RefreshWorker,
    /// Turn detailed monitoring on or off in EC2.
    SetMonitoring {
        /// The wish.
        enabled: bool,
    },
    /// Make the tags in EC2 equal ours.
    UpdateTags {
        /// Keys to remove there: those the worker had and lost.
        remove: Vec<String>,
    },
    /// Read the worker's labs from its controller now.
    RefreshLabs,
    /// Do something to a lab, and see it done.
    ActOnLab(cml::LabTask),
    /// Make a lab of a topology.
    ImportLab(cml::ImportLabTask),
    /// Save a lab with its configurations.
    BackUpLab(cml::BackUpLabTask),
    /// Register the licence, and see the worker in compliance.
    RegisterLicense(cml::RegisterLicenseTask),
    /// Renew the licence's registration and authorization.
    RenewLicense(cml::RenewLicenseTask),
    /// Give the licence's seats back.
    DeregisterLicense,
    /// Tell people in CML something.
    PostNotice(cml::NoticeTask),
    /// Save what is on the worker, give its seats back, and then terminate it.
    RetireWorker(retire::RetireTask),
    /// Judge the worker and its labs now, and see it judged.
    ReconcileWorker,
    /// The same for every worker of the fleet.
    ReconcileFleet(FleetTask),
}

/// How far the judging of a whole fleet is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetTask {
    /// Workers made due so far.
    pub reached: u32,
    /// Where the list of workers goes on, of those to be made due and then of those to be seen judged; null at its
    /// beginning and at its end.
    pub after: Option<String>,
    /// All of them were made due.
    pub all_reached: bool,
}

/// Which instances to import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportTask {
    /// Where.
    pub place: Place,
    /// Which.
    pub selector: ImportSelector,
    /// The name to give; null for the instance's `Name` tag or its id.
    pub name: Option<String>,
}

/// Which instances of a place to import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportSelector {
    /// One instance.
    InstanceId(String),
    /// All launched from this image.
    AmiId(String),
    /// All launched from images of this name pattern.
    AmiName(String),
    /// All that no worker stands for, of the default CML images.
    All,
}

impl Task {
    /// The kind in answers.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::CreateWorker => "create_worker",
            Self::ImportWorkers(_) => "import_workers",
            Self::StartWorker => "start_worker",
            Self::StopWorker => "stop_worker",
            Self::TerminateWorker => "terminate_worker",
            Self::RefreshWorker => "refresh_worker",
            Self::SetMonitoring { .. } => "set_worker_monitoring",
            Self::UpdateTags { .. } => "update_tags",
            Self::RefreshLabs => "refresh_labs",
            Self::ActOnLab(task) => task.action.kind(),
            Self::ImportLab(task) => task.kind(),
            Self::BackUpLab(_) => "back_up_lab",
            Self::RegisterLicense(_) => "register_license",
            Self::RenewLicense(_) => "renew_license",
            Self::DeregisterLicense => "deregister_license",
            Self::PostNotice(_) => "post_notice",
            // Its last step is to become that.
            Self::RetireWorker(_) => "terminate_worker",
            Self::ReconcileWorker => "reconcile_worker",
            Self::ReconcileFleet(_) => "reconcile_fleet",
        }
    }

    /// It fulfils a wish for the worker to run, to be stopped or to be gone.
    #[must_use]
    pub fn fulfils_wish(&self) -> bool {
        matches!(self, Self::CreateWorker | Self::StartWorker | Self::StopWorker | Self::TerminateWorker)
    }

    /// It is about whether the machine runs, or is there at all; what is done to labs or tags changes nothing of that.
    #[must_use]
    pub fn moves_instance(&self) -> bool {
        self.fulfils_wish() || matches!(self, Self::RetireWorker(_))
    }

    /// How long it may take. Bare metal takes 5 to 10 minutes to come up or go down.
    /// Source: Cisco's cloud-cml, documentation for AWS (`m5zn.metal`); the rest is margin for
    /// capacity that comes back.
    #[must_use]
    pub fn time_allowed(&self) -> SignedDuration {
        match self {
            Self::CreateWorker | Self::StartWorker | Self::StopWorker | Self::TerminateWorker => {
                SignedDuration::from_mins(45)
            }
            Self::ImportWorkers(_) | Self::SetMonitoring { .. } | Self::UpdateTags { .. } => {
                SignedDuration::from_mins(15)
            }
            Self::RefreshWorker | Self::RefreshLabs | Self::PostNotice(_) => SignedDuration::from_mins(10),
            // A lab of many large nodes boots for half an hour.
            Self::ActOnLab(_) | Self::ImportLab(_) => work::LAB_WORK_TAKES,
            Self::BackUpLab(_) => SignedDuration::from_mins(30),
            // 5 to 90 s in practice; the official tools wait two minutes.
            Self::RegisterLicense(_) | Self::RenewLicense(_) | Self::DeregisterLicense => SignedDuration::from_mins(15),
            // Every lab is saved and stopped, then the instance goes.
            Self::RetireWorker(_) => SignedDuration::from_mins(180),
            // A tick or two; a large fleet takes a page of its list a step.
            Self::ReconcileWorker | Self::ReconcileFleet(_) => SignedDuration::from_mins(15),
        }
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OperationStatus {
    /// Accepted and stored.
    Queued,
    /// Begun; it waits for EC2 between attempts.
    Running,
    /// Done, and seen done.
    Succeeded,
    /// Ended without its result; `error` says why.
    Failed,
    /// Its deadline passed; `error` says what it waited for.
    Expired,
}

impl OperationStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Succeeded, Self::Failed, Self::Expired];

    /// The name in items and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// It has ended.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Expired)
    }
}

/// Why an operation ended without its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationError {
    /// EC2's own code, or one of ours in `snake_case`.
    pub code: String,
    /// EC2's own message, or what to do.
    pub message: String,
}

/// What an operation achieved.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OperationResult {
    /// The worker made, or the only one imported.
    pub worker_id: Option<WorkerId>,
    /// All workers imported.
    pub imported: Vec<WorkerId>,
    /// Instances not imported, and why.
    pub skipped: BTreeMap<String, String>,
    /// In words, when there is more to say.
    pub detail: Option<String>,
    /// What the change costs a month, in US dollars.
    pub monthly_cost_usd: Option<f64>,
    /// The lab made or acted on.
    pub lab_id: Option<LabId>,
    /// The backup made.
    pub backup_id: Option<BackupId>,
    /// How many workers it reached.
    pub workers: Option<u32>,
    /// What is done and yet not quite as wanted.
    pub warnings: Vec<String>,
}

/// One asynchronous command.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// Counts its writes; the optimistic lock.
    pub version: u64,
    /// What is to be done.
    pub task: Task,
    /// The worker it is about; null for an import.
    pub target: Option<WorkerId>,
    /// How far it is.
    pub status: OperationStatus,
    /// Who asked.
    pub requested_by: Actor,
    /// When they asked.
    pub requested_at: Timestamp,
    /// When the first attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When it expires, if nothing else ends it.
    pub expires_at: Timestamp,
    /// Attempts that called AWS to change something.
    pub attempts: u32,
    /// What it waits for now, in words.
    pub waiting_for: Option<String>,
    /// What it has achieved, also before its end.
    pub result: Option<OperationResult>,
    /// Why it did not.
    pub error: Option<OperationError>,
    /// What was kept of its failure.
    pub evidence: Vec<EvidencePointer>,
}

impl Operation {
    /// A new operation, queued.
    #[must_use]
    pub fn new(id: OperationId, task: Task, target: Option<WorkerId>, requested_by: Actor, now: Timestamp) -> Self {
        let expires_at = now.checked_add(task.time_allowed()).unwrap_or(Timestamp::MAX);
        Self {
            id,
            version: 1,
            task,
            target,
            status: OperationStatus::Queued,
            requested_by,
            requested_at: now,
            started_at: None,
            finished_at: None,
            expires_at,
            attempts: 0,
            waiting_for: None,
            result: None,
            error: None,
            evidence: vec![],
        }
    }

    /// Marks the first attempt.
    pub fn begin(&mut self, now: Timestamp) {
        if self.status == OperationStatus::Queued {
            self.status = OperationStatus::Running;
            self.started_at = Some(now);
        }
    }

    /// Ends it with its result. What earlier steps said and warned of stays, before what the last one has to say.
    pub fn succeed(&mut self, mut result: OperationResult, now: Timestamp) {
        self.end(OperationStatus::Succeeded, now);
        let before = self.result.take().unwrap_or_default();
        result.warnings.splice(0..0, before.warnings);
        let said: Vec<String> = before.detail.into_iter().chain(result.detail).collect();
        result.warnings = bounded_warnings(result.warnings);
        result.detail = (!said.is_empty()).then(|| said.join(" "));
        self.result = Some(result);
    }

    /// Warns of something that is done and yet not quite as wanted, once.
    pub fn warn(&mut self, warning: impl Into<String>) {
        let warning = warning.into();
        let target = self.target;
        let result = self.result.get_or_insert_with(|| OperationResult { worker_id: target, ..Default::default() });
        if !result.warnings.contains(&warning) {
            result.warnings.push(warning);
            result.warnings = bounded_warnings(std::mem::take(&mut result.warnings));
        }
    }

    /// Ends it without.
    pub fn fail(&mut self, code: impl Into<String>, message: impl Into<String>, now: Timestamp) {
        self.end(OperationStatus::Failed, now);
        self.error = Some(OperationError { code: code.into(), message: message.into() });
    }

    /// Ends it at its deadline, saying what it waited for. True when the deadline has passed.
    pub fn expire_if_due(&mut self, now: Timestamp) -> bool {
        let due = !self.status.is_final() && now >= self.expires_at;
        if due {
            let waited = self.waiting_for.take().unwrap_or_else(|| "its first attempt".into());
            self.end(OperationStatus::Expired, now);
            self.error = Some(OperationError {
                code: "deadline_exceeded".into(),
                message: format!("The operation waited for {waited} until its deadline. It may be asked for again."),
            });
        }
        due
    }

    fn end(&mut self, status: OperationStatus, now: Timestamp) {
        self.status = status;
        self.started_at = self.started_at.or(Some(now));
        self.finished_at = Some(now);
        self.waiting_for = None;
    }
}

/// Warnings that are kept, and characters of each: CML may have one for every node of a thousand, and an item of
/// the table holds 400 KB.
const WARNINGS_MAX: usize = 50;
const WARNING_MAX_CHARS: usize = 500;

/// As many warnings as an operation keeps, the first ones, and how many there were.
#[must_use]
pub fn bounded_warnings(warnings: Vec<String>) -> Vec<String> {
    let more = warnings.len().saturating_sub(WARNINGS_MAX);
    let cut = |text: String| match text.char_indices().nth(WARNING_MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    };
    let kept = warnings.into_iter().take(WARNINGS_MAX).map(cut);
    kept.chain((more > 0).then(|| format!("There are more warnings than the {WARNINGS_MAX} before."))).collect()
}

#[cfg(test)]
mod tests;
