//! Between stored attributes and serde records, with the schema version every item carries.

use domain::InvalidField;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::AppError;
use crate::ports::{Item, PortError};

/// The attributes of a record. Nulls are left out, as the table leaves them out.
pub(super) fn attributes<T: Serialize>(record: &T) -> Map<String, Value> {
    // Records are structs of plain data: they always become objects.
    match serde_json::to_value(record) {
        Ok(Value::Object(map)) => map.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    }
}

/// The same, without nulls at any depth: for readings, which are mostly absent values written often.
pub(super) fn compact_attributes<T: Serialize>(record: &T) -> Map<String, Value> {
    let mut map = attributes(record);
    map.values_mut().for_each(compact);
    map
}

fn compact(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(compact);
        }
        Value::Array(values) => values.iter_mut().for_each(compact),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The record of an item. Unknown attributes are ignored and absent ones take their defaults, so
/// that items of older and newer versions still load.
pub(super) fn read<T: DeserializeOwned>(item: &Item) -> Result<T, AppError> {
    T::deserialize(&item.attributes).map_err(|error| corrupt(item, &error))
}

/// An item that cannot be read; for the log.
pub(super) fn corrupt(item: &Item, error: &dyn std::fmt::Display) -> AppError {
    AppError::Corrupt(PortError::new("item", format!("{} {}: {error}", item.pk, item.sk)))
}

/// Those of the items that can be read. One that cannot is logged and left out: it must not hide or
/// stop all the others.
pub(super) fn readable<T>(items: &[Item], read: impl Fn(&Item) -> Result<T, AppError>) -> Vec<T> {
    let mut all = Vec::with_capacity(items.len());
    for item in items {
        match read(item) {
            Ok(value) => all.push(value),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(pk = item.pk, sk = item.sk, cause, "an item cannot be read; left out");
            }
        }
    }
    all
}

/// A field of an item that cannot be read; for the log.
#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
pub(super) fn bad_field(error: InvalidField) -> AppError {
    AppError::Corrupt(PortError::new("item", error.to_string()))
}
