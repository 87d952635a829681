//! Reading JSON that may be anything: numbers as floats or integers, everything nullable, times in
//! the several forms CML writes.

use app::ports::CmlError;
use domain::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

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
