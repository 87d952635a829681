//! Evidence of failures: what is known of each; the texts are elsewhere.

use domain::drift::DriftKind;
use domain::evidence::{Cause, Evidence, EvidenceKind, EvidencePointer};
use domain::{EvidenceId, Timestamp, WorkerId};
use serde::{Deserialize, Serialize};

use super::{Listed, Store, keys, record};
use crate::error::AppError;
use crate::ports::{Condition, Item, Query, Write};

#[derive(Serialize, Deserialize)]
struct EvidenceRecord {
    schema: u32,
    worker_id: String,
    #[serde(flatten)]
    pointer: PointerRecord,
    cause: CauseRecord,
    lab_id: Option<String>,
    node: Option<String>,
    truncated: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CauseRecord {
    Operation { id: String, code: String },
    Drift { kind: String, since: Timestamp },
}

/// What points to evidence, as it is kept with an operation.
#[derive(Serialize, Deserialize)]
pub(super) struct PointerRecord {
    id: String,
    kind: String,
    taken_at: Timestamp,
    kept_until: Timestamp,
    size_bytes: u64,
}

impl Store {
    /// Evidence, unless its time is over; none when there is none of that id.
    ///
    /// # Errors
    /// The table failed.
    pub async fn find_evidence(
        &self,
        worker: WorkerId,
        id: EvidenceId,
        now: Timestamp,
    ) -> Result<Option<Evidence>, AppError> {
        let item = self.table.get(&keys::evidence(worker, id)).await?;
        let found = item.as_ref().map(read_evidence).transpose()?;
        Ok(found.filter(|evidence| evidence.expires_at > now))
    }

    /// A page of what was kept of a worker's failures, the newest failure first.
    ///
    /// # Errors
    /// The cursor is not one of this list, or the table failed.
    pub async fn list_evidence(
        &self,
        worker: WorkerId,
        limit: u32,
        after: Option<String>,
        now: Timestamp,
    ) -> Result<Listed<Evidence>, AppError> {
        let of_worker = Query::partition(keys::worker(worker).pk).prefix(keys::EVIDENCE_PREFIX);
        let page = self.table.query(&of_worker.newest_first().limit(limit).after(after)).await?;
        let mut items = record::readable(&page.items, read_evidence);
        // The table deletes what has expired within days, not at once.
        items.retain(|evidence| evidence.expires_at > now);
        Ok(Listed { items, next: page.next })
    }

    /// Records evidence whose text is kept. Recorded twice, it is the same one.
    ///
    /// # Errors
    /// The table failed.
    pub async fn save_evidence(&self, evidence: &Evidence) -> Result<(), AppError> {
        Ok(self.table.write(Write::Put(evidence_item(evidence), Condition::None)).await?)
    }
}

fn evidence_item(evidence: &Evidence) -> Item {
    let cause = match &evidence.cause {
        Cause::Operation { id, code } => CauseRecord::Operation { id: id.to_string(), code: code.clone() },
        Cause::Drift { kind, since } => CauseRecord::Drift { kind: kind.name().into(), since: *since },
    };
    let record = EvidenceRecord {
        schema: 1,
        worker_id: evidence.worker_id.to_string(),
        pointer: PointerRecord::from(&evidence.pointer()),
        cause,
        lab_id: evidence.lab_id.as_ref().map(ToString::to_string),
        node: evidence.node.clone(),
        truncated: evidence.truncated,
    };
    let key = keys::evidence(evidence.worker_id, evidence.id);
    let expires_at = Some(evidence.expires_at);
    Item { pk: key.pk, sk: key.sk, expires_at, attributes: record::attributes(&record), ..Item::default() }
}

fn read_evidence(item: &Item) -> Result<Evidence, AppError> {
    let record: EvidenceRecord = record::read(item)?;
    let EvidencePointer { id, kind, taken_at, expires_at, size_bytes } = record.pointer.try_into()?;
    let cause = match record.cause {
        CauseRecord::Operation { id, code } => Cause::Operation { id: id.parse().map_err(record::bad_field)?, code },
        CauseRecord::Drift { kind, since } => Cause::Drift {
            kind: DriftKind::from_name(&kind).ok_or_else(|| record::corrupt(item, &format!("drift {kind:?}")))?,
            since,
        },
    };
    Ok(Evidence {
        id,
        worker_id: record.worker_id.parse().map_err(record::bad_field)?,
        kind,
        cause,
        lab_id: record.lab_id.map(|id| id.parse()).transpose().map_err(record::bad_field)?,
        node: record.node,
        taken_at,
        expires_at,
        size_bytes,
        truncated: record.truncated,
    })
}

impl From<&EvidencePointer> for PointerRecord {
    fn from(pointer: &EvidencePointer) -> Self {
        Self {
            id: pointer.id.to_string(),
            kind: pointer.kind.name().into(),
            taken_at: pointer.taken_at,
            kept_until: pointer.expires_at,
            size_bytes: pointer.size_bytes,
        }
    }
}

impl TryFrom<PointerRecord> for EvidencePointer {
    type Error = AppError;

    fn try_from(record: PointerRecord) -> Result<Self, AppError> {
        let unknown = || domain::InvalidField::new("kind", format!("{:?} is no kind of evidence", record.kind));
        Ok(Self {
            id: record.id.parse().map_err(record::bad_field)?,
            kind: EvidenceKind::from_name(&record.kind).ok_or_else(unknown).map_err(record::bad_field)?,
            taken_at: record.taken_at,
            expires_at: record.kept_until,
            size_bytes: record.size_bytes,
        })
    }
}
