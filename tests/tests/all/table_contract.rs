//! What every table must do, whatever it is made of.

use std::collections::BTreeSet;
use std::sync::Arc;

use app::ports::{Condition, IndexName, Item, ItemKey, Page, Query, Table, TableError, Write};
use app::testing::MemoryTable;
use domain::Timestamp;
use serde_json::{Value, json};

pub(crate) use self::queries::{
    a_prefix_selects_what_begins_with_it, a_query_keeps_to_its_bounds, a_query_reads_one_partition_in_byte_order,
    an_item_leaves_an_index_with_its_key, pages_lose_and_repeat_nothing,
    pages_of_an_index_lose_and_repeat_nothing_where_sort_keys_are_equal, positions_that_no_query_gave_out_are_refused,
};
use crate::support;

mod queries;

pub(crate) type Shared = Arc<dyn Table>;

/// Every case, for a macro that makes tests of them.
macro_rules! with_cases {
    ($tests:ident) => {
        $tests!(
            every_json_value_comes_back,
            a_whole_float_comes_back_as_an_integer,
            null_attributes_are_not_stored,
            what_cannot_be_stored_is_malformed,
            a_missing_item_is_none,
            a_put_replaces_the_whole_item,
            not_exists_holds_once,
            exists_holds_for_what_is_there,
            a_version_holds_for_the_stored_one_only,
            an_expiring_item_is_taken_only_after_its_whole_second,
            a_delete_obeys_its_condition,
            a_single_check_changes_nothing,
            a_query_reads_one_partition_in_byte_order,
            a_query_keeps_to_its_bounds,
            a_prefix_selects_what_begins_with_it,
            pages_lose_and_repeat_nothing,
            pages_of_an_index_lose_and_repeat_nothing_where_sort_keys_are_equal,
            an_item_leaves_an_index_with_its_key,
            get_many_answers_what_exists,
            get_many_takes_at_most_a_hundred_different_keys,
            a_transaction_writes_all,
            a_failed_transaction_writes_nothing_and_names_the_failed_writes,
            a_transaction_takes_at_most_a_hundred_different_items,
            of_many_writers_of_one_version_exactly_one_wins,
            of_many_transactions_on_one_version_exactly_one_wins,
            positions_that_no_query_gave_out_are_refused,
        );
    };
}
#[cfg(feature = "wire")]
pub(crate) use with_cases;

macro_rules! in_process {
    ($($case:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $case() {
                super::$case(std::sync::Arc::new(super::MemoryTable::default())).await;
            })*
        }
        mod dynamodb {
            $(#[tokio::test]
            async fn $case() {
                let (_server, table) = super::support::dynamo_table().await;
                super::$case(table).await;
            })*
        }
    };
}

with_cases!(in_process);

fn item(pk: &str, sk: &str) -> Item {
    Item { pk: pk.into(), sk: sk.into(), ..Item::default() }
}

fn versioned(version: u64) -> Item {
    Item { version: Some(version), ..item("P", "S") }
}

fn with(attributes: Value) -> Item {
    let Value::Object(attributes) = attributes else { panic!("{attributes} is no object") };
    Item { attributes, ..item("P", "S") }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

async fn put(table: &Shared, item: Item) {
    table.write(Write::Put(item, Condition::None)).await.unwrap();
}

async fn get(table: &Shared, pk: &str, sk: &str) -> Option<Item> {
    table.get(&ItemKey::new(pk, sk)).await.unwrap()
}

async fn sort_keys(table: &Shared, query: Query) -> Vec<String> {
    table.query(&query).await.unwrap().items.into_iter().map(|item| item.sk).collect()
}

#[track_caller]
fn assert_failed(result: Result<(), TableError>, positions: &[usize]) {
    match result {
        Err(TableError::Condition { failed }) => assert_eq!(failed, positions),
        other => panic!("expected the conditions {positions:?} to fail, got {other:?}"),
    }
}

#[track_caller]
fn assert_malformed<T: std::fmt::Debug>(result: &Result<T, TableError>) {
    assert!(matches!(result, Err(TableError::Malformed(_))), "{result:?}");
}

pub(crate) async fn every_json_value_comes_back(table: Shared) {
    let stored = Item {
        gsi1: Some(("G1".into(), "A".into())),
        gsi2: Some(("G2".into(), "B".into())),
        version: Some(u64::MAX),
        expires_at: Some(at("2030-01-01T00:00:00Z")),
        ..with(json!({
            "yes": true, "no": false, "zero": 0, "smallest": i64::MIN, "greatest": u64::MAX,
            "float": 0.1, "tiny": 1.5e-120, "negative": -12345.678901,
            "empty": "", "unicode": "Grüße, 世界 🦀 \u{0}\n\"",
            "list": [], "map": {}, "nested": {"list": [[], {}, [null, 1, "a", {"deep": [{"er": {}}]}]], "null": null},
            "name with spaces.and.dots": {"#": ":"},
        }))
    };
    put(&table, stored.clone()).await;
    assert_eq!(get(&table, "P", "S").await.unwrap(), stored);
    for query in [Query::partition("P"), Query::index(IndexName::Gsi1, "G1"), Query::index(IndexName::Gsi2, "G2")] {
        assert_eq!(table.query(&query).await.unwrap().items, std::slice::from_ref(&stored));
    }
}

pub(crate) async fn a_whole_float_comes_back_as_an_integer(table: Shared) {
    put(&table, with(json!({"a": 1.0, "b": [-2.0, 1e18], "c": -0.0}))).await;
    let attributes = Value::Object(get(&table, "P", "S").await.unwrap().attributes);
    assert_eq!(attributes, json!({"a": 1, "b": [-2, 1_000_000_000_000_000_000_i64], "c": 0}));
}

pub(crate) async fn null_attributes_are_not_stored(table: Shared) {
    put(&table, with(json!({"a": null, "b": {"c": null}}))).await;
    assert_eq!(get(&table, "P", "S").await.unwrap(), with(json!({"b": {"c": null}})));
}

pub(crate) async fn what_cannot_be_stored_is_malformed(table: Shared) {
    let no_index_key = Item { gsi1: Some((String::new(), "A".into())), ..item("P", "S") };
    let bad = [
        with(json!({"pk": "x"})),
        with(json!({"gsi2sk": "x"})),
        with(json!({"version": 1})),
        with(json!({"expires_at": 1})),
        with(json!({"a": 1e300})),
        with(json!({"a": "a".repeat(410 * 1024)})),
        item("", "S"),
        item("P", ""),
        no_index_key,
    ];
    for item in bad {
        assert_malformed(&table.write(Write::Put(item.clone(), Condition::None)).await);
        assert_malformed(&table.transact(vec![Write::Put(item, Condition::None)]).await);
    }
    assert_eq!(get(&table, "P", "S").await, None);
}

pub(crate) async fn a_missing_item_is_none(table: Shared) {
    assert_eq!(get(&table, "P", "S").await, None);
    assert_eq!(table.query(&Query::partition("P")).await.unwrap(), Page::default());
}

pub(crate) async fn a_put_replaces_the_whole_item(table: Shared) {
    put(&table, Item { version: Some(1), ..with(json!({"a": 1, "b": 2})) }).await;
    put(&table, with(json!({"b": 3}))).await;
    assert_eq!(get(&table, "P", "S").await.unwrap(), with(json!({"b": 3})));
}

pub(crate) async fn not_exists_holds_once(table: Shared) {
    let write = || table.write(Write::Put(item("P", "S"), Condition::NotExists));
    write().await.unwrap();
    assert_failed(write().await, &[0]);
}

pub(crate) async fn exists_holds_for_what_is_there(table: Shared) {
    let write = || table.write(Write::Put(with(json!({"a": 1})), Condition::Exists));
    assert_failed(write().await, &[0]);
    assert_eq!(get(&table, "P", "S").await, None);
    put(&table, item("P", "S")).await;
    write().await.unwrap();
    assert_eq!(get(&table, "P", "S").await.unwrap(), with(json!({"a": 1})));
}

pub(crate) async fn a_version_holds_for_the_stored_one_only(table: Shared) {
    let write = |expected, next| table.write(Write::Put(versioned(next), Condition::Version(expected)));
    assert_failed(write(1, 2).await, &[0]);
    put(&table, item("P", "S")).await;
    assert_failed(write(0, 1).await, &[0]);
    put(&table, versioned(1)).await;
    assert_failed(write(2, 3).await, &[0]);
    write(1, 2).await.unwrap();
    assert_failed(write(1, 2).await, &[0]);
    assert_eq!(get(&table, "P", "S").await.unwrap(), versioned(2));
}

pub(crate) async fn an_expiring_item_is_taken_only_after_its_whole_second(table: Shared) {
    let lease = |expires_at: &str| Item { expires_at: Some(at(expires_at)), ..item("P", "S") };
    let take = |now: &str| {
        let condition = Condition::NotExistsOrExpiredBefore(at(now));
        table.write(Write::Put(lease("2026-01-01T00:05:00Z"), condition))
    };
    take("2026-01-01T00:00:00Z").await.unwrap();

    put(&table, lease("2026-01-01T00:00:09.25Z")).await;
    let kept = get(&table, "P", "S").await.unwrap().expires_at.unwrap();
    assert_eq!(kept, at("2026-01-01T00:00:10Z"));
    for early in ["2026-01-01T00:00:09Z", "2026-01-01T00:00:10Z", "2026-01-01T00:00:10.999999999Z"] {
        assert_failed(take(early).await, &[0]);
    }
    take("2026-01-01T00:00:11Z").await.unwrap();

    // What never expires is never taken.
    put(&table, item("P", "S")).await;
    assert_failed(take("2030-01-01T00:00:00Z").await, &[0]);
}

pub(crate) async fn a_delete_obeys_its_condition(table: Shared) {
    let delete = |condition| table.write(Write::Delete(ItemKey::new("P", "S"), condition));
    delete(Condition::None).await.unwrap();
    assert_failed(delete(Condition::Exists).await, &[0]);
    put(&table, versioned(3)).await;
    assert_failed(delete(Condition::Version(2)).await, &[0]);
    assert_eq!(get(&table, "P", "S").await.unwrap(), versioned(3));
    delete(Condition::Version(3)).await.unwrap();
    assert_eq!(get(&table, "P", "S").await, None);
}

pub(crate) async fn a_single_check_changes_nothing(table: Shared) {
    let check = |condition| table.write(Write::Check(ItemKey::new("P", "S"), condition));
    check(Condition::None).await.unwrap();
    check(Condition::NotExists).await.unwrap();
    assert_failed(check(Condition::Exists).await, &[0]);
    assert_eq!(get(&table, "P", "S").await, None);
}

pub(crate) async fn get_many_answers_what_exists(table: Shared) {
    let keys: Vec<_> = (0..100).map(|n| ItemKey::new(format!("P{n}"), "S")).collect();
    for key in keys.iter().step_by(2) {
        put(&table, item(&key.pk, &key.sk)).await;
    }
    let found: BTreeSet<_> = table.get_many(&keys).await.unwrap().iter().map(Item::key).collect();
    assert_eq!(found, keys.iter().step_by(2).cloned().collect());
    assert_eq!(table.get_many(&[]).await.unwrap(), []);
}

pub(crate) async fn get_many_takes_at_most_a_hundred_different_keys(table: Shared) {
    let keys: Vec<_> = (0..101).map(|n| ItemKey::new("P", n.to_string())).collect();
    assert_malformed(&table.get_many(&keys).await);
    assert_malformed(&table.get_many(&[keys[0].clone(), keys[0].clone()]).await);
}

pub(crate) async fn a_transaction_writes_all(table: Shared) {
    put(&table, versioned(1)).await;
    put(&table, item("P", "gone")).await;
    put(&table, item("P", "checked")).await;
    table
        .transact(vec![
            Write::Put(versioned(2), Condition::Version(1)),
            Write::Put(item("P", "EVENT#1"), Condition::NotExists),
            Write::Delete(ItemKey::new("P", "gone"), Condition::Exists),
            Write::Check(ItemKey::new("P", "checked"), Condition::Exists),
            Write::Check(ItemKey::new("P", "any"), Condition::None),
        ])
        .await
        .unwrap();
    assert_eq!(sort_keys(&table, Query::partition("P")).await, ["EVENT#1", "S", "checked"]);
    assert_eq!(get(&table, "P", "S").await.unwrap(), versioned(2));
}

pub(crate) async fn a_failed_transaction_writes_nothing_and_names_the_failed_writes(table: Shared) {
    put(&table, versioned(7)).await;
    let result = table
        .transact(vec![
            Write::Put(item("P", "new"), Condition::NotExists),
            Write::Put(versioned(2), Condition::Version(1)),
            Write::Delete(ItemKey::new("P", "S2"), Condition::None),
            Write::Check(ItemKey::new("P", "absent"), Condition::Exists),
        ])
        .await;
    assert_failed(result, &[1, 3]);
    assert_eq!(sort_keys(&table, Query::partition("P")).await, ["S"]);
    assert_eq!(get(&table, "P", "S").await.unwrap(), versioned(7));
}

pub(crate) async fn a_transaction_takes_at_most_a_hundred_different_items(table: Shared) {
    let writes = |n: usize| (0..n).map(|n| Write::Put(item("P", &n.to_string()), Condition::NotExists)).collect();
    assert_malformed(&table.transact(Vec::new()).await);
    assert_malformed(&table.transact(writes(101)).await);
    let twice =
        vec![Write::Put(versioned(1), Condition::None), Write::Check(ItemKey::new("P", "S"), Condition::Exists)];
    assert_malformed(&table.transact(twice).await);
    table.transact(writes(100)).await.unwrap();
    assert_eq!(table.query(&Query::partition("P").limit(1000)).await.unwrap().items.len(), 100);
}

pub(crate) async fn of_many_writers_of_one_version_exactly_one_wins(table: Shared) {
    put(&table, versioned(1)).await;
    let writers = (0..16).map(|n| {
        let item = Item { version: Some(2), ..with(json!({ "writer": n })) };
        let table = Arc::clone(&table);
        async move { (n, table.write(Write::Put(item, Condition::Version(1))).await) }
    });
    let results = futures::future::join_all(writers.map(tokio::spawn)).await;
    let mut winners = Vec::new();
    for result in results {
        match result.unwrap() {
            (n, Ok(())) => winners.push(n),
            (_, result) => assert_failed(result, &[0]),
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(get(&table, "P", "S").await.unwrap().attributes["writer"], winners[0]);
}

pub(crate) async fn of_many_transactions_on_one_version_exactly_one_wins(table: Shared) {
    put(&table, versioned(1)).await;
    let writers = (0..16).map(|n| {
        let event = Write::Put(item("P", &format!("EVENT#{n}")), Condition::NotExists);
        let table = Arc::clone(&table);
        async move { table.transact(vec![Write::Put(versioned(2), Condition::Version(1)), event]).await }
    });
    let results = futures::future::join_all(writers.map(tokio::spawn)).await;
    let mut winners = 0;
    for result in results {
        match result.unwrap() {
            Ok(()) => winners += 1,
            // Two that meet: the loser may be told so before its condition is looked at.
            Err(TableError::Conflict) => {}
            failed => assert_failed(failed, &[0]),
        }
    }
    assert_eq!(winners, 1);
    assert_eq!(sort_keys(&table, Query::partition("P").prefix("EVENT#")).await.len(), 1);
}

#[tokio::test]
async fn making_the_table_twice_keeps_what_is_in_it() {
    let (_server, client) = support::dynamodb().await;
    aws::create_table(&client, "twice").await.unwrap();
    let table: Shared = Arc::new(aws::DynamoTable::new(client.clone(), "twice"));
    put(&table, item("P", "S")).await;
    aws::create_table(&client, "twice").await.unwrap();
    assert_eq!(get(&table, "P", "S").await, Some(item("P", "S")));
}

#[tokio::test]
async fn a_table_that_is_not_there_is_unavailable() {
    let (_server, client) = support::dynamodb().await;
    let table = aws::DynamoTable::new(client, "never-made");
    let result = table.get(&ItemKey::new("P", "S")).await;
    assert!(matches!(result, Err(TableError::Unavailable(_))), "{result:?}");
}
