use std::sync::Arc;

use futures::future::join_all;

use super::*;
use crate::testing::MemoryTable;

fn store() -> Store {
    Store::new(Arc::new(MemoryTable::default()))
}

fn worker(n: u128) -> WorkerId {
    WorkerId::new(at(0), n)
}

fn at(minutes: i64) -> Timestamp {
    "2026-03-02T09:00:00Z".parse::<Timestamp>().unwrap() + domain::SignedDuration::from_mins(minutes)
}

fn counted(decision: &str, in_need: bool) -> Counted {
    Counted { decision: decision.into(), in_need, ..Counted::default() }
}

fn acted(decision: &str, minutes: i64) -> Counted {
    Counted { acted: Some((decision.into(), at(minutes))), ..counted(decision, true) }
}

#[tokio::test]
async fn a_worker_counts_as_what_was_decided_last_and_no_more_when_it_is_gone() {
    let store = store();
    store.count_worker(worker(1), Some(counted("wait", true))).await.unwrap();
    store.count_worker(worker(1), Some(counted("none", false))).await.unwrap();
    store.count_worker(worker(2), Some(Counted { error: true, ..counted("give_up", true) })).await.unwrap();
    let counts = store.reconciliation_counts().await.unwrap().workers;
    assert_eq!((counts.total, counts.in_need, counts.errors), (2, 1, 1));
    let standing: Vec<_> = counts.decisions.into_iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(standing, [("give_up".to_owned(), 1), ("none".to_owned(), 1)]);
    store.count_worker(worker(2), None).await.unwrap();
    store.count_worker(worker(2), None).await.unwrap();
    let counts = store.reconciliation_counts().await.unwrap().workers;
    assert_eq!((counts.total, counts.in_need, counts.errors), (1, 0, 0));
}

#[tokio::test]
async fn what_was_done_is_counted_once_however_often_it_is_told() {
    let store = store();
    for _ in 0..3 {
        store.count_worker(worker(1), Some(acted("start", 0))).await.unwrap();
    }
    // A judgement that says nothing of it forgets nothing, and an old one counts nothing again.
    store.count_worker(worker(1), Some(counted("none", false))).await.unwrap();
    store.count_worker(worker(1), Some(acted("start", 0))).await.unwrap();
    store.count_worker(worker(1), Some(acted("start", 30))).await.unwrap();
    store.count_worker(worker(1), Some(acted("stop", 60))).await.unwrap();
    let actions = store.reconciliation_counts().await.unwrap().workers.actions;
    assert_eq!(actions, BTreeMap::from([("start".to_owned(), 2), ("stop".to_owned(), 1)]));
}

#[tokio::test]
async fn many_that_are_counted_at_the_same_time_are_all_counted() {
    let store = store();
    let all = (0..50).map(|n| {
        let store = store.clone();
        async move { store.count_worker(worker(n), Some(acted("start", 1))).await }
    });
    for result in join_all(all).await {
        result.unwrap();
    }
    let counts = store.reconciliation_counts().await.unwrap().workers;
    assert_eq!((counts.total, counts.actions["start"]), (50, 50));
}
