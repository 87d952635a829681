//! What is generated is what is committed.

use std::collections::BTreeSet;

use super::{none, read, repository};

#[test]
fn what_follows_from_the_function_table_is_up_to_date() {
    let rendered = xtask::template::render(&repository()).unwrap();
    let mut problems = Vec::new();
    for (path, wanted) in &rendered {
        let is = if repository().join(path).is_file() { read(path) } else { String::new() };
        let lines = is.lines().chain(["the end"]).zip(wanted.lines().chain(["the end"]));
        if let Some((n, (is, wanted))) = lines.enumerate().find(|(_, (is, wanted))| is != wanted) {
            problems.push(format!("{path}:{}: has {is:?}, should have {wanted:?}", n + 1));
        }
    }
    let on_disk = xtask::template::stacks_on_disk(&repository()).unwrap();
    let known: BTreeSet<String> = rendered.into_keys().collect();
    problems.extend(on_disk.difference(&known).map(|path| format!("{path}: no group of functions has this stack")));
    if !problems.is_empty() {
        problems.push("write them anew: cargo run -p xtask -- template".into());
    }
    none(&problems);
}
