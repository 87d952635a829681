//! The code that a function's name leads to, as text: what the compiler sees, named by the function,
//! and what it does not see.

use std::collections::BTreeSet;

use super::repository::Repository;

comparisons![
    every_function_has_its_row_and_every_endpoint_its_file,
    every_file_is_a_module_and_every_module_has_its_file,
];

const ENDPOINTS: &str = "shared/http/src/endpoints";

/// Folders with a file for each thing of a kind.
const FOLDERS: [&str; 4] = [ENDPOINTS, "shared/http/src/wire", "shared/app/src/use_cases", "tests/tests/all/handlers"];

fn every_function_has_its_row_and_every_endpoint_its_file(repository: &Repository) -> Vec<String> {
    let mut problems = Vec::new();
    for function in &repository.functions {
        let (name, snake) = (function.name, function.name.replace('-', "_"));
        let group = function.endpoint().map_or("background", |it| it.group).replace('-', "_");
        let rows = format!("shared/http/src/table/{group}.rs");
        let table = repository.text(&rows);
        if !table.contains(&format!("\"{name}\",")) {
            problems.push(format!("{name}: {rows} has no row for it"));
        }
        if function.endpoint().is_none() {
            continue;
        }
        if !table.contains(&format!("handler!({snake})")) {
            problems.push(format!("{name}: {rows} does not name its handler {snake}"));
        }
        if repository.text(&format!("{ENDPOINTS}/{snake}.rs")).is_empty() {
            problems.push(format!("{name}: there is no {ENDPOINTS}/{snake}.rs"));
        }
    }
    let files = repository.names(ENDPOINTS, "rs").filter(|file| *file != "mod");
    let dead = files.filter(|file| repository.find(&file.replace('_', "-")).is_none());
    problems.extend(dead.map(|file| format!("{ENDPOINTS}/{file}.rs: there is no such function")));
    problems
}

fn every_file_is_a_module_and_every_module_has_its_file(repository: &Repository) -> Vec<String> {
    let mut problems = Vec::new();
    for folder in FOLDERS {
        let module = format!("{folder}/mod.rs");
        let lines = repository.text(&module).lines().filter_map(|line| line.strip_suffix(';'));
        let declared: BTreeSet<&str> = lines
            .filter_map(|line| ["mod ", "pub mod ", "pub(crate) mod "].iter().find_map(|it| line.strip_prefix(it)))
            .collect();
        let files: BTreeSet<&str> = repository.names(folder, "rs").filter(|file| *file != "mod").collect();
        problems.extend(files.difference(&declared).map(|file| format!("{module} does not have {file}.rs")));
        let absent = declared.difference(&files);
        let absent = absent.filter(|name| repository.text(&format!("{folder}/{name}/mod.rs")).is_empty());
        problems.extend(absent.map(|name| format!("{module}: there is no {name}.rs")));
    }
    problems
}
