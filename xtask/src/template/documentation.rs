//! The tables of functions and of their permissions.

use std::fmt::Write as _;

use http_api::{Access, Function, Interval, Trigger};
use serde_json::Value;

use super::function::{memory, reserved};
use super::group;
use super::policy::in_vpc;
use super::policy::{Statement, statements};

/// The table of endpoints.
pub(super) fn endpoints(functions: &[Function]) -> String {
    let mut out = "| function | endpoint | least role | by | what |\n|---|---|---|---|---|\n".to_owned();
    for function in functions {
        let Some(endpoint) = function.endpoint() else { continue };
        let role = endpoint.access.least_role().map_or("public", domain::Role::name);
        let role = if endpoint.of_owner { format!("{role}, of what is theirs") } else { role.to_owned() };
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "| {} | `{} {}` | {role} | {} | {} |",
            function.name,
            endpoint.method,
            endpoint.path,
            credentials(endpoint.access),
            function.summary
        );
    }
    out
}

/// What a caller may show who they are with.
fn credentials(access: Access) -> &'static str {
    match access {
        Access::Public => "",
        Access::Person(_) => "people",
        Access::Role(_) => "people, keys",
        Access::Machine(_) => "people, keys, signatures",
    }
}

/// The table of functions.
pub(super) fn functions(functions: &[Function]) -> String {
    let mut out =
        "| function | stack | binary | started by | MiB | s | at once |\n|---|---|---|---|---|---|---|\n".to_owned();
    for function in functions {
        let (started_by, at_once) = match function.trigger {
            Trigger::Http(endpoint) => (format!("`{} {}`", endpoint.method, endpoint.path), String::new()),
            Trigger::Schedule { name, every: Interval::Minute } => (format!("{name}, every minute"), String::new()),
            Trigger::Schedule { name, every: Interval::Labs } => {
                (format!("{name}, every LabsIntervalMinutes"), String::new())
            }
            Trigger::Schedule { name, every: Interval::Metrics } => {
                (format!("{name}, every MetricsIntervalMinutes"), String::new())
            }
            Trigger::Queue { queue, batch_size, max_concurrency } => {
                (format!("queue {}, at most {batch_size} a batch", queue.name()), max_concurrency.to_string())
            }
            Trigger::Stream { sort_keys, batch_size } => {
                let what = sort_keys.trim_end_matches('#');
                (format!("the table's stream, new items {what}, at most {batch_size} a batch"), "1 a shard".into())
            }
            Trigger::Ec2StateChange => ("EC2 Instance State-change Notification".into(), String::new()),
        };
        let at_once = reserved(function).map_or(at_once, |reserved| reserved.to_string());
        let zone = format!("{}{}", function.zone.name(), if in_vpc(function) { ", may be in the VPC" } else { "" });
        let (name, group) = (function.name, group(function));
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "| {name} | {group} | {zone} | {started_by} | {} | {} | {at_once} |",
            memory(function),
            function.time_limit().as_secs()
        );
    }
    out
}

/// The table of permissions.
pub(super) fn permissions(functions: &[Function]) -> String {
    let mut out = "| function | may | on | if |\n|---|---|---|---|\n".to_owned();
    for function in functions {
        for statement in statements(function) {
            let actions = if statement.allow { "" } else { "never: " }.to_owned() + &statement.actions.join(", ");
            let resources: Vec<String> = statement.resources.iter().map(short).collect();
            let _ = writeln!(
                out,
                "| {} | {actions} | {} | {} |",
                function.name,
                resources.join(", "),
                conditions(&statement).join("; ")
            );
        }
    }
    out
}

fn conditions(statement: &Statement) -> Vec<String> {
    let mut conditions: Vec<String> = statement.only_if.iter().map(|name| format!("template: {name}")).collect();
    for (operator, keys) in statement.condition.iter().filter_map(Value::as_object).flatten() {
        for (key, value) in keys.as_object().into_iter().flatten() {
            let value = value
                .as_array()
                .map_or_else(|| short(value), |all| all.iter().map(short).collect::<Vec<_>>().join(", "));
            conditions.push(format!("{operator} {key}: {value}"));
        }
    }
    conditions
}

/// An expression of CloudFormation in words.
fn short(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        _ => match (value.get("Ref"), value.get("Fn::Sub"), value.get("Fn::GetAtt")) {
            (Some(Value::String(name)), _, _) => name.clone(),
            (_, Some(Value::String(text)), _) => text.clone(),
            (_, _, Some(Value::Array(parts))) => parts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("."),
            _ => value.pointer("/Fn::Split/1/Ref").and_then(Value::as_str).map_or(value.to_string(), str::to_owned),
        },
    };
    format!("`{text}`")
}
