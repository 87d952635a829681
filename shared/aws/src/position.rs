//! Where a query goes on: DynamoDB's `LastEvaluatedKey`, as text that a caller may hold.
//!
//! It comes back through the hands of callers, so nothing in it is believed: a position that cannot
//! be one of the query it is used with is refused before DynamoDB sees it.

use app::ports::{IndexName, Query, TableError};
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::error::malformed;
use crate::item::{Attributes, GSI1_PK, GSI1_SK, GSI2_PK, GSI2_SK, PK, SK};

/// DynamoDB's own limits, in bytes.
const LONGEST_PK: usize = 2048;
const LONGEST_SK: usize = 1024;

/// The names of the partition and sort key that a query reads by.
pub(crate) fn key_names(index: Option<IndexName>) -> (&'static str, &'static str) {
    match index {
        None => (PK, SK),
        Some(IndexName::Gsi1) => (GSI1_PK, GSI1_SK),
        Some(IndexName::Gsi2) => (GSI2_PK, GSI2_SK),
    }
}

/// A key as text.
pub(crate) fn encode(key: Attributes) -> Result<String, TableError> {
    let mut object = Map::new();
    for (name, value) in key {
        let AttributeValue::S(text) = value else {
            return Err(malformed("dynamodb.Query", "a key attribute is not a string"));
        };
        object.insert(name, Value::String(text));
    }
    Ok(URL_SAFE_NO_PAD.encode(Value::Object(object).to_string()))
}

/// The key that a position of this query stands for.
pub(crate) fn decode(position: &str, query: &Query) -> Result<Attributes, TableError> {
    read(position, query).ok_or(TableError::BadPosition)
}

fn read(position: &str, query: &Query) -> Option<Attributes> {
    let json = URL_SAFE_NO_PAD.decode(position).ok()?;
    let mut object: Map<String, Value> = serde_json::from_slice(&json).ok()?;
    let (pk_name, sk_name) = key_names(query.index);
    let in_query = object.get(pk_name)?.as_str()? == query.pk && in_bounds(object.get(sk_name)?.as_str()?, query);
    if !in_query {
        return None;
    }

    let mut key = Attributes::new();
    for (name, longest) in [(PK, LONGEST_PK), (SK, LONGEST_SK), (pk_name, LONGEST_PK), (sk_name, LONGEST_SK)] {
        match object.remove(name) {
            Some(Value::String(text)) if !text.is_empty() && text.len() <= longest => {
                key.insert(name.to_owned(), AttributeValue::S(text));
            }
            // The table's own names are in the list twice.
            None if key.contains_key(name) => {}
            _ => return None,
        }
    }
    object.is_empty().then_some(key)
}

fn in_bounds(sk: &str, query: &Query) -> bool {
    query.from.as_deref().is_none_or(|from| sk >= from) && query.to.as_deref().is_none_or(|to| sk <= to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn position(value: &Value) -> String {
        URL_SAFE_NO_PAD.encode(value.to_string())
    }

    fn query() -> Query {
        Query::index(IndexName::Gsi1, "G").between("b", "d")
    }

    #[test]
    fn a_position_comes_back_as_the_key_it_was() {
        let key: Attributes = [("pk", "P"), ("sk", "S"), ("gsi1pk", "G"), ("gsi1sk", "c")]
            .map(|(name, text)| (name.to_owned(), AttributeValue::S(text.to_owned())))
            .into();
        assert_eq!(decode(&encode(key.clone()).unwrap(), &query()).unwrap(), key);
    }

    #[test]
    fn what_cannot_be_a_position_of_the_query_is_refused() {
        let bad = [
            String::new(),
            "not base64!".into(),
            URL_SAFE_NO_PAD.encode("not json"),
            position(&json!([])),
            position(&json!({"pk": "P", "sk": "S"})),
            position(&json!({"pk": "P", "gsi1pk": "G", "gsi1sk": "c"})),
            position(&json!({"pk": "P", "sk": "S", "gsi1pk": "OTHER", "gsi1sk": "c"})),
            position(&json!({"pk": "P", "sk": "S", "gsi1pk": "G", "gsi1sk": "a"})),
            position(&json!({"pk": "P", "sk": "S", "gsi1pk": "G", "gsi1sk": "e"})),
            position(&json!({"pk": "P", "sk": "", "gsi1pk": "G", "gsi1sk": "c"})),
            position(&json!({"pk": "P", "sk": 1, "gsi1pk": "G", "gsi1sk": "c"})),
            position(&json!({"pk": "P", "sk": "S", "gsi1pk": "G", "gsi1sk": "c", "more": "x"})),
            position(&json!({"pk": "P".repeat(3000), "sk": "S", "gsi1pk": "G", "gsi1sk": "c"})),
        ];
        for position in bad {
            assert!(matches!(decode(&position, &query()), Err(TableError::BadPosition)), "{position}");
        }
    }
}
