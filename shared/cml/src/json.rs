//! Reading JSON that may be anything: numbers as floats or integers, everything nullable, times in
//! the several forms CML writes.

use app::ports::{CmlError, CmlState};
use domain::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use crate::errors::malformed;

/// Seconds since 1970 stay below this until the year 5138; what is above counts milliseconds.
const MILLISECONDS_FROM: f64 = 1e11;

pub(crate) fn parse(operation: &'static str, body: &[u8]) -> Result<Value, CmlError> {
    // The position is told, never the body: it may be a token.
    serde_json::from_slice(body).map_err(|error| {
        malformed(operation, format!("its answer is not JSON (line {}, column {})", error.line(), error.column()))
    })
}

/// The answer, which must be an object: `[]` or `"ok"` is not CML speaking.
pub(crate) fn object(operation: &'static str, answer: Value) -> Result<Value, CmlError> {
    if answer.is_object() { Ok(answer) } else { Err(malformed(operation, "its answer is not a JSON object")) }
}

/// A finite number.
pub(crate) fn number(value: &Value) -> Option<f64> {
    value.as_f64().filter(|number| number.is_finite())
}

/// The finite number at that JSON pointer.
pub(crate) fn number_at(value: &Value, pointer: &str) -> Option<f64> {
    number(value.pointer(pointer)?)
}

/// The text at that JSON pointer.
pub(crate) fn text_at(value: &Value, pointer: &str) -> Option<String> {
    Some(value.pointer(pointer)?.as_str()?.to_owned())
}

/// The truth value at that JSON pointer.
pub(crate) fn bool_at(value: &Value, pointer: &str) -> Option<bool> {
    value.pointer(pointer)?.as_bool()
}

/// The count at that JSON pointer; a negative one is none, and billions saturate.
pub(crate) fn count_at(value: &Value, pointer: &str) -> Option<u32> {
    number_at(value, pointer).filter(|number| *number >= 0.0).map(|number| number.round() as u32)
}

/// The time at that JSON pointer.
pub(crate) fn time_at(value: &Value, pointer: &str) -> Option<Timestamp> {
    time(value.pointer(pointer)?)
}

/// The state at that JSON pointer.
pub(crate) fn state_at(value: &Value, pointer: &str) -> Option<CmlState> {
    value.pointer(pointer)?.as_str().map(CmlState::from_name)
}

/// The texts of the array at that JSON pointer; what is none is left out.
pub(crate) fn texts_at(value: &Value, pointer: &str) -> Vec<String> {
    elements(value, pointer).filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// The elements of the array at that JSON pointer; none when there is no such array.
pub(crate) fn elements<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// The members of the object at that JSON pointer; none when there is no such object.
pub(crate) fn members<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.pointer(pointer).and_then(Value::as_object).into_iter().flatten()
}

/// The id, without which a thing cannot be spoken of.
pub(crate) fn id_of(value: &Value) -> Option<String> {
    text_at(value, "/id").filter(|id| !id.is_empty())
}

/// The answer, which must be an array, read one by one; what cannot be read is left out.
pub(crate) fn list<T>(
    operation: &'static str,
    answer: &Value,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Vec<T>, CmlError> {
    let list = answer.as_array().ok_or_else(|| malformed(operation, "its answer is not a JSON array"))?;
    Ok(list.iter().filter_map(read).collect())
}

/// The answer, which must be a text.
pub(crate) fn text(operation: &'static str, answer: Value) -> Result<String, CmlError> {
    match answer {
        Value::String(text) => Ok(text),
        _ => Err(malformed(operation, "its answer is not a JSON string")),
    }
}

/// The answer with its id.
pub(crate) fn identified<T>(operation: &'static str, thing: Option<T>) -> Result<T, CmlError> {
    thing.ok_or_else(|| malformed(operation, "its answer has no id"))
}

/// An object of what is there: null leaves a thing as it is, so it is not sent.
pub(crate) fn changes<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Map<_, _>>().into()
}

/// RFC 3339 with or without a zone, `YYYY-MM-DD HH:MM:SS`, or a number since 1970. Without a zone it is UTC.
pub(crate) fn time(value: &Value) -> Option<Timestamp> {
    if let Some(number) = number(value) {
        let milliseconds = if number.abs() < MILLISECONDS_FROM { number * 1_000.0 } else { number };
        return Timestamp::from_millisecond(milliseconds as i64).ok();
    }
    let text = value.as_str()?.trim();
    if let Ok(zoned) = text.parse() {
        return Some(zoned);
    }
    let civil: DateTime = text.parse().ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_of_another_type_is_not_there() {
        let odd = json!({"n": -1, "huge": 1e300, "list": ["a", 1, null, "b"], "state": 7, "id": "", "map": []});
        assert_eq!((count_at(&odd, "/n"), count_at(&odd, "/huge")), (None, Some(u32::MAX)));
        assert_eq!((texts_at(&odd, "/list"), texts_at(&odd, "/n")), (vec!["a".into(), "b".into()], vec![]));
        assert_eq!((state_at(&odd, "/state"), id_of(&odd), members(&odd, "/map").count()), (None, None, 0));
        assert_eq!(changes([("a", Some(json!(null))), ("b", None)]), json!({"a": null}));
    }

    #[test]
    fn a_time_is_read_in_every_form_seen() {
        let expected: Timestamp = "2026-03-04T05:06:07Z".parse().unwrap();
        for form in [
            json!("2026-03-04T05:06:07Z"),
            json!("2026-03-04T05:06:07+00:00"),
            json!("2026-03-04T06:06:07.000+01:00"),
            json!("2026-03-04 05:06:07+00:00"),
            json!("2026-03-04T05:06:07"),
            json!("2026-03-04T05:06:07.000000"),
            json!("2026-03-04 05:06:07"),
            json!(1_772_600_767),
            json!(1_772_600_767.0),
            json!(1_772_600_767_000_u64),
        ] {
            assert_eq!(time(&form), Some(expected), "{form}");
        }
        for nonsense in [json!(null), json!("N/A"), json!("never"), json!({}), json!([1]), json!(1e300), json!(true)] {
            assert_eq!(time(&nonsense), None, "{nonsense}");
        }
    }
}
