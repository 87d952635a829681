//! Refresh: asked for at most every ten seconds, and done when both readings have come.

use app::AppError;
use app::use_cases::refresh_worker::refresh_worker;
use app::use_cases::worker_commands::stop_worker;

use super::world::{World, asked, keyed};

#[tokio::test]
async fn a_refresh_succeeds_when_new_readings_have_come() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    // All metrics were collected once, and not in this very moment.
    world.ticks(6).await;
    world.pass(1);
    let before = world.ctx.store.telemetry(id).await.unwrap();
    let refresh = refresh_worker(&world.ctx, &asked(), id).await.unwrap();
    assert!(before.aws.ec2_at.unwrap() < refresh.requested_at);
    world.succeeded(refresh.id).await;
    let after = world.ctx.store.telemetry(id).await.unwrap();
    assert!(after.aws.ec2_at.unwrap() >= refresh.requested_at);
    assert!(after.cml.read_at.unwrap() >= refresh.requested_at);
}

#[tokio::test]
async fn a_refresh_whose_messages_were_lost_asks_again() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    let refresh = refresh_worker(&world.ctx, &asked(), id).await.unwrap();
    let sent = world.queue.take();
    world.queue.lose_next(2);
    world.queue.put_back(sent);
    world.deliver().await;
    world.succeeded(refresh.id).await;
}

#[tokio::test]
async fn a_refresh_of_what_cannot_be_read_says_what_could_not() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    world.cml.set(|says| says.reachable = false);
    world.pass(1);
    let refresh = refresh_worker(&world.ctx, &asked(), id).await.unwrap();
    let detail = world.succeeded(refresh.id).await.result.unwrap().detail.unwrap();
    assert!(detail.contains("Unreachable"), "{detail}");
}

#[tokio::test]
async fn a_refresh_within_ten_seconds_is_refused_with_the_time_to_wait() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    let first = refresh_worker(&world.ctx, &keyed("k", "refresh"), id).await.unwrap();
    world.pass(4);
    let second = refresh_worker(&world.ctx, &asked(), id).await;
    assert!(matches!(second, Err(AppError::TooSoon { retry_after }) if retry_after.as_secs() == 6), "{second:?}");
    // The same request again is no second one.
    let replayed = refresh_worker(&world.ctx, &keyed("k", "refresh"), id).await.unwrap();
    assert_eq!(replayed.id, first.id);
    world.succeeded(first.id).await;
    world.pass(11);
    assert!(refresh_worker(&world.ctx, &asked(), id).await.is_ok());
}

#[tokio::test]
async fn a_refresh_of_a_stopped_worker_fails_and_says_why() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    let stop = stop_worker(&world.ctx, &asked(), id, None).await.unwrap();
    world.succeeded(stop.id).await;
    let refresh = refresh_worker(&world.ctx, &asked(), id).await.unwrap();
    let (code, message) = world.failed(refresh.id).await;
    assert_eq!(code, "not_running");
    assert!(message.contains("stopped"), "{message}");
}

#[tokio::test]
async fn a_second_refresh_while_one_is_under_way_fails_and_names_it() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    let first = refresh_worker(&world.ctx, &asked(), id).await.unwrap();
    world.queue.take();
    world.pass(11);
    let second = refresh_worker(&world.ctx, &asked(), id).await.unwrap();
    world.run(second.id).await.unwrap();
    let (code, message) = world.failed(second.id).await;
    assert_eq!(code, "already_asked");
    assert!(message.contains(&first.id.to_string()), "{message}");
    world.succeeded(first.id).await;
}
