//! The stored form of an operation's task, with how far it is.

use domain::lab::{LabAction, LabEdit};
use domain::operation::cml::{
    BackUpLabTask, ImportLabTask, LabSource, LabTask, NoticeTask, RegisterLicenseTask, RegisterStep, RetireStep,
    RetireTask,
};
use domain::operation::{FleetTask, ImportSelector, ImportTask, Task};
use domain::{Place, Timestamp};
use serde::{Deserialize, Serialize};

use super::record::bad_field;
use crate::error::AppError;

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
        #[serde(default)]
        features: Vec<(String, u32)>,
        #[serde(default)]
        reregister: bool,
        step: RegisterStepRecord,
        before: Option<String>,
        #[serde(default)]
        accepted: bool,
    },
    RenewLicense,
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
        saved: Vec<(String, String)>,
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

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RegisterStepRecord {
    Prepare,
    Register,
    AwaitRegistration,
    SetFeatures,
    AwaitCompliance,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RetireStepRecord {
    List,
    BackUp,
    Notify,
    StopLabs,
    AwaitNodes,
    Deregister,
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
        Task::RenewLicense => TaskRecord::RenewLicense,
        Task::DeregisterLicense => TaskRecord::DeregisterLicense,
        Task::ActOnLab(task) => {
            TaskRecord::ActOnLab { lab: task.lab.to_string(), action: action_record(&task.action), asked: task.asked }
        }
        Task::ImportLab(task) => import_record(task),
        Task::BackUpLab(task) => TaskRecord::BackUpLab {
            lab: task.lab.to_string(),
            backup: task.backup.to_string(),
            extracted: task.extracted.clone(),
            not_extracted: task.not_extracted.clone(),
            unanswered: task.unanswered,
        },
        Task::RegisterLicense(task) => register_record(task),
        Task::PostNotice(task) => TaskRecord::PostNotice { label: task.label.clone(), content: task.content.clone() },
        Task::RetireWorker(task) => retire_record(task),
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

fn register_record(task: &RegisterLicenseTask) -> TaskRecord {
    TaskRecord::RegisterLicense {
        product: task.product.clone(),
        token_ref: task.token_ref.clone(),
        ssms_url: task.ssms_url.clone(),
        features: task.features.clone(),
        reregister: task.reregister,
        step: match task.step {
            RegisterStep::Prepare => RegisterStepRecord::Prepare,
            RegisterStep::Register => RegisterStepRecord::Register,
            RegisterStep::AwaitRegistration => RegisterStepRecord::AwaitRegistration,
            RegisterStep::SetFeatures => RegisterStepRecord::SetFeatures,
            RegisterStep::AwaitCompliance => RegisterStepRecord::AwaitCompliance,
        },
        before: task.before.clone(),
        accepted: task.accepted,
    }
}

fn retire_record(task: &RetireTask) -> TaskRecord {
    TaskRecord::RetireWorker {
        step: match task.step {
            RetireStep::List => RetireStepRecord::List,
            RetireStep::BackUp => RetireStepRecord::BackUp,
            RetireStep::Notify => RetireStepRecord::Notify,
            RetireStep::StopLabs => RetireStepRecord::StopLabs,
            RetireStep::AwaitNodes => RetireStepRecord::AwaitNodes,
            RetireStep::Deregister => RetireStepRecord::Deregister,
        },
        labs: task.labs.iter().map(ToString::to_string).collect(),
        saving: task.saving.clone().map(|saving| Box::new(task_record(&Task::BackUpLab(saving)))),
        saved: task.saved.iter().map(|(lab, backup)| (lab.to_string(), backup.to_string())).collect(),
        reason: task.reason.clone(),
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
        TaskRecord::ActOnLab { lab, action, asked } => {
            Task::ActOnLab(LabTask { lab: lab.parse().map_err(bad_field)?, action: read_action(action), asked })
        }
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
        TaskRecord::RenewLicense => Task::RenewLicense,
        TaskRecord::DeregisterLicense => Task::DeregisterLicense,
        TaskRecord::PostNotice { label, content } => Task::PostNotice(NoticeTask { label, content }),
        TaskRecord::ReconcileWorker => Task::ReconcileWorker,
        TaskRecord::ReconcileFleet { reached, after, all_reached } => {
            Task::ReconcileFleet(FleetTask { reached, after, all_reached })
        }
        record @ (TaskRecord::RegisterLicense { .. } | TaskRecord::RetireWorker { .. }) => read_long_task(record)?,
    })
}

/// Those that go on for many steps.
fn read_long_task(record: TaskRecord) -> Result<Task, AppError> {
    Ok(match record {
        TaskRecord::RegisterLicense { product, token_ref, ssms_url, features, reregister, step, before, accepted } => {
            Task::RegisterLicense(RegisterLicenseTask {
                product,
                token_ref,
                ssms_url,
                features,
                reregister,
                step: read_register_step(step),
                before,
                accepted,
            })
        }
        TaskRecord::RetireWorker { step, labs, saving, saved, reason } => Task::RetireWorker(RetireTask {
            step: read_retire_step(step),
            labs: labs.iter().map(|id| id.parse().map_err(bad_field)).collect::<Result<_, _>>()?,
            saving: match saving.map(|record| read_task(*record)).transpose()? {
                Some(Task::BackUpLab(saving)) => Some(saving),
                _ => None,
            },
            saved: saved
                .iter()
                .map(|(lab, backup)| Ok((lab.parse().map_err(bad_field)?, backup.parse().map_err(bad_field)?)))
                .collect::<Result<_, AppError>>()?,
            reason,
        }),
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

fn read_register_step(record: RegisterStepRecord) -> RegisterStep {
    match record {
        RegisterStepRecord::Prepare => RegisterStep::Prepare,
        RegisterStepRecord::Register => RegisterStep::Register,
        RegisterStepRecord::AwaitRegistration => RegisterStep::AwaitRegistration,
        RegisterStepRecord::SetFeatures => RegisterStep::SetFeatures,
        RegisterStepRecord::AwaitCompliance => RegisterStep::AwaitCompliance,
    }
}

fn read_retire_step(record: RetireStepRecord) -> RetireStep {
    match record {
        RetireStepRecord::List => RetireStep::List,
        RetireStepRecord::BackUp => RetireStep::BackUp,
        RetireStepRecord::Notify => RetireStep::Notify,
        RetireStepRecord::StopLabs => RetireStep::StopLabs,
        RetireStepRecord::AwaitNodes => RetireStep::AwaitNodes,
        RetireStepRecord::Deregister => RetireStep::Deregister,
    }
}
