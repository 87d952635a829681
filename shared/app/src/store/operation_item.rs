//! The stored form of an operation.

use std::collections::BTreeMap;

use domain::evidence::EvidencePointer;
use domain::operation::{Operation, OperationError, OperationResult, OperationStatus};
use domain::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::actor::ActorRecord;
use super::evidence::PointerRecord;
use super::task_item::{TaskRecord, read_task, task_record};
use super::{keys, record};
use crate::error::AppError;
use crate::ports::Item;

#[derive(Serialize, Deserialize)]
struct OperationRecord {
    schema: u32,
    id: String,
    task: TaskRecord,
    target: Option<String>,
    status: String,
    requested_by: ActorRecord,
    requested_at: Timestamp,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    deadline: Timestamp,
    #[serde(default)]
    attempts: u32,
    waiting_for: Option<String>,
    result: Option<ResultRecord>,
    error: Option<ErrorRecord>,
    #[serde(default)]
    evidence: Vec<PointerRecord>,
}

#[derive(Serialize, Deserialize)]
struct ResultRecord {
    worker_id: Option<String>,
    #[serde(default)]
    imported: Vec<String>,
    #[serde(default)]
    skipped: BTreeMap<String, String>,
    detail: Option<String>,
    monthly_cost_usd: Option<f64>,
    lab_id: Option<String>,
    backup_id: Option<String>,
    workers: Option<u32>,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct ErrorRecord {
    code: String,
    message: String,
}

pub(super) fn operation_item(operation: &Operation, retention: SignedDuration) -> Item {
    let record = OperationRecord {
        schema: 1,
        id: operation.id.to_string(),
        task: task_record(&operation.task),
        target: operation.target.map(|id| id.to_string()),
        status: operation.status.name().into(),
        requested_by: ActorRecord::from(&operation.requested_by),
        requested_at: operation.requested_at,
        started_at: operation.started_at,
        finished_at: operation.finished_at,
        deadline: operation.expires_at,
        attempts: operation.attempts,
        waiting_for: operation.waiting_for.clone(),
        result: operation.result.as_ref().map(|result| ResultRecord {
            worker_id: result.worker_id.map(|id| id.to_string()),
            imported: result.imported.iter().map(ToString::to_string).collect(),
            skipped: result.skipped.clone(),
            detail: result.detail.clone(),
            monthly_cost_usd: result.monthly_cost_usd,
            lab_id: result.lab_id.as_ref().map(ToString::to_string),
            backup_id: result.backup_id.map(|id| id.to_string()),
            workers: result.workers,
            warnings: result.warnings.clone(),
        }),
        error: operation
            .error
            .as_ref()
            .map(|error| ErrorRecord { code: error.code.clone(), message: error.message.clone() }),
        evidence: operation.evidence.iter().map(PointerRecord::from).collect(),
    };
    let key = keys::operation(operation.id);
    Item {
        pk: key.pk,
        sk: key.sk,
        gsi1: Some((keys::OPERATIONS.into(), operation.id.to_string())),
        gsi2: operation.target.map(|worker| (keys::operations_of(worker), operation.id.to_string())),
        version: Some(operation.version),
        expires_at: operation.finished_at.and_then(|at| at.checked_add(retention).ok()),
        attributes: record::attributes(&record),
    }
}

pub(super) fn read_operation(item: &Item) -> Result<Operation, AppError> {
    let record: OperationRecord = record::read(item)?;
    Ok(Operation {
        id: record.id.parse().map_err(record::bad_field)?,
        version: item.version.ok_or_else(|| record::corrupt(item, &"no version"))?,
        task: read_task(record.task)?,
        target: record.target.map(|id| id.parse()).transpose().map_err(record::bad_field)?,
        status: OperationStatus::from_name(&record.status)
            .ok_or_else(|| record::corrupt(item, &format!("status {:?}", record.status)))?,
        requested_by: record.requested_by.into(),
        requested_at: record.requested_at,
        started_at: record.started_at,
        finished_at: record.finished_at,
        expires_at: record.deadline,
        attempts: record.attempts,
        waiting_for: record.waiting_for,
        result: record.result.map(result).transpose()?,
        error: record.error.map(|error| OperationError { code: error.code, message: error.message }),
        evidence: record.evidence.into_iter().map(EvidencePointer::try_from).collect::<Result<_, _>>()?,
    })
}

fn result(record: ResultRecord) -> Result<OperationResult, AppError> {
    Ok(OperationResult {
        worker_id: record.worker_id.map(|id| id.parse()).transpose().map_err(record::bad_field)?,
        imported: record.imported.iter().map(|id| id.parse().map_err(record::bad_field)).collect::<Result<_, _>>()?,
        skipped: record.skipped,
        detail: record.detail,
        monthly_cost_usd: record.monthly_cost_usd,
        lab_id: record.lab_id.map(|id| id.parse()).transpose().map_err(record::bad_field)?,
        backup_id: record.backup_id.map(|id| id.parse()).transpose().map_err(record::bad_field)?,
        workers: record.workers,
        warnings: record.warnings,
    })
}
