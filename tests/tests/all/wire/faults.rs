//! What breaks on the way to AWS, and what comes of it: nothing is lost, nothing is done twice, and
//! every call ends within its function's time. The use cases on the real adapters, through a proxy that
//! fails as told: DynamoDB Local for the table, ministack for the queues, moto for EC2.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use app::error::AppError;
use app::message::{Message, RunOperation};
use app::ports::{Condition, Ec2, InstanceFilter, Item, ItemKey, Queue, Table, TableError, Write};
use app::testing::ManualClock;
use app::use_cases::command::{Asked, IdempotencyKey};
use app::use_cases::create_worker::{NewWorker, create_worker};
use app::use_cases::dispatch_power::dispatch_power;
use app::use_cases::evidence::Ec2Ports;
use app::use_cases::run_operation::run_operation;
use app::{Context, Settings};
use aws::{DynamoTable, SqsQueues};
use aws_fleet::{AwsEc2, FixedRoles};
use domain::operation::{Operation, OperationStatus};
use domain::{Actor, SignedDuration};
use functions::OsRandom;
use serde_json::json;

use super::ec2::{HOME, ec2_at, image, place, unique};
use super::fault_proxy::{Fault, FaultProxy};
use super::queues::TestQueue;
use super::set_up;
use crate::handlers::world::MemoryFiles;

const REGION: &str = "us-east-1";
/// The time of a function behind an endpoint, and of one behind a queue (`infra/functions`).
const HTTP_TIME: Duration = Duration::from_secs(20);
const QUEUE_TIME: Duration = Duration::from_secs(60);

const THROTTLED: Fault = Fault::Refuse(400, "ThrottlingException");
const EXPIRED: Fault = Fault::Refuse(400, "ExpiredTokenException");
const EC2_THROTTLED: Fault = Fault::Refuse(503, "RequestLimitExceeded");

/// One product on AWS, and the proxies before it.
struct World {
    ctx: Context,
    clock: Arc<ManualClock>,
    ec2: AwsEc2,
    files: MemoryFiles,
    dynamodb: FaultProxy,
    sqs: FaultProxy,
    ec2_proxy: FaultProxy,
    operations: TestQueue,
}

impl World {
    async fn new(test: &str) -> Self {
        let name = unique(test);
        image(REGION, &name).await;
        let dynamodb = FaultProxy::to(&set_up("WIRE_DYNAMODB_LOCAL_URL")).await;
        let sqs = FaultProxy::to(&set_up("WIRE_MINISTACK_URL")).await;
        let ec2_proxy = FaultProxy::to(&set_up("WIRE_MOTO_URL")).await;
        let table = Arc::new(table_through(&dynamodb, &name).await);
        let operations = TestQueue::new(Queue::Operations, test).await;
        let client = aws_sdk_sqs::Client::new(&aws::sdk_config_for(&sqs.url));
        let queues = SqsQueues::new(client, BTreeMap::from([(Queue::Operations, operations.url.clone())]));
        let clock = Arc::new(ManualClock::at("2026-03-02T09:00:00Z".parse().unwrap()));
        let mut settings = Settings::new(HOME.parse().unwrap());
        settings.default_instance_type = "m5.large".into();
        settings.default_ami_name = name;
        let ctx = Context::new(table, Arc::new(queues), clock.clone(), clock.clone(), Arc::new(OsRandom), settings);
        let ec2 = ec2_at(&ec2_proxy.url, FixedRoles::default());
        Self { ctx, clock, ec2, files: MemoryFiles::default(), dynamodb, sqs, ec2_proxy, operations }
    }

    async fn create(&self) -> Result<Operation, AppError> {
        create_worker(&self.ctx, &asked(), new_worker()).await
    }

    fn ports(&self) -> Ec2Ports<'_> {
        Ec2Ports { ec2: &self.ec2, files: &self.files }
    }

    /// Runs the operation as its message would; in what time it did.
    async fn run(&self, operation: &Operation) -> Operation {
        let started = Instant::now();
        run_operation(&self.ctx, self.ports(), operation.id).await.unwrap();
        assert!(started.elapsed() < QUEUE_TIME, "{:?}", started.elapsed());
        self.ctx.store.operation(operation.id).await.unwrap()
    }

    /// The operation is taken further, as each minute does, until it has succeeded.
    async fn succeeds(&self, operation: &Operation) {
        for _ in 0..10 {
            let now = self.run(operation).await;
            if now.status.is_final() {
                assert_eq!(now.status, OperationStatus::Succeeded, "{:?}", now.error);
                return;
            }
            self.clock.advance(SignedDuration::from_mins(1));
        }
        panic!("it does not end: {:?}", self.ctx.store.operation(operation.id).await.unwrap());
    }

    /// How many workers there are.
    async fn workers(&self) -> usize {
        self.ctx.store.list_workers(None, 100, None).await.unwrap().items.len()
    }

    /// How many instances the worker of the operation has, those that the adapter does not know included.
    async fn instances(&self, operation: &Operation) -> usize {
        let worker = operation.target.unwrap().to_string();
        let filter = InstanceFilter::Tag("ccm:worker-id".into(), Some(worker));
        self.ec2.describe(&place(HOME, REGION), &filter).await.unwrap().len()
    }
}

async fn table_through(proxy: &FaultProxy, name: &str) -> DynamoTable {
    let client = aws_sdk_dynamodb::Client::new(&aws::sdk_config_for(&proxy.url));
    aws::create_table(&client, name).await.unwrap();
    DynamoTable::new(client, name)
}

fn asked() -> Asked {
    let actor = Actor::User { subject: "alice-1".into(), username: "alice".into() };
    let key = IdempotencyKey::new("alice-1", "create-worker", "the-key", b"{}");
    Asked { key: Some(key), ..Asked::by(actor) }
}

fn new_worker() -> NewWorker {
    let mut worker = crate::use_cases::world::new_worker("lab");
    // What EC2 takes from the image, moto demands.
    worker.spec.volume_gib = Some(32);
    worker
}

fn item(number: u32) -> Item {
    let attributes = json!({"number": number, "share": 0.25}).as_object().unwrap().clone();
    Item { pk: "P".into(), sk: "S".into(), version: Some(u64::from(number)), attributes, ..Item::default() }
}

#[tokio::test]
async fn a_throttled_table_is_asked_again_and_what_was_asked_is_done_once() {
    let world = World::new("throttled-table").await;
    world.dynamodb.next("TransactWriteItems", [THROTTLED, THROTTLED]);
    let operation = world.create().await.unwrap();
    assert_eq!((world.dynamodb.asked("TransactWriteItems"), world.workers().await), (3, 1));
    world.succeeds(&operation).await;
    assert_eq!(world.instances(&operation).await, 1);
}

#[tokio::test]
async fn a_table_that_keeps_throttling_is_an_error_to_try_again_and_nothing_is_written() {
    let world = World::new("throttling-table").await;
    world.dynamodb.next("TransactWriteItems", [THROTTLED; 3]);
    let error = world.create().await.unwrap_err();
    assert!(matches!(error, AppError::Unavailable(_)) && error.retryable(), "{error:?}");
    assert_eq!(world.workers().await, 0);
    assert_eq!(world.sqs.asked("SendMessageBatch"), 0);
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_is_answered_and_not_doubled() {
    for (test, lost) in [("answer-withheld", Fault::Withhold), ("answer-cut", Fault::Cut)] {
        let world = World::new(test).await;
        world.dynamodb.next("TransactWriteItems", [lost]);
        let started = Instant::now();
        let operation = world.create().await.unwrap();
        assert!(started.elapsed() < HTTP_TIME);
        assert_eq!((world.dynamodb.asked("TransactWriteItems"), world.workers().await), (2, 1), "{test}");
        assert_eq!(world.operations.take(1).await, [RunOperation { operation_id: operation.id }.body()]);
    }
}

#[tokio::test]
async fn a_create_that_was_never_answered_is_found_by_its_key_and_sent_by_the_next_tick() {
    let world = World::new("never-answered").await;
    world.dynamodb.next("TransactWriteItems", [Fault::Cut; 3]);
    let error = world.create().await.unwrap_err();
    assert!(error.retryable(), "{error:?}");

    let operation = world.create().await.unwrap();
    assert_eq!(world.create().await.unwrap().id, operation.id);
    assert_eq!((world.workers().await, world.sqs.asked("SendMessageBatch")), (1, 0));
    world.clock.advance(SignedDuration::from_mins(2));
    // It sends what is due; the queue of the power decisions is not among this test's.
    let _ = dispatch_power(&world.ctx).await;
    assert_eq!(world.operations.take(1).await, [RunOperation { operation_id: operation.id }.body()]);
}

#[tokio::test]
async fn a_conditional_put_whose_answer_is_lost_has_succeeded() {
    let dynamodb = FaultProxy::to(&set_up("WIRE_DYNAMODB_LOCAL_URL")).await;
    let table = table_through(&dynamodb, &unique("put-lost")).await;
    let later = "2026-03-02T09:00:00Z".parse().unwrap();
    for (number, condition) in [(1, Condition::NotExists), (2, Condition::Version(1)), (3, Condition::Exists)] {
        dynamodb.next("PutItem", [Fault::Cut]);
        table.write(Write::Put(item(number), condition)).await.unwrap();
        assert_eq!(table.get(&item(1).key()).await.unwrap(), Some(item(number)));
    }
    dynamodb.next("PutItem", [Fault::Cut]);
    let lease = Item { sk: "LEASE".into(), expires_at: Some(later), ..item(1) };
    table.write(Write::Put(lease, Condition::NotExistsOrExpiredBefore(later))).await.unwrap();
    assert_eq!(dynamodb.asked("PutItem"), 8);
}

#[tokio::test]
async fn a_conditional_put_that_others_came_before_has_failed_however_often_it_was_sent() {
    let dynamodb = FaultProxy::to(&set_up("WIRE_DYNAMODB_LOCAL_URL")).await;
    let table = table_through(&dynamodb, &unique("put-failed")).await;
    table.write(Write::Put(item(2), Condition::None)).await.unwrap();
    // The very same item, but sent once: it is another's.
    for (put, condition) in [(item(2), Condition::NotExists), (item(2), Condition::Version(1))] {
        let sent_once = table.write(Write::Put(put, condition)).await;
        assert!(matches!(sent_once, Err(TableError::Condition { .. })), "{sent_once:?}");
    }
    dynamodb.next("PutItem", [THROTTLED]);
    let sent_twice = table.write(Write::Put(item(3), Condition::Version(1))).await;
    assert!(matches!(sent_twice, Err(TableError::Condition { .. })), "{sent_twice:?}");
    assert_eq!(table.get(&item(1).key()).await.unwrap(), Some(item(2)));
}

#[tokio::test]
async fn a_conditional_delete_whose_answer_is_lost_has_succeeded() {
    let dynamodb = FaultProxy::to(&set_up("WIRE_DYNAMODB_LOCAL_URL")).await;
    let table = table_through(&dynamodb, &unique("delete-lost")).await;
    table.write(Write::Put(item(1), Condition::None)).await.unwrap();
    dynamodb.next("TransactWriteItems", [Fault::Cut]);
    table.write(Write::Delete(ItemKey::new("P", "S"), Condition::Version(1))).await.unwrap();
    assert_eq!((table.get(&item(1).key()).await.unwrap(), dynamodb.asked("TransactWriteItems")), (None, 2));
}

#[tokio::test]
async fn a_message_sent_twice_for_a_lost_answer_runs_its_operation_once() {
    let world = World::new("sent-twice").await;
    world.sqs.next("SendMessageBatch", [Fault::Cut]);
    let operation = world.create().await.unwrap();
    let bodies = world.operations.take(2).await;
    assert_eq!(bodies, vec![RunOperation { operation_id: operation.id }.body(); 2]);
    // Both at once, and one after the other.
    let [one, other] = [0, 1].map(|_| run_operation(&world.ctx, world.ports(), operation.id));
    let (one, other) = futures::join!(one, other);
    one.unwrap();
    other.unwrap();
    world.succeeds(&operation).await;
    run_operation(&world.ctx, world.ports(), operation.id).await.unwrap();
    assert_eq!((world.instances(&operation).await, world.workers().await), (1, 1));
}

#[tokio::test]
async fn a_launch_whose_answer_is_lost_is_one_instance() {
    for (test, lost) in [("launch-withheld", Fault::Withhold), ("launch-cut", Fault::Cut)] {
        let world = World::new(test).await;
        let operation = world.create().await.unwrap();
        world.ec2_proxy.next("RunInstances", [lost]);
        world.succeeds(&operation).await;
        assert_eq!(world.instances(&operation).await, 1, "{test}");
    }
}

#[tokio::test]
async fn a_launch_that_was_never_answered_is_found_and_not_repeated() {
    let world = World::new("launch-unanswered").await;
    let operation = world.create().await.unwrap();
    world.ec2_proxy.next("RunInstances", [Fault::Cut; 3]);
    let waiting = world.run(&operation).await;
    assert_eq!(waiting.status, OperationStatus::Running);
    assert!(waiting.waiting_for.as_deref().is_some_and(|what| what.contains("connection")), "{waiting:?}");
    let attempts = world.ec2_proxy.asked("RunInstances");
    world.succeeds(&operation).await;
    assert_eq!((world.instances(&operation).await, world.ec2_proxy.asked("RunInstances")), (1, attempts));
}

#[tokio::test]
async fn throttled_ec2_is_asked_again_at_once_and_then_later() {
    let world = World::new("throttled-ec2").await;
    let operation = world.create().await.unwrap();
    world.ec2_proxy.next("RunInstances", [EC2_THROTTLED; 5]);
    let waiting = world.run(&operation).await;
    assert_eq!((waiting.status, world.ec2_proxy.asked("RunInstances")), (OperationStatus::Running, 3));
    world.succeeds(&operation).await;
    assert_eq!((world.instances(&operation).await, world.ec2_proxy.asked("RunInstances")), (1, 6));
}

#[tokio::test]
async fn expired_credentials_fail_a_call_and_nothing_for_good() {
    let world = World::new("expired").await;
    world.dynamodb.next("TransactWriteItems", [EXPIRED]);
    let error = world.create().await.unwrap_err();
    assert!(error.retryable(), "{error:?}");
    let operation = world.create().await.unwrap();
    for code in ["RequestExpired", "ExpiredToken"] {
        world.ec2_proxy.next("RunInstances", [Fault::Refuse(400, code)]);
        let waiting = world.run(&operation).await;
        assert_eq!(waiting.status, OperationStatus::Running, "{waiting:?}");
        assert!(waiting.waiting_for.is_some_and(|what| what.contains(code)));
    }
    world.succeeds(&operation).await;
    assert_eq!((world.instances(&operation).await, world.workers().await), (1, 1));
}

#[tokio::test]
async fn a_table_that_hangs_is_given_up_within_the_functions_time() {
    let world = World::new("table-hangs").await;
    world.dynamodb.next("GetItem", [Fault::Hang; 10]);
    let started = Instant::now();
    let error = world.create().await.unwrap_err();
    assert!(error.retryable() && started.elapsed() < HTTP_TIME, "{error:?} after {:?}", started.elapsed());
    assert_eq!(world.workers().await, 0);
}

#[tokio::test]
async fn a_queue_that_hangs_costs_time_and_no_operation() {
    let world = World::new("queue-hangs").await;
    world.sqs.next("SendMessageBatch", [Fault::Hang; 10]);
    let started = Instant::now();
    let operation = world.create().await.unwrap();
    assert!(started.elapsed() < HTTP_TIME, "{:?}", started.elapsed());
    assert_eq!(operation.status, OperationStatus::Queued);
    // It is due all the same.
    world.succeeds(&operation).await;
}

#[tokio::test]
async fn ec2_that_hangs_is_given_up_within_the_functions_time_and_asked_later() {
    let world = World::new("ec2-hangs").await;
    let operation = world.create().await.unwrap();
    world.ec2_proxy.next("DescribeInstances", [Fault::Hang; 3]);
    let waiting = world.run(&operation).await;
    assert_eq!(waiting.status, OperationStatus::Running);
    assert!(waiting.waiting_for.as_deref().is_some_and(|what| what.contains("timeout")), "{waiting:?}");
    world.succeeds(&operation).await;
    assert_eq!(world.instances(&operation).await, 1);
}
