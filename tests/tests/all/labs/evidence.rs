//! What is kept when an operation on a lab fails, and that it changes nothing of what fails.

use std::sync::atomic::Ordering;

use app::use_cases::lab_commands::act_on_lab;
use app::use_cases::run_cml_operation::run_cml_operation;
use domain::Role;
use domain::evidence::{Cause, Evidence, EvidenceKind};
use domain::lab::LabAction;
use domain::operation::{Operation, OperationStatus};
use local_controllers::{ControllerFault, FaultOrder};

use super::world::{LabWorld, TWO_NODES, asked, person};

impl LabWorld {
    async fn evidence(&self) -> Vec<Evidence> {
        self.ctx.store.list_evidence(self.worker(0), 50, None, self.ctx.now()).await.unwrap().items
    }

    fn text(&self, evidence: &Evidence) -> String {
        String::from_utf8(self.files.memory.all()[&evidence.file_key()].clone()).unwrap()
    }

    /// A lab is started, and CML has an error while its nodes boot.
    async fn failed_start(&self) -> Operation {
        let lab = self.lab(0, TWO_NODES).await;
        let admin = person(Role::Admin, "ada");
        let start =
            act_on_lab(&self.ctx, &asked(&admin), &admin, self.worker(0), &lab, LabAction::Start).await.unwrap();
        self.deliver().await;
        let broken = ControllerFault::Refuses { status: 400, description: "Internal error".into() };
        self.fault(0, broken, "GET", "/labs/*/state").await;
        let failed = self.ended(start.id).await;
        assert_eq!(failed.status, OperationStatus::Failed, "{failed:?}");
        failed
    }
}

#[tokio::test]
async fn a_failed_start_keeps_diagnostics_and_the_consoles_of_nodes_that_did_not_boot_once() {
    let world = LabWorld::new().await;
    let operation = world.failed_start().await;
    let kept = world.evidence().await;
    let of = |kind: EvidenceKind| kept.iter().filter(move |one| one.kind == kind);
    let diagnostics: Vec<_> = of(EvidenceKind::CmlDiagnostics).collect();
    let [diagnostics] = diagnostics[..] else { panic!("{kept:?}") };
    let lab = diagnostics.lab_id.clone().unwrap();
    let text = world.text(diagnostics);
    for told in ["GET /diagnostics/services", "GET /diagnostics/computes", "\"state_times\"", "kvm_vmx_enabled"] {
        assert!(text.contains(told), "{told} is not in {text}");
    }
    assert!(!text.contains("not told"), "{text}");
    let mut nodes: Vec<_> = of(EvidenceKind::NodeConsole).map(|one| one.node.clone().unwrap()).collect();
    nodes.sort();
    assert!(!nodes.is_empty(), "{kept:?}");
    for console in of(EvidenceKind::NodeConsole) {
        assert!(world.text(console).contains(": powered on"), "{}", world.text(console));
    }
    let cause = Cause::Operation { id: operation.id, code: operation.error.as_ref().unwrap().code.clone() };
    assert!(kept.iter().all(|one| one.cause == cause && one.lab_id.as_ref() == Some(&lab)), "{kept:?}");
    assert_eq!(operation.evidence.len(), kept.len());
    assert!(kept.iter().all(|one| operation.evidence.contains(&one.pointer())));

    run_cml_operation(&world.ctx, world.ports(), operation.id).await.unwrap();
    assert_eq!((world.evidence().await, world.files.memory.all().len()), (kept.clone(), kept.len()));
}

#[tokio::test]
async fn what_the_controller_does_not_tell_is_said_and_the_rest_is_kept() {
    let world = LabWorld::new().await;
    world.order(0, FaultOrder::once(ControllerFault::Absent).at("GET", "/diagnostics/services").always()).await;
    world.order(0, FaultOrder::once(ControllerFault::BadGateway).at("GET", "/labs/*/nodes").always()).await;
    let operation = world.failed_start().await;
    let kept = world.evidence().await;
    let [diagnostics] = &kept[..] else { panic!("{kept:?}") };
    assert_eq!((diagnostics.kind, operation.evidence.len()), (EvidenceKind::CmlDiagnostics, 1));
    let text = world.text(diagnostics);
    assert_eq!(text.matches("not told").count(), 1, "{text}");
    assert!(text.contains("\"state_times\""), "{text}");
}

#[tokio::test]
async fn evidence_that_cannot_be_had_or_kept_changes_nothing_of_the_failure() {
    let world = LabWorld::new().await;
    let whole = world.failed_start().await;
    for what in ["nothing told", "no file"] {
        let world = LabWorld::new().await;
        match what {
            "no file" => world.files.refuse_puts.store(100, Ordering::SeqCst),
            _ => {
                for path in ["/diagnostics/*", "/labs/*/nodes"] {
                    world.order(0, FaultOrder::once(ControllerFault::BadGateway).at("GET", path).always()).await;
                }
            }
        }
        let failed = world.failed_start().await;
        assert_eq!((world.evidence().await, failed.evidence.len()), (vec![], 0), "{what}");
        assert_eq!((failed.status, &failed.error), (whole.status, &whole.error), "{what}");
        assert_eq!(failed.finished_at, whole.finished_at, "{what}");
    }
}
