//! CloudFormation as JSON in the long form, written as YAML in the short one.

use serde_json::{Value, json};
use serde_norway::value::{Tag, TaggedValue};

/// Keys that come first, in this order; the rest follows by name.
const FIRST: [&str; 8] = ["Type", "Version", "Sid", "Effect", "Principal", "Action", "Resource", "Condition"];

/// A parameter's value or a resource's id.
pub(super) fn reference(name: &str) -> Value {
    json!({ "Ref": name })
}

/// An attribute of a resource.
pub(super) fn attribute(resource: &str, name: &str) -> Value {
    json!({ "Fn::GetAtt": [resource, name] })
}

/// Text with `${names}` replaced.
pub(super) fn sub(text: impl Into<String>) -> Value {
    json!({ "Fn::Sub": text.into() })
}

/// One value if the condition holds, else the other.
pub(super) fn when(condition: &str, then: Value, otherwise: Value) -> Value {
    Value::from(serde_json::Map::from_iter([(
        "Fn::If".to_owned(),
        Value::Array(vec![condition.into(), then, otherwise]),
    )]))
}

/// Nothing at all.
pub(super) fn absent() -> Value {
    reference("AWS::NoValue")
}

/// The value as YAML text.
pub(super) fn text(value: &Value) -> Result<String, serde_norway::Error> {
    // YAML 1.1, which CloudFormation's tools read, takes this for a date.
    Ok(serde_norway::to_string(&short(value))?.replace("Version: 2012-10-17", "Version: \"2012-10-17\""))
}

fn short(value: &Value) -> serde_norway::Value {
    match value {
        Value::Null => serde_norway::Value::Null,
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => number.as_i64().map_or(serde_norway::Value::Null, Into::into),
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => serde_norway::Value::Sequence(items.iter().map(short).collect()),
        Value::Object(members) => {
            if let Some((key, value)) = members.iter().next().filter(|_| members.len() == 1)
                && let Some(name) = if key == "Ref" { Some("Ref") } else { key.strip_prefix("Fn::") }
            {
                return tagged(name, value);
            }
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(key, _)| (FIRST.iter().position(|first| first == key).unwrap_or(FIRST.len()), *key));
            serde_norway::Value::Mapping(
                sorted.into_iter().map(|(key, value)| (key.as_str().into(), short(value))).collect(),
            )
        }
    }
}

fn tagged(name: &str, value: &Value) -> serde_norway::Value {
    let value = match (name, value.as_array().map(Vec::as_slice)) {
        ("GetAtt", Some([Value::String(resource), Value::String(attribute)])) => {
            format!("{resource}.{attribute}").into()
        }
        _ => short(value),
    };
    serde_norway::Value::Tagged(Box::new(TaggedValue { tag: Tag::new(name), value }))
}
