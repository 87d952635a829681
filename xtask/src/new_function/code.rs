//! The text of the new files.

use super::{Kind, Plan, snake};
use crate::template::logical;

/// The worker that the tests' world has, and that fixtures name.
const WORKER: &str = "wkr-01kjq5w4e8v6t2m9c3hxk7zr0d";

/// The name of the type that a function answers with.
pub(super) fn answer(name: &str) -> String {
    format!("{}Answer", logical(name))
}

/// The new row of the function table.
pub(super) fn row(plan: &Plan<'_>) -> String {
    fill(plan, include_str!("templates/row.rs"))
}

/// The new files: path in the repository, text.
pub(super) fn files(plan: &Plan<'_>) -> Vec<(String, String)> {
    let (endpoint, wire, use_case, test) = match plan.kind {
        Kind::ReadWorker => (
            include_str!("templates/endpoint_read_worker.rs"),
            include_str!("templates/wire_worker.rs"),
            include_str!("templates/use_case_read_worker.rs"),
            include_str!("templates/test_read_worker.rs"),
        ),
        Kind::ChangeWorker => (
            include_str!("templates/endpoint_change_worker.rs"),
            include_str!("templates/wire_worker.rs"),
            include_str!("templates/use_case_change_worker.rs"),
            include_str!("templates/test_change_worker.rs"),
        ),
        Kind::ReadFleet => (
            include_str!("templates/endpoint_read_fleet.rs"),
            include_str!("templates/wire_fleet.rs"),
            include_str!("templates/use_case_read_fleet.rs"),
            include_str!("templates/test_read_fleet.rs"),
        ),
    };
    let (name, snake) = (&plan.asked.name, snake(&plan.asked.name));
    let mut files = vec![
        (format!("shared/http/src/endpoints/{snake}.rs"), endpoint),
        (format!("shared/http/src/wire/{snake}.rs"), wire),
        (format!("tests/tests/all/handlers/{snake}.rs"), test),
        (format!("events/{name}.json"), include_str!("templates/event.json")),
    ];
    if plan.has_use_case() {
        files.push((format!("shared/app/src/use_cases/{snake}.rs"), use_case));
    }
    files.into_iter().map(|(path, template)| (path, fill(plan, template))).collect()
}

fn fill(plan: &Plan<'_>, template: &str) -> String {
    let asked = plan.asked;
    let snake = snake(&asked.name);
    // What is called when the function has no use case of its own.
    let (module, call, part) = match plan.kind {
        _ if plan.has_use_case() => (snake.as_str(), snake.as_str(), ""),
        Kind::ReadFleet => ("fleet_summary", "fleet_summary", ""),
        Kind::ReadWorker | Kind::ChangeWorker => ("read_workers", "get_worker", ".worker"),
    };
    let parameters = match plan.kind {
        Kind::ReadFleet => String::new(),
        Kind::ReadWorker | Kind::ChangeWorker => {
            format!("  \"pathParameters\": {{\n    \"worker_id\": \"{WORKER}\"\n  }},\n")
        }
    };
    let mut text = template.to_owned();
    for (mark, value) in [
        ("name", asked.name.as_str()),
        ("snake", &snake),
        ("answer", &answer(&asked.name)),
        ("method", &asked.method),
        ("path", &asked.path),
        ("called", &asked.path.replace("{worker_id}", WORKER)),
        ("group", &asked.group),
        ("role", &asked.role),
        ("ROLE", &asked.role.to_ascii_uppercase()),
        ("summary", &asked.summary),
        ("exceptions", &exceptions(plan)),
        ("module", module),
        ("call", call),
        ("part", part),
        ("parameters", &parameters),
        ("number", &plan.number.to_string()),
    ] {
        text = text.replace(&format!("{{{{{mark}}}}}"), value);
    }
    text
}

/// What the row says beside the usual.
fn exceptions(plan: &Plan<'_>) -> String {
    let mut text = String::new();
    if plan.asked.zone != "api" {
        text += &format!("\n    .zone(Zone::{})", logical(&plan.asked.zone));
    }
    if plan.kind == Kind::ChangeWorker {
        text += "\n    .ports(&[Port::Issuer, Port::TableRead, Port::TableWrite])";
    }
    text
}
