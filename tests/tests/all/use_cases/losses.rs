//! What is lost: brought back once where its host failed, asked about where a person ended it, and told with what
//! was on it.

use app::AppError;
use app::store::{LabWishChange, StoredWish};
use app::use_cases::reconcile_commands::reconcile_worker;
use app::use_cases::worker_commands::{start_worker, stop_worker, terminate_worker};
use domain::backup::Backup;
use domain::decision::Action;
use domain::lab::{Lab, LabLook};
use domain::reconcile::lab::DesiredLab;
use domain::worker::{DesiredState, WorkerStatus};
use domain::{BackupId, OperationId, SignedDuration, WorkerId};

use super::reconciling::{SWEEP, action, begun, events, record};
use super::world::{World, alice, asked};

#[tokio::test]
async fn a_host_failure_brings_the_worker_back_once_with_the_reason() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    let lost = world.instance(id).await;
    world.cloud.kill(&lost).unwrap();
    let back = world.until(id, |worker| worker.status == WorkerStatus::Running && worker.launch_number == 2).await;
    assert_ne!(world.instance(id).await, lost);
    let reason = "Launched again by the reconciler: It was lost to its host, and what was on it with it. EC2 says:";
    assert!(back.state_reason.starts_with(reason), "{}", back.state_reason);
    world.ticks(40).await;
    assert_eq!((world.calls("RunInstances"), world.cloud.running().len()), (2, 1));
    assert_eq!(begun(&world, id).await.len(), 1);
    let drift = events(&world, id, "worker.drifted").await;
    assert_eq!(drift, [serde_json::json!({"name": "host_failure", "was": "running", "is": "failed"})]);
}

#[tokio::test]
async fn labs_lost_with_their_host_are_named_with_what_can_be_restored() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    let told = labs_of(&world, id).await;
    world.cloud.kill(&world.instance(id).await).unwrap();
    let back = world.until(id, |worker| worker.launch_number == 2).await;
    assert!(back.state_reason.ends_with(&told), "{}", back.state_reason);
    let reconciled = events(&world, id, "worker.reconciled").await;
    assert!(reconciled[0]["reason"].as_str().unwrap().ends_with(&told), "{reconciled:?}");
}

/// Two labs on that worker, one of them wished started and backed up, and a third of a machine before. What is to be
/// told when they are lost.
async fn labs_of(world: &World, id: WorkerId) -> String {
    let (store, now) = (&world.ctx.store, world.now());
    let lab = |number: u32, title: &str| Lab {
        id: format!("lab-{number}").parse().unwrap(),
        title: title.into(),
        ..super::idle::lab(id, now)
    };
    let (plain, saved, gone) = (lab(1, "Campus"), lab(2, "Data centre"), lab(3, "Of a machine before"));
    for lab in [&plain, &saved, &Lab { missing_since: Some(now), ..gone }] {
        store.save_lab(lab).await.unwrap();
    }
    let operation = OperationId::new(now, 1);
    let wish = StoredWish::new((id, saved.id.clone()), None, (DesiredLab::Started, alice()), operation, now);
    store.save_lab_wish(&LabWishChange::Is(wish)).await.unwrap();
    store.save_backup(&backup_of(&saved)).await.unwrap();
    format!(
        "Labs lost with it: \"Data centre\" (wished started, backed up), \"Campus\". 1 of 2 can be restored \
         (GET /api/backups?worker_id={id}), which is not done unasked."
    )
}

fn backup_of(lab: &Lab) -> Backup {
    Backup {
        id: BackupId::new(lab.synced_at, 1),
        worker_id: lab.worker_id,
        worker_name: "lab".into(),
        lab_id: lab.id.clone(),
        lab_owner: None,
        title: lab.title.clone(),
        description: None,
        node_count: 1,
        bytes: 1,
        sha256: String::new(),
        made_at: lab.synced_at,
        made_by: alice(),
        not_extracted: vec![],
        lab_look: LabLook::default(),
        expires_at: lab.synced_at + SignedDuration::from_hours(24),
    }
}

#[tokio::test]
async fn each_of_two_losses_is_answered_once() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    for number in [2, 3] {
        world.cloud.kill(&world.instance(id).await).unwrap();
        world.until(id, |worker| worker.status == WorkerStatus::Running && worker.launch_number == number).await;
    }
    assert_eq!((world.calls("RunInstances"), begun(&world, id).await.len()), (3, 2));
    // Once it has been up for a while that is forgotten.
    world.ticks(30).await;
    assert_eq!(record(&world, id).await.attempts, 0);
}

#[tokio::test]
async fn what_is_terminated_by_hand_asks_and_comes_back_only_when_somebody_starts_it() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    world.cloud.terminate_by_hand(&world.instance(id).await).unwrap();
    world.ticks(90).await;
    let worker = world.worker(id).await;
    assert_eq!((worker.status, worker.desired), (WorkerStatus::Terminated, DesiredState::Running));
    assert_eq!(action(&world, id).await, Action::Ask);
    assert!(worker.state_reason.contains("start it to launch a new one, or delete it"), "{}", worker.state_reason);
    assert!(worker.state_reason.contains("User initiated shutdown"), "{}", worker.state_reason);
    assert_eq!((world.calls("RunInstances"), begun(&world, id).await.len()), (1, 0));
    let stop = stop_worker(&world.ctx, &asked(), id, None).await;
    assert!(matches!(stop, Err(AppError::Conflict(_))), "{stop:?}");
    let judged = reconcile_worker(&world.ctx, &asked(), id).await.unwrap();
    let said = world.succeeded(judged.id).await.result.unwrap().detail.unwrap();
    assert!(said.starts_with("Judged: ask."), "{said}");

    let start = start_worker(&world.ctx, &asked(), id).await.unwrap();
    world.succeeded(start.id).await;
    let worker = world.worker(id).await;
    assert_eq!((worker.status, worker.launch_number), (WorkerStatus::Running, 2));
    assert_eq!((worker.state_reason.as_str(), world.calls("RunInstances")), ("Started by alice.", 2));
}

#[tokio::test]
async fn what_is_terminated_by_hand_tells_which_labs_are_lost_and_is_forgotten_when_it_is_deleted() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    let told = labs_of(&world, id).await;
    world.cloud.terminate_by_hand(&world.instance(id).await).unwrap();
    world.until(id, |worker| worker.status == WorkerStatus::Terminated).await;
    world.ticks(SWEEP).await;
    let asks = world.worker(id).await.state_reason;
    assert!(asks.contains("or delete it") && asks.ends_with(&told), "{asks}");
    let terminate = terminate_worker(&world.ctx, &asked(), id).await.unwrap();
    world.succeeded(terminate.id).await;
    world.ticks(SWEEP).await;
    assert!(world.ctx.store.power(id).await.unwrap().is_none(), "nothing is judged of it any more");
    assert_eq!(world.ctx.store.all_worker_labs(id).await.unwrap(), []);
    let start = start_worker(&world.ctx, &asked(), id).await;
    assert!(matches!(start, Err(AppError::Conflict(_))), "{start:?}");
    assert_eq!(world.calls("RunInstances"), 1);
}

#[tokio::test]
async fn a_new_machine_has_no_labs_of_the_one_before() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    labs_of(&world, id).await;
    world.cloud.kill(&world.instance(id).await).unwrap();
    world.until(id, |worker| worker.launch_number == 2 && worker.status == WorkerStatus::Running).await;
    assert_eq!(world.ctx.store.all_worker_labs(id).await.unwrap(), []);
}
