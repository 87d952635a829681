//! `cargo xtask new-function`, on a copy of the texts: it writes all that the comparisons look for.

use std::path::Path;

use http_api::FUNCTIONS;
use tempfile::TempDir;
use xtask::new_function::{NewFunction, Written, plan};

use super::generated::stale;
use super::repository::Repository;
use super::{differences, none};

const NAME: &str = "count-unicorns";

fn asked(method: &str, path: &str) -> NewFunction {
    NewFunction {
        name: NAME.into(),
        group: "power".into(),
        method: method.into(),
        path: path.into(),
        role: "manager".into(),
        zone: "api".into(),
        summary: "Whatever is counted.".into(),
        use_case: false,
    }
}

/// Every kind of function that can be asked for.
fn kinds() -> [NewFunction; 5] {
    let on_worker = "/api/workers/{worker_id}/things";
    [
        asked("GET", on_worker),
        asked("GET", "/api/things"),
        NewFunction { use_case: true, ..asked("GET", on_worker) },
        NewFunction { use_case: true, zone: "cml".into(), ..asked("GET", "/api/things") },
        asked("PUT", on_worker),
    ]
}

/// A copy of the repository's texts.
fn copy() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    Repository::committed().save(folder.path());
    folder
}

fn written(root: &Path, asked: &NewFunction) -> Written {
    let written = plan(root, FUNCTIONS, asked).unwrap();
    written.write(root).unwrap();
    written
}

#[test]
fn a_new_function_is_everywhere_where_its_name_has_to_be() {
    for asked in kinds() {
        let copy = copy();
        let written = written(copy.path(), &asked);
        let repository = Repository::load(copy.path(), &written.functions);
        none(&differences(&repository));
        none(&stale(copy.path(), &repository));
        let new = repository.text("events/count-unicorns.json");
        let fixture: serde_json::Value = serde_json::from_str(new).unwrap();
        assert_eq!(fixture["routeKey"], format!("{} {}", asked.method, asked.path));
        for (path, text) in &written.files {
            assert!(!text.contains("{{"), "{path} has a gap: {text}");
            assert!(text.lines().all(|line| !path.ends_with(".rs") || line.chars().count() <= 120), "{path}");
        }
    }
}

#[test]
fn without_any_one_of_its_parts_the_comparison_names_it() {
    let committed = Repository::committed();
    for asked in [asked("GET", "/api/things"), asked("PUT", "/api/workers/{worker_id}/things")] {
        let copy = copy();
        let written = written(copy.path(), &asked);
        let whole = Repository::load(copy.path(), &written.functions);
        for path in written.files.keys() {
            let mut broken = whole.clone();
            match committed.files.get(path) {
                Some(text) => drop(broken.files.insert(path.clone(), text.clone())),
                None => drop(broken.files.remove(path)),
            }
            let problems = differences(&broken);
            let names = |problem: &String| problem.contains(NAME) || problem.contains("count_unicorns");
            assert!(problems.iter().any(names), "{path}: {problems:#?}");
        }
        let mut broken = whole.clone();
        broken.functions = FUNCTIONS.to_vec();
        let problems = differences(&broken);
        assert!(problems.iter().any(|it| it.contains("\"count-unicorns\", which is no function")), "{problems:#?}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_a_reason_and_nothing_is_written() {
    let copy = copy();
    let good = || asked("GET", "/api/workers/{worker_id}/things");
    let cases: [(&str, NewFunction); 21] = [
        ("a function get-worker already", NewFunction { name: "get-worker".into(), ..good() }),
        ("words in lower case", NewFunction { name: "CountThings".into(), ..good() }),
        ("words in lower case", NewFunction { name: "count_unicorns".into(), ..good() }),
        ("words in lower case", NewFunction { name: "count".into(), ..good() }),
        ("words in lower case", NewFunction { name: "count--things".into(), ..good() }),
        ("words in lower case", NewFunction { name: format!("count-{}", "x".repeat(40)), ..good() }),
        ("begin with a verb", NewFunction { name: "things-count".into(), ..good() }),
        ("--group", NewFunction { group: "things".into(), ..good() }),
        ("--role", NewFunction { role: "root".into(), ..good() }),
        ("--zone", NewFunction { zone: "moon".into(), ..good() }),
        ("--method", NewFunction { method: "get".into(), ..good() }),
        ("is get-worker's already", NewFunction { path: "/api/workers/{worker_id}".into(), ..good() }),
        ("it begins otherwise", NewFunction { path: "/workers".into(), ..good() }),
        ("other characters", NewFunction { path: "/api/Things".into(), ..good() }),
        ("other characters", NewFunction { path: "/api/things/".into(), ..good() }),
        ("another parameter", NewFunction { path: "/api/things/{thing_id}".into(), ..good() }),
        ("what changes something", asked("POST", "/api/things")),
        ("more than once", NewFunction { path: "/api/{worker_id}/{worker_id}".into(), ..good() }),
        ("one sentence", NewFunction { summary: "No full stop".into(), ..good() }),
        ("one sentence", NewFunction { summary: "A \"quote\".".into(), ..good() }),
        ("one sentence", NewFunction { summary: "Two\nlines.".into(), ..good() }),
    ];
    for (reason, asked) in cases {
        let refused = plan(copy.path(), FUNCTIONS, &asked).err().unwrap_or_else(|| panic!("{asked:?}")).to_string();
        assert!(refused.contains(reason), "{asked:?}: {refused}");
    }
    written(copy.path(), &good());
    let again = plan(copy.path(), FUNCTIONS, &good()).err().unwrap().to_string();
    assert!(again.contains("is there already"), "{again}");
}

#[test]
fn a_file_of_another_form_is_refused_before_anything_is_written() {
    let copy = copy();
    std::fs::write(copy.path().join("shared/http/src/wire/mod.rs"), "//! Empty.\n").unwrap();
    let before = Repository::load(copy.path(), FUNCTIONS).files;
    let refused = plan(copy.path(), FUNCTIONS, &asked("GET", "/api/things")).err().unwrap().to_string();
    assert!(refused.contains("shared/http/src/wire/mod.rs has no place for"), "{refused}");
    assert_eq!(Repository::load(copy.path(), FUNCTIONS).files, before);
}
