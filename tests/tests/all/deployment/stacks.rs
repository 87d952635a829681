//! The root and its nested stacks.

use std::collections::BTreeSet;

use serde_json::Value;

use super::repository::Repository;
use super::templates::{self, Template};

comparisons![the_root_has_every_stack_and_gives_it_its_parameters, no_stack_comes_near_the_limit_of_500_resources,];

/// Deployed by hand, elsewhere.
const ALONE: [&str; 3] = ["template.yaml", "infra/account-role.yaml", "infra/event-forwarding.yaml"];

fn names(value: &Value) -> BTreeSet<&str> {
    value.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}

fn the_root_has_every_stack_and_gives_it_its_parameters(repository: &Repository) -> Vec<String> {
    let root = Template::load(repository, "template.yaml");
    let mut problems = Vec::new();
    let mut nested: BTreeSet<String> = ALONE.iter().map(|path| (*path).to_owned()).collect();
    for (id, stack) in root.of_type("AWS::CloudFormation::Stack") {
        let path = stack["Properties"]["TemplateURL"].as_str().unwrap();
        nested.insert(path.to_owned());
        let template = Template::load(repository, path);
        let (given, wanted) = (names(&stack["Properties"]["Parameters"]), names(&template.content["Parameters"]));
        problems.extend(wanted.difference(&given).map(|name| format!("{id} is not given {name}")));
        problems
            .extend(given.difference(&wanted).map(|name| format!("{id} is given {name}, which {path} does not have")));
    }
    let templates = templates::all(repository);
    let forgotten = templates.iter().filter(|template| !nested.contains(&template.path));
    problems.extend(forgotten.map(|template| format!("{}: no stack of the root deploys it", template.path)));
    problems
}

fn no_stack_comes_near_the_limit_of_500_resources(repository: &Repository) -> Vec<String> {
    let templates = templates::all(repository);
    let full = templates.iter().filter(|template| template.resources().len() > 400);
    full.map(|t| format!("{}: {} resources; split its group", t.path, t.resources().len())).collect()
}
