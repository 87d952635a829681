//! People in CML are told of a stop before it comes, once, and when it is called off.

use app::ports::{CmlSystem, Queue};
use app::store::{CmlReadings, PowerDue};
use app::use_cases::control_power::Judgement;
use domain::SignedDuration;

use super::world::LabWorld;
use crate::handlers::world::cloud;

impl LabWorld {
    /// The first worker is read and judged, as it is so many minutes after its start.
    async fn judged_at(&self, minute: i64, nodes: u32) -> PowerDue {
        let worker = self.ctx.store.worker(self.worker(0)).await.unwrap();
        let at = worker.running_since.unwrap() + SignedDuration::from_mins(minute);
        self.clock.advance(at.duration_since(self.ctx.now()));
        let now = self.ctx.now();
        let read = |before: &CmlReadings| {
            let mut next = before.clone();
            next.read_at = Some(now);
            next.cml.running_nodes = Some(nodes);
            next.activity = next.activity.after(&[], None, Some(nodes), now);
            next
        };
        self.ctx.store.add_reading(worker.id, now, self.ctx.settings.sample_retention, read).await.unwrap();
        let due = self.ctx.store.power(worker.id).await.unwrap();
        self.ctx.store.save_power(&PowerDue::hurried(worker.id, due, now)).await.unwrap();
        let cloud = cloud(self.clock.clone());
        Judgement::look(&self.ctx, &cloud, &[worker.id]).await.unwrap().judge(worker.id).await.unwrap();
        self.deliver().await;
        self.ctx.store.power(worker.id).await.unwrap().unwrap()
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
