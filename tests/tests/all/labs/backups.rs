//! Backups: what is in them, that nothing is lost on the way, and how long they stay.

use std::sync::atomic::Ordering;

use app::AppError;
use app::ports::{CmlLabs, CmlNodes, Files};
use app::testing::check_files;
use app::use_cases::back_up_lab::back_up_lab;
use app::use_cases::backup_files::backup_content;
use app::use_cases::delete_backup::delete_backup;
use app::use_cases::read_backups::{BackupFilter, list_backups};
use app::use_cases::restore_lab::restore_lab;
use domain::backup::{Backup, Retention};
use domain::operation::{Operation, Task};
use domain::{LabId, OperationId, Role, SignedDuration, Visibility, WorkerId};
use local_controllers::{ControllerFault, FaultOrder, POLLER_USERNAME};
use serde_json::Value;

use super::world::{LabWorld, ShakyFiles, TWO_NODES, asked, person};

const EXTRACTION: &str = "/labs/*/nodes/*/extract_configuration";
const DOWNLOAD: &str = "/labs/*/download";

impl LabWorld {
    async fn back_up(&self, lab: &LabId) -> OperationId {
        let manager = person(Role::Manager, "mia");
        back_up_lab(&self.ctx, &asked(&manager), &manager, self.worker(0), lab).await.unwrap().id
    }

    async fn backup_of(&self, operation: &Operation) -> Backup {
        self.ctx.store.backup(operation.result.as_ref().unwrap().backup_id.unwrap()).await.unwrap()
    }

    async fn content(&self, backup: &Backup) -> String {
        backup_content(self.files.as_ref(), backup).await.unwrap()
    }

    async fn all_backups(&self) -> Vec<Backup> {
        let all = BackupFilter::default();
        list_backups(&self.ctx, &person(Role::Manager, "mia"), &all, 200, None).await.unwrap().items
    }

    /// Every backup has its file, and every file its backup.
    async fn nothing_is_orphaned(&self) {
        let mut wanted: Vec<String> = self.all_backups().await.iter().map(Backup::file_key).collect();
        wanted.sort();
        let kept: Vec<String> = self.files.memory.all().into_keys().collect();
        assert_eq!(kept, wanted);
    }

    async fn download(&self, n: usize, lab: &LabId) -> String {
        self.client.download_lab(self.way(n).await.access(), lab.as_str()).await.unwrap()
    }
}

fn parsed(yaml: &str) -> Value {
    serde_norway::from_str(yaml).unwrap()
}

/// The configurations in a topology, by label.
fn configurations(yaml: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let topology = parsed(yaml);
    topology["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (text(&node["label"]), text(&node["configuration"])))
        .collect()
}

#[tokio::test]
async fn a_lab_is_saved_as_it_runs_wiped_and_restored_on_another_worker() {
    let world = LabWorld::new().await;
    let lab = world.booted_lab(0, TWO_NODES).await;
    let day_zero = world.download(0, &lab).await;
    let operation = world.back_up(&lab).await;
    let operation = world.succeeded(operation).await;
    let backup = world.backup_of(&operation).await;
    assert_eq!(operation.result.as_ref().unwrap().warnings, [""; 0]);
    assert_eq!((backup.title.as_str(), backup.node_count), ("BGP basics", 2));
    assert_eq!(
        (backup.description.as_deref(), backup.lab_owner.as_deref()),
        (Some("Two routers"), Some(POLLER_USERNAME))
    );
    assert_eq!((backup.worker_id, backup.worker_name.as_str(), &backup.lab_id), (world.worker(0), "lab-1", &lab));
    let saved = world.content(&backup).await;
    assert_eq!(backup.bytes, saved.len() as u64);
    let (before, after) = (configurations(&day_zero), configurations(&saved));
    for ((label, stored), (_, running)) in before.iter().zip(&after) {
        assert_ne!(stored, running, "{label} runs with more than it began with");
    }

    let way = world.way(0).await;
    world.client.stop_lab(way.access(), lab.as_str()).await.unwrap();
    world.tick().await;
    world.client.wipe_lab(way.access(), lab.as_str()).await.unwrap();
    world.client.delete_lab(way.access(), lab.as_str()).await.unwrap();

    let manager = person(Role::Manager, "mia");
    let restore = restore_lab(&world.ctx, &asked(&manager), &manager, world.worker(1), backup.id, None).await.unwrap();
    let restored = world.succeeded(restore.id).await.result.unwrap().lab_id.unwrap();
    let restored = parsed(&world.download(1, &restored).await);
    let saved = parsed(&saved);
    for part in ["nodes", "links"] {
        assert_eq!(restored[part], saved[part], "{part}");
        assert!(!saved[part].as_array().unwrap().is_empty());
    }
    assert_eq!(restored["lab"]["title"], "BGP basics");
}

/// What goes wrong, and how it is made to.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    At(&'static str, &'static str, Fault),
    Tokens,
    PutsRefused,
    PutLost,
    /// The table takes so many writes, and no more for a while.
    WritesAfter(usize),
    /// Every message comes twice.
    Twice,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    BadGateway,
    Half,
    Lost,
}

impl Trouble {
    fn all() -> Vec<Self> {
        let calls = [("GET", "/labs/*"), ("GET", "/labs/*/nodes"), ("PUT", EXTRACTION), ("GET", DOWNLOAD)];
        let faults = [Fault::BadGateway, Fault::Half, Fault::Lost];
        let at = calls.into_iter().flat_map(|(method, path)| faults.map(|fault| Self::At(method, path, fault)));
        let others = [Self::Tokens, Self::PutsRefused, Self::PutLost, Self::Twice];
        at.chain(others).chain((0..5).map(Self::WritesAfter)).collect()
    }

    async fn strike(self, world: &LabWorld) {
        match self {
            Self::At(method, path, fault) => {
                let fault = match fault {
                    Fault::BadGateway => ControllerFault::BadGateway,
                    Fault::Half => ControllerFault::BrokenJson,
                    Fault::Lost => ControllerFault::AnswerLost,
                };
                world.fault(0, fault, method, path).await;
            }
            Self::Tokens => world.order(0, FaultOrder::once(ControllerFault::TokensRevoked)).await,
            Self::PutsRefused => world.files.refuse_puts.store(2, Ordering::SeqCst),
            Self::PutLost => world.files.lose_puts.store(1, Ordering::SeqCst),
            Self::WritesAfter(writes) => world.table.fail_writes_after(writes),
            Self::Twice => {}
        }
    }
}

#[tokio::test]
async fn whatever_fails_on_the_way_the_lab_is_saved_once_and_whole() {
    let world = LabWorld::with(|settings| settings.backups.per_lab = 100).await;
    let lab = world.booted_lab(0, TWO_NODES).await;
    for (n, trouble) in Trouble::all().into_iter().enumerate() {
        // Another run of the nodes, so that what runs is not what is stored.
        let way = world.way(0).await;
        world.client.stop_lab(way.access(), lab.as_str()).await.unwrap();
        world.tick().await;
        world.client.start_lab(way.access(), lab.as_str()).await.unwrap();
        for _ in 0..20 {
            world.tick().await;
        }
        assert!(world.client.lab_converged(way.access(), lab.as_str()).await.unwrap());
        let stored = configurations(&world.download(0, &lab).await);

        let operation = world.back_up(&lab).await;
        trouble.strike(&world).await;
        for _ in 0..4 {
            if matches!(trouble, Trouble::Twice) {
                let sent = world.queues.take();
                world.queues.put_back(sent.iter().chain(&sent).cloned().collect());
            }
            world.tick().await;
        }
        world.table.heal();
        let operation = world.succeeded(operation).await;
        let result = operation.result.clone().unwrap();
        assert_eq!(result.warnings, [""; 0], "{trouble:?}");
        assert_eq!(world.all_backups().await.len(), n + 1, "{trouble:?}");
        world.nothing_is_orphaned().await;
        let saved = configurations(&world.content(&world.backup_of(&operation).await).await);
        for ((label, stored), (_, saved)) in stored.iter().zip(&saved) {
            assert_ne!(stored, saved, "{trouble:?}: what ran on {label} is in it");
        }
    }
}

#[tokio::test]
async fn a_node_is_asked_once_for_its_configuration_and_one_that_has_none_is_noted_in_cmls_words() {
    let world = LabWorld::new().await;
    let switch = "  - {id: n2, label: sw, node_definition: unmanaged_switch, x: 0, y: 0, interfaces: []}\nlinks:";
    let lab = world.booted_lab(0, &TWO_NODES.replace("links:", switch)).await;
    let operation = world.back_up(&lab).await;
    world.deliver().await;
    let Task::BackUpLab(task) = world.operation(operation).await.task else { panic!("another task") };
    assert_eq!((task.extracted.len(), task.not_extracted.len()), (3, 1), "all were asked in the first run");
    // Whoever asked again would be refused, and say so.
    world.order(0, FaultOrder::once(ControllerFault::Absent).always().at("PUT", EXTRACTION)).await;
    let operation = world.succeeded(operation).await;
    let backup = world.backup_of(&operation).await;
    let nodes = world.client.nodes(world.way(0).await.access(), lab.as_str()).await.unwrap();
    let switch = nodes.iter().find(|node| node.label.as_deref() == Some("sw")).unwrap();
    let said = format!("Bad request: node {} has no configuration to extract", switch.id);
    assert_eq!(backup.not_extracted, [("sw".to_owned(), said.clone())]);
    let warning = format!("What runs on sw could not be saved, only what was stored before: {said}");
    assert_eq!(operation.result.unwrap().warnings, [warning]);
}

#[tokio::test]
async fn a_node_that_never_answers_is_given_up_and_one_that_boots_is_noted() {
    let world = LabWorld::new().await;
    let lab = world.booted_lab(0, TWO_NODES).await;
    world.order(0, FaultOrder::once(ControllerFault::BadGateway).always().at("PUT", EXTRACTION)).await;
    let operation = world.back_up(&lab).await;
    let backup = world.backup_of(&world.succeeded(operation).await).await;
    let labels: Vec<&str> = backup.not_extracted.iter().map(|(label, _)| label.as_str()).collect();
    assert_eq!(labels, ["r1", "host"]);
    world.controllers.clear_faults(&world.workers[0].1).unwrap();

    let booting = world.lab(0, TWO_NODES).await;
    let way = world.way(0).await;
    world.client.start_lab(way.access(), booting.as_str()).await.unwrap();
    world.clock.advance(SignedDuration::from_secs(6));
    let operation = world.back_up(&booting).await;
    world.deliver().await;
    let backup = world.backup_of(&world.operation(operation).await).await;
    let why = "It had not booted; CML showed STARTED.".to_owned();
    assert_eq!(backup.not_extracted, [("r1".to_owned(), why.clone()), ("host".to_owned(), why)]);
}

#[tokio::test]
async fn old_backups_go_with_their_files_and_the_newest_of_a_lab_stays() {
    let keep_for = SignedDuration::from_hours(24);
    let world = LabWorld::with(|settings| settings.backups = Retention { keep_for, per_lab: 2 }).await;
    let (lab, other) = (world.lab(0, TWO_NODES).await, world.lab(0, TWO_NODES).await);
    let one_of_other = world.back_up(&other).await;
    world.succeeded(one_of_other).await;
    let mut made = Vec::new();
    for _ in 0..4 {
        let operation = world.back_up(&lab).await;
        // The first deletion fails; the next run does it.
        world.files.refuse_deletes.store(1, Ordering::SeqCst);
        made.push(world.backup_of(&world.succeeded(operation).await).await.id);
        world.nothing_is_orphaned().await;
    }
    let of_lab = async || {
        let all = world.ctx.store.all_backups_of(world.worker(0), &lab).await.unwrap();
        all.into_iter().map(|backup| backup.id).collect::<Vec<_>>()
    };
    assert_eq!(of_lab().await, [made[3], made[2]], "two of a lab");
    world.clock.advance(keep_for * 3);
    let operation = world.back_up(&lab).await;
    let newest = world.backup_of(&world.succeeded(operation).await).await.id;
    assert_eq!(of_lab().await, [newest], "a day each");
    world.clock.advance(keep_for * 3);
    assert_eq!(world.all_backups().await.len(), 2, "the newest of each lab");
    world.nothing_is_orphaned().await;
}

#[tokio::test]
async fn a_damaged_or_lost_file_is_told_and_nothing_is_made_of_it() {
    let world = LabWorld::new().await;
    let lab = world.lab(0, TWO_NODES).await;
    let operation = world.back_up(&lab).await;
    let backup = world.backup_of(&world.succeeded(operation).await).await;
    let whole = world.content(&backup).await;
    let manager = person(Role::Manager, "mia");
    for damage in [Some(whole.replace("10.0.0.1", "10.0.0.2").into_bytes()), Some(vec![0xff]), None] {
        match &damage {
            Some(content) => world.files.memory.put(&backup.file_key(), content).await.unwrap(),
            None => world.files.memory.delete(&backup.file_key()).await.unwrap(),
        }
        let read = backup_content(world.files.as_ref(), &backup).await;
        assert!(matches!(&read, Err(AppError::Damaged(what)) if what.contains(&backup.id.to_string())), "{read:?}");
        let restore = restore_lab(&world.ctx, &asked(&manager), &manager, world.worker(1), backup.id, None).await;
        let (code, message) = world.failed(restore.unwrap().id).await;
        assert_eq!(code, "damaged", "{message}");
        assert!(message.contains(&backup.id.to_string()), "{message}");
    }
    assert_eq!(world.client.lab_ids(world.way(1).await.access()).await.unwrap(), [""; 0]);
    delete_backup(&world.ctx, world.files.as_ref(), backup.id).await.unwrap();
    assert!(matches!(delete_backup(&world.ctx, world.files.as_ref(), backup.id).await, Err(AppError::NotFound { .. })));
    world.nothing_is_orphaned().await;
}

#[tokio::test]
async fn the_files_of_these_tests_are_as_files_are() {
    check_files(&ShakyFiles::default(), "backups").await.unwrap();
}

#[tokio::test]
async fn what_cml_refuses_is_told_in_its_words_and_safe_mode_leaves_the_controller_alone() {
    let world = LabWorld::new().await;
    let lab = world.booted_lab(0, TWO_NODES).await;
    let way = world.way(0).await;
    let gone = world.lab(0, TWO_NODES).await;
    world.client.delete_lab(way.access(), gone.as_str()).await.unwrap();
    let operation = world.back_up(&gone).await;
    let (code, message) = world.failed(operation).await;
    assert_eq!((code.as_str(), message), ("cml_refused", format!("Lab not found: {gone}")));

    let safe = LabWorld::with(|settings| settings.safe_mode = true).await;
    let lab_there = safe.booted_lab(0, TWO_NODES).await;
    let stored = safe.download(0, &lab_there).await;
    let operation = safe.back_up(&lab_there).await;
    assert_eq!(safe.failed(operation).await.0, "safe_mode");
    assert_eq!(safe.download(0, &lab_there).await, stored);
    safe.nothing_is_orphaned().await;
    // The other world goes on.
    let operation = world.back_up(&lab).await;
    world.succeeded(operation).await;
}

#[tokio::test]
async fn users_save_their_own_labs_and_see_their_own_backups() {
    let world = LabWorld::with(|settings| settings.visibility = Visibility::Own).await;
    let lab = world.lab(0, TWO_NODES).await;
    let (theirs, stranger) = (person(Role::User, POLLER_USERNAME), person(Role::User, "eve"));
    let worker = world.worker(0);
    let operation = back_up_lab(&world.ctx, &asked(&theirs), &theirs, worker, &lab).await.unwrap();
    let backup = world.backup_of(&world.succeeded(operation.id).await).await;
    let refused = back_up_lab(&world.ctx, &asked(&stranger), &stranger, worker, &lab).await;
    assert!(matches!(refused, Err(AppError::NotFound { .. })), "what they do not see is not there: {refused:?}");
    // The worker is ada's, so that she sees its labs; they are not hers to act on.
    let owner = person(Role::User, "ada");
    let refused = back_up_lab(&world.ctx, &asked(&owner), &owner, worker, &lab).await;
    assert!(matches!(refused, Err(AppError::NotTheirLab(_))), "{refused:?}");

    let of = |worker: Option<WorkerId>, lab: Option<&LabId>| BackupFilter { worker, lab: lab.cloned() };
    for (who, sees) in [(&theirs, 1), (&owner, 1), (&stranger, 0)] {
        for filter in [of(None, None), of(Some(worker), None), of(None, Some(&lab)), of(Some(worker), Some(&lab))] {
            let listed = list_backups(&world.ctx, who, &filter, 50, None).await.unwrap().items;
            assert_eq!(listed.len(), sees, "{} {filter:?}", who.username);
        }
    }
    let elsewhere = list_backups(&world.ctx, &owner, &of(Some(world.worker(1)), Some(&lab)), 50, None).await.unwrap();
    assert_eq!(elsewhere.items, []);
    let restore = restore_lab(&world.ctx, &asked(&stranger), &stranger, worker, backup.id, None).await;
    assert!(matches!(restore, Err(AppError::Invalid(_))), "{restore:?}");
}
