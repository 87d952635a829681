//! Items of the port as DynamoDB items, and back.

use std::collections::HashMap;

use app::ports::{Item, ItemKey, TableError};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::Timestamp;

use crate::attributes::{decode, encode};
use crate::error::malformed;

/// A DynamoDB item, or a key of one.
pub(crate) type Attributes = HashMap<String, AttributeValue>;

pub(crate) const PK: &str = "pk";
pub(crate) const SK: &str = "sk";
pub(crate) const GSI1_PK: &str = "gsi1pk";
pub(crate) const GSI1_SK: &str = "gsi1sk";
pub(crate) const GSI2_PK: &str = "gsi2pk";
pub(crate) const GSI2_SK: &str = "gsi2sk";
pub(crate) const VERSION: &str = "version";
pub(crate) const EXPIRES_AT: &str = "expires_at";

/// The names that an item's own attributes may not have.
const RESERVED: [&str; 8] = [PK, SK, GSI1_PK, GSI1_SK, GSI2_PK, GSI2_SK, VERSION, EXPIRES_AT];

/// An item as DynamoDB keeps it.
pub(crate) fn to_attributes(item: Item) -> Result<Attributes, TableError> {
    let mut attributes = key_attributes(ItemKey::new(item.pk, item.sk));
    for (names, key) in [((GSI1_PK, GSI1_SK), item.gsi1), ((GSI2_PK, GSI2_SK), item.gsi2)] {
        if let Some((pk, sk)) = key {
            attributes.insert(names.0.into(), AttributeValue::S(pk));
            attributes.insert(names.1.into(), AttributeValue::S(sk));
        }
    }
    if let Some(version) = item.version {
        attributes.insert(VERSION.into(), AttributeValue::N(version.to_string()));
    }
    if let Some(expires_at) = item.expires_at {
        attributes.insert(EXPIRES_AT.into(), AttributeValue::N(rounded_up(expires_at).to_string()));
    }
    for (name, value) in item.attributes {
        if RESERVED.contains(&name.as_str()) {
            return Err(malformed("dynamodb.encode", format!("an item's own attribute may not be called {name}")));
        }
        if !value.is_null() {
            attributes.insert(name, encode(value)?);
        }
    }
    Ok(attributes)
}

/// A stored item.
pub(crate) fn from_attributes(mut attributes: Attributes) -> Result<Item, TableError> {
    let mut item = Item {
        pk: take_text(&mut attributes, PK)?.ok_or_else(|| unreadable(PK))?,
        sk: take_text(&mut attributes, SK)?.ok_or_else(|| unreadable(SK))?,
        gsi1: take_index_key(&mut attributes, GSI1_PK, GSI1_SK)?,
        gsi2: take_index_key(&mut attributes, GSI2_PK, GSI2_SK)?,
        version: take_number(&mut attributes, VERSION)?,
        expires_at: None,
        attributes: serde_json::Map::new(),
    };
    if let Some(second) = take_number(&mut attributes, EXPIRES_AT)? {
        item.expires_at = Some(Timestamp::from_second(second).map_err(|_| unreadable(EXPIRES_AT))?);
    }
    for (name, value) in attributes {
        item.attributes.insert(name, decode(value)?);
    }
    Ok(item)
}

/// A primary key as DynamoDB takes it.
pub(crate) fn key_attributes(key: ItemKey) -> Attributes {
    HashMap::from([(PK.into(), AttributeValue::S(key.pk)), (SK.into(), AttributeValue::S(key.sk))])
}

/// The first whole second at or after `time`: an item is never kept for less time than asked.
pub(crate) fn rounded_up(time: Timestamp) -> i64 {
    let up = time.as_second() + i64::from(time.subsec_nanosecond() > 0);
    up.min(Timestamp::MAX.as_second())
}

/// The last whole second at or before `time`.
pub(crate) fn rounded_down(time: Timestamp) -> i64 {
    let down = time.as_second() - i64::from(time.subsec_nanosecond() < 0);
    down.max(Timestamp::MIN.as_second())
}

fn take_text(attributes: &mut Attributes, name: &'static str) -> Result<Option<String>, TableError> {
    match attributes.remove(name) {
        None => Ok(None),
        Some(AttributeValue::S(text)) => Ok(Some(text)),
        Some(_) => Err(unreadable(name)),
    }
}

fn take_number<T: std::str::FromStr>(attributes: &mut Attributes, name: &'static str) -> Result<Option<T>, TableError> {
    match attributes.remove(name) {
        None => Ok(None),
        Some(AttributeValue::N(text)) => text.parse().map(Some).map_err(|_| unreadable(name)),
        Some(_) => Err(unreadable(name)),
    }
}

fn take_index_key(
    attributes: &mut Attributes,
    pk: &'static str,
    sk: &'static str,
) -> Result<Option<(String, String)>, TableError> {
    match (take_text(attributes, pk)?, take_text(attributes, sk)?) {
        (Some(pk), Some(sk)) => Ok(Some((pk, sk))),
        (None, None) => Ok(None),
        _ => Err(unreadable(pk)),
    }
}

fn unreadable(name: &str) -> TableError {
    malformed("dynamodb.decode", format!("the attribute {name} is missing or of the wrong type"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn item(attributes: Value) -> Item {
        let Value::Object(attributes) = attributes else { panic!("{attributes} is no object") };
        Item {
            pk: "P".into(),
            sk: "S".into(),
            gsi2: Some(("G".into(), "H".into())),
            version: Some(u64::MAX),
            attributes,
            ..Item::default()
        }
    }

    #[test]
    fn an_item_comes_back_as_it_was_without_its_null_attributes() {
        let stored = to_attributes(item(json!({"name": "a", "gone": null, "nested": {"gone": null}}))).unwrap();
        assert!(!stored.contains_key("gone"));
        assert_eq!(from_attributes(stored).unwrap(), item(json!({"name": "a", "nested": {"gone": null}})));
    }

    #[test]
    fn an_attribute_may_not_take_the_name_of_a_key() {
        for name in RESERVED {
            assert!(matches!(to_attributes(item(json!({ name: "x" }))), Err(TableError::Malformed(_))));
        }
    }

    #[test]
    fn expiry_is_rounded_up_and_judged_by_time_rounded_down() {
        let time: Timestamp = "2026-01-01T00:00:00.25Z".parse().unwrap();
        assert_eq!(rounded_up(time), rounded_down(time) + 1);
        let before_1970: Timestamp = "1969-12-31T23:59:58.5Z".parse().unwrap();
        assert_eq!((rounded_down(before_1970), rounded_up(before_1970)), (-2, -1));
        let whole: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(rounded_up(whole), rounded_down(whole));
        assert!(Timestamp::from_second(rounded_up(Timestamp::MAX)).is_ok());
    }

    #[test]
    fn half_an_index_key_is_malformed() {
        let mut stored = to_attributes(item(json!({}))).unwrap();
        stored.remove(GSI2_SK);
        assert!(matches!(from_attributes(stored), Err(TableError::Malformed(_))));
    }
}
