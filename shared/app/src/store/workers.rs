//! Workers and their events.

use std::collections::BTreeMap;

use domain::worker::Worker;
use domain::{Region, WorkerId};

use super::event_item::{StoredEvent, read_event};
use super::worker_item::read_worker;
use super::{Listed, Store, keys, record};
use crate::error::AppError;
use crate::ports::{IndexName, Query};

/// Keys a `get_many` takes.
const KEYS_PER_READ: usize = 100;

impl Store {
    /// The worker.
    ///
    /// # Errors
    /// It does not exist, or the table failed.
    pub async fn worker(&self, id: WorkerId) -> Result<Worker, AppError> {
        let item = self.table.get(&keys::worker(id)).await?.ok_or_else(|| AppError::no_worker(id))?;
        read_worker(&item)
    }

    /// Those of the workers that exist, by id.
    ///
    /// # Errors
    /// The table failed.
    pub async fn workers(&self, ids: &[WorkerId]) -> Result<BTreeMap<WorkerId, Worker>, AppError> {
        let mut found = BTreeMap::new();
        for chunk in ids.chunks(KEYS_PER_READ) {
            let mut wanted: Vec<_> = chunk.iter().map(|id| keys::worker(*id)).collect();
            wanted.sort();
            wanted.dedup();
            let items = self.table.get_many(&wanted).await?;
            found.extend(record::readable(&items, read_worker).into_iter().map(|worker| (worker.id, worker)));
        }
        Ok(found)
    }

    /// A page of all workers, by region and name; of one region if one is given.
    ///
    /// # Errors
    /// The cursor is not one of this list, or the table failed.
    pub async fn list_workers(
        &self,
        region: Option<&Region>,
        limit: u32,
        after: Option<String>,
    ) -> Result<Listed<Worker>, AppError> {
        let mut query = Query::index(IndexName::Gsi1, keys::WORKERS).limit(limit).after(after);
        if let Some(region) = region {
            query = query.prefix(&format!("{region}#"));
        }
        let page = self.table.query(&query).await?;
        Ok(Listed { items: record::readable(&page.items, read_worker), next: page.next })
    }

    /// Whether the list of workers holds anything at all, readable or not.
    ///
    /// # Errors
    /// The table failed.
    pub async fn has_workers(&self) -> Result<bool, AppError> {
        let page = self.table.query(&Query::index(IndexName::Gsi1, keys::WORKERS).limit(1)).await?;
        Ok(!page.items.is_empty())
    }

    /// The boot script of a worker. It is kept apart from the snapshot, which is written and indexed often.
    ///
    /// # Errors
    /// The table failed.
    pub async fn user_data(&self, id: WorkerId) -> Result<Option<String>, AppError> {
        let item = self.table.get(&keys::user_data(id)).await?;
        Ok(item.and_then(|item| Some(item.attributes.get("user_data")?.as_str()?.to_owned())))
    }

    /// A page of running workers, by account and region.
    ///
    /// # Errors
    /// The table failed.
    pub async fn list_running(&self, after: Option<String>) -> Result<Listed<Worker>, AppError> {
        let query = Query::index(IndexName::Gsi2, keys::RUNNING).limit(1_000).after(after);
        let page = self.table.query(&query).await?;
        Ok(Listed { items: record::readable(&page.items, read_worker), next: page.next })
    }

    /// A page of a worker's events, newest first.
    ///
    /// # Errors
    /// The cursor is not one of this list, or the table failed.
    pub async fn worker_events(
        &self,
        id: WorkerId,
        limit: u32,
        after: Option<String>,
    ) -> Result<Listed<StoredEvent>, AppError> {
        let query =
            Query::partition(keys::worker(id).pk).prefix(keys::EVENT_PREFIX).newest_first().limit(limit).after(after);
        let page = self.table.query(&query).await?;
        Ok(Listed { items: record::readable(&page.items, read_event), next: page.next })
    }
}
