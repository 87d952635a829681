//! The stored form of what was tried for a wish, kept beside the standing decision.

use domain::Timestamp;
use domain::decision::Action;
use domain::drift::{Drift, DriftKind};
use domain::reconcile::{Condition, ConditionKind, Failure, LastAction, ReconcileRecord};
use serde::{Deserialize, Serialize};

/// What was tried for a wish. Words that this version does not know are left out, never an error.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct RecordItem {
    wish: u64,
    attempts: u32,
    last_action: Option<ActionItem>,
    last_failure: Option<FailureItem>,
    counted: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    drift: Vec<DriftItem>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    conditions: Vec<ConditionItem>,
}

#[derive(Serialize, Deserialize)]
struct ActionItem {
    action: String,
    at: Timestamp,
    operation: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct FailureItem {
    code: String,
    message: String,
    at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct DriftItem {
    name: String,
    was: String,
    is: String,
    since: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct ConditionItem {
    name: String,
    holds: bool,
    since: Timestamp,
}

impl From<&ReconcileRecord> for RecordItem {
    fn from(record: &ReconcileRecord) -> Self {
        Self {
            wish: record.wish,
            attempts: record.attempts,
            last_action: record.last_action.map(|last| ActionItem {
                action: last.action.name().into(),
                at: last.at,
                operation: last.operation.map(|id| id.to_string()),
            }),
            last_failure: record.last_failure.as_ref().map(|failure| FailureItem {
                code: failure.code.clone(),
                message: failure.message.clone(),
                at: failure.at,
            }),
            counted: record.counted.map(|id| id.to_string()),
            drift: record.drift.iter().map(drift_item).collect(),
            conditions: record
                .conditions
                .iter()
                .map(|one| ConditionItem { name: one.kind.name().into(), holds: one.holds, since: one.since })
                .collect(),
        }
    }
}

fn drift_item(drift: &Drift) -> DriftItem {
    DriftItem { name: drift.kind.name().into(), was: drift.was.clone(), is: drift.is.clone(), since: drift.since }
}

impl From<RecordItem> for ReconcileRecord {
    fn from(item: RecordItem) -> Self {
        Self {
            wish: item.wish,
            attempts: item.attempts,
            last_action: item.last_action.and_then(|last| {
                let operation = last.operation.and_then(|id| id.parse().ok());
                Some(LastAction { action: Action::from_name(&last.action)?, at: last.at, operation })
            }),
            last_failure: item.last_failure.map(|failure| Failure {
                code: failure.code,
                message: failure.message,
                at: failure.at,
            }),
            counted: item.counted.and_then(|id| id.parse().ok()),
            drift: item
                .drift
                .into_iter()
                .filter_map(|one| {
                    Some(Drift { kind: DriftKind::from_name(&one.name)?, was: one.was, is: one.is, since: one.since })
                })
                .collect(),
            conditions: item
                .conditions
                .into_iter()
                .filter_map(|one| {
                    Some(Condition { kind: ConditionKind::from_name(&one.name)?, holds: one.holds, since: one.since })
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_as_it_was_written_and_one_that_never_was_is_empty() {
        let at: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
        let operation = Some(domain::OperationId::new(at, 7));
        let record = ReconcileRecord {
            wish: 3,
            attempts: 2,
            last_action: Some(LastAction { action: Action::GiveUp, at, operation }),
            last_failure: Some(Failure { code: "c".into(), message: "m".into(), at }),
            counted: operation,
            drift: DriftKind::ALL.map(|kind| Drift { kind, was: "a".into(), is: "b".into(), since: at }).to_vec(),
            conditions: ConditionKind::ALL.map(|kind| Condition { kind, holds: true, since: at }).to_vec(),
        };
        let written = serde_json::to_string(&RecordItem::from(&record)).unwrap();
        assert_eq!(ReconcileRecord::from(serde_json::from_str::<RecordItem>(&written).unwrap()), record);
        assert_eq!(
            ReconcileRecord::from(serde_json::from_str::<RecordItem>("{}").unwrap()),
            ReconcileRecord::default()
        );
    }

    #[test]
    fn words_of_a_later_version_are_left_out() {
        let later =
            r#"{"wish": 1, "drift": [{"name": "moved", "was": "", "is": "", "since": "2026-03-02T09:00:00Z"}]}"#;
        let read = ReconcileRecord::from(serde_json::from_str::<RecordItem>(later).unwrap());
        assert_eq!((read.wish, read.drift), (1, vec![]));
    }
}
