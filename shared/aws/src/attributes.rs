//! JSON values as DynamoDB attribute values, and back.
//!
//! DynamoDB has one kind of number and drops a fraction of zero, so `1.0` comes back as `1`; all
//! other values come back as they were.

use app::ports::TableError;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Number, Value};

use crate::error::malformed;

/// The greatest magnitude DynamoDB keeps is just below this, the smallest its inverse, about.
const TOO_GREAT: f64 = 1e126;
const TOO_SMALL: f64 = 1e-130;

/// A JSON value as DynamoDB keeps it.
pub(crate) fn encode(value: Value) -> Result<AttributeValue, TableError> {
    Ok(match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(value) => AttributeValue::Bool(value),
        Value::Number(value) => AttributeValue::N(encode_number(&value)?),
        Value::String(value) => AttributeValue::S(value),
        Value::Array(values) => AttributeValue::L(values.into_iter().map(encode).collect::<Result<_, _>>()?),
        Value::Object(values) => AttributeValue::M(
            values.into_iter().map(|(name, value)| Ok((name, encode(value)?))).collect::<Result<_, TableError>>()?,
        ),
    })
}

/// A stored value as JSON.
pub(crate) fn decode(value: AttributeValue) -> Result<Value, TableError> {
    Ok(match value {
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::Bool(value) => Value::Bool(value),
        AttributeValue::N(text) => Value::Number(decode_number(&text)?),
        AttributeValue::S(value) => Value::String(value),
        AttributeValue::L(values) => Value::Array(values.into_iter().map(decode).collect::<Result<_, _>>()?),
        AttributeValue::M(values) => Value::Object(
            values
                .into_iter()
                .map(|(name, value)| Ok((name, decode(value)?)))
                .collect::<Result<Map<_, _>, TableError>>()?,
        ),
        // Sets and bytes: this program writes none.
        _ => return Err(malformed("dynamodb.decode", "an attribute has a type this program never writes")),
    })
}

fn encode_number(number: &Number) -> Result<String, TableError> {
    if number.is_f64() {
        let magnitude = number.as_f64().unwrap_or(f64::NAN).abs();
        if magnitude != 0.0 && !(TOO_SMALL..TOO_GREAT).contains(&magnitude) {
            return Err(malformed("dynamodb.encode", format!("{number} is beyond DynamoDB's numbers")));
        }
    }
    Ok(number.to_string())
}

fn decode_number(text: &str) -> Result<Number, TableError> {
    if let Ok(whole) = text.parse::<i64>() {
        return Ok(whole.into());
    }
    if let Ok(whole) = text.parse::<u64>() {
        return Ok(whole.into());
    }
    let float = text.parse::<f64>().ok().and_then(Number::from_f64);
    let float = float.ok_or_else(|| malformed("dynamodb.decode", format!("{text} is not a number")))?;
    Ok(whole(&float).unwrap_or(float))
}

/// The integer that a float without fraction is. Stand-ins for DynamoDB may answer `1.0` or `1E+3`.
fn whole(float: &Number) -> Option<Number> {
    // Rust prints a float without exponent, and without `.0`.
    let digits = float.as_f64()?.to_string();
    let digits = if digits == "-0" { "0" } else { &digits };
    digits.parse::<i64>().map(Number::from).or_else(|_| digits.parse::<u64>().map(Number::from)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            // With a fraction: DynamoDB does not keep a fraction of zero.
            (-1e9..1e9_f64).prop_filter("has a fraction", |float| float.fract() != 0.0).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..8)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_comes_back_as_it_was(value in any_value()) {
            prop_assert_eq!(decode(encode(value.clone()).unwrap()).unwrap(), value);
        }
    }

    #[test]
    fn a_whole_number_comes_back_as_an_integer_however_it_is_spelled() {
        for spelling in ["1000", "1000.0", "1E+3", "1e3"] {
            assert_eq!(decode(AttributeValue::N(spelling.into())).unwrap(), json!(1000));
        }
        assert_eq!(decode(AttributeValue::N("-0.0".into())).unwrap(), json!(0));
        assert_eq!(decode(AttributeValue::N("18446744073709551615".into())).unwrap(), json!(u64::MAX));
    }

    #[test]
    fn what_dynamodb_cannot_keep_or_we_never_write_is_malformed() {
        for number in [json!(1e126), json!(-1e300), json!(1e-131)] {
            assert!(matches!(encode(number), Err(TableError::Malformed(_))));
        }
        assert!(matches!(decode(AttributeValue::Ss(vec!["a".into()])), Err(TableError::Malformed(_))));
        assert!(matches!(decode(AttributeValue::N("twelve".into())), Err(TableError::Malformed(_))));
        assert!(matches!(decode(AttributeValue::N("NaN".into())), Err(TableError::Malformed(_))));
    }
}
