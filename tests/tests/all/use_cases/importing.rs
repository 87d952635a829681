//! Import: each instance stands for one worker, however it is asked for and however often.

use app::AppError;
use app::ports::{Condition, Ec2, InstanceFilter, ItemKey, Queue, Table, Write};
use app::use_cases::dispatch_power::dispatch_power;
use app::use_cases::import_workers::{NewImport, import_workers};
use app::use_cases::run_operation::{run_import, run_operation};
use domain::OperationId;
use domain::instance::{MANAGED_TAG, WORKER_TAG};
use domain::operation::OperationStatus;
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
async fn an_instance_whose_tags_were_refused_is_tagged_by_the_next_import() {
    let world = World::new();
    let instance = world.seed("lab", None, true);
    world.fault("CreateTags", "UnauthorizedOperation", 1);
    let refused = import(&world, |new| new.instance_id = Some(instance.clone())).await;
    assert_eq!(world.failed(refused).await.0, "UnauthorizedOperation");
    let at_once = world.succeeded(import(&world, |new| new.all = true).await).await;
    assert_eq!(at_once.result.unwrap().imported.len(), 0);
    world.pass(21 * 60);
    let again = import(&world, |new| new.all = true).await;
    let id = world.succeeded(again).await.result.unwrap().worker_id.unwrap();
    assert_eq!(world.ctx.store.list_workers(None, 10, None).await.unwrap().items.len(), 1);
    let filter = InstanceFilter::Tag(WORKER_TAG.into(), Some(id.to_string()));
    assert_eq!(world.ec2.describe(&home(), &filter).await.unwrap().len(), 1);
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

/// Where messages about this operation wait.
fn waiting(world: &World, id: OperationId) -> Vec<Queue> {
    let messages = world.queue.take();
    messages.into_iter().filter(|(_, body)| body.contains(&id.to_string())).map(|(queue, _)| queue).collect()
}

#[tokio::test]
async fn who_may_tag_what_is_not_ours_runs_imports_and_nothing_else() {
    let world = World::new();
    world.seed("lab", None, true);
    let import = import(&world, |new| new.all = true).await;
    assert_eq!(waiting(&world, import), [Queue::Imports]);
    run_operation(&world.ctx, world.ports(), import).await.unwrap();
    assert_eq!(world.operation(import).await.status, OperationStatus::Queued);
    assert_eq!(waiting(&world, import), [Queue::Imports], "handed over");

    let create = world.create("lab").await.id;
    assert_eq!(waiting(&world, create), [Queue::Operations]);
    run_import(&world.ctx, &world.ec2, create).await.unwrap();
    assert_eq!(world.operation(create).await.status, OperationStatus::Queued);
    assert_eq!(waiting(&world, create), [Queue::Operations], "handed over");
    assert_eq!(world.calls("RunInstances") + world.calls("CreateTags"), 0);
}

#[tokio::test]
async fn a_lost_import_is_sent_again_to_its_own_queue() {
    let world = World::new();
    world.seed("lab", None, true);
    world.queue.lose_next(1);
    let operation = import(&world, |new| new.all = true).await;
    assert_eq!(waiting(&world, operation), []);
    world.pass(61);
    dispatch_power(&world.ctx).await.unwrap();
    assert_eq!(waiting(&world, operation), [Queue::Imports]);
    world.fault("DescribeImages", "RequestLimitExceeded", 1);
    run_import(&world.ctx, &world.ec2, operation).await.unwrap();
    world.pass(600);
    dispatch_power(&world.ctx).await.unwrap();
    assert_eq!(waiting(&world, operation), [Queue::Imports], "also after it was put off");
}

#[tokio::test]
async fn an_import_that_an_earlier_version_recorded_is_handed_over_and_ends() {
    let world = World::new();
    world.seed("lab", None, true);
    world.queue.lose_next(1);
    let operation = import(&world, |new| new.all = true).await;
    let key = ItemKey::new(format!("OP#{operation}"), "DUE#operation");
    let mut due = world.table.get(&key).await.unwrap().unwrap();
    assert!(due.attributes.remove("queue").is_some());
    world.table.write(Write::Put(due, Condition::Exists)).await.unwrap();
    world.pass(61);
    dispatch_power(&world.ctx).await.unwrap();
    let messages = world.queue.take();
    assert!(messages.iter().any(|(queue, body)| *queue == Queue::Operations && body.contains(&operation.to_string())));
    world.queue.put_back(messages);
    assert_eq!(world.succeeded(operation).await.result.unwrap().imported.len(), 1);
}

#[tokio::test]
async fn an_instance_that_another_deployment_marked_is_left_alone_and_says_what_to_do() {
    let world = World::new();
    let instance = world.seed("lab", None, true);
    let mark = [(MANAGED_TAG.to_owned(), "true".to_owned())].into();
    world.ec2.update_tags(&home(), &instance.parse().unwrap(), &mark, &[]).await.unwrap();
    let calls = world.calls("CreateTags");
    let operation = import(&world, |new| new.instance_id = Some(instance.clone())).await;
    let (code, message) = world.failed(operation).await;
    assert_eq!(code, "not_imported");
    assert!(message.contains(MANAGED_TAG) && message.contains("import it again"), "{message}");
    assert_eq!(world.calls("CreateTags"), calls);
    assert!(world.ctx.store.list_workers(None, 10, None).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn tags_that_are_refused_because_they_are_there_already_are_a_success() {
    let world = World::new();
    let instance = world.seed("lab", None, true);
    let operation = import(&world, |new| new.instance_id = Some(instance.clone())).await;
    // Tagged by a run whose answer was lost, and the list that this one began with was older.
    world.fault("CreateTags", "RequestTimeout", 1);
    world.run(operation).await.unwrap();
    let id = world.ctx.store.list_workers(None, 10, None).await.unwrap().items[0].id;
    let ours = [(WORKER_TAG.to_owned(), id.to_string()), (MANAGED_TAG.to_owned(), "true".to_owned())].into();
    world.ec2.update_tags(&home(), &instance.parse().unwrap(), &ours, &[]).await.unwrap();
    world.ec2.show_untagged_next(1);
    world.fault("CreateTags", "UnauthorizedOperation", 1);
    let done = world.succeeded(operation).await;
    assert_eq!(done.result.unwrap().worker_id, Some(id));
}
