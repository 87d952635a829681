use std::collections::BTreeMap;
use std::sync::Mutex;

use app::ports::{Outgoing, PortError, Queue, Queues};
use app::testing::CountingRandom;
use futures::FutureExt;
use local_region::{InstanceLoad, LoadSource, SeedInstance};
use local_state::Documents;
use serde_json::{Value, json};

use super::*;
use crate::clock::FleetClock;
use crate::queues::DurableQueues;
use crate::stream::Page;

struct NoLoad;

impl LoadSource for NoLoad {
    fn load(&self, _: &str) -> InstanceLoad {
        InstanceLoad::default()
    }
}

/// A stream of these records, until they are done.
#[derive(Default)]
struct Recorded(Mutex<Vec<Value>>);

#[async_trait::async_trait]
impl Records for Recorded {
    async fn next(&self) -> Result<Vec<Page>, PortError> {
        Ok(vec![Page { shard: "shard".into(), records: self.0.lock().unwrap().clone() }])
    }

    async fn done(&self, shard: &str, sequence_number: &str) -> Result<(), PortError> {
        assert_eq!(shard, "shard");
        self.0
            .lock()
            .unwrap()
            .retain(|record| record["dynamodb"]["SequenceNumber"].as_str().unwrap() > sequence_number);
        Ok(())
    }
}

type Calls = Arc<Mutex<Vec<(&'static str, Value)>>>;

struct Bench {
    queues: DurableQueues,
    stream: Arc<Recorded>,
    cloud: SimulatedCloud,
    calls: Calls,
    stop: watch::Sender<bool>,
    pump: Pump,
}

/// A pump whose functions answer as told.
fn bench(speed: u32, answer: impl Fn(&str, &Value) -> Result<Value, String> + Send + Sync + 'static) -> Bench {
    let documents = Documents::in_memory().unwrap();
    let machine: Arc<dyn Clock> = Arc::new(functions::SystemClock);
    let fleet: Arc<dyn Clock> = Arc::new(FleetClock::open(documents.clone(), machine.clone(), speed).unwrap());
    let random: Arc<dyn Random> = Arc::new(CountingRandom::default());
    let queues = DurableQueues::open(documents.clone(), machine.clone(), random.clone()).unwrap();
    let cloud = SimulatedCloud::open(documents.clone(), fleet.clone(), random.clone(), Arc::new(NoLoad)).unwrap();
    let controllers = Controllers::new(documents, fleet.clone(), machine.clone(), random.clone());
    let calls = Calls::default();
    let seen = calls.clone();
    let invoker = Invoker::new(move |function, event| {
        seen.lock().unwrap().push((function.name, event.clone()));
        let answer = answer(function.name, &event);
        async move { answer }.boxed()
    });
    let settings = Arc::new(Settings::new("123456789012".parse().unwrap()));
    let (source, stream) = (Arc::new(queues.clone()), Arc::<Recorded>::default());
    let parts = Parts {
        invoker,
        source,
        stream: stream.clone(),
        cloud: cloud.clone(),
        controllers,
        fleet,
        machine,
        random,
        settings,
    };
    let (stop, stopped) = watch::channel(false);
    let pump = Pump::start(&parts, &stopped);
    Bench { queues, stream, cloud, calls, stop, pump }
}

impl Bench {
    fn count(&self, name: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|(called, _)| *called == name).count()
    }

    async fn send(&self, queue: Queue, body: &str) {
        let message = Outgoing { body: body.into(), group: Some("g".into()), deduplication_id: None };
        self.queues.send(queue, vec![message]).await.unwrap();
    }

    fn depths(&self) -> BTreeMap<&'static str, crate::queues::Depth> {
        self.queues.depths().unwrap()
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let mut poll = tokio::time::interval(Duration::from_millis(10));
        let wait = async {
            while !holds(self) {
                poll.tick().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("never: {what}"));
    }

    async fn end(self) {
        self.stop.send_replace(true);
        self.pump.stopped().await;
    }
}

#[tokio::test]
async fn schedules_fire_at_once_and_then_with_fleet_time() {
    let bench = bench(3600, |_, _| Ok(Value::Null));
    bench.until("minutes pass", |b| b.count("dispatch-power") >= 5).await;
    bench.until("metrics are collected", |b| b.count("dispatch-metrics") >= 2).await;
    assert!(bench.count("dispatch-metrics") <= bench.count("dispatch-power"));
    bench.end().await;
}

#[tokio::test]
async fn a_done_message_is_gone_and_one_named_in_the_answer_comes_again() {
    let bench = bench(1, |name, event| match name {
        "run-operation" => {
            let failed: Vec<_> = event["Records"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|r| r["body"] == "again" && r["attributes"]["ApproximateReceiveCount"] == "1")
                .map(|r| json!({"itemIdentifier": r["messageId"]}))
                .collect();
            Ok(json!({"batchItemFailures": failed}))
        }
        _ => Ok(Value::Null),
    });
    bench.send(Queue::Operations, "done").await;
    bench.send(Queue::Operations, "again").await;
    bench
        .until("it is delivered again", |b| {
            let calls = b.calls.lock().unwrap();
            let records =
                calls.iter().filter(|(n, _)| *n == "run-operation").flat_map(|(_, e)| e["Records"].as_array().unwrap());
            let bodies: Vec<_> = records.map(|r| r["body"].as_str().unwrap()).collect();
            bodies.iter().filter(|b| **b == "again").count() == 2
                && bodies.iter().filter(|b| **b == "done").count() == 1
        })
        .await;
    bench.until("all is done", |b| b.depths()["operations"] == crate::queues::Depth::default()).await;
    bench.end().await;
}

#[tokio::test]
async fn a_panic_is_a_failed_invocation_and_holds_up_no_other_queue() {
    let bench = bench(1, |name, _| match name {
        "collect-cml" => panic!("on purpose"),
        _ => Ok(Value::Null),
    });
    bench.send(Queue::MetricsCml, "poison").await;
    bench.until("it failed once", |b| b.depths()["metrics-cml"].delayed == 1).await;
    bench.send(Queue::MetricsAws, "good").await;
    bench.until("the other is delivered", |b| b.count("collect-aws") == 1).await;
    bench.end().await;
}

#[tokio::test]
async fn notifications_of_ec2_reach_their_function_and_running_instances_get_a_controller() {
    let bench = bench(3600, |_, _| Ok(Value::Null));
    let place = domain::Place { account: "123456789012".parse().unwrap(), region: "us-east-1".parse().unwrap() };
    let id = bench.cloud.seed_instance(SeedInstance {
        place,
        name: "seeded".into(),
        instance_type: "c5.2xlarge".into(),
        ami_id: None,
        tags: BTreeMap::new(),
        running_since: None,
    });
    bench.cloud.start_by_hand(&id).unwrap();
    bench
        .until("it is told to be running", |b| {
            let calls = b.calls.lock().unwrap();
            calls.iter().any(|(n, e)| *n == "record-instance-state" && e["detail"]["state"] == "running")
        })
        .await;
    bench.end().await;
}

#[tokio::test]
async fn records_of_the_stream_come_again_from_the_first_failed_one_on_and_others_are_left_out() {
    let failures = Mutex::new(1);
    let bench = bench(1, move |name, event| {
        let mut left = failures.lock().unwrap();
        if name != "publish-events" || *left == 0 {
            return Ok(Value::Null);
        }
        *left -= 1;
        Ok(json!({"batchItemFailures": [{"itemIdentifier": event["Records"][1]["dynamodb"]["SequenceNumber"]}]}))
    });
    let record = |number: &str, sort_key: &str| {
        json!({
            "eventName": "INSERT",
            "dynamodb": { "SequenceNumber": number, "Keys": { "pk": { "S": "WORKER#1" }, "sk": { "S": sort_key } } },
        })
    };
    let records = [record("1", "EVENT#1"), record("2", "WORKER"), record("3", "EVENT#2"), record("4", "EVENT#3")];
    bench.stream.0.lock().unwrap().extend(records);
    bench.until("all is done", |b| b.stream.0.lock().unwrap().is_empty()).await;
    let calls = bench.calls.lock().unwrap().clone();
    let numbers: Vec<Vec<&str>> = calls
        .iter()
        .filter(|(name, _)| *name == "publish-events")
        .map(|(_, event)| event["Records"].as_array().unwrap().iter())
        .map(|records| records.map(|record| record["dynamodb"]["SequenceNumber"].as_str().unwrap()).collect())
        .collect();
    assert_eq!(numbers, [vec!["1", "3", "4"], vec!["3", "4"]]);
    bench.end().await;
}
