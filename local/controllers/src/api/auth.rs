//! Signing in and out.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Body, Machined, Params};
use crate::failure::Failure;
use crate::machine::{Caller, Machine};
use crate::model::telemetry::Event;
use crate::model::{User, Version};

#[derive(Deserialize)]
pub(super) struct Credentials {
    username: String,
    password: String,
}

/// Every sign-in is a `user_activity`, a program's as well as a person's.
fn sign_in(machine: &Machine, credentials: &Credentials) -> Result<(User, String), Failure> {
    Failure::length(&["body", "username"], &credentials.username, 1, 32)?;
    machine.with(|turn| {
        let known = turn.controller().users.iter().find(|user| user.username == credentials.username);
        let user = known
            .filter(|user| user.password == credentials.password)
            .cloned()
            .ok_or_else(|| Failure::new(StatusCode::FORBIDDEN, "Authentication failed!"))?;
        if turn.controller().maintenance.on && !user.admin {
            return Err(Failure::new(StatusCode::FORBIDDEN, "System is in maintenance mode."));
        }
        let (now, random) = (turn.machine_now, turn.random);
        let token = turn.sessions().open(&user.id, now, random);
        let token = token.ok_or_else(|| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "No token."))?;
        let event = Event::by_user("user_activity", turn.now, &user.id);
        turn.note(event);
        Ok((user, token))
    })
}

pub(super) async fn authenticate(
    State(machine): Machined,
    Body(credentials): Body<Credentials>,
) -> Result<Json<String>, Failure> {
    Ok(Json(sign_in(&machine, &credentials)?.1))
}

pub(super) async fn auth_extended(
    State(machine): Machined,
    Body(credentials): Body<Credentials>,
) -> Result<Json<Value>, Failure> {
    let (user, token) = sign_in(&machine, &credentials)?;
    Ok(Json(json!({
        "username": user.username, "id": user.id, "token": token, "admin": user.admin, "error": null,
    })))
}

/// Up to 2.9.
pub(super) async fn authok(State(machine): Machined, caller: Caller) -> Result<Json<String>, Failure> {
    machine.with(|turn| match turn.controller().version {
        Version::V2_4 | Version::V2_9 => Ok(Json(caller.user.username)),
        Version::V2_10 => Err(Failure::new(StatusCode::NOT_FOUND, "Not Found")),
    })
}

/// From 2.10 on.
pub(super) async fn authentication(State(machine): Machined, caller: Caller) -> Result<Json<Value>, Failure> {
    machine.with(|turn| match turn.controller().version {
        Version::V2_4 | Version::V2_9 => Err(Failure::new(StatusCode::NOT_FOUND, "Not Found")),
        Version::V2_10 => {
            let User { id, username, admin, .. } = caller.user;
            Ok(Json(json!({ "id": id, "username": username, "admin": admin, "error": null })))
        }
    })
}

pub(super) async fn logout(State(machine): Machined, caller: Caller, params: Params) -> Result<Json<bool>, Failure> {
    machine.with(|turn| {
        turn.sessions().close(&caller.session, params.flag("clear_all_sessions"));
        Ok(Json(true))
    })
}
