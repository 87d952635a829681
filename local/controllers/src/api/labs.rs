//! Labs as a list, and each as a thing with a title.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Body, Machined, Params, done, topology, written};
use crate::failure::Failure;
use crate::machine::{Caller, Turn};
use crate::model::lab::{Autostart, Lab, LabState, NodeStaging};
use crate::model::{Version, new_uuid};

/// How long these may be, in characters.
const TITLE_LIMIT: usize = 64;
const DESCRIPTION_LIMIT: usize = 4_096;
const NOTES_LIMIT: usize = 32_768;
/// The highest priority and the longest delay, in seconds, of a lab that starts with its machine.
const PRIORITY_LIMIT: u32 = 10_000;
const DELAY_LIMIT: u32 = 86_400;

/// What may be said of a lab when it is made or changed: without the prefix of the answers.
#[derive(Deserialize)]
pub(super) struct Properties {
    title: Option<String>,
    description: Option<String>,
    notes: Option<String>,
    owner: Option<String>,
    autostart: Option<Autostart>,
    node_staging: Option<NodeStaging>,
}

impl Properties {
    fn apply(self, lab: &mut Lab, now: Timestamp, booted_at: Option<Timestamp>) {
        lab.title = self.title.unwrap_or_else(|| std::mem::take(&mut lab.title));
        lab.description = self.description.unwrap_or_else(|| std::mem::take(&mut lab.description));
        lab.notes = self.notes.unwrap_or_else(|| std::mem::take(&mut lab.notes));
        lab.owner = self.owner.unwrap_or_else(|| std::mem::take(&mut lab.owner));
        lab.node_staging = self.node_staging.unwrap_or_else(|| std::mem::take(&mut lab.node_staging));
        if let Some(autostart) = self.autostart {
            // It is too late for this boot: not before the next one.
            if booted_at.is_some_and(|booted_at| now >= autostart.at(booted_at)) {
                lab.autostarted_at = booted_at;
            }
            lab.autostart = autostart;
        }
    }

    /// Only what the caller may set, and owners who exist.
    fn check(&self, turn: &Turn<'_>, caller: &Caller) -> Result<(), Failure> {
        self.title.as_deref().map_or(Ok(()), check_title)?;
        Failure::length(
            &["body", "description"],
            self.description.as_deref().unwrap_or_default(),
            0,
            DESCRIPTION_LIMIT,
        )?;
        Failure::length(&["body", "notes"], self.notes.as_deref().unwrap_or_default(), 0, NOTES_LIMIT)?;
        self.check_startup(turn.controller().version)?;
        let Some(owner) = self.owner.as_deref() else { return Ok(()) };
        caller.must_be_admin()?;
        let known = turn.controller().user(owner).is_some();
        if known { Ok(()) } else { Err(Failure::bad_request(format!("User does not exist: {owner}."))) }
    }

    /// What came with 2.10 is unknown before it.
    fn check_startup(&self, version: Version) -> Result<(), Failure> {
        let refused = |field, kind, message: &str| Err(Failure::validation(&["body", field], kind, message));
        if version < Version::V2_10 && self.autostart.is_some() {
            return refused("autostart", "extra_forbidden", "Extra inputs are not permitted");
        }
        if version < Version::V2_10 && self.node_staging.is_some() {
            return refused("node_staging", "extra_forbidden", "Extra inputs are not permitted");
        }
        let Some(Autostart { priority, delay, .. }) = self.autostart else { return Ok(()) };
        for (value, most) in [(priority, PRIORITY_LIMIT), (delay, DELAY_LIMIT)] {
            if value.is_some_and(|value| value > most) {
                let message = format!("Input should be less than or equal to {most}");
                return refused("autostart", "less_than_equal", &message);
            }
        }
        Ok(())
    }
}

/// 1 to 64 characters.
pub(super) fn check_title(title: &str) -> Result<(), Failure> {
    Failure::length(&["body", "title"], title, 1, TITLE_LIMIT)
}

/// What a lab is called that nobody gave a title.
pub(super) fn default_title(turn: &Turn<'_>) -> String {
    turn.now.strftime("Lab at %a %H:%M %p").to_string()
}

/// The lab of `GET /labs/{id}`.
fn describe(turn: &Turn<'_>, lab: &Lab) -> Value {
    let owner = turn.controller().user(&lab.owner);
    let mut answer = json!({
        "id": lab.id,
        "created": written(lab.created),
        "modified": written(lab.modified),
        "lab_title": lab.title,
        "lab_description": lab.description,
        "lab_notes": lab.notes,
        "owner": lab.owner,
        "owner_username": owner.map(|user| user.username.as_str()),
        "owner_fullname": owner.map(|user| user.fullname.as_str()),
        "state": lab.state(turn.now),
        "node_count": lab.nodes.len(),
        "link_count": lab.links.len(),
        "groups": [],
        "effective_permissions": ["lab_view", "lab_admin", "lab_exec", "lab_edit"],
    });
    if turn.controller().version >= Version::V2_10 {
        answer["autostart"] = json!(lab.autostart);
        answer["node_staging"] = json!(lab.node_staging);
    }
    answer
}

/// The caller's own; an administrator may ask for those of all.
pub(super) async fn list(
    State(machine): Machined,
    caller: Caller,
    params: Params,
) -> Result<Json<Vec<String>>, Failure> {
    let all = params.flag("show_all");
    machine.with(|turn| {
        let labs = turn.labs(&caller).filter(|lab| all || lab.owner == caller.user.id);
        Ok(Json(labs.map(|lab| lab.id.clone()).collect()))
    })
}

pub(super) async fn tiles(State(machine): Machined, caller: Caller) -> Result<Json<Value>, Failure> {
    machine.with(|turn| {
        let tiles = turn.labs(&caller).map(|lab| {
            let mut tile = describe(turn, lab);
            tile["topology"] = topology::describe(turn, lab, true);
            (lab.id.clone(), tile)
        });
        let tiles: serde_json::Map<String, Value> = tiles.collect();
        Ok(Json(json!({ "lab_tiles": tiles })))
    })
}

pub(super) async fn create(
    State(machine): Machined,
    caller: Caller,
    Body(properties): Body<Properties>,
) -> Result<Json<Value>, Failure> {
    machine.with(|turn| {
        properties.check(turn, &caller)?;
        let mut lab = Lab::new(new_uuid(turn.random), default_title(turn), caller.user.id.clone(), turn.now);
        properties.apply(&mut lab, turn.now, turn.controller().booted_at);
        let id = lab.id.clone();
        lab.touch(turn.now, "ADD", "lab", &id);
        let described = describe(turn, &lab);
        turn.edit().labs.push(lab);
        Ok(Json(described))
    })
}

pub(super) async fn show(
    State(machine): Machined,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    machine.with(|turn| Ok(Json(describe(turn, turn.lab(&caller, &id)?))))
}

pub(super) async fn update(
    State(machine): Machined,
    caller: Caller,
    Path(id): Path<String>,
    Body(properties): Body<Properties>,
) -> Result<Json<Value>, Failure> {
    machine.with(|turn| {
        turn.lab(&caller, &id)?;
        properties.check(turn, &caller)?;
        let booted_at = turn.controller().booted_at;
        let (lab, pen) = turn.lab_mut(&caller, &id)?;
        properties.apply(lab, pen.now, booted_at);
        lab.touch(pen.now, "CHANGE", "lab", &id);
        Ok(Json(describe(turn, turn.lab(&caller, &id)?)))
    })
}

pub(super) async fn remove(
    State(machine): Machined,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    machine.with(|turn| {
        if turn.lab(&caller, &id)?.state(turn.now) != LabState::DefinedOnCore {
            return Err(Failure::bad_request(format!("lab {id} must be stopped and wiped before it can be deleted")));
        }
        turn.edit().labs.retain(|lab| lab.id != id);
        Ok(done())
    })
}

pub(super) async fn events(
    State(machine): Machined,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Vec<Value>>, Failure> {
    machine.with(|turn| Ok(Json(events_of(turn.lab(&caller, &id)?))))
}

/// What happened to a lab, oldest first.
pub(super) fn events_of(lab: &Lab) -> Vec<Value> {
    let events = lab.events.iter().map(|event| {
        json!({
            "lab_id": lab.id, "event": event.event, "element_type": event.element_type, "element_id": event.element_id,
            "data": event.data, "previous": null, "timestamp": written(event.at),
        })
    });
    events.collect()
}

/// No node here has an address to tell.
pub(super) async fn layer3_addresses(
    State(machine): Machined,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    machine.with(|turn| turn.lab(&caller, &id).map(|_| Json(json!({}))))
}

/// No lab is in one.
pub(super) async fn resource_pools(
    State(machine): Machined,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Vec<Value>>, Failure> {
    machine.with(|turn| turn.lab(&caller, &id).map(|_| Json(Vec::new())))
}
