//! What is generated is what is committed.

use std::collections::BTreeSet;
use std::path::Path;

use super::none;
use super::repository::{Repository, root};

#[test]
fn what_follows_from_the_function_table_is_up_to_date() {
    none(&stale(&root(), &Repository::committed()));
}

/// What is not as it would be generated.
pub(super) fn stale(root: &Path, repository: &Repository) -> Vec<String> {
    let rendered = xtask::template::render(root, &repository.functions).unwrap();
    let mut problems = Vec::new();
    for (path, wanted) in &rendered {
        let lines = repository.text(path).lines().chain(["the end"]).zip(wanted.lines().chain(["the end"]));
        if let Some((n, (is, wanted))) = lines.enumerate().find(|(_, (is, wanted))| is != wanted) {
            problems.push(format!("{path}:{}: has {is:?}, should have {wanted:?}", n + 1));
        }
    }
    let on_disk = xtask::template::stacks_on_disk(root).unwrap();
    let known: BTreeSet<String> = rendered.into_keys().collect();
    problems.extend(on_disk.difference(&known).map(|path| format!("{path}: no group of functions has this stack")));
    if !problems.is_empty() {
        problems.push("write them anew: cargo xtask template".into());
    }
    problems
}
