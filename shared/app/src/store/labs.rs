//! Labs as they were read last.
//!
//! Whoever reads a controller may be overtaken by others; so every write says when its reading began, and gives way
//! to what was seen later. A lab that was seen gone leaves a mark for as long as a reading can be late.

use std::collections::BTreeMap;

use domain::lab::Lab;
use domain::{LabId, SignedDuration, Timestamp, WorkerId};

use super::lab_item::{KnownLab, gone_item, lab_item, listed_item, read_known, read_listed};
use super::{Listed, Store, keys, record};
use crate::error::AppError;
use crate::ports::{Condition, IndexName, Item, ItemKey, Query, TableError, Write};

/// Labs of one worker that are read at a time.
const PAGE: u32 = 200;
/// Labs of one worker that are dropped in one transaction; DynamoDB's limit.
const DROPPED_AT_ONCE: u32 = 100;
/// Keys a `get_many` takes.
const KEYS_PER_READ: usize = 100;
/// How often a write is judged anew when others write the same lab.
const ATTEMPTS: usize = 5;
/// How long the mark of a lab that is gone is kept: much longer than any reading takes.
const MARK_KEPT_FOR: SignedDuration = SignedDuration::from_hours(1);

impl KnownLab {
    /// All labs were listed then, and what the listing did not change was not written.
    fn listed(mut self, at: Option<Timestamp>) -> Self {
        self.lab = self.lab.map(|lab| listed(lab, at));
        self.at = self.lab.as_ref().map_or(self.at, |lab| lab.synced_at);
        self
    }
}

/// The labs of a worker, as far as they are known.
#[derive(Clone, Debug, Default)]
pub struct KnownLabs {
    /// Each of them, those too that are gone.
    pub labs: BTreeMap<LabId, KnownLab>,
    /// When the last full listing began.
    pub listed_at: Option<Timestamp>,
}

/// The lab with the later of both times; one that the listing had not got was not seen by it.
fn listed(lab: Lab, at: Option<Timestamp>) -> Lab {
    let at = at.filter(|_| lab.missing_since.is_none()).unwrap_or(lab.synced_at);
    Lab { synced_at: lab.synced_at.max(at), ..lab }
}

impl Store {
    /// A lab.
    ///
    /// # Errors
    /// It is not known, or the table failed.
    pub async fn lab(&self, worker: WorkerId, id: &LabId) -> Result<Lab, AppError> {
        let known = self.known_lab(worker, id).await?;
        known.and_then(|known| known.lab).ok_or_else(|| AppError::NotFound { kind: "lab", id: id.to_string() })
    }

    /// A page of a worker's labs, by id.
    ///
    /// # Errors
    /// The cursor is not one of this list, or the table failed.
    pub async fn worker_labs(
        &self,
        worker: WorkerId,
        limit: u32,
        after: Option<String>,
    ) -> Result<Listed<Lab>, AppError> {
        let listed_at = self.labs_listed_at(worker).await?;
        let page = self.known_labs_page(worker, limit, after).await?;
        let labs = page.items.into_iter().filter_map(|known| known.listed(listed_at).lab);
        Ok(Listed { items: labs.collect(), next: page.next })
    }

    /// All labs of a worker.
    ///
    /// # Errors
    /// The table failed.
    pub async fn all_worker_labs(&self, worker: WorkerId) -> Result<Vec<Lab>, AppError> {
        let known = self.known_labs(worker).await?.labs;
        Ok(known.into_values().filter_map(|known| known.lab).collect())
    }

    /// All that is known of a worker's labs.
    ///
    /// # Errors
    /// The table failed.
    pub async fn known_labs(&self, worker: WorkerId) -> Result<KnownLabs, AppError> {
        let listed_at = self.labs_listed_at(worker).await?;
        let (mut labs, mut after) = (BTreeMap::new(), None);
        loop {
            let page = self.known_labs_page(worker, PAGE, after).await?;
            labs.extend(page.items.into_iter().map(|known| (known.id.clone(), known.listed(listed_at))));
            after = page.next;
            if after.is_none() {
                return Ok(KnownLabs { labs, listed_at });
            }
        }
    }

    /// A page of the labs of all workers, by title.
    ///
    /// # Errors
    /// The cursor is not one of this list, or the table failed.
    pub async fn list_labs(&self, limit: u32, after: Option<String>) -> Result<Listed<Lab>, AppError> {
        let page = self.table.query(&Query::index(IndexName::Gsi1, keys::LABS).limit(limit).after(after)).await?;
        let labs: Vec<Lab> =
            record::readable(&page.items, read_known).into_iter().filter_map(|known| known.lab).collect();
        let mut workers: Vec<WorkerId> = labs.iter().map(|lab| lab.worker_id).collect();
        workers.sort_unstable();
        workers.dedup();
        let mut times = BTreeMap::new();
        for chunk in workers.chunks(KEYS_PER_READ) {
            let wanted: Vec<ItemKey> = chunk.iter().map(|worker| keys::labs_listed(*worker)).collect();
            let items = self.table.get_many(&wanted).await?;
            times.extend(items.iter().filter_map(|item| Some((item.pk.clone(), read_listed(item)?))));
        }
        let time = |lab: &Lab| times.get(&keys::labs_listed(lab.worker_id).pk).copied();
        Ok(Listed { items: labs.into_iter().map(|lab| listed(lab.clone(), time(&lab))).collect(), next: page.next })
    }

    /// Writes a lab as a reading showed it that began at its `synced_at`. What was seen later stands.
    ///
    /// # Errors
    /// The table failed.
    pub async fn save_lab(&self, lab: &Lab) -> Result<(), AppError> {
        let known = self.known_lab(lab.worker_id, &lab.id).await?;
        self.save_lab_over(known, lab, lab.synced_at).await
    }

    /// The same over what is known of it, of a reading that began at `begun`.
    ///
    /// # Errors
    /// The table failed.
    pub async fn save_lab_over(&self, known: Option<KnownLab>, lab: &Lab, begun: Timestamp) -> Result<(), AppError> {
        self.replace(lab.worker_id, &lab.id, known, begun, lab_item(lab)).await
    }

    /// Forgets a lab that was seen gone at `at`: no reading that began before brings it back.
    ///
    /// # Errors
    /// The table failed.
    pub async fn drop_lab(&self, worker: WorkerId, id: &LabId, at: Timestamp) -> Result<(), AppError> {
        let known = self.known_lab(worker, id).await?;
        self.drop_lab_over(known, worker, id, at).await
    }

    /// The same over what is known of it.
    ///
    /// # Errors
    /// The table failed.
    pub async fn drop_lab_over(
        &self,
        known: Option<KnownLab>,
        worker: WorkerId,
        id: &LabId,
        at: Timestamp,
    ) -> Result<(), AppError> {
        self.replace(worker, id, known, at, gone_item(worker, id, at, at + MARK_KEPT_FOR)).await
    }

    /// Forgets all labs of a worker that is gone for good.
    ///
    /// # Errors
    /// The table failed.
    pub async fn drop_labs(&self, worker: WorkerId) -> Result<(), AppError> {
        let query = Query::partition(keys::worker(worker).pk).prefix(keys::LAB_PREFIX).limit(DROPPED_AT_ONCE);
        loop {
            let page = self.table.query(&query).await?;
            let drops: Vec<Write> = page.items.iter().map(|item| Write::Delete(item.key(), Condition::None)).collect();
            if !drops.is_empty() {
                self.table.transact(drops).await?;
            }
            if page.next.is_none() {
                return Ok(self.table.write(Write::Delete(keys::labs_listed(worker), Condition::None)).await?);
            }
        }
    }

    /// Notes that all labs of a worker were listed, and everything that had changed was written.
    ///
    /// # Errors
    /// The table failed.
    pub async fn save_labs_listed(&self, worker: WorkerId, at: Timestamp) -> Result<(), AppError> {
        Ok(self.table.write(Write::Put(listed_item(worker, at), Condition::None)).await?)
    }

    async fn labs_listed_at(&self, worker: WorkerId) -> Result<Option<Timestamp>, AppError> {
        Ok(self.table.get(&keys::labs_listed(worker)).await?.as_ref().and_then(read_listed))
    }

    async fn known_labs_page(
        &self,
        worker: WorkerId,
        limit: u32,
        after: Option<String>,
    ) -> Result<Listed<KnownLab>, AppError> {
        let query = Query::partition(keys::worker(worker).pk).prefix(keys::LAB_PREFIX).limit(limit).after(after);
        let page = self.table.query(&query).await?;
        Ok(Listed { items: record::readable(&page.items, read_known), next: page.next })
    }

    async fn known_lab(&self, worker: WorkerId, id: &LabId) -> Result<Option<KnownLab>, AppError> {
        let (lab, listed) = (keys::lab(worker, id), keys::labs_listed(worker));
        let items = self.table.get_many(&[lab.clone(), listed.clone()]).await?;
        let of = |key: &ItemKey| items.iter().find(|item| item.key() == *key);
        let known = of(&lab).map(read_known).transpose()?;
        Ok(known.map(|known| known.listed(of(&listed).and_then(read_listed))))
    }

    /// Puts the item, unless what is known is newer. Whoever writes in between is judged as well.
    async fn replace(
        &self,
        worker: WorkerId,
        id: &LabId,
        mut known: Option<KnownLab>,
        begun: Timestamp,
        item: Item,
    ) -> Result<(), AppError> {
        for _ in 0..ATTEMPTS {
            let (condition, version) = match &known {
                Some(known) if known.outlives(begun) => return Ok(()),
                Some(KnownLab { version: Some(version), .. }) => (Condition::Version(*version), version + 1),
                Some(_) => (Condition::Exists, 1),
                None => (Condition::NotExists, 1),
            };
            let item = Item { version: Some(version), ..item.clone() };
            match self.table.write(Write::Put(item, condition)).await {
                Ok(()) => return Ok(()),
                Err(TableError::Condition { .. }) => known = self.known_lab(worker, id).await?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(AppError::Busy(worker))
    }
}
