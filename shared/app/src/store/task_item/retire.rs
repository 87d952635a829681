//! The stored form of the end of a worker.

use domain::Timestamp;
use domain::lab::{LabLook, LabState};
use domain::operation::Task;
use domain::operation::retire::{RetireStep, RetireTask, SavedLab};
use serde::{Deserialize, Serialize};

use super::{TaskRecord, read_task, task_record};
use crate::error::AppError;
use crate::store::record::bad_field;

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::store) enum RetireStepRecord {
    Notify,
    List,
    BackUp,
    StopLabs,
    AwaitNodes,
    Deregister,
    LookAgain,
    HandOver,
}

#[derive(Serialize, Deserialize)]
pub(in crate::store) struct SavedRecord {
    lab: String,
    backup: String,
    modified_at: Option<Timestamp>,
    state: Option<String>,
    #[serde(default)]
    stopping: bool,
    times: u32,
}

pub(super) fn retire_record(task: &RetireTask) -> TaskRecord {
    TaskRecord::RetireWorker {
        step: match task.step {
            RetireStep::Notify => RetireStepRecord::Notify,
            RetireStep::List => RetireStepRecord::List,
            RetireStep::BackUp => RetireStepRecord::BackUp,
            RetireStep::StopLabs => RetireStepRecord::StopLabs,
            RetireStep::AwaitNodes => RetireStepRecord::AwaitNodes,
            RetireStep::Deregister => RetireStepRecord::Deregister,
            RetireStep::LookAgain => RetireStepRecord::LookAgain,
            RetireStep::HandOver => RetireStepRecord::HandOver,
        },
        labs: task.labs.iter().map(ToString::to_string).collect(),
        saving: task.saving.clone().map(|saving| Box::new(task_record(&Task::BackUpLab(saving)))),
        saved: task.saved.iter().map(saved_record).collect(),
        stopped: task.stopped.iter().map(ToString::to_string).collect(),
        deregistered: task.deregistered,
        reason: task.reason.clone(),
    }
}

fn saved_record(saved: &SavedLab) -> SavedRecord {
    SavedRecord {
        lab: saved.lab.to_string(),
        backup: saved.backup.to_string(),
        modified_at: saved.look.modified_at,
        state: saved.look.state.as_ref().map(|state| state.name().to_owned()),
        stopping: saved.stopping,
        times: saved.times,
    }
}

/// The one above.
pub(super) fn read(record: TaskRecord) -> Result<Task, AppError> {
    Ok(match record {
        TaskRecord::RetireWorker { step, labs, saving, saved, stopped, deregistered, reason } => {
            Task::RetireWorker(RetireTask {
                step: match step {
                    RetireStepRecord::Notify => RetireStep::Notify,
                    RetireStepRecord::List => RetireStep::List,
                    RetireStepRecord::BackUp => RetireStep::BackUp,
                    RetireStepRecord::StopLabs => RetireStep::StopLabs,
                    RetireStepRecord::AwaitNodes => RetireStep::AwaitNodes,
                    RetireStepRecord::Deregister => RetireStep::Deregister,
                    RetireStepRecord::LookAgain => RetireStep::LookAgain,
                    RetireStepRecord::HandOver => RetireStep::HandOver,
                },
                labs: labs.iter().map(|id| id.parse().map_err(bad_field)).collect::<Result<_, _>>()?,
                saving: match saving.map(|record| read_task(*record)).transpose()? {
                    Some(Task::BackUpLab(saving)) => Some(saving),
                    _ => None,
                },
                saved: saved.iter().map(read_saved).collect::<Result<_, _>>()?,
                stopped: stopped.iter().map(|id| id.parse().map_err(bad_field)).collect::<Result<_, _>>()?,
                deregistered,
                reason,
            })
        }
        other => read_task(other)?,
    })
}

fn read_saved(record: &SavedRecord) -> Result<SavedLab, AppError> {
    Ok(SavedLab {
        lab: record.lab.parse().map_err(bad_field)?,
        backup: record.backup.parse().map_err(bad_field)?,
        look: LabLook { modified_at: record.modified_at, state: record.state.as_deref().map(LabState::from_name) },
        stopping: record.stopping,
        times: record.times,
    })
}
