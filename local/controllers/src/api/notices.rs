//! Notices to users, and the maintenance mode.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::{Body, Machined, done};
use crate::failure::Failure;
use crate::machine::{Caller, Turn};
use crate::model::new_uuid;
use crate::model::notice::{Level, Notice};
use crate::model::telemetry::Event;

/// How long these may be, in characters.
const LABEL_LIMIT: usize = 128;
const CONTENT_LIMIT: usize = 8_192;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewNotice {
    level: Level,
    label: String,
    #[serde(default)]
    content: String,
    #[serde(default)]
    enabled: bool,
    #[serde(default)]
    groups: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Changes {
    level: Option<Level>,
    label: Option<String>,
    content: Option<String>,
    enabled: Option<bool>,
    acknowledged: Option<BTreeMap<String, bool>>,
    #[serde(default)]
    add_groups: Vec<String>,
    #[serde(default)]
    del_groups: Vec<String>,
}

impl Changes {
    fn only_acknowledges(&self) -> bool {
        let rest = (&self.level, &self.label, &self.content, &self.enabled);
        matches!(rest, (None, None, None, None)) && self.add_groups.is_empty() && self.del_groups.is_empty()
    }

    fn apply(self, notice: &mut Notice) {
        notice.level = self.level.unwrap_or(notice.level);
        notice.label = self.label.unwrap_or_else(|| std::mem::take(&mut notice.label));
        notice.content = self.content.unwrap_or_else(|| std::mem::take(&mut notice.content));
        notice.enabled = self.enabled.unwrap_or(notice.enabled);
        notice.acknowledged.extend(self.acknowledged.unwrap_or_default());
        notice.groups.retain(|group| !self.del_groups.contains(group));
        notice.groups.extend(self.add_groups);
    }
}

fn check(label: Option<&str>, content: Option<&str>) -> Result<(), Failure> {
    label.map_or(Ok(()), |label| Failure::length(&["body", "label"], label, 1, LABEL_LIMIT))?;
    content.map_or(Ok(()), |content| Failure::length(&["body", "content"], content, 0, CONTENT_LIMIT))
}

fn describe(notice: &Notice) -> Value {
    json!({
        "id": notice.id, "level": notice.level, "label": notice.label, "content": notice.content,
        "enabled": notice.enabled, "groups": notice.groups, "acknowledged": notice.acknowledged,
    })
}

fn find<'a>(turn: &'a Turn<'_>, id: &str) -> Result<&'a Notice, Failure> {
    let notice = turn.controller().notices.iter().find(|notice| notice.id == id);
    notice.ok_or_else(|| Failure::not_found("System notice", id))
}

/// Administrators see all, the others what is shown.
pub(super) async fn list(State(machine): Machined, caller: Caller) -> Result<Json<Vec<Value>>, Failure> {
    machine.with(|turn| {
        let notices = turn.controller().notices.iter();
        Ok(Json(notices.filter(|notice| caller.user.admin || notice.enabled).map(describe).collect()))
    })
}

pub(super) async fn show(State(machine): Machined, _: Caller, Path(id): Path<String>) -> Result<Json<Value>, Failure> {
    machine.with(|turn| Ok(Json(describe(find(turn, &id)?))))
}

pub(super) async fn create(
    State(machine): Machined,
    caller: Caller,
    Body(new): Body<NewNotice>,
) -> Result<Json<Value>, Failure> {
    caller.must_be_admin()?;
    check(Some(&new.label), Some(&new.content))?;
    machine.with(|turn| {
        let notice = Notice {
            id: new_uuid(turn.random),
            level: new.level,
            label: new.label,
            content: new.content,
            enabled: new.enabled,
            groups: new.groups,
            // Whom it is shown to: everybody, as nobody is in a group.
            acknowledged: turn.controller().users.iter().map(|user| (user.id.clone(), false)).collect(),
        };
        let described = describe(&notice);
        turn.edit().notices.push(notice);
        note_change(turn, &caller);
        Ok(Json(described))
    })
}

fn note_change(turn: &mut Turn<'_>, caller: &Caller) {
    let event = Event::by_user("notice_state_change", turn.now, &caller.user.id);
    turn.note(event);
}

pub(super) async fn update(
    State(machine): Machined,
    caller: Caller,
    Path(id): Path<String>,
    Body(changes): Body<Changes>,
) -> Result<Json<Value>, Failure> {
    // Whoever reads a notice may say so; the notice itself is the administrators'.
    if !changes.only_acknowledges() {
        caller.must_be_admin()?;
    }
    check(changes.label.as_deref(), changes.content.as_deref())?;
    machine.with(|turn| {
        find(turn, &id)?;
        if let Some(notice) = turn.edit().notices.iter_mut().find(|notice| notice.id == id) {
            changes.apply(notice);
        }
        note_change(turn, &caller);
        Ok(Json(describe(find(turn, &id)?)))
    })
}

pub(super) async fn remove(
    State(machine): Machined,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    caller.must_be_admin()?;
    machine.with(|turn| {
        find(turn, &id)?;
        let controller = turn.edit();
        controller.notices.retain(|notice| notice.id != id);
        controller.maintenance.notice.take_if(|notice| *notice == id);
        note_change(turn, &caller);
        Ok(done())
    })
}

fn describe_maintenance(turn: &Turn<'_>) -> Value {
    let maintenance = &turn.controller().maintenance;
    let notice = maintenance.notice.as_deref().and_then(|id| find(turn, id).ok());
    json!({
        "maintenance_mode": maintenance.on, "notice": maintenance.notice, "resolved_notice": notice.map(describe),
    })
}

/// Needs no token.
pub(super) async fn maintenance(State(machine): Machined) -> Result<Json<Value>, Failure> {
    machine.with(|turn| Ok(Json(describe_maintenance(turn))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Maintaining {
    maintenance_mode: Option<bool>,
    /// Null takes the notice away; nothing leaves it.
    #[serde(default, deserialize_with = "given")]
    notice: Option<Option<String>>,
}

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

pub(super) async fn set_maintenance(
    State(machine): Machined,
    caller: Caller,
    Body(wanted): Body<Maintaining>,
) -> Result<Json<Value>, Failure> {
    caller.must_be_admin()?;
    machine.with(|turn| {
        if let Some(Some(id)) = &wanted.notice {
            find(turn, id)?;
        }
        let maintenance = &mut turn.edit().maintenance;
        maintenance.on = wanted.maintenance_mode.unwrap_or(maintenance.on);
        maintenance.notice = wanted.notice.unwrap_or_else(|| maintenance.notice.take());
        let event = Event::by_user("maintenance_state_change", turn.now, &caller.user.id);
        turn.note(event);
        Ok(Json(describe_maintenance(turn)))
    })
}
