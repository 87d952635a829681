//! The kinds of node, and their images.

use axum::Json;
use axum::extract::Path;
use serde_json::Value;

use crate::failure::Failure;
use crate::machine::Caller;
use crate::model::definitions::{self, Definition};

fn find(id: &str) -> Result<&'static Definition, Failure> {
    definitions::find(id).ok_or_else(|| Failure::not_found("Node Definition", id))
}

pub(super) async fn nodes(_: Caller) -> Json<Vec<Value>> {
    Json(definitions::all().map(Definition::describe).collect())
}

pub(super) async fn node(_: Caller, Path(id): Path<String>) -> Result<Json<Value>, Failure> {
    Ok(Json(find(&id)?.describe()))
}

pub(super) async fn simplified(_: Caller) -> Json<Vec<Value>> {
    Json(definitions::all().map(Definition::simplified).collect())
}

pub(super) async fn images(_: Caller) -> Json<Vec<Value>> {
    Json(definitions::all().filter_map(Definition::describe_image).collect())
}

pub(super) async fn images_of(_: Caller, Path(id): Path<String>) -> Result<Json<Vec<Value>>, Failure> {
    Ok(Json(find(&id)?.describe_image().into_iter().collect()))
}

pub(super) async fn image(_: Caller, Path(id): Path<String>) -> Result<Json<Value>, Failure> {
    let image = definitions::all().filter_map(Definition::describe_image).find(|image| image["id"] == id);
    image.map(Json).ok_or_else(|| Failure::not_found("Image Definition", &id))
}
