//! Import: each instance stands for one worker, however it is asked for and however often.

use app::AppError;
use app::ports::{Ec2, InstanceFilter};
use app::use_cases::import_workers::{NewImport, import_workers};
use domain::OperationId;
use domain::instance::WORKER_TAG;
use domain::worker::{DesiredState, WorkerStatus};

use super::world::{World, asked, home};

/// An import in the home region.
fn of(choose: impl FnOnce(&mut NewImport)) -> NewImport {
    let mut new = NewImport { region: "us-east-1".into(), ..NewImport::default() };
    choose(&mut new);
    new
}

async fn import(world: &World, choose: impl FnOnce(&mut NewImport)) -> OperationId {
    import_workers(&world.ctx, &asked(), of(choose)).await.unwrap().id
}

#[tokio::test]
async fn an_instance_is_imported_by_its_id_as_it_is() {
    let world = World::new();
    let (runs, stopped) = (world.seed("runs", None, true), world.seed("stopped", None, false));
    for (instance, status, desired) in [
        (&runs, WorkerStatus::Running, DesiredState::Running),
        (&stopped, WorkerStatus::Stopped, DesiredState::Stopped),
    ] {
        let done = world.succeeded(import(&world, |new| new.instance_id = Some(instance.clone())).await).await;
        let id = done.result.unwrap().worker_id.unwrap();
        let worker = world.worker(id).await;
        assert_eq!((worker.status, worker.desired, worker.imported), (status, desired, true));
        assert_eq!(worker.tags.get("team").map(String::as_str), Some("networks"));
        assert_eq!(world.instance(id).await, *instance);
        assert_eq!(world.instance_states(id).len(), 1, "EC2 shows our tag");
    }
    let names: Vec<_> = world.ctx.store.list_workers(None, 10, None).await.unwrap().items;
    assert_eq!(names.iter().map(|worker| worker.name.as_str()).collect::<Vec<_>>(), ["runs", "stopped"]);
}

#[tokio::test]
async fn instances_are_imported_by_image_by_image_name_and_all() {
    for by in ["ami_id", "ami_name", "all"] {
        let world = World::new();
        let images = world.cloud.default_images(&home());
        let stranger = world.cloud.images(&home(), "cml-2.99*", &[]).await.unwrap().remove(0);
        world.seed("newest", Some(&images[0].id), true);
        world.seed("older", Some(&images[1].id), true);
        world.seed("a stranger's", Some(&stranger.id), true);
        let operation = import(&world, |new| match by {
            "ami_id" => new.ami_id = Some(images[1].id.clone()),
            "ami_name" => new.ami_name = Some("cml-2.9.*".into()),
            _ => new.all = true,
        });
        let done = world.succeeded(operation.await).await;
        let workers = world.ctx.store.list_workers(None, 10, None).await.unwrap().items;
        let names: Vec<_> = workers.iter().map(|worker| worker.name.as_str()).collect();
        let expected: &[&str] = if by == "ami_id" { &["older"] } else { &["newest", "older"] };
        assert_eq!((names.as_slice(), done.result.unwrap().imported.len()), (expected, expected.len()), "{by}");
    }
}

#[tokio::test]
async fn an_instance_that_a_worker_stands_for_is_refused_by_id_and_skipped_among_others() {
    let world = World::new();
    let instance = world.seed("lab", None, true);
    let first = world.succeeded(import(&world, |new| new.instance_id = Some(instance.clone())).await).await;
    let holder = first.result.unwrap().worker_id.unwrap();
    let second = import_workers(&world.ctx, &asked(), of(|new| new.instance_id = Some(instance.clone()))).await;
    assert!(matches!(&second, Err(AppError::Conflict(why)) if why.contains(&holder.to_string())), "{second:?}");
    let all = world.succeeded(import(&world, |new| new.all = true).await).await.result.unwrap();
    assert!(all.imported.is_empty());
    assert_eq!(all.skipped[&instance], format!("Instance {instance} belongs to worker {holder}."));
    assert_eq!(world.ctx.store.list_workers(None, 10, None).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn two_imports_of_one_instance_at_once_make_one_worker() {
    let world = World::new();
    let instance = world.seed("lab", None, true);
    let first = import(&world, |new| new.instance_id = Some(instance.clone())).await;
    let second = import(&world, |new| new.instance_id = Some(instance.clone())).await;
    let (a, b) = futures::join!(world.run(first), world.run(second));
    a.unwrap();
    b.unwrap();
    let mut codes = Vec::new();
    for id in [first, second] {
        codes.push(world.ended(id).await.error.map(|error| error.code));
    }
    codes.sort();
    assert_eq!(codes, [None, Some("not_imported".to_owned())]);
    assert_eq!(world.ctx.store.list_workers(None, 10, None).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn every_page_of_instances_is_imported_in_as_many_imports_as_it_takes() {
    let world = World::new();
    for n in 0..1_200 {
        world.seed(&format!("lab {n}"), None, false);
    }
    let mut imported = Vec::new();
    for _ in 0..3 {
        let operation = import(&world, |new| new.all = true).await;
        // Without ticks: what is judged of so many workers is not what is looked at here.
        for _ in 0..12 {
            world.run(operation).await.unwrap();
        }
        imported.push(world.operation(operation).await.result.unwrap().imported.len());
        world.queue.take();
    }
    assert_eq!(imported, [500, 500, 200]);
}

#[tokio::test]
async fn an_import_in_safe_mode_ends_though_nothing_is_tagged() {
    let world = World::with(|settings| settings.safe_mode = true);
    for n in 0..120 {
        world.seed(&format!("lab {n}"), None, false);
    }
    let operation = import(&world, |new| new.all = true).await;
    assert_eq!(world.succeeded(operation).await.result.unwrap().imported.len(), 120);
    assert_eq!(world.calls("CreateTags"), 0);
}

#[tokio::test]
async fn an_import_whose_tags_are_refused_for_now_is_tried_again_and_makes_one_worker() {
    let world = World::new();
    let instance = world.seed("lab", None, true);
    world.fault("CreateTags", "RequestLimitExceeded", 2);
    let done = world.succeeded(import(&world, |new| new.instance_id = Some(instance.clone())).await).await;
    assert!(done.attempts >= 3, "{}", done.attempts);
    let id = done.result.unwrap().worker_id.unwrap();
    assert_eq!(world.ctx.store.list_workers(None, 10, None).await.unwrap().items.len(), 1);
    let filter = InstanceFilter::Tag(WORKER_TAG.into(), Some(id.to_string()));
    assert_eq!(world.ec2.describe(&home(), &filter).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_import_of_nothing_fails_in_words() {
    let world = World::new();
    let nothing = import(&world, |new| new.instance_id = Some("i-0123456789abcdef0".into())).await;
    let (code, message) = world.failed(nothing).await;
    assert_eq!(code, "not_found");
    assert!(message.contains("us-east-1"), "{message}");
}
