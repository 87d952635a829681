use app::testing::{CountingRandom, ManualClock};
use domain::SignedDuration;

use super::*;

const VISIBILITY: Duration = Duration::from_secs(30);

struct Bench {
    queues: DurableQueues,
    documents: Documents,
    machine: Arc<ManualClock>,
}

fn bench() -> Bench {
    let documents = Documents::in_memory().unwrap();
    let machine = Arc::new(ManualClock::at("2026-11-20T10:00:00Z".parse().unwrap()));
    let queues = DurableQueues::open(documents.clone(), machine.clone(), Arc::new(CountingRandom::default())).unwrap();
    Bench { queues, documents, machine }
}

impl Bench {
    async fn send(&self, queue: Queue, body: &str, group: Option<&str>) {
        let message = Outgoing { body: body.into(), group: group.map(str::to_owned), deduplication_id: None };
        self.queues.send(queue, vec![message]).await.unwrap();
    }

    fn take(&self, queue: Queue) -> Vec<Received> {
        self.queues.take(queue, 10, VISIBILITY).unwrap()
    }

    fn bodies(&self, queue: Queue) -> Vec<String> {
        self.take(queue).into_iter().map(|m| m.body).collect()
    }
}

#[tokio::test]
async fn a_delivered_message_is_invisible_until_its_time_is_up_and_gone_once_deleted() {
    let bench = bench();
    bench.send(Queue::Operations, "a", None).await;
    let first = bench.take(Queue::Operations).remove(0);
    assert_eq!(first.receives, 1);
    assert!(bench.take(Queue::Operations).is_empty());
    bench.machine.advance(SignedDuration::from_secs(31));
    let second = bench.take(Queue::Operations).remove(0);
    assert_eq!((second.id.as_str(), second.receives), (first.id.as_str(), 2));
    // The first delivery's receipt is worth nothing any more.
    bench.queues.delete(Queue::Operations, &first.receipt).await.unwrap();
    assert_eq!(bench.queues.depths().unwrap()["operations"].in_flight, 1);
    bench.queues.delete(Queue::Operations, &second.receipt).await.unwrap();
    assert_eq!(bench.queues.depths().unwrap()["operations"], Depth::default());
}

#[tokio::test]
async fn a_returned_message_comes_again_after_its_delay() {
    let bench = bench();
    bench.send(Queue::Operations, "a", None).await;
    let message = bench.take(Queue::Operations).remove(0);
    bench.queues.release(Queue::Operations, &message.receipt, Duration::from_secs(2)).await.unwrap();
    assert!(bench.take(Queue::Operations).is_empty());
    assert_eq!(bench.queues.depths().unwrap()["operations"].delayed, 1);
    bench.machine.advance(SignedDuration::from_secs(2));
    assert_eq!(bench.bodies(Queue::Operations), ["a"]);
}

#[tokio::test]
async fn a_fifo_group_keeps_its_order_and_waits_for_its_member_in_flight_while_others_go_on() {
    let bench = bench();
    bench.send(Queue::Power, "a1", Some("a")).await;
    let a1 = bench.take(Queue::Power).remove(0);
    bench.send(Queue::Power, "a2", Some("a")).await;
    bench.send(Queue::Power, "b1", Some("b")).await;
    bench.send(Queue::Power, "a3", Some("a")).await;
    assert_eq!(bench.bodies(Queue::Power), ["b1"]);
    // Given back, it still stands before the rest of its group.
    bench.queues.release(Queue::Power, &a1.receipt, Duration::from_secs(1)).await.unwrap();
    assert!(bench.take(Queue::Power).is_empty());
    bench.machine.advance(SignedDuration::from_secs(1));
    assert_eq!(bench.bodies(Queue::Power), ["a1", "a2", "a3"]);
}

#[tokio::test]
async fn the_same_fifo_message_within_five_minutes_is_dropped() {
    let bench = bench();
    bench.send(Queue::Power, "a", Some("a")).await;
    bench.send(Queue::Power, "a", Some("a")).await;
    assert_eq!(bench.queues.depths().unwrap()["power"].visible, 1);
    bench.machine.advance(SignedDuration::from_mins(5));
    bench.send(Queue::Power, "a", Some("a")).await;
    assert_eq!(bench.queues.depths().unwrap()["power"].visible, 2);
    bench.send(Queue::Operations, "a", None).await;
    bench.send(Queue::Operations, "a", None).await;
    assert_eq!(bench.queues.depths().unwrap()["operations"].visible, 2);
}

#[tokio::test]
async fn a_poison_message_goes_to_the_dead_letters_and_frees_its_group() {
    let bench = bench();
    bench.send(Queue::Power, "poison", Some("a")).await;
    bench.send(Queue::Power, "good", Some("a")).await;
    for receives in 1..=MAX_RECEIVES {
        let message = bench.queues.take(Queue::Power, 1, VISIBILITY).unwrap().remove(0);
        assert_eq!((message.body.as_str(), message.receives), ("poison", receives));
        bench.queues.release(Queue::Power, &message.receipt, Duration::ZERO).await.unwrap();
    }
    assert_eq!(bench.bodies(Queue::Power), ["good"]);
    assert_eq!(bench.queues.depths().unwrap()["power"].dead, 1);
}

#[tokio::test]
async fn a_restart_keeps_every_message_and_makes_those_in_flight_visible() {
    let bench = bench();
    bench.send(Queue::Operations, "in flight", None).await;
    bench.take(Queue::Operations);
    bench.send(Queue::Operations, "waiting", None).await;
    let again =
        DurableQueues::open(bench.documents.clone(), bench.machine.clone(), Arc::new(CountingRandom::default()))
            .unwrap();
    let bodies: Vec<_> = again.take(Queue::Operations, 10, VISIBILITY).unwrap().into_iter().map(|m| m.body).collect();
    assert_eq!(bodies, ["in flight", "waiting"]);
}

#[tokio::test]
async fn a_waiting_consumer_gets_a_message_as_soon_as_it_is_sent() {
    let bench = bench();
    let queues = bench.queues.clone();
    let waiting = tokio::spawn(async move { queues.receive(Queue::MetricsAws, 1, VISIBILITY).await });
    tokio::task::yield_now().await;
    bench.send(Queue::MetricsAws, "a", None).await;
    let received = tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap().unwrap();
    assert_eq!(received[0].body, "a");
}

#[tokio::test]
async fn what_sqs_refuses_is_refused() {
    let bench = bench();
    let message = |body: String| Outgoing { body, group: None, deduplication_id: None };
    assert!(bench.queues.send(Queue::Operations, vec![message(String::new())]).await.is_err());
    assert!(bench.queues.send(Queue::Operations, vec![message("x".repeat(MAX_BYTES + 1))]).await.is_err());
    assert!(bench.queues.send(Queue::Power, vec![message("no group".into())]).await.is_err());
}
