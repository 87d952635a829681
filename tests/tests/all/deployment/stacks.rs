//! The root and its nested stacks.

use std::collections::BTreeSet;

use serde_json::Value;

use super::none;
use super::templates::{self, Template};

/// Deployed by hand, elsewhere.
const ALONE: [&str; 2] = ["template.yaml", "infra/event-forwarding.yaml"];

fn names(value: &Value) -> BTreeSet<&str> {
    value.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn the_root_has_every_stack_and_gives_it_its_parameters() {
    let root = Template::load("template.yaml");
    let mut problems = Vec::new();
    let mut nested: BTreeSet<String> = ALONE.iter().map(|path| (*path).to_owned()).collect();
    for (id, stack) in root.of_type("AWS::CloudFormation::Stack") {
        let path = stack["Properties"]["TemplateURL"].as_str().unwrap();
        nested.insert(path.to_owned());
        let template = Template::load(path);
        let (given, wanted) = (names(&stack["Properties"]["Parameters"]), names(&template.content["Parameters"]));
        problems.extend(wanted.difference(&given).map(|name| format!("{id} is not given {name}")));
        problems
            .extend(given.difference(&wanted).map(|name| format!("{id} is given {name}, which {path} does not have")));
    }
    let templates = templates::all();
    let forgotten = templates.iter().filter(|template| !nested.contains(&template.path));
    problems.extend(forgotten.map(|template| format!("{}: no stack of the root deploys it", template.path)));
    none(&problems);
}

#[test]
fn no_stack_comes_near_the_limit_of_500_resources() {
    let templates = templates::all();
    let full = templates.iter().filter(|template| template.resources().len() > 400);
    none(&full.map(|t| format!("{}: {} resources; split its group", t.path, t.resources().len())).collect::<Vec<_>>());
}
