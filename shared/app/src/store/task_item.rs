//! The stored form of an operation's task, with how far it is.

use domain::lab::{LabAction, LabEdit};
use domain::operation::cml::{BackUpLabTask, ImportLabTask, LabSource, LabTask, NoticeTask};
use domain::operation::{FleetTask, ImportSelector, ImportTask, Task};
use domain::{Place, Timestamp};
use serde::{Deserialize, Serialize};

use super::record::bad_field;
use crate::error::AppError;
use license::{RegisterStepRecord, RenewStepRecord};
use retire::{RetireStepRecord, SavedRecord};

mod license;
mod retire;

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum TaskRecord {
    CreateWorker,
    ImportWorkers {
        account_id: String,
        region: String,
        selector: SelectorRecord,
        name: Option<String>,
    },
    StartWorker,
    StopWorker,
    TerminateWorker,
    RefreshWorker,
    SetMonitoring {
        enabled: bool,
    },
    UpdateTags {
        remove: Vec<String>,
    },
    RefreshLabs,
    ActOnLab {
        lab: String,
        action: ActionRecord,
        #[serde(default)]
        asked: u32,
        #[serde(default)]
        misread: u32,
    },
    ImportLab {
        from: SourceRecord,
        title: String,
        asked_at: Option<Timestamp>,
        lab: Option<String>,
        #[serde(default)]
        warnings: Vec<String>,
    },
    BackUpLab {
        lab: String,
        backup: String,
        #[serde(default)]
        extracted: Vec<String>,
        #[serde(default)]
        not_extracted: Vec<(String, String)>,
        #[serde(default)]
        unanswered: u32,
    },
    RegisterLicense {
        product: String,
        token_ref: String,
        ssms_url: Option<String>,
        proxy: Option<(String, u16)>,
        #[serde(default)]
        features: Vec<(String, u32)>,
        #[serde(default)]
        reregister: bool,
        step: RegisterStepRecord,
        before: Option<String>,
        #[serde(default)]
        accepted: bool,
    },
    RenewLicense {
        #[serde(default)]
        step: RenewStepRecord,
        before: Option<String>,
        #[serde(default)]
        accepted: bool,
    },
    DeregisterLicense,
    PostNotice {
        label: String,
        content: Option<String>,
    },
    RetireWorker {
        step: RetireStepRecord,
        #[serde(default)]
        labs: Vec<String>,
        /// A `BackUpLab`.
        saving: Option<Box<TaskRecord>>,
        #[serde(default)]
        saved: Vec<SavedRecord>,
        #[serde(default)]
        stopped: Vec<String>,
        #[serde(default)]
        deregistered: bool,
        reason: String,
    },
    ReconcileWorker,
    ReconcileFleet {
        #[serde(default)]
        reached: u32,
        after: Option<String>,
        #[serde(default)]
        all_reached: bool,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "by", content = "value", rename_all = "snake_case")]
pub(super) enum SelectorRecord {
    InstanceId(String),
    AmiId(String),
    AmiName(String),
    All,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(super) enum ActionRecord {
    Start,
    Stop,
    Wipe,
    Delete,
    Update { title: Option<String>, description: Option<String>, notes: Option<String> },
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "of", content = "value", rename_all = "snake_case")]
pub(super) enum SourceRecord {
    Topology(String),
    Backup(String),
}

pub(super) fn task_record(task: &Task) -> TaskRecord {
    match task {
        Task::CreateWorker => TaskRecord::CreateWorker,
        Task::ImportWorkers(import) => TaskRecord::ImportWorkers {
            account_id: import.place.account.to_string(),
            region: import.place.region.to_string(),
            selector: match &import.selector {
                ImportSelector::InstanceId(id) => SelectorRecord::InstanceId(id.clone()),
                ImportSelector::AmiId(id) => SelectorRecord::AmiId(id.clone()),
                ImportSelector::AmiName(name) => SelectorRecord::AmiName(name.clone()),
                ImportSelector::All => SelectorRecord::All,
            },
            name: import.name.clone(),
        },
        Task::StartWorker => TaskRecord::StartWorker,
        Task::StopWorker => TaskRecord::StopWorker,
        Task::TerminateWorker => TaskRecord::TerminateWorker,
        Task::RefreshWorker => TaskRecord::RefreshWorker,
        Task::SetMonitoring { enabled } => TaskRecord::SetMonitoring { enabled: *enabled },
        Task::UpdateTags { remove } => TaskRecord::UpdateTags { remove: remove.clone() },
        Task::RefreshLabs => TaskRecord::RefreshLabs,
        Task::DeregisterLicense => TaskRecord::DeregisterLicense,
        Task::ActOnLab(task) => TaskRecord::ActOnLab {
            lab: task.lab.to_string(),
            action: action_record(&task.action),
            asked: task.asked,
            misread: task.misread,
        },
        Task::ImportLab(task) => import_record(task),
        Task::BackUpLab(task) => TaskRecord::BackUpLab {
            lab: task.lab.to_string(),
            backup: task.backup.to_string(),
            extracted: task.extracted.clone(),
            not_extracted: task.not_extracted.clone(),
            unanswered: task.unanswered,
        },
        Task::RegisterLicense(task) => license::register_record(task),
        Task::RenewLicense(task) => license::renew_record(task),
        Task::PostNotice(task) => TaskRecord::PostNotice { label: task.label.clone(), content: task.content.clone() },
        Task::RetireWorker(task) => retire::retire_record(task),
        Task::ReconcileWorker => TaskRecord::ReconcileWorker,
        Task::ReconcileFleet(task) => TaskRecord::ReconcileFleet {
            reached: task.reached,
            after: task.after.clone(),
            all_reached: task.all_reached,
        },
    }
}

fn action_record(action: &LabAction) -> ActionRecord {
    match action {
        LabAction::Start => ActionRecord::Start,
        LabAction::Stop => ActionRecord::Stop,
        LabAction::Wipe => ActionRecord::Wipe,
        LabAction::Delete => ActionRecord::Delete,
        LabAction::Update(edit) => ActionRecord::Update {
            title: edit.title.clone(),
            description: edit.description.clone(),
            notes: edit.notes.clone(),
        },
    }
}

fn import_record(task: &ImportLabTask) -> TaskRecord {
    TaskRecord::ImportLab {
        from: match &task.from {
            LabSource::Topology(key) => SourceRecord::Topology(key.clone()),
            LabSource::Backup(id) => SourceRecord::Backup(id.to_string()),
        },
        title: task.title.clone(),
        asked_at: task.asked_at,
        lab: task.lab.as_ref().map(ToString::to_string),
        warnings: task.warnings.clone(),
    }
}

pub(super) fn read_task(record: TaskRecord) -> Result<Task, AppError> {
    Ok(match record {
        TaskRecord::CreateWorker => Task::CreateWorker,
        TaskRecord::ImportWorkers { account_id, region, selector, name } => Task::ImportWorkers(ImportTask {
            place: Place {
                account: account_id.parse().map_err(bad_field)?,
                region: region.parse().map_err(bad_field)?,
            },
            selector: match selector {
                SelectorRecord::InstanceId(id) => ImportSelector::InstanceId(id),
                SelectorRecord::AmiId(id) => ImportSelector::AmiId(id),
                SelectorRecord::AmiName(name) => ImportSelector::AmiName(name),
                SelectorRecord::All => ImportSelector::All,
            },
            name,
        }),
        TaskRecord::StartWorker => Task::StartWorker,
        TaskRecord::StopWorker => Task::StopWorker,
        TaskRecord::TerminateWorker => Task::TerminateWorker,
        TaskRecord::RefreshWorker => Task::RefreshWorker,
        TaskRecord::SetMonitoring { enabled } => Task::SetMonitoring { enabled },
        TaskRecord::UpdateTags { remove } => Task::UpdateTags { remove },
        TaskRecord::RefreshLabs => Task::RefreshLabs,
        TaskRecord::ActOnLab { lab, action, asked, misread } => Task::ActOnLab(LabTask {
            asked,
            misread,
            ..LabTask::new(lab.parse().map_err(bad_field)?, read_action(action))
        }),
        TaskRecord::ImportLab { from, title, asked_at, lab, warnings } => Task::ImportLab(ImportLabTask {
            from: match from {
                SourceRecord::Topology(key) => LabSource::Topology(key),
                SourceRecord::Backup(id) => LabSource::Backup(id.parse().map_err(bad_field)?),
            },
            title,
            asked_at,
            lab: lab.map(|id| id.parse()).transpose().map_err(bad_field)?,
            warnings,
        }),
        TaskRecord::BackUpLab { lab, backup, extracted, not_extracted, unanswered } => Task::BackUpLab(BackUpLabTask {
            lab: lab.parse().map_err(bad_field)?,
            backup: backup.parse().map_err(bad_field)?,
            extracted,
            not_extracted,
            unanswered,
        }),
        TaskRecord::DeregisterLicense => Task::DeregisterLicense,
        TaskRecord::PostNotice { label, content } => Task::PostNotice(NoticeTask { label, content }),
        TaskRecord::ReconcileWorker => Task::ReconcileWorker,
        TaskRecord::ReconcileFleet { reached, after, all_reached } => {
            Task::ReconcileFleet(FleetTask { reached, after, all_reached })
        }
        record @ (TaskRecord::RegisterLicense { .. }
        | TaskRecord::RenewLicense { .. }
        | TaskRecord::RetireWorker { .. }) => read_long_task(record)?,
    })
}

/// Those that go on for many steps.
fn read_long_task(record: TaskRecord) -> Result<Task, AppError> {
    Ok(match record {
        record @ (TaskRecord::RegisterLicense { .. } | TaskRecord::RenewLicense { .. }) => license::read(record)?,
        record @ TaskRecord::RetireWorker { .. } => retire::read(record)?,
        other => read_task(other)?,
    })
}

fn read_action(record: ActionRecord) -> LabAction {
    match record {
        ActionRecord::Start => LabAction::Start,
        ActionRecord::Stop => LabAction::Stop,
        ActionRecord::Wipe => LabAction::Wipe,
        ActionRecord::Delete => LabAction::Delete,
        ActionRecord::Update { title, description, notes } => LabAction::Update(LabEdit { title, description, notes }),
    }
}
