//! Events of the stream on their way to the bus.

use app::ports::PortError;
use app::use_cases::publish_events::{StreamRecord, publish_events};
use serde_json::{Value, json};

use crate::support::RecordingBus;

const WORKER: &str = "wkr-01kjq5w4e8v6t2m9c3hxk7zr0d";

/// The record of that event, as the stream has it; its position is that number and a zero.
fn record(sequence: u64) -> StreamRecord {
    let attributes = json!({
        "pk": format!("WORKER#{WORKER}"), "sk": format!("EVENT#{sequence:012}"),
        "schema": 1, "sequence": sequence, "type": "worker.renamed", "at": "2026-03-02T08:59:59.5Z",
        "worker_id": WORKER, "actor": { "kind": "user", "subject": "8d5f", "username": "ada" },
        "data": { "name": "lab-1" },
    });
    let Value::Object(map) = attributes.clone() else { panic!("{attributes}") };
    StreamRecord { position: format!("{sequence}0"), attributes: Ok(map), raw: attributes }
}

fn unreadable(position: &str) -> StreamRecord {
    let mut record = record(1);
    record.position = position.into();
    record.raw = json!({ "position": position });
    record.attributes.as_mut().unwrap().remove("worker_id");
    record
}

fn published(bus: &RecordingBus) -> Vec<u64> {
    bus.published().iter().map(|event| event.sequence.parse().unwrap()).collect()
}

#[tokio::test]
async fn an_event_is_published_as_a_cloud_event() {
    let bus = RecordingBus::default();
    assert_eq!(publish_events(&bus, &[record(7)]).await, None);
    insta::assert_json_snapshot!(bus.published()[0], @r#"
    {
      "specversion": "1.0",
      "id": "wkr-01kjq5w4e8v6t2m9c3hxk7zr0d-000000000007",
      "source": "cml-cloud-manager",
      "type": "worker.renamed",
      "subject": "wkr-01kjq5w4e8v6t2m9c3hxk7zr0d",
      "time": "2026-03-02T08:59:59.500Z",
      "sequence": "000000000007",
      "datacontenttype": "application/json",
      "data": {
        "actor": {
          "kind": "user",
          "name": "ada",
          "subject": "8d5f"
        },
        "change": {
          "name": "lab-1"
        }
      }
    }
    "#);
}

#[tokio::test]
async fn events_are_published_in_the_order_of_the_stream() {
    let bus = RecordingBus::default();
    let records: Vec<_> = (1..=25).map(record).collect();
    assert_eq!(publish_events(&bus, &records).await, None);
    assert_eq!(published(&bus), (1..=25).collect::<Vec<_>>());
}

#[tokio::test]
async fn after_a_failure_the_batch_comes_again_from_the_first_failed_record_on() {
    let bus = RecordingBus::default();
    let records: Vec<_> = (1..=5).map(record).collect();
    bus.fail(&[3, 4]);
    assert_eq!(publish_events(&bus, &records).await, Some("30".into()));
    bus.fail(&[]);
    assert_eq!(publish_events(&bus, &records[2..]).await, None);
    assert_eq!(published(&bus), [1, 2, 5, 3, 4, 5], "each at least once");
}

#[tokio::test]
async fn the_same_event_published_twice_has_the_same_id() {
    let bus = RecordingBus::default();
    for _ in 0..2 {
        assert_eq!(publish_events(&bus, &[record(1), record(2)]).await, None);
    }
    let published = bus.published();
    assert_eq!(published[..2], published[2..]);
    assert_ne!(published[0].id, published[1].id);
}

#[tokio::test]
async fn what_can_never_be_published_is_set_aside_with_the_reason_and_holds_up_no_other() {
    let bus = RecordingBus::default();
    bus.refuse(&[2]);
    let mut torn = record(9);
    torn.attributes = Err(PortError::new("stream record", "it has no NewImage"));
    let records = [record(1), record(2), unreadable("25"), torn, record(3)];
    assert_eq!(publish_events(&bus, &records).await, None);
    assert_eq!(published(&bus), [1, 3]);
    let aside = bus.set_aside();
    assert_eq!(
        aside.iter().map(|(raw, _)| raw).collect::<Vec<_>>(),
        [&records[1].raw, &records[2].raw, &records[3].raw]
    );
    let words = ["MalformedDetail", "missing field `worker_id`", "it has no NewImage"];
    for ((_, why), words) in aside.iter().zip(words) {
        assert!(why.contains(words), "{why}");
    }
}

#[tokio::test]
async fn nothing_is_set_aside_behind_a_failure_because_it_comes_again() {
    let bus = RecordingBus::default();
    bus.fail(&[1]);
    assert_eq!(publish_events(&bus, &[record(1), unreadable("15")]).await, Some("10".into()));
    assert!(bus.set_aside().is_empty());
}

#[tokio::test]
async fn what_cannot_even_be_set_aside_comes_again() {
    let bus = RecordingBus::default();
    bus.keep_nothing(true);
    let records = [record(1), unreadable("15"), record(2)];
    assert_eq!(publish_events(&bus, &records).await, Some("15".into()));
    bus.keep_nothing(false);
    assert_eq!(publish_events(&bus, &records[1..]).await, None);
    assert_eq!((published(&bus), bus.set_aside().len()), (vec![1, 2, 2], 1));
}

#[tokio::test]
async fn a_batch_without_events_publishes_nothing() {
    let bus = RecordingBus::default();
    assert_eq!(publish_events(&bus, &[]).await, None);
    assert!(bus.published().is_empty());
}
