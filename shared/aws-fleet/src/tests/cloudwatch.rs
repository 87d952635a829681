use app::ports::{CloudWatch, MetricsRequest};
use aws_smithy_cbor::Encoder;
use aws_smithy_types::DateTime;
use domain::metrics::CloudWatchReading;

use super::wire::{Answer, Asked, Wire};
use super::{home, instance_id};
use crate::AwsCloudWatch;

/// A page of the answer: by query, values with their times.
fn page(results: &[(&str, &[(i64, f64)])], next: Option<&str>) -> Answer {
    let mut body = Encoder::new(Vec::new());
    body.map(1 + usize::from(next.is_some())).str("MetricDataResults").array(results.len());
    for (id, values) in results {
        body.map(3).str("Id").str(id).str("Timestamps").array(values.len());
        for (at, _) in *values {
            body.timestamp(&DateTime::from_secs(*at));
        }
        body.str("Values").array(values.len());
        for (_, value) in *values {
            body.double(*value);
        }
    }
    if let Some(next) = next {
        body.str("NextToken").str(next);
    }
    Answer::ok(body.into_writer())
}

fn request(instances: usize) -> MetricsRequest {
    MetricsRequest {
        instances: (0..instances).map(instance_id).collect(),
        from: "2026-01-31T12:00:00Z".parse().unwrap(),
        to: "2026-01-31T12:15:00Z".parse().unwrap(),
    }
}

fn occurrences(asked: &Asked, text: &str) -> usize {
    asked.body.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
}

#[tokio::test]
async fn the_newest_value_of_all_pages_is_taken_and_what_has_no_data_is_absent() {
    let wire = Wire::new([
        page(&[("i0m0", &[(600, 20.0), (300, 10.0)]), ("i0m2", &[]), ("i9m9", &[(1, 1.0)])], Some("more")),
        page(&[("i0m0", &[(0, 5.0)]), ("i0m3", &[(300, 7.0), (600, f64::NAN)]), ("i1m1", &[(300, 40.0)])], None),
    ]);
    let metrics = AwsCloudWatch::new(wire.clients([])).metrics(&home(), &request(2)).await.unwrap();
    let first = CloudWatchReading { cpu_percent: Some(20.0), network_out_bytes: Some(7.0), ..Default::default() };
    let second = CloudWatchReading { memory_percent: Some(40.0), ..Default::default() };
    assert_eq!(metrics.iter().map(|one| one.id.clone()).collect::<Vec<_>>(), [0, 1].map(instance_id));
    assert_eq!([&metrics[0].reading, &metrics[1].reading], [&first, &second]);
    assert_eq!(occurrences(&wire.asked()[1], "more"), 1);
}

#[tokio::test]
async fn a_call_asks_for_at_most_five_hundred_metrics() {
    let wire = Wire::new([page(&[], None), page(&[("i0m0", &[(300, 1.0)])], None)]);
    let metrics = AwsCloudWatch::new(wire.clients([])).metrics(&home(), &request(126)).await.unwrap();
    assert_eq!(metrics.len(), 126);
    assert_eq!(metrics[125].reading.cpu_percent, Some(1.0));
    let asked = wire.asked();
    assert_eq!(asked.iter().map(|one| occurrences(one, "MetricName")).collect::<Vec<_>>(), [500, 4]);
    for (text, times) in [("CPUUtilization", 125), ("mem_used_percent", 125), ("CWAgent", 125), ("Network", 250)] {
        assert_eq!(occurrences(&asked[0], text), times, "{text}");
    }
    assert_eq!(occurrences(&asked[0], "TimestampDescending"), 1);
}

#[tokio::test]
async fn no_instance_is_no_call() {
    let wire = Wire::new([]);
    assert!(AwsCloudWatch::new(wire.clients([])).metrics(&home(), &request(0)).await.unwrap().is_empty());
    assert!(wire.asked().is_empty());
}
