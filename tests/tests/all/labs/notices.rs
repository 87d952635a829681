//! People in CML are told of a stop before it comes, once, and when it is called off.

use app::ports::{CmlSystem, Queue};
use app::store::{CmlReadings, Commit, PowerDue};
use app::use_cases::control_power::Judgement;
use domain::worker::{Change, DesiredState, IdlePolicy, WorkerEvent, WorkerStatus};
use domain::{Actor, SignedDuration};

use super::world::LabWorld;
use crate::handlers::world::cloud;

impl LabWorld {
    /// The first worker is read and judged, as it is so many minutes after its start.
    async fn judged_at(&self, minute: i64, nodes: u32) -> PowerDue {
        let worker = self.ctx.store.worker(self.worker(0)).await.unwrap();
        let at = worker.running_since.unwrap() + SignedDuration::from_mins(minute);
        self.clock.advance(at.duration_since(self.ctx.now()));
        self.judged_now(Some(nodes)).await
    }

    /// It is judged now, and before that read if so many nodes are seen to run.
    async fn judged_now(&self, nodes: Option<u32>) -> PowerDue {
        let (now, id) = (self.ctx.now(), self.worker(0));
        if let Some(nodes) = nodes {
            self.read_as(nodes).await;
        }
        let due = self.ctx.store.power(id).await.unwrap();
        self.ctx.store.save_power(&PowerDue::hurried(id, due, now)).await.unwrap();
        let cloud = cloud(self.clock.clone());
        Judgement::look(&self.ctx, self.ec2_ports(&cloud), &[id]).await.unwrap().judge(id).await.unwrap();
        self.deliver().await;
        self.ctx.store.power(id).await.unwrap().unwrap()
    }

    async fn read_as(&self, nodes: u32) {
        let now = self.ctx.now();
        let read = |before: &CmlReadings| {
            let mut next = before.clone();
            next.read_at = Some(now);
            next.cml.running_nodes = Some(nodes);
            next.activity = next.activity.after(&[], None, Some(nodes), now);
            next
        };
        self.ctx.store.add_reading(self.worker(0), now, self.ctx.settings.sample_retention, read).await.unwrap();
    }

    /// These things happened to the first worker.
    async fn happened(&self, events: Vec<WorkerEvent>) {
        let worker = self.ctx.store.worker(self.worker(0)).await.unwrap();
        let change = Change::of(&worker, events, Actor::Aws, self.ctx.now());
        let commit = Commit { change, ..Commit::default() };
        self.ctx.store.commit(&commit, self.ctx.settings.operation_retention).await.unwrap();
    }

    /// It is stopped, as announced, and half an hour later started again.
    async fn stopped_and_started(&self) {
        use WorkerStatus::{Running, Stopped};
        let wished = |from, to| WorkerEvent::DesiredChanged { from, to, reason: "Its time was over.".into() };
        let status = |from, to, running_since| WorkerEvent::StatusChanged {
            from,
            to,
            detail: None,
            reason: None,
            running_since,
        };
        let stop = wished(DesiredState::Running, DesiredState::Stopped);
        self.happened(vec![stop, status(Running, Stopped, None)]).await;
        self.judged_now(None).await;
        self.clock.advance(SignedDuration::from_mins(30));
        let start = wished(DesiredState::Stopped, DesiredState::Running);
        self.happened(vec![start, status(Stopped, Running, Some(self.ctx.now()))]).await;
    }

    /// What CML shows its users.
    async fn notices_shown(&self) -> Vec<String> {
        let notices = self.client.notices(self.way(0).await.access()).await.unwrap();
        notices.into_iter().filter_map(|notice| notice.content).collect()
    }

    async fn operations(&self) -> usize {
        self.ctx.store.list_operations(Some(self.worker(0)), 50, None).await.unwrap().items.len()
    }
}

#[tokio::test]
async fn a_stop_is_announced_ten_minutes_before_once_and_called_off_when_somebody_works() {
    let world = LabWorld::new().await;
    let early = world.judged_at(77, 0).await;
    assert_eq!(world.notices_shown().await, [""; 0]);
    let notice_at = early.decided.unwrap().1.next_action_at.unwrap() - SignedDuration::from_mins(10);
    assert_eq!(early.due_at, notice_at, "it is judged when the notice is due");
    for minute in [80, 82, 85] {
        world.judged_at(minute, 0).await;
        let shown = world.notices_shown().await;
        assert_eq!(shown.len(), 1, "minute {minute}");
        for words in ["is stopped at 2026-03-02 10:30 UTC", "nobody has used it since", "it stays up"] {
            assert!(shown[0].contains(words), "{words}: {}", shown[0]);
        }
    }
    assert_eq!(world.operations().await, 1);
    world.judged_at(87, 1).await;
    assert_eq!(world.notices_shown().await, [""; 0], "called off");
    // A new stretch of idleness: a new notice.
    world.judged_at(170, 0).await;
    assert_eq!(world.notices_shown().await.len(), 1);
    assert_eq!(world.operations().await, 3);
}

#[tokio::test]
async fn a_notice_of_a_stop_that_was_carried_out_is_taken_away_once_after_the_next_start() {
    let world = LabWorld::new().await;
    world.judged_at(85, 0).await;
    assert_eq!((world.notices_shown().await.len(), world.operations().await), (1, 1));
    world.stopped_and_started().await;
    let unread = world.judged_now(None).await;
    assert!(unread.decided.unwrap().1.reason.contains("has not been read since the start"), "nobody can be told yet");
    assert_eq!(world.operations().await, 1);
    for minute in [8, 9, 12] {
        world.judged_at(minute, 0).await;
        assert_eq!((world.notices_shown().await.len(), world.operations().await), (0, 2), "minute {minute}");
    }
    // A stop that was never announced leaves nothing to take away.
    world.stopped_and_started().await;
    world.judged_at(8, 0).await;
    assert_eq!(world.operations().await, 2);
}

#[tokio::test]
async fn a_notice_is_called_off_when_the_stop_is_put_off_and_comes_again() {
    let world = LabWorld::new().await;
    world.judged_at(85, 0).await;
    let longer = IdlePolicy { enabled: true, timeout_minutes: Some(120) };
    world.happened(vec![WorkerEvent::IdlePolicyChanged(longer)]).await;
    world.judged_at(86, 0).await;
    assert_eq!(world.notices_shown().await, [""; 0]);
    world.judged_at(115, 0).await;
    assert_eq!(world.notices_shown().await.len(), 1, "of the same stretch of idleness");
}

#[tokio::test]
async fn what_is_not_known_for_a_moment_calls_nothing_off_and_is_not_the_last_word() {
    let world = LabWorld::new().await;
    world.judged_at(82, 0).await;
    world.clock.advance(SignedDuration::from_mins(20));
    let unsure = world.judged_now(None).await;
    assert!(unsure.decided.unwrap().1.reason.contains("is not known"), "CML was not read for long");
    assert_eq!(world.notices_shown().await.len(), 1);
    world.judged_at(103, 1).await;
    assert_eq!(world.notices_shown().await, [""; 0]);
}

#[tokio::test]
async fn nobody_is_told_where_that_is_switched_off_or_in_safe_mode() {
    for off in [true, false] {
        let world = LabWorld::with(|settings| {
            settings.safe_mode = !off;
            if off {
                settings.power.notice_ahead = SignedDuration::ZERO;
            }
        })
        .await;
        world.judged_at(85, 0).await;
        assert_eq!((world.notices_shown().await.len(), world.operations().await), (0, 0));
        assert!(world.queues.take().iter().all(|(queue, _)| *queue != Queue::CmlOperations));
    }
}
