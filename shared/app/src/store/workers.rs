//! Workers and their events.

use std::collections::BTreeMap;

use domain::worker::Worker;
use domain::{Region, WorkerId};

use super::worker_item::{StoredEvent, read_event, read_worker};
use super::{Listed, Store, keys};
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
            for item in self.table.get_many(&wanted).await? {
                let worker = read_worker(&item)?;
                found.insert(worker.id, worker);
            }
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
        Ok(Listed { items: page.items.iter().map(read_worker).collect::<Result<_, _>>()?, next: page.next })
    }

    /// A page of running workers, by account and region.
    ///
    /// # Errors
    /// The table failed.
    pub async fn list_running(&self, after: Option<String>) -> Result<Listed<Worker>, AppError> {
        let query = Query::index(IndexName::Gsi2, keys::RUNNING).limit(1_000).after(after);
        let page = self.table.query(&query).await?;
        Ok(Listed { items: page.items.iter().map(read_worker).collect::<Result<_, _>>()?, next: page.next })
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
        let query = Query::partition(keys::worker(id).pk).prefix("EVENT#").newest_first().limit(limit).after(after);
        let page = self.table.query(&query).await?;
        Ok(Listed { items: page.items.iter().map(read_event).collect::<Result<_, _>>()?, next: page.next })
    }
}
