//! State machines, notifications, and what is left of them after a kill.

use app::ports::Ec2;
use serde_json::json;

use super::*;
use crate::SeedInstance;

#[tokio::test]
async fn an_instance_boots_and_stops_in_its_time_and_each_change_is_told_once_across_restarts() {
    let mut world = World::new();
    let id = world.launch("a").await;
    assert_eq!(world.state(&id).await, "pending");
    world.reopen();
    assert_eq!(world.states_told(), ["pending"]);
    assert_eq!(world.states_told(), Vec::<String>::new());
    world.pass(29);
    assert_eq!(world.state(&id).await, "pending");
    world.pass(1);
    assert_eq!(world.state(&id).await, "running");
    // Settled by the look above, not yet handed out: a kill now must not lose it.
    world.reopen();
    assert_eq!(world.states_told(), ["running"]);
    world.cloud.stop(&home(), &id).await.unwrap();
    world.pass(10_000);
    world.reopen();
    assert_eq!(world.states_told(), ["stopping", "stopped"]);
    world.cloud.terminate(&home(), &id).await.unwrap();
    assert_eq!(world.state(&id).await, "shutting-down");
    world.pass(60);
    assert_eq!(world.states_told(), ["shutting-down", "terminated"]);
    world.reopen();
    assert_eq!(world.states_told(), Vec::<String>::new());
}

#[tokio::test]
async fn bare_metal_takes_its_time() {
    let world = World::new();
    let mut metal = request("m");
    metal.spec.instance_type = "m5zn.metal".into();
    let id = world.cloud.run_instance(&home(), &metal).await.unwrap().id;
    world.pass(239);
    assert_eq!(world.state(&id).await, "pending");
    world.pass(1);
    assert_eq!(world.cloud.running()[0].vcpus, 48);
    world.cloud.stop(&home(), &id).await.unwrap();
    world.pass(179);
    assert_eq!(world.state(&id).await, "stopping");
    world.pass(1);
    assert_eq!(world.state(&id).await, "stopped");
}

#[tokio::test]
async fn notifications_of_many_instances_come_in_the_order_of_time() {
    let world = World::new();
    let mut metal = request("slow");
    metal.spec.instance_type = "m5zn.metal".into();
    let slow = world.cloud.run_instance(&home(), &metal).await.unwrap().id;
    world.pass(100);
    let quick = world.launch("quick").await;
    world.pass(3_600);
    let told: Vec<(String, String)> = world.told();
    let expected = [(&slow, "pending"), (&quick, "pending"), (&quick, "running"), (&slow, "running")];
    assert_eq!(told, expected.map(|(id, state)| (id.to_string(), state.to_owned())));
    let running = world.cloud.running();
    let since = running.iter().find(|instance| instance.instance_id == slow.as_str()).unwrap().running_since;
    assert_eq!(since, "2026-03-01T08:04:00Z".parse::<Timestamp>().unwrap());
}

#[tokio::test]
async fn a_notification_is_the_event_that_eventbridge_delivers() {
    let world = World::new();
    let id = world.launch("a").await;
    let event = world.cloud.advance().remove(0);
    let event_id = event["id"].as_str().unwrap().to_owned();
    assert_eq!((event_id.len(), &event_id[14..15]), (36, "4"));
    assert_eq!(
        event,
        json!({
            "version": "0",
            "id": event_id,
            "detail-type": "EC2 Instance State-change Notification",
            "source": "aws.ec2",
            "account": "123456789012",
            "time": "2026-03-01T08:00:00Z",
            "region": "us-east-1",
            "resources": [format!("arn:aws:ec2:us-east-1:123456789012:instance/{id}")],
            "detail": { "instance-id": id.as_str(), "state": "pending" },
        })
    );
}

#[tokio::test]
async fn notifications_can_be_lost_and_repeated() {
    let world = World::new();
    world.cloud.set_event_faults(1, 1);
    let id = world.launch("a").await;
    world.pass(30);
    let delivered = world.cloud.advance();
    assert_eq!(delivered.iter().map(told).map(|(_, state)| state).collect::<Vec<_>>(), ["running", "running"]);
    assert_eq!(delivered[0], delivered[1]);
    world.cloud.stop(&home(), &id).await.unwrap();
    assert_eq!(world.states_told(), ["stopping"]);
}

#[tokio::test]
async fn a_failed_host_and_a_person_give_different_reasons() {
    let world = World::new();
    let (lost, ended) = (world.running("a").await, world.running("b").await);
    world.cloud.kill(lost.as_str()).unwrap();
    world.cloud.terminate_by_hand(ended.as_str()).unwrap();
    let seen = world.see(&lost).await.unwrap();
    assert_eq!((seen.state.name(), seen.state_reason_code.as_deref()), ("terminated", Some("Server.InternalError")));
    assert_eq!((seen.public_ip, seen.private_ip), (None, None));
    world.pass(60);
    world.cloud.kill(ended.as_str()).unwrap();
    let seen = world.see(&ended).await.unwrap();
    assert_eq!(
        (seen.state.name(), seen.state_reason_message.as_deref()),
        ("terminated", Some("Client.UserInitiatedShutdown: User initiated shutdown"))
    );
    assert_eq!(world.states_told(), ["terminated", "shutting-down", "terminated"]);
    assert_eq!(world.cloud.terminated().len(), 2);
    assert_eq!(code(world.cloud.kill("i-00000000000000000")), "InvalidInstanceID.NotFound");
    assert_eq!(code(world.cloud.kill("nonsense")), "InvalidInstanceID.NotFound");
    assert!(world.cloud.calls().keys().all(|call| call != "TerminateInstances"), "a lever is no API call");
}

#[tokio::test]
async fn a_terminated_instance_is_listed_for_an_hour() {
    let world = World::new();
    let id = world.running("a").await;
    world.cloud.terminate(&home(), &id).await.unwrap();
    world.pass(60 + 3_599);
    assert_eq!(world.state(&id).await, "terminated");
    world.pass(1);
    assert_eq!(world.state(&id).await, "not listed");
    assert_eq!((world.cloud.terminated().len(), world.cloud.instances().len()), (0, 0));
    assert_eq!(code(world.cloud.terminate(&home(), &id).await), "InvalidInstanceID.NotFound");
    world.pass(24 * 3_600);
    world.cloud.advance();
    for kind in ["ec2-instance", "ec2-client-token", "ec2-notification"] {
        assert_eq!(world.documents.all::<serde_json::Value>(kind).unwrap(), [], "{kind}");
    }
}

#[tokio::test]
async fn each_start_brings_a_new_public_address_and_keeps_the_private_one() {
    let world = World::new();
    let id = world.running("a").await;
    let first = world.see(&id).await.unwrap();
    world.cloud.stop_by_hand(id.as_str()).unwrap();
    world.pass(60);
    let stopped = world.see(&id).await.unwrap();
    assert_eq!((stopped.public_ip, &stopped.private_ip), (None, &first.private_ip));
    assert_eq!(stopped.state_reason_code.as_deref(), Some("Client.UserInitiatedShutdown"));
    let started_at = world.now();
    world.cloud.start_by_hand(id.as_str()).unwrap();
    world.pass(30);
    let second = world.see(&id).await.unwrap();
    assert!(second.public_ip.is_some() && second.public_ip != first.public_ip);
    assert_eq!((&second.private_ip, &second.availability_zone), (&first.private_ip, &first.availability_zone));
    assert_eq!((second.launched_at, second.state_reason_code), (Some(started_at), None));
}

#[tokio::test]
async fn a_change_that_cannot_be_written_whole_does_not_happen() {
    let mut world = World::new();
    let refuse_tokens = "CREATE TRIGGER refuse BEFORE INSERT ON documents WHEN new.kind = 'ec2-client-token'
                         BEGIN SELECT RAISE(ABORT, 'disk full'); END;";
    world.documents.connection().execute_batch(refuse_tokens).unwrap();
    assert_eq!(code(world.cloud.run_instance(&home(), &request("a")).await), "InternalError");
    assert_eq!((world.cloud.instances().len(), world.cloud.advance().len()), (0, 0));
    world.documents.connection().execute_batch("DROP TRIGGER refuse").unwrap();
    world.reopen();
    assert_eq!(world.cloud.instances().len(), 0);
    world.launch("a").await;
    assert_eq!(world.cloud.instances().len(), 1);
}

#[tokio::test]
async fn a_file_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    let id = {
        let world = World::on(Documents::open(&path).unwrap());
        world.launch("a").await
    };
    let world = World::on(Documents::open(&path).unwrap());
    assert_eq!(world.launch("a").await, id);
    let other = world.launch("b").await;
    assert_ne!(other, id);
    world.pass(30);
    assert_eq!(world.cloud.running().len(), 2);
    assert_eq!(world.states_told(), ["pending", "pending", "running", "running"]);
}

#[tokio::test]
async fn a_seeded_fleet_was_always_there() {
    let world = World::new();
    let since = world.now() - SignedDuration::from_hours(1);
    let seed = |name: &str, running_since| SeedInstance {
        place: place("210987654321", "eu-central-1"),
        name: name.into(),
        instance_type: "c5.xlarge".into(),
        ami_id: None,
        tags: BTreeMap::new(),
        running_since,
    };
    let up = world.cloud.seed_instance(seed("up", Some(since)));
    let down = world.cloud.seed_instance(seed("down", None));
    assert_eq!(world.cloud.advance(), Vec::<Value>::new());
    let running = world.cloud.running();
    assert_eq!((running.len(), &running[0].instance_id, running[0].running_since), (1, &up, since));
    let images = [world.cloud.default_images(&place("210987654321", "eu-central-1"))[0].id.clone()];
    let filter = InstanceFilter::Images(images.to_vec());
    assert_eq!(world.cloud.describe(&place("210987654321", "eu-central-1"), &filter).await.unwrap().len(), 2);
    let view = world.cloud.instances().into_iter().find(|view| view.instance_id == down).unwrap();
    assert_eq!((view.state.as_str(), view.name.as_deref(), view.worker_id), ("stopped", Some("down"), None));
    world.cloud.start_by_hand(&down).unwrap();
    world.pass(30);
    assert_eq!(world.cloud.running().len(), 2);
}

#[tokio::test]
async fn a_console_tells_of_the_boot_as_far_as_it_came_and_stays_for_an_hour_after_the_end() {
    let world = World::new();
    let id = world.launch("t").await;
    assert_eq!(world.cloud.console_output(&home(), &id).await.unwrap(), None);
    world.pass(600);
    let booted = world.cloud.console_output(&home(), &id).await.unwrap().unwrap();
    assert!(booted.contains("Linux version") && booted.ends_with("cml-controller login: \n"), "{booted}");
    world.cloud.terminate(&home(), &id).await.unwrap();
    world.pass(1_800);
    assert_eq!(world.cloud.console_output(&home(), &id).await.unwrap(), Some(booted));
    world.pass(3_600);
    assert_eq!(code(world.cloud.console_output(&home(), &id).await), "InvalidInstanceID.NotFound");
}
