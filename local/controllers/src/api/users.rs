//! CML's users.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Body, Machined, done, written};
use crate::failure::Failure;
use crate::machine::{Caller, Turn};
use crate::model::{ADMIN_ID, User, Version, new_uuid};

#[derive(Deserialize)]
pub(super) struct NewUser {
    username: String,
    password: String,
    #[serde(default)]
    admin: bool,
    #[serde(default)]
    fullname: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    email: String,
}

fn no_user(id: &str) -> Failure {
    Failure::new(StatusCode::NOT_FOUND, format!("User does not exist: {id}."))
}

pub(super) fn describe(turn: &Turn<'_>, user: &User) -> Value {
    let labs: Vec<&str> =
        turn.controller().labs.iter().filter(|lab| lab.owner == user.id).map(|lab| lab.id.as_str()).collect();
    let opt_in = match turn.controller().version {
        Version::V2_4 | Version::V2_9 => Value::Null,
        Version::V2_10 => "UNSET".into(),
    };
    json!({
        "id": user.id, "username": user.username, "fullname": user.fullname, "description": user.description,
        "email": user.email, "admin": user.admin, "groups": [], "associations": [], "labs": labs, "opt_in": opt_in,
        "resource_pool": null, "directory_dn": "", "tour_version": "", "pubkey": "",
        "created": written(user.created), "modified": written(user.created),
    })
}

/// Nobody made one.
pub(super) async fn groups(_: Caller) -> Json<Vec<Value>> {
    Json(Vec::new())
}

pub(super) async fn group(_: Caller, Path(id): Path<String>) -> Failure {
    Failure::new(StatusCode::NOT_FOUND, format!("Group does not exist: {id}."))
}

pub(super) async fn list(State(machine): Machined, _: Caller) -> Result<Json<Vec<Value>>, Failure> {
    machine.with(|turn| Ok(Json(turn.controller().users.iter().map(|user| describe(turn, user)).collect())))
}

pub(super) async fn show(State(machine): Machined, _: Caller, Path(id): Path<String>) -> Result<Json<Value>, Failure> {
    machine.with(|turn| {
        let user = turn.controller().user(&id).ok_or_else(|| no_user(&id))?;
        Ok(Json(describe(turn, user)))
    })
}

pub(super) async fn id_of(
    State(machine): Machined,
    _: Caller,
    Path(name): Path<String>,
) -> Result<Json<String>, Failure> {
    machine.with(|turn| {
        let user = turn.controller().users.iter().find(|user| user.username == name);
        Ok(Json(user.ok_or_else(|| no_user(&name))?.id.clone()))
    })
}

pub(super) async fn create(
    State(machine): Machined,
    caller: Caller,
    Body(new): Body<NewUser>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    caller.must_be_admin()?;
    Failure::length(&["body", "username"], &new.username, 1, 32)?;
    machine.with(|turn| {
        if turn.controller().users.iter().any(|user| user.username == new.username) {
            return Err(Failure::bad_request(format!("user {} already exists", new.username)));
        }
        let user = User {
            id: new_uuid(turn.random),
            username: new.username,
            password: new.password,
            admin: new.admin,
            fullname: new.fullname,
            description: new.description,
            email: new.email,
            created: turn.now,
        };
        let described = describe(turn, &user);
        turn.edit().users.push(user);
        Ok((StatusCode::CREATED, Json(described)))
    })
}

pub(super) async fn remove(
    State(machine): Machined,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    caller.must_be_admin()?;
    machine.with(|turn| {
        turn.controller().user(&id).ok_or_else(|| no_user(&id))?;
        if id == ADMIN_ID || id == caller.user.id {
            return Err(Failure::bad_request("this user cannot be removed"));
        }
        turn.edit().users.retain(|user| user.id != id);
        Ok(done())
    })
}
