//! One real event for each function, in `events/`, and the environment that functions are given.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use domain::Role;
use functions::environment::Environment;
use functions::invoke;
use http_api::function::{BodyFormat, BodySchema};
use http_api::{FUNCTIONS, Function, find};
use serde_json::Value;

use super::test_api::TestApi;
use super::tokens;

/// What is no event.
const ENVIRONMENT: &str = "environment";

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(name: &str) -> Value {
    let path = repository().join("events").join(format!("{name}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The event of that function.
pub(crate) fn event(name: &str) -> Value {
    read(name)
}

/// Every function that answers requests.
pub(super) fn endpoints() -> impl Iterator<Item = &'static Function> {
    FUNCTIONS.iter().filter(|function| function.endpoint().is_some())
}

/// Those that take a JSON body.
pub(super) fn with_body() -> impl Iterator<Item = &'static Function> {
    let json = |body: BodySchema| body.format == BodyFormat::Json;
    endpoints().filter(move |function| function.endpoint().unwrap().body.is_some_and(json))
}

/// The table's row of that name.
pub(crate) fn function(name: &str) -> &'static Function {
    find(name).unwrap_or_else(|| panic!("no function {name}"))
}

/// Those that change something.
pub(super) fn commands() -> impl Iterator<Item = &'static Function> {
    endpoints().filter(|function| function.endpoint().unwrap().method != "GET")
}

/// Whether it does something to one lab.
pub(super) fn acts_on_a_lab(function: &Function) -> bool {
    let endpoint = function.endpoint().unwrap();
    endpoint.is_change() && endpoint.path.contains("{lab_id}")
}

/// The environment of a function.
pub(crate) fn environment(function: &str) -> BTreeMap<String, String> {
    let all = read(ENVIRONMENT);
    let sections = [all.get("default"), all.get(function)].into_iter().flatten();
    let variables = sections.flat_map(|section| section.as_object().unwrap());
    variables.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}

#[test]
fn every_function_has_one_fixture_and_every_fixture_a_function() {
    let files = fs::read_dir(repository().join("events")).unwrap();
    let mut fixtures: BTreeSet<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap().replace(".json", "")).collect();
    assert!(fixtures.remove(ENVIRONMENT));
    let functions: BTreeSet<String> = FUNCTIONS.iter().map(|function| function.name.to_owned()).collect();
    assert_eq!(fixtures, functions);
}

#[test]
fn a_fixture_calls_its_own_route_as_api_gateway_would() {
    for function in endpoints() {
        let (event, endpoint) = (event(function.name), function.endpoint().unwrap());
        let route = format!("{} {}", endpoint.method, endpoint.path);
        let context = &event["requestContext"];
        assert_eq!((&event["routeKey"], &context["routeKey"]), (&route.as_str().into(), &route.as_str().into()));
        let mut path = endpoint.path.to_owned();
        for (name, value) in event["pathParameters"].as_object().into_iter().flatten() {
            let value = value.as_str().unwrap();
            path = path.replace(&format!("{{{name}}}"), value).replace(&format!("{{{name}+}}"), value);
        }
        assert_eq!((&event["rawPath"], &context["http"]["path"]), (&path.as_str().into(), &path.as_str().into()));
        assert_eq!(context["http"]["method"], endpoint.method);
        assert_eq!(event.get("body").is_some(), endpoint.body.is_some(), "{}", function.name);
        let length = event["body"].as_str().map_or(0, str::len).to_string();
        assert_eq!(event["headers"]["content-length"], length, "{}", function.name);
        let pairs: BTreeMap<_, _> =
            url::form_urlencoded::parse(event["rawQueryString"].as_str().unwrap().as_bytes()).into_owned().collect();
        let parameters =
            event.get("queryStringParameters").cloned().unwrap_or_else(|| Value::Object(Default::default()));
        assert_eq!(serde_json::to_value(pairs).unwrap(), parameters, "{}", function.name);
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "most of them are what is answered")]
async fn every_fixture_is_answered() {
    let mut answers = String::new();
    for function in FUNCTIONS {
        let api = TestApi::new().await;
        let mut event = event(function.name);
        if function.endpoint().is_some() {
            let owned = function.endpoint().is_some_and(|endpoint| endpoint.of_owner);
            let role = if owned { Role::User } else { Role::Admin };
            event["headers"]["authorization"] = format!("Bearer {}", tokens::token(role)).into();
        }
        let before = api.items();
        let answer =
            invoke(function, &api.world, event).await.unwrap_or_else(|error| panic!("{}: {error}", function.name));
        let said = match (&answer["statusCode"], &answer["batchItemFailures"]) {
            (Value::Number(status), _) => status.to_string(),
            (_, Value::Array(failures)) => format!("{} of the batch failed", failures.len()),
            _ => "done".into(),
        };
        let wrote = if api.items() == before { "" } else { ", wrote" };
        writeln!(answers, "{}: {said}{wrote}", function.name).unwrap();
    }
    insta::assert_snapshot!(answers, @"
    create-worker: 202, wrote
    import-workers: 202, wrote
    discover-workers: 200, wrote
    list-discovered-instances: 200
    list-workers: 200
    get-worker: 200
    update-worker: 200, wrote
    terminate-worker: 202, wrote
    start-worker: 202, wrote
    stop-worker: 202, wrote
    refresh-worker: 202, wrote
    set-worker-monitoring: 202, wrote
    get-worker-metrics: 200
    list-worker-events: 200
    list-evidence: 200
    download-evidence: 200
    set-cml-credentials: 204, wrote
    set-fleet-cml-credentials: 204
    repin-certificate: 200, wrote
    list-labs: 200
    list-worker-labs: 200
    get-lab: 200
    download-lab: 200
    import-lab: 202, wrote
    refresh-labs: 202, wrote
    update-lab: 202, wrote
    delete-lab: 202, wrote
    start-lab: 202, wrote
    stop-lab: 202, wrote
    wipe-lab: 202, wrote
    back-up-lab: 202, wrote
    restore-lab: 202, wrote
    list-backups: 200
    get-backup: 200
    download-backup: 200
    delete-backup: 204, wrote
    get-license: 200
    register-license: 202, wrote
    renew-license: 202, wrote
    deregister-license: 202, wrote
    query-cml: 200
    set-desired-state: 202, wrote
    reconcile-worker: 202, wrote
    get-reconciliation-stats: 200
    trigger-reconciliation: 202, wrote
    get-worker-power: 200
    get-operation: 200
    list-operations: 200
    login: 302, wrote
    callback: 302, wrote
    refresh-session: 200
    logout: 200, wrote
    session: 200
    whoami: 200
    create-api-key: 201, wrote
    list-api-keys: 200
    revoke-api-key: 204, wrote
    rotate-api-key: 200, wrote
    health: 200
    openapi: 200
    docs: 200
    fleet-metrics: 200
    prometheus: 200
    dispatch-metrics: done
    collect-aws: 0 of the batch failed, wrote
    collect-cml: 0 of the batch failed, wrote
    dispatch-discovery: done
    discover-instances: 0 of the batch failed, wrote
    dispatch-labs: done
    collect-labs: 0 of the batch failed, wrote
    dispatch-power: done, wrote
    control-power: 0 of the batch failed, wrote
    run-operation: 0 of the batch failed, wrote
    run-import: 0 of the batch failed, wrote
    run-cml-operation: 0 of the batch failed
    publish-events: 0 of the batch failed
    record-instance-state: done
    ");
}

#[test]
fn the_environment_gives_the_settings_that_are_the_default() {
    let given = environment("control-power");
    let lookup = |name: &str| given.get(name).cloned();
    let settings = Environment(&lookup).settings().unwrap();
    let mut default = app::Settings::new("123456789012".parse().unwrap());
    default.discovery_places = settings.discovery_places.clone();
    assert_eq!(settings.discovery_places[0].to_string(), "123456789012/us-east-1");
    // Where browsers reach us has no default, nor has where this runs.
    default.public_url = Some(super::world::browser::PUBLIC_URL.parse().unwrap());
    assert_eq!(format!("{settings:?}"), format!("{default:?}"));
}
