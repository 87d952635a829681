//! Between stored attributes and serde records, with the schema version every item carries.

use domain::InvalidField;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{AppError, PortError};
use crate::ports::Item;

/// The attributes of a record. Nulls are left out, as the table leaves them out.
pub(super) fn attributes<T: Serialize>(record: &T) -> Map<String, Value> {
    // Records are structs of plain data: they always become objects.
    match serde_json::to_value(record) {
        Ok(Value::Object(map)) => map.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    }
}

/// The record of an item. Unknown attributes are ignored and absent ones take their defaults, so
/// that items of older and newer versions still load.
pub(super) fn read<T: DeserializeOwned>(item: &Item) -> Result<T, AppError> {
    serde_json::from_value(Value::Object(item.attributes.clone())).map_err(|error| corrupt(item, &error))
}

/// An item that cannot be read; for the log.
pub(super) fn corrupt(item: &Item, error: &dyn std::fmt::Display) -> AppError {
    AppError::Corrupt(PortError::new("item", format!("{} {}: {error}", item.pk, item.sk)))
}

/// A field of an item that cannot be read; for the log.
pub(super) fn bad_field(error: InvalidField) -> AppError {
    AppError::Corrupt(PortError::new("item", error.to_string()))
}
