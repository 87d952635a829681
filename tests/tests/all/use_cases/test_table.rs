//! The table in memory, which others use between any two of our calls, and whose list can be lost.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use app::ports::{Item, ItemKey, Page, Query, Table, TableError, Write};
use app::testing::MemoryTable;
use async_trait::async_trait;
use domain::WorkerId;

#[derive(Default)]
pub(super) struct TestTable {
    pub(super) memory: MemoryTable,
    list_lost: AtomicBool,
    /// What came back of it, or was written since.
    list_has: Mutex<Vec<WorkerId>>,
    /// The keys of each call that wrote.
    written: Mutex<Vec<Vec<ItemKey>>>,
}

impl TestTable {
    /// The list of all workers is empty from now on, or what it was again.
    pub(super) fn lose_list(&self, lost: bool) {
        self.list_lost.store(lost, Ordering::SeqCst);
    }

    /// While the list is lost, it has these.
    pub(super) fn list_has(&self, workers: &[WorkerId]) {
        *self.list_has.lock().unwrap() = workers.to_vec();
    }

    /// The keys of each call that wrote since this was last asked; more than one were a transaction.
    pub(super) fn take_written(&self) -> Vec<Vec<ItemKey>> {
        std::mem::take(&mut self.written.lock().unwrap())
    }

    fn note(&self, writes: &[Write]) {
        self.written.lock().unwrap().push(writes.iter().map(Write::key).collect());
    }
}

#[async_trait]
impl Table for TestTable {
    async fn get(&self, key: &ItemKey) -> Result<Option<Item>, TableError> {
        tokio::task::yield_now().await;
        self.memory.get(key).await
    }

    async fn get_many(&self, keys: &[ItemKey]) -> Result<Vec<Item>, TableError> {
        tokio::task::yield_now().await;
        self.memory.get_many(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        tokio::task::yield_now().await;
        if query.pk == "WORKERS" && self.list_lost.load(Ordering::SeqCst) {
            let all = Query { limit: 1_000, after: None, ..query.clone() };
            let mut page = self.memory.query(&all).await?;
            let has: Vec<String> = self.list_has.lock().unwrap().iter().map(ToString::to_string).collect();
            page.items.retain(|item| has.iter().any(|id| item.pk.contains(id)));
            return Ok(page);
        }
        self.memory.query(query).await
    }

    async fn write(&self, write: Write) -> Result<(), TableError> {
        tokio::task::yield_now().await;
        self.note(std::slice::from_ref(&write));
        self.memory.write(write).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<(), TableError> {
        tokio::task::yield_now().await;
        self.note(&writes);
        self.memory.transact(writes).await
    }
}
