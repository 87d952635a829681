//! CloudWatch.

use app::ports::{CloudWatch, MetricsRequest};
use domain::metrics::CloudWatchReading;

use super::*;

async fn readings(world: &World, ids: &[InstanceId], minutes_ago: (i64, i64)) -> Vec<CloudWatchReading> {
    let ago = |minutes| world.now() - SignedDuration::from_mins(minutes);
    let request = MetricsRequest { instances: ids.to_vec(), from: ago(minutes_ago.0), to: ago(minutes_ago.1) };
    world.cloud.metrics(&home(), &request).await.unwrap().into_iter().map(|metrics| metrics.reading).collect()
}

#[tokio::test]
async fn numbers_follow_the_load_while_the_instance_runs() {
    let world = World::new();
    let (up, booting) = (world.running("a").await, world.launch("b").await);
    let elsewhere: InstanceId = "i-0123456789abcdef0".parse().unwrap();
    world.pass(20);
    let seen = readings(&world, &[up.clone(), booting, elsewhere], (10, 0)).await;
    let expected = CloudWatchReading {
        cpu_percent: Some(100.0),
        memory_percent: Some(25.0),
        network_in_bytes: Some(150_000.0),
        network_out_bytes: Some(150_000.0),
    };
    assert_eq!(seen, [expected, CloudWatchReading::default(), CloudWatchReading::default()]);
    world.cloud.stop_by_hand(up.as_str()).unwrap();
    world.pass(20 * 60);
    let up = [up];
    assert_eq!(readings(&world, &up, (10, 0)).await, [CloudWatchReading::default()]);
    assert!(readings(&world, &up, (30, 10)).await[0].cpu_percent.is_some());
    assert_eq!(readings(&world, &up, (60, 30)).await, [CloudWatchReading::default()]);
}

#[tokio::test]
async fn five_hundred_metrics_are_one_call() {
    let world = World::new();
    let ids: Vec<InstanceId> = (0..126).map(|n| format!("i-{n:017x}").parse().unwrap()).collect();
    assert_eq!(readings(&world, &ids[..125], (10, 0)).await.len(), 125);
    assert_eq!(world.cloud.calls()["GetMetricData"], 1);
    readings(&world, &ids, (10, 0)).await;
    assert_eq!(world.cloud.calls()["GetMetricData"], 3);
    readings(&world, &[], (10, 0)).await;
    assert_eq!(world.cloud.calls()["GetMetricData"], 3);
}
