//! All labs, by as few calls as the controller allows.

use app::ports::{CmlErrorKind, CmlLabs, LabListing};
use serde_json::Value;

use super::labs::lab;
use super::*;

const TILES: &str = "GET /api/v0/populate_lab_tiles";
const IDS: &str = "GET /api/v0/labs?show_all=true";

/// A tile: a lab with its topology.
fn tile(id: &str) -> Value {
    let mut tile = lab(id);
    tile["topology"] = json!({"nodes": [{"id": "n0"}], "links": []});
    tile
}

fn tiles(ids: &[String]) -> Value {
    let tiles: serde_json::Map<_, _> = ids.iter().map(|id| (id.clone(), tile(id))).collect();
    json!({ "lab_tiles": tiles })
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("lab-{number:03}")).collect()
}

/// A controller with those labs, whose tiles are those.
async fn controller(ids: Vec<String>, tiles: impl Fn() -> Answer + Send + Sync + 'static) -> Controller {
    Controller::start(move |request| match request.line.as_str() {
        TILES => tiles(),
        IDS => Answer::json(&json!(ids)),
        one => Answer::json(&lab(one.trim_start_matches("GET /api/v0/labs/"))),
    })
    .await
}

async fn listing(controller: &Controller) -> LabListing {
    controller.client.labs(controller.access()).await.unwrap()
}

fn seen(listing: &LabListing) -> Vec<String> {
    listing.labs.iter().map(|lab| lab.id.clone()).collect()
}

#[tokio::test]
async fn two_hundred_labs_are_read_by_two_calls() {
    let controller = controller(ids(200), || Answer::json(&tiles(&ids(200)))).await;
    let listing = listing(&controller).await;
    assert_eq!((seen(&listing), listing.unread), (ids(200), vec![]));
    assert_eq!(controller.lines(), [TILES, IDS]);
}

#[tokio::test]
async fn labs_are_read_one_by_one_when_there_are_no_tiles_or_none_to_be_read() {
    let no_tiles: [fn() -> Answer; 11] = [
        || refusal(404, "Not Found"),
        || refusal(405, "Method Not Allowed"),
        || Answer::Whole(500, "<html>".into()),
        || Answer::Whole(200, "<html>".into()),
        || Answer::json(&json!([])),
        || Answer::json(&json!({"lab_tiles": null})),
        || Answer::json(&json!({"lab_tiles": {"lab-000": null, "lab-001": {"id": "lab-001"}, "lab-002": 7}})),
        || Answer::Endless,
        || Answer::Cut,
        || Answer::Whole(502, "<html>".into()),
        || Answer::Whole(504, "<html>".into()),
    ];
    for (number, tiles) in no_tiles.into_iter().enumerate() {
        let controller = controller(ids(3), tiles).await;
        let listing = listing(&controller).await;
        assert_eq!((seen(&listing), listing.unread), (ids(3), vec![]), "{number}");
        assert_eq!(controller.lines().len(), 5, "{number}");
    }
}

#[tokio::test]
async fn tiles_that_take_too_long_do_not_take_the_labs_with_them_and_a_controller_that_does_is_told() {
    let mut slow = controller(ids(3), || Answer::Stalled).await;
    slow.client = hasty_client();
    assert_eq!(seen(&listing(&slow).await), ids(3));
    let mut away = Controller::start(|_| Answer::Stalled).await;
    away.client = hasty_client();
    let error = away.client.labs(away.access()).await.unwrap_err();
    assert_eq!((error.kind, error.operation), (CmlErrorKind::Unreachable, "GET /labs"));
}

#[tokio::test]
async fn what_the_tiles_leave_out_is_read_by_itself_and_what_only_they_have_is_gone() {
    let controller = controller(ids(3), || Answer::json(&tiles(&["lab-001".into(), "deleted".into()]))).await;
    assert_eq!(seen(&listing(&controller).await), ids(3));
    assert_eq!(controller.lines(), [TILES, IDS, "GET /api/v0/labs/lab-000", "GET /api/v0/labs/lab-002"]);
}

#[tokio::test]
async fn a_lab_that_cannot_be_read_is_unread_and_one_deleted_meanwhile_is_gone() {
    let controller = Controller::start(|request| match request.line.as_str() {
        TILES => refusal(404, "Not Found"),
        IDS => Answer::json(&json!(["lab-0", "lab-1", "lab-2", "lab-3", "lab-4"])),
        "GET /api/v0/labs/lab-1" => refusal(404, "Lab not found: lab-1"),
        "GET /api/v0/labs/lab-2" => refusal(403, "User does not have required access"),
        "GET /api/v0/labs/lab-3" => Answer::Whole(200, "<html>".into()),
        one => Answer::json(&lab(one.trim_start_matches("GET /api/v0/labs/"))),
    })
    .await;
    let listing = listing(&controller).await;
    assert_eq!(seen(&listing), ["lab-0", "lab-4"]);
    let unread: Vec<_> = listing.unread.iter().map(|(id, error)| (id.as_str(), error.kind)).collect();
    assert_eq!(unread, [("lab-2", CmlErrorKind::Denied), ("lab-3", CmlErrorKind::Malformed)]);
}

#[tokio::test]
async fn a_controller_that_goes_away_meanwhile_has_not_been_listed() {
    let controller = Controller::start(|request| match request.line.as_str() {
        TILES => refusal(404, "Not Found"),
        IDS => Answer::json(&json!(["lab-0", "lab-1"])),
        "GET /api/v0/labs/lab-1" => Answer::Whole(502, "<html>".into()),
        _ => Answer::json(&lab("lab-0")),
    })
    .await;
    let error = controller.client.labs(controller.access()).await.unwrap_err();
    assert_eq!((error.kind, error.status), (CmlErrorKind::NotReady, Some(502)));
}

#[tokio::test]
async fn a_list_of_ids_that_cannot_be_read_whole_is_no_list() {
    for answer in [json!({}), json!("ok"), json!(["lab-0", 7]), json!([null])] {
        let controller = Controller::saying(answer.clone()).await;
        let error = controller.client.lab_ids(controller.access()).await.unwrap_err();
        assert_eq!(error.kind, CmlErrorKind::Malformed, "{answer}");
    }
}

#[tokio::test]
async fn more_labs_than_are_read_one_by_one_are_told_as_unread() {
    let controller = controller(ids(510), || refusal(404, "Not Found")).await;
    let listing = listing(&controller).await;
    assert_eq!((listing.labs.len(), listing.unread.len()), (500, 10));
    assert_eq!(listing.unread[0].0, "lab-500");
}
