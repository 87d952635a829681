use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::*;
use crate::dynamo;

/// A table in a file, served as the stack serves it.
struct Bench {
    directory: tempfile::TempDir,
    tables: aws_sdk_dynamodb::Client,
    streams: Client,
    documents: Documents,
    _stop: watch::Sender<bool>,
    _servers: JoinSet<()>,
}

impl Bench {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (stop, stopped) = watch::channel(false);
        let mut servers = JoinSet::new();
        let address = dynamo::serve(&directory.path().join("table.sqlite"), &mut servers, stopped).await.unwrap();
        let config = aws::sdk_config_for(&format!("http://{address}"));
        let tables = aws_sdk_dynamodb::Client::new(&config);
        aws::create_table(&tables, "table").await.unwrap();
        let (streams, documents) = (Client::new(&config), Documents::in_memory().unwrap());
        Self { directory, tables, streams, documents, _stop: stop, _servers: servers }
    }

    fn stream(&self) -> TableStream {
        let trimmer = Trimmer::open(&self.directory.path().join("table.sqlite")).unwrap();
        TableStream::new(self.streams.clone(), "table", self.documents.clone(), Some(trimmer))
    }

    async fn put(&self, sort_key: &str) {
        let put = self.tables.put_item().table_name("table").item("pk", AttributeValue::S("WORKER#1".into()));
        put.item("sk", AttributeValue::S(sort_key.into()))
            .item("sequence", AttributeValue::N("7".into()))
            .send()
            .await
            .unwrap();
    }

    /// Records that the file holds.
    fn kept(&self) -> i64 {
        let file = rusqlite::Connection::open(self.directory.path().join("table.sqlite")).unwrap();
        file.query_row("SELECT COUNT(*) FROM _stream_records", [], |row| row.get(0)).unwrap()
    }
}

/// The one shard's records: sort key and sequence number.
async fn read(stream: &TableStream) -> Vec<(String, String)> {
    let pages = stream.next().await.unwrap();
    assert_eq!(pages.len(), 1);
    let text = |record: &Value, at: &str| record.pointer(at).unwrap().as_str().unwrap().to_owned();
    let both = |record: &Value| (text(record, "/dynamodb/Keys/sk/S"), text(record, "/dynamodb/SequenceNumber"));
    pages[0].records.iter().map(both).collect()
}

fn keys(records: &[(String, String)]) -> Vec<&str> {
    records.iter().map(|(key, _)| key.as_str()).collect()
}

#[tokio::test]
async fn a_record_is_what_lambda_delivers() {
    let bench = Bench::new().await;
    bench.put("EVENT#1").await;
    let record = bench.stream().next().await.unwrap()[0].records[0].clone();
    assert_eq!((&record["eventName"], &record["eventSource"]), (&json!("INSERT"), &json!("aws:dynamodb")));
    assert_eq!(record["dynamodb"]["StreamViewType"], "NEW_IMAGE");
    let image = json!({ "pk": { "S": "WORKER#1" }, "sk": { "S": "EVENT#1" }, "sequence": { "N": "7" } });
    assert_eq!(record["dynamodb"]["NewImage"], image);
    assert!(record["eventSourceARN"].as_str().unwrap().contains(":table/table/stream/"), "{record}");
}

#[tokio::test]
async fn what_is_done_is_not_read_again_not_even_after_a_restart_and_what_is_not_comes_again() {
    let bench = Bench::new().await;
    let stream = bench.stream();
    assert!(read(&stream).await.is_empty());
    for key in ["EVENT#1", "EVENT#2", "EVENT#3"] {
        bench.put(key).await;
    }
    let first = read(&stream).await;
    assert_eq!(keys(&first), ["EVENT#1", "EVENT#2", "EVENT#3"]);
    assert_eq!(read(&stream).await, first, "nothing is done yet");
    let shard = stream.next().await.unwrap()[0].shard.clone();
    stream.done(&shard, &first[1].1).await.unwrap();
    assert_eq!(keys(&read(&stream).await), ["EVENT#3"]);
    let restarted = bench.stream();
    assert_eq!(keys(&read(&restarted).await), ["EVENT#3"]);
    restarted.done(&shard, &first[2].1).await.unwrap();
    assert!(read(&restarted).await.is_empty());
    bench.put("EVENT#4").await;
    assert_eq!(keys(&read(&restarted).await), ["EVENT#4"]);
}

#[tokio::test]
async fn what_is_done_is_forgotten_and_numbers_go_on_rising() {
    let bench = Bench::new().await;
    let stream = bench.stream();
    let mut last = String::new();
    for n in 0..20 {
        bench.put(&format!("EVENT#{n}")).await;
        let records = read(&stream).await;
        assert_eq!(records.len(), 1);
        assert!(records[0].1 > last, "{} after {last}", records[0].1);
        last.clone_from(&records[0].1);
        let shard = stream.next().await.unwrap()[0].shard.clone();
        stream.done(&shard, &last).await.unwrap();
        assert_eq!(bench.kept(), 1);
    }
}

#[tokio::test]
async fn a_table_of_an_earlier_version_is_given_its_stream() {
    let bench = Bench::new().await;
    let off = aws_sdk_dynamodb::types::StreamSpecification::builder().stream_enabled(false).build().unwrap();
    bench.tables.update_table().table_name("table").stream_specification(off).send().await.unwrap();
    bench.put("EVENT#1").await;
    assert!(bench.stream().next().await.is_err(), "nothing tells of it");
    aws::create_table(&bench.tables, "table").await.unwrap();
    bench.put("EVENT#2").await;
    assert_eq!(keys(&read(&bench.stream()).await), ["EVENT#2"]);
}
