//! The variables that the templates set are those that the code reads.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use functions::environment::{Environment, queue_variable};
use http_api::{FUNCTIONS, Function, Port};
use serde_json::Value;

use super::repository::Repository;
use super::templates::{self, Deployed};

comparisons![
    a_function_is_given_the_variables_that_it_reads_and_no_other,
    the_example_environment_has_every_variable_that_a_function_must_have_and_no_other,
];

/// Read by the process itself, to set up its log.
const LOG: &str = "RUST_LOG";

/// What settings and table need: what `Environment::settings` asks for, and the table's name.
fn asked_by_all() -> BTreeSet<String> {
    let asked = RefCell::new(BTreeSet::from([LOG.to_owned(), "TABLE_NAME".to_owned()]));
    let record = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        (name == "HOME_ACCOUNT_ID").then(|| "123456789012".to_owned())
    };
    Environment(&record).settings().unwrap();
    asked.into_inner()
}

fn asked_by_port(port: Port) -> Vec<String> {
    match port {
        Port::Send(queue) => vec![queue_variable(queue)],
        Port::Publish => ["EVENT_BUS_NAME", "EVENTS_DEAD_LETTERS_URL"].map(str::to_owned).to_vec(),
        Port::Issuer => {
            let places = ["OIDC_ISSUER", "OIDC_AUDIENCES", "OIDC_JWKS_URL"];
            let rules = ["OIDC_LEEWAY_SECS", "OIDC_ROLE_CLAIMS", "OIDC_ROLE_NAMES"];
            places.into_iter().chain(rules).map(str::to_owned).collect()
        }
        Port::SignIn => {
            let names = ["OIDC_ISSUER", "OIDC_INTERNAL_ISSUER", "OIDC_AUDIENCES", "OIDC_CLIENT_ID", "OIDC_LOGOUT_URL"];
            names.map(str::to_owned).to_vec()
        }
        Port::Seal(_) | Port::Unseal(_) => vec!["KMS_KEY_ID".into()],
        Port::Ec2Read | Port::Ec2Write | Port::Ec2Import | Port::Ec2Console | Port::CloudWatch => {
            vec!["ACCOUNT_ROLES".into()]
        }
        Port::FilesRead(_) | Port::FilesWrite(_) | Port::FilesDelete(_) => vec!["FILES_BUCKET".into()],
        Port::SecretsRead | Port::SecretsWrite | Port::TokensUse | Port::TokensWrite => vec!["STACK_NAME".into()],
        Port::TableRead | Port::TableWrite | Port::CredentialUse | Port::Cml => vec![],
    }
}

fn asked(function: &Function) -> BTreeSet<String> {
    let mut all = asked_by_all();
    all.extend(function.ports.iter().flat_map(|port| asked_by_port(*port)));
    all
}

fn set(deployed: &BTreeMap<String, Deployed>, function: &Function) -> BTreeSet<String> {
    let variables = deployed.get(function.name).map(|it| &it.properties["Environment"]["Variables"]);
    variables.and_then(Value::as_object).map(|all| all.keys().cloned().collect()).unwrap_or_default()
}

fn a_function_is_given_the_variables_that_it_reads_and_no_other(repository: &Repository) -> Vec<String> {
    let deployed = templates::functions(repository);
    let mut problems = Vec::new();
    for function in &repository.functions {
        let (asked, set) = (asked(function), set(&deployed, function));
        problems
            .extend(asked.difference(&set).map(|name| format!("{}: the template does not set {name}", function.name)));
        problems.extend(set.difference(&asked).map(|name| format!("{}: nothing reads {name}", function.name)));
    }
    problems
}

#[tokio::test]
async fn the_binary_starts_with_no_other_variables_than_the_template_sets() {
    let repository = &Repository::committed();
    let deployed = templates::functions(repository);
    for function in FUNCTIONS {
        let set = set(&deployed, function);
        let given = |name: &str| {
            let value = match name {
                "HOME_ACCOUNT_ID" => "123456789012",
                "SAFE_MODE" | "IDLE_SHUTDOWN" => "true",
                number if number.ends_with("_MINUTES") || number.ends_with("_DAYS") || number.ends_with("_SECS") => "5",
                "CML_ADDRESS" => "private",
                "DISCOVERY_PLACES" => "us-east-1,210987654321/eu-west-1",
                "AMI_NAMES_BY_REGION" => r#"{"eu-west-1": "cml-2.9*"}"#,
                "VISIBILITY" => "own",
                "LAB_OWNERS" => "cml-ada=ada",
                "OIDC_ROLE_CLAIMS" => "/realm_access/roles,/cognito:groups",
                "OIDC_ROLE_NAMES" => r#"{"cml-admins": "admin"}"#,
                _ => "https://example.com",
            };
            set.contains(name).then(|| value.to_owned())
        };
        // Every zone begins with what the api zone needs.
        if let Err(error) = Environment(&given).api_world(function).await {
            panic!("{}: {error}", function.name);
        }
    }
}

/// A parameter that CloudFormation takes and a function does not would stop every function there is.
#[test]
fn a_setting_that_the_template_allows_is_one_that_functions_start_with() {
    let repository = &Repository::committed();
    let root = templates::all(repository).into_iter().find(|it| it.path == "template.yaml").unwrap();
    let deployed = templates::functions(repository);
    let variables = &deployed["get-worker"].properties["Environment"]["Variables"];
    let mut tried = 0;
    for (variable, value) in variables.as_object().unwrap() {
        let Some(parameter) = value["Ref"].as_str().map(|name| &root.content["Parameters"][name]) else { continue };
        let listed = parameter["AllowedValues"].as_array().into_iter().flatten();
        let bounds = [&parameter["Default"], &parameter["MinValue"], &parameter["MaxValue"]];
        for allowed in listed.chain(bounds).filter(|value| !value.is_null()) {
            let text = allowed.as_str().map_or_else(|| allowed.to_string(), str::to_owned);
            let given = |name: &str| match name {
                "HOME_ACCOUNT_ID" => Some("123456789012".to_owned()),
                _ => (name == variable).then(|| text.clone()),
            };
            let settings = Environment(&given).settings();
            assert!(settings.is_ok(), "{variable}={text}: {:?}", settings.err());
            tried += 1;
        }
    }
    assert!(tried > 30, "{tried}");
}

fn the_example_environment_has_every_variable_that_a_function_must_have_and_no_other(
    repository: &Repository,
) -> Vec<String> {
    let example: Value = serde_json::from_str(repository.text("events/environment.json")).unwrap();
    let may_be_absent = [LOG, "ACCOUNT_ROLES", "OIDC_INTERNAL_ISSUER", "OIDC_CLIENT_ID", "OIDC_LOGOUT_URL"];
    let names = |section: &str| -> BTreeSet<String> {
        example[section].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
    };
    let shared = names("default");
    let mut unread = shared.clone();
    let mut problems = Vec::new();
    for function in &repository.functions {
        let (asked, own) = (asked(function), names(function.name));
        let absent = asked.iter().filter(|name| !shared.contains(*name) && !own.contains(*name));
        let missing = absent.filter(|name| !may_be_absent.contains(&name.as_str()));
        problems.extend(missing.map(|name| format!("{}: events/environment.json lacks {name}", function.name)));
        problems.extend(own.difference(&asked).map(|name| format!("{}: nothing reads {name}", function.name)));
        unread.retain(|name| !asked.contains(name));
    }
    problems.extend(unread.iter().map(|name| format!("events/environment.json: nothing reads {name}")));
    problems
}
