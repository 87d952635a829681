//! What is deployed is what the function table says: the templates, their permissions, and what is
//! written about them. Every failure names the function and what is missing or too much.

mod data;
mod environment;
mod functions;
mod generated;
mod permissions;
mod stacks;
mod templates;

use std::path::PathBuf;

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    let path = repository().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Fails with all problems at once.
fn none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}
