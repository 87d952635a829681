//! JSON bodies: what is wrong with one, by field, in words for whoever wrote it.

use std::collections::BTreeSet;
use std::fmt;

use domain::InvalidField;
use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::error::Category;

use crate::problem::Problem;

/// Longest field path in an answer: the caller chose the keys.
const PATH_MAX_CHARS: usize = 200;

type PathError = serde_path_to_error::Error<serde_json::Error>;

/// The JSON object in the body. Values are never repeated in what is said about them: one may be a password.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(body).map_err(|_| Problem::bad_request("The body is not UTF-8."))?;
    if text.trim_ascii().is_empty() {
        return Err(Problem::bad_request("The body is empty; it must be a JSON object."));
    }
    // First as JSON alone: what is malformed at its end is malformed, whatever the fields before it are.
    let checked = read::<Checked>(text)?;
    // serde would also take the fields of a struct from a list, in order.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(Problem::invalid(&InvalidField::new("body", "must be a JSON object").into()));
    }
    let read = match checked {
        Ok(Checked) => read(text)?,
        Err(field) => Err(field),
    };
    read.map_err(|field| Problem::invalid(&field.into()))
}

/// The value; what is wrong with a field of it; or a problem, when it is no JSON.
fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<Result<T, InvalidField>, Problem> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = match serde_path_to_error::deserialize(&mut json) {
        Ok(value) => Ok(value),
        Err(error) if error.inner().classify() == Category::Data => return Ok(Err(wrong_field(&error))),
        Err(error) => return Err(malformed(error.inner())),
    };
    json.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::bad_request(format!("The body is not valid JSON: line {}, column {}.", error.line(), error.column()))
}

fn wrong_field(error: &PathError) -> InvalidField {
    let inner = error.inner().to_string();
    let message = inner.rsplit_once(" at line ").map_or(inner.as_str(), |(message, _)| message);
    let path = if error.path().iter().next().is_none() { String::new() } else { error.path().to_string() };
    let (path, message) = if let Some(name) = quoted(message, "missing field `") {
        (join(&path, name), "is required".to_owned())
    } else if let Some(name) = quoted(message, "duplicate field `") {
        (join(&path, name), "is given more than once".to_owned())
    } else if message.starts_with("unknown field") {
        (path, unknown_field(message))
    } else {
        (path, expectation(message))
    };
    let path = if path.is_empty() { "body".to_owned() } else { path.chars().take(PATH_MAX_CHARS).collect() };
    InvalidField::new(path, message)
}

/// The name between `start` and the last backtick.
fn quoted<'a>(message: &'a str, start: &str) -> Option<&'a str> {
    message.strip_prefix(start)?.strip_suffix('`')
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn unknown_field(message: &str) -> String {
    match message.rsplit_once(", expected ") {
        Some((_, known)) => {
            format!("is not a field here; there are {}", known.trim_start_matches("one of ").replace('`', ""))
        }
        None => "is not a field here".to_owned(),
    }
}

/// What serde expected, without what it got and without Rust's names.
fn expectation(message: &str) -> String {
    let Some((_, expected)) = message.rsplit_once(", expected ") else {
        let of_ours = message.starts_with("must ") || message.starts_with("is ");
        return if of_ours { message.to_owned() } else { "has a value that cannot be used here".to_owned() };
    };
    let expected = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        other if other.starts_with("struct ") => "an object",
        other => return format!("must be {}", other.replace('`', "")),
    };
    format!("must be {expected}")
}

/// JSON in which no object has a key twice: readers would not agree on which one counts.
struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CheckedVisitor)
    }
}

struct CheckedVisitor;

impl<'de> Visitor<'de> for CheckedVisitor {
    type Value = Checked;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Checked, A::Error> {
        while list.next_element::<Checked>()?.is_some() {}
        Ok(Checked)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Checked, A::Error> {
        let mut keys = BTreeSet::new();
        let mut twice = None;
        while let Some(key) = object.next_key::<String>()? {
            object.next_value::<Checked>()?;
            if keys.contains(&key) {
                twice.get_or_insert(key);
            } else {
                keys.insert(key);
            }
        }
        twice.map_or(Ok(Checked), |key| Err(A::Error::custom(format_args!("duplicate field `{key}`"))))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only ever parsed")]
    struct Body {
        name: String,
        #[serde(default)]
        tags: BTreeMap<String, String>,
        #[serde(default)]
        security_group_ids: Vec<String>,
        volume_gib: Option<u32>,
        desired_state: Option<State>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum State {
        Running,
        Stopped,
    }

    fn problem(body: &str) -> Problem {
        parse::<Body>(body.as_bytes()).expect_err(body)
    }

    fn wrong(body: &str) -> (String, String) {
        let problem = problem(body);
        assert_eq!(problem.status, 422, "{body}: {problem:?}");
        problem.errors[0].clone()
    }

    #[test]
    fn a_wrong_field_is_named_by_its_path_and_its_value_is_not_repeated() {
        for (body, field, message) in [
            (r#"{"name": 7}"#, "name", "must be a string"),
            (r#"{"name": "a", "tags": {"owner": ["secret"]}}"#, "tags.owner", "must be a string"),
            (r#"{"name": "a", "security_group_ids": ["x", "y", false]}"#, "security_group_ids[2]", "must be a string"),
            (r#"{"name": "a", "security_group_ids": {}}"#, "security_group_ids", "must be a list"),
            (r#"{"name": "a", "volume_gib": -1}"#, "volume_gib", "must be a whole number, 0 or more"),
            (r#"{"name": "a", "volume_gib": 1e99}"#, "volume_gib", "must be a whole number, 0 or more"),
            (r#"{"name": "a", "desired_state": "up, expected"}"#, "desired_state", "must be running or stopped"),
            (r#"{"tags": {}}"#, "name", "is required"),
            (r#"{"name": "a", "name": "b"}"#, "name", "is given more than once"),
            (r#"{"name": "a", "tags": {"b": "1", "b": "2"}}"#, "tags.b", "is given more than once"),
            (r#"["a"]"#, "body", "must be a JSON object"),
            ("null", "body", "must be a JSON object"),
        ] {
            assert_eq!(wrong(body), (field.to_owned(), message.to_owned()), "{body}");
        }
        let (field, message) = wrong(r#"{"name": "a", "nmae": "b"}"#);
        assert_eq!(field, "nmae");
        assert!(message.starts_with("is not a field here; there are name, tags"), "{message}");
    }

    #[test]
    fn what_is_not_json_is_malformed_wherever_it_breaks() {
        for body in
            ["{", "{\"name\": 7, ", "{\"name\": \"a\"} x", "{'name': 1}", "{\"name\": \"a\"}{}", "\u{feff}{}", "nul"]
        {
            let problem = problem(body);
            assert_eq!((problem.status, problem.errors.len()), (400, 0), "{body}: {problem:?}");
            assert!(problem.detail.contains("line 1, column"), "{}", problem.detail);
        }
        assert_eq!(problem(" \n").detail, "The body is empty; it must be a JSON object.");
        assert_eq!(parse::<Body>(b"{\"name\": \"\xff\"}").expect_err("not UTF-8").status, 400);
        assert_eq!(problem(&"[".repeat(100_000)).status, 400);
    }

    #[test]
    fn a_good_body_is_read() {
        let body: Body = parse(br#" {"name": "a", "desired_state": "stopped", "volume_gib": null} "#).expect("good");
        assert_eq!(body.name, "a");
    }

    #[test]
    fn a_long_key_is_cut_in_the_answer() {
        let (field, _) = wrong(&format!(r#"{{"{}": 1}}"#, "k".repeat(5000)));
        assert_eq!(field.len(), PATH_MAX_CHARS);
    }
}
