//! What is kept when something fails at EC2, and that it changes nothing of what fails.

use std::sync::atomic::Ordering;

use app::use_cases::control_power::Judgement;
use app::use_cases::run_operation::run_operation;
use app::use_cases::worker_commands::start_worker;
use domain::drift::DriftKind;
use domain::evidence::{Cause, EVIDENCE_KEPT_FOR, Evidence, EvidenceKind};
use domain::operation::{Operation, OperationStatus};
use domain::worker::WorkerStatus;
use domain::{SignedDuration, WorkerId};

use super::world::{World, asked};

impl World {
    async fn evidence(&self, id: WorkerId) -> Vec<Evidence> {
        self.ctx.store.list_evidence(id, 50, None, self.now()).await.unwrap().items
    }

    /// A worker that ran, was stopped, and is not to be started again by EC2; the operation that was to.
    async fn refused_start(&self) -> (WorkerId, Operation) {
        let id = self.ready_worker("lab").await;
        self.stop(id).await;
        self.fault("StartInstances", "UnauthorizedOperation", 1);
        let start = start_worker(&self.ctx, &asked(), id).await.unwrap();
        self.deliver().await;
        (id, self.operation(start.id).await)
    }

    async fn stop(&self, id: WorkerId) {
        let stop = app::use_cases::worker_commands::stop_worker(&self.ctx, &asked(), id, None).await.unwrap();
        self.succeeded(stop.id).await;
    }
}

#[tokio::test]
async fn an_operation_that_fails_for_good_keeps_the_console_output_once_and_points_to_it() {
    let world = World::new();
    let (id, operation) = world.refused_start().await;
    assert_eq!(operation.status, OperationStatus::Failed);
    let kept = world.evidence(id).await;
    let [evidence] = &kept[..] else { panic!("{kept:?}") };
    assert_eq!(operation.evidence, [evidence.pointer()]);
    let cause = Cause::Operation { id: operation.id, code: "UnauthorizedOperation".into() };
    assert_eq!((evidence.kind, &evidence.cause), (EvidenceKind::ConsoleOutput, &cause));
    assert_eq!(evidence.expires_at, evidence.taken_at + EVIDENCE_KEPT_FOR);
    let text = String::from_utf8(world.files.memory.all()[&evidence.file_key()].clone()).unwrap();
    assert!(text.contains("systemd-shutdown[1]: Powering off.") && text.len() as u64 == evidence.size_bytes, "{text}");

    // Delivered again, it is over.
    run_operation(&world.ctx, world.ports(), operation.id).await.unwrap();
    assert_eq!((world.evidence(id).await, world.operation(operation.id).await), (kept, operation));
    assert_eq!((world.files.memory.all().len(), world.calls("GetConsoleOutput")), (1, 1));
    world.pass(EVIDENCE_KEPT_FOR.as_secs());
    assert_eq!(world.evidence(id).await, []);
}

#[tokio::test]
async fn evidence_that_cannot_be_had_or_kept_changes_nothing_of_the_failure() {
    let whole = World::new().refused_start().await.1;
    for what in ["EC2 refuses", "no file", "answer of the file lost"] {
        let world = World::new();
        match what {
            "EC2 refuses" => world.fault("GetConsoleOutput", "UnauthorizedOperation", 1),
            "no file" => world.files.refuse_puts.store(1, Ordering::SeqCst),
            _ => world.files.lose_puts.store(1, Ordering::SeqCst),
        }
        let (id, operation) = world.refused_start().await;
        assert_eq!(world.evidence(id).await, [], "{what}");
        // All but the pointer, and the write that added it.
        let without = Operation { evidence: vec![], version: whole.version - 1, ..whole.clone() };
        assert_eq!(operation, without, "{what}");
    }
}

#[tokio::test]
async fn a_launch_without_an_instance_and_a_brake_leave_nothing_to_keep() {
    let world = World::new();
    world.fault("RunInstances", "UnauthorizedOperation", 1);
    let operation = world.create("lab").await;
    world.deliver().await;
    world.failed(operation.id).await;
    assert_eq!(world.evidence(operation.target.unwrap()).await, []);

    let mut world = World::new();
    let id = world.ready_worker("lab").await;
    world.stop(id).await;
    std::sync::Arc::make_mut(&mut world.ctx.settings).safe_mode = true;
    let start = start_worker(&world.ctx, &asked(), id).await.unwrap();
    world.deliver().await;
    assert_eq!(world.failed(start.id).await.0, "safe_mode");
    assert_eq!((world.evidence(id).await, world.calls("GetConsoleOutput")), (vec![], 0));
}

#[tokio::test]
async fn a_host_failure_is_documented_once_however_often_it_is_judged() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    world.pass(SignedDuration::from_mins(5).as_secs());
    let lost = world.instance(id).await;
    world.cloud.kill(&lost).unwrap();
    world.deliver_events().await;
    // Two messages at the same time, neither of which knows of the other.
    let first = Judgement::look(&world.ctx, world.ports(), &[id]).await.unwrap();
    let second = Judgement::look(&world.ctx, world.ports(), &[id]).await.unwrap();
    first.judge(id).await.unwrap();
    second.judge(id).await.unwrap();
    let kept = world.evidence(id).await;
    let [evidence] = &kept[..] else { panic!("{kept:?}") };
    assert!(matches!(evidence.cause, Cause::Drift { kind: DriftKind::HostFailure, .. }), "{evidence:?}");
    let text = String::from_utf8(world.files.memory.all()[&evidence.file_key()].clone()).unwrap();
    assert!(text.contains(&lost) && text.contains("cml-controller login:"), "{text}");
    // It is healed all the same, and not documented again on the way.
    world.until(id, |worker| worker.status == WorkerStatus::Running && worker.launch_number == 2).await;
    assert_eq!(world.evidence(id).await, kept);
}

#[tokio::test]
async fn a_host_failure_of_which_nothing_can_be_had_is_healed_all_the_same() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    world.fault("GetConsoleOutput", "InternalError", 1_000);
    world.cloud.kill(&world.instance(id).await).unwrap();
    world.until(id, |worker| worker.status == WorkerStatus::Running && worker.launch_number == 2).await;
    assert_eq!((world.evidence(id).await, world.calls("GetConsoleOutput")), (vec![], 1));
}
