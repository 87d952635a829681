//! What a query of every table must do.

use std::collections::BTreeSet;

use app::ports::{Condition, IndexName, Item, ItemKey, Page, Query, TableError, Write};

use super::{Shared, get, item, put, sort_keys};

/// Follows the pages to the end; each has at most `limit` items.
async fn pages(table: &Shared, query: &Query, limit: u32) -> Vec<Item> {
    let mut items = Vec::new();
    let mut position = None;
    for _ in 0..100 {
        let Page { items: page, next } = table.query(&query.clone().limit(limit).after(position)).await.unwrap();
        assert!(page.len() <= limit as usize);
        items.extend(page);
        position = next;
        if position.is_none() {
            return items;
        }
    }
    panic!("the pages have no end");
}

pub(crate) async fn a_query_reads_one_partition_in_byte_order(table: Shared) {
    for sk in ["b", "a", "B", "~", "10", "2", "a#"] {
        put(&table, item("P", sk)).await;
    }
    put(&table, item("Q", "a")).await;
    let ordered = ["10", "2", "B", "a", "a#", "b", "~"];
    assert_eq!(sort_keys(&table, Query::partition("P")).await, ordered);
    let mut newest_first = sort_keys(&table, Query::partition("P").newest_first()).await;
    newest_first.reverse();
    assert_eq!(newest_first, ordered);
}

pub(crate) async fn a_query_keeps_to_its_bounds(table: Shared) {
    for sk in ["a", "b", "c", "d"] {
        put(&table, Item { gsi1: Some(("G".into(), sk.into())), ..item("P", sk) }).await;
    }
    for all in [Query::partition("P"), Query::index(IndexName::Gsi1, "G")] {
        let bounds = |from: Option<&str>, to: Option<&str>| {
            let query = Query { from: from.map(Into::into), to: to.map(Into::into), ..all.clone() };
            sort_keys(&table, query)
        };
        assert_eq!(bounds(Some("b"), Some("c")).await, ["b", "c"]);
        assert_eq!(bounds(Some("c"), None).await, ["c", "d"]);
        assert_eq!(bounds(None, Some("b")).await, ["a", "b"]);
        assert_eq!(bounds(Some("b"), Some("b")).await, ["b"]);
        assert_eq!(bounds(Some("bb"), Some("bc")).await, [""; 0]);
        // Bounds that DynamoDB itself refuses.
        assert_eq!(bounds(Some("c"), Some("b")).await, [""; 0]);
        assert_eq!(bounds(Some(""), Some("a")).await, ["a"]);
        assert_eq!(bounds(None, Some("")).await, [""; 0]);
    }
}

pub(crate) async fn a_prefix_selects_what_begins_with_it(table: Shared) {
    for sk in ["EVENT", "EVENT#", "EVENT#1", "EVENT#~", "EVENU", "DUE#x"] {
        put(&table, item("P", sk)).await;
    }
    assert_eq!(sort_keys(&table, Query::partition("P").prefix("EVENT#")).await, ["EVENT#", "EVENT#1", "EVENT#~"]);
    assert_eq!(sort_keys(&table, Query::partition("P").prefix("")).await.len(), 6);
}

pub(crate) async fn pages_lose_and_repeat_nothing(table: Shared) {
    let all: Vec<_> = (0..23).map(|n| format!("{n:02}")).collect();
    for sk in &all {
        put(&table, item("P", sk)).await;
    }
    for (descending, limit) in [(false, 5), (true, 5), (false, 23), (false, 1), (true, 1000)] {
        let query = Query { descending, ..Query::partition("P").between("03", "19") };
        let mut found: Vec<_> = pages(&table, &query, limit).await.into_iter().map(|item| item.sk).collect();
        if descending {
            found.reverse();
        }
        assert_eq!(found, all[3..=19]);
    }
}

pub(crate) async fn pages_of_an_index_lose_and_repeat_nothing_where_sort_keys_are_equal(table: Shared) {
    for (index, name) in [(IndexName::Gsi1, "1"), (IndexName::Gsi2, "2")] {
        for n in 0..12 {
            let key = Some((format!("G{name}"), format!("due-{}", n / 6)));
            let mut due = item(&format!("WORKER#{name}#{n:02}"), "DUE");
            match index {
                IndexName::Gsi1 => due.gsi1 = key,
                IndexName::Gsi2 => due.gsi2 = key,
            }
            put(&table, due).await;
        }
        for (descending, limit) in [(false, 5), (true, 5), (false, 1), (false, 12)] {
            let query = Query { descending, ..Query::index(index, format!("G{name}")) };
            let found = pages(&table, &query, limit).await;
            assert_eq!(found.len(), 12);
            assert_eq!(found.iter().map(|item| &item.pk).collect::<BTreeSet<_>>().len(), 12);
            let mut due: Vec<_> = found.iter().map(|item| item.index_key(index).unwrap().1.as_str()).collect();
            if descending {
                due.reverse();
            }
            assert!(due.is_sorted());
        }
    }
}

pub(crate) async fn an_item_leaves_an_index_with_its_key(table: Shared) {
    let due = |sk: &str, time: &str| Item { gsi1: Some(("DUE".into(), time.into())), ..item("P", sk) };
    put(&table, due("a", "1")).await;
    put(&table, due("b", "2")).await;
    let query = || sort_keys(&table, Query::index(IndexName::Gsi1, "DUE"));
    assert_eq!(query().await, ["a", "b"]);
    put(&table, due("a", "3")).await;
    assert_eq!(query().await, ["b", "a"]);
    put(&table, item("P", "a")).await;
    assert_eq!(query().await, ["b"]);
    table.write(Write::Delete(ItemKey::new("P", "b"), Condition::None)).await.unwrap();
    assert_eq!(query().await, [""; 0]);
    assert_eq!(get(&table, "P", "a").await, Some(item("P", "a")));
}

pub(crate) async fn positions_that_no_query_gave_out_are_refused(table: Shared) {
    for n in 0..3 {
        put(&table, Item { gsi1: Some(("P".into(), "k".into())), ..item("P", &n.to_string()) }).await;
    }
    let by_table = Query::partition("P").limit(1);
    let by_index = Query::index(IndexName::Gsi1, "P").limit(1);
    let next = table.query(&by_table).await.unwrap().next.unwrap();
    let index_next = table.query(&by_index).await.unwrap().next.unwrap();

    let elsewhere = [
        (Query::partition("Q"), &next),
        (Query::partition("P").between("1", "2"), &next),
        (by_index, &next),
        (Query::index(IndexName::Gsi2, "P"), &index_next),
        (by_table.clone(), &index_next),
    ];
    for (query, position) in elsewhere {
        let result = table.query(&query.after(Some(position.clone()))).await;
        assert!(matches!(result, Err(TableError::BadPosition)), "{result:?}");
    }
    // Not base64; base64 of nothing, of no JSON, of other JSON.
    for garbage in ["", "?", "%%%", "aGVsbG8", "e30", "W10", "bnVsbA", &next[1..], &next[..next.len() - 2]] {
        let result = table.query(&by_table.clone().after(Some(garbage.to_owned()))).await;
        assert!(matches!(result, Err(TableError::BadPosition)), "{garbage}: {result:?}");
    }
}
