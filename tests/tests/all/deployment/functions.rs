//! The function table against the templates, the fixtures and the documentation.

use std::collections::BTreeSet;

use app::ports::Queue;
use http_api::{Endpoint, Function, Interval, Trigger};
use serde_json::{Value, json};

use super::repository::Repository;
use super::templates::{self, Deployed, target};

comparisons![
    the_templates_deploy_the_functions_of_the_table_and_no_other,
    no_route_is_deployed_that_the_table_does_not_have,
    every_function_has_a_fixture_and_a_row_in_the_documentation,
];

/// `start-worker` is `StartWorker`.
pub(super) fn pascal(name: &str) -> String {
    let mut out = String::new();
    for word in name.split('-') {
        out.push_str(&word[..1].to_uppercase());
        out.push_str(&word[1..]);
    }
    out
}

fn the_templates_deploy_the_functions_of_the_table_and_no_other(repository: &Repository) -> Vec<String> {
    let deployed = templates::functions(repository);
    let mut problems: Vec<String> = deployed
        .iter()
        .filter(|(handler, _)| repository.find(handler).is_none())
        .map(|(handler, it)| format!("{}: {} has the Handler {handler:?}, which is no function", it.path, it.id))
        .collect();
    for function in &repository.functions {
        match deployed.get(function.name) {
            None => problems.push(format!("{}: no template has a function with this Handler", function.name)),
            Some(it) => problems.extend(wrong(function, it).into_iter().map(|why| format!("{}: {why}", function.name))),
        }
    }
    problems
}

fn wrong(function: &Function, it: &Deployed) -> Vec<String> {
    let mut problems = Vec::new();
    let mut expect = |what: &str, is: &Value, should: &Value| {
        if is != should {
            problems.push(format!("{what} is {is}, should be {should}"));
        }
    };
    let id = format!("{}Function", pascal(function.name));
    let properties = &it.properties;
    expect("the logical id", &it.id.as_str().into(), &id.as_str().into());
    expect("CodeUri", &properties["CodeUri"], &format!("../../target/lambda/{}/", function.zone.name()).into());
    expect("Runtime", &properties["Runtime"], &"provided.al2023".into());
    expect("Architectures", &properties["Architectures"], &json!(["arm64"]));
    expect("Tracing", &properties["Tracing"], &"Active".into());
    expect("Role", &properties["Role"], &json!({ "Fn::GetAtt": [format!("{id}Role"), "Arn"] }));
    expect("LogGroup", &properties["LoggingConfig"]["LogGroup"], &json!({ "Ref": format!("{id}Logs") }));
    let log = &it.stack.get(&format!("{id}Logs")).unwrap_or(&Value::Null)["Properties"];
    let own_log = json!({ "Fn::Sub": format!("/aws/lambda/${{Prefix}}-{}", function.name) });
    expect("its log group's name", &log["LogGroupName"], &own_log);
    expect("its log group's retention", &log["RetentionInDays"], &json!({ "Ref": "LogRetentionDays" }));
    problems.extend(wrong_trigger(function, it));
    problems
}

fn wrong_trigger(function: &Function, it: &Deployed) -> Vec<String> {
    match function.trigger {
        Trigger::Http(endpoint) => wrong_route(&endpoint, it),
        Trigger::Schedule { name, every } => wrong_schedule(name, every, it),
        Trigger::Queue { queue, batch_size, max_concurrency } => {
            wrong_mapping(queue, (batch_size, max_concurrency), it)
        }
        Trigger::Stream { sort_keys, batch_size } => wrong_stream(sort_keys, batch_size, it),
        Trigger::Ec2StateChange => {
            let wanted = json!({ "source": ["aws.ec2"], "detail-type": ["EC2 Instance State-change Notification"] });
            let fits = rules(it).any(|rule| rule["EventPattern"] == wanted);
            let mut problems = if fits { vec![] } else { vec!["no rule sends it EC2's state changes".into()] };
            if it.properties["EventInvokeConfig"]["DestinationConfig"]["OnFailure"].is_null() {
                problems.push("it has no OnFailure destination".into());
            }
            problems
                .extend(without_permission(it, "events.amazonaws.com").map(|()| "EventBridge may not call it".into()));
            problems.extend(without_reserve(it));
            problems
        }
    }
}

fn wrong_route(endpoint: &Endpoint, it: &Deployed) -> Vec<String> {
    let key = format!("{} {}", endpoint.method, endpoint.path);
    let leads_here = it.stack.values().any(|route| {
        let text = route["Properties"]["Target"]["Fn::Sub"].as_str().unwrap_or_default();
        let integration = text.trim_start_matches("integrations/${").trim_end_matches('}');
        let integration = &it.stack.get(integration).unwrap_or(&Value::Null)["Properties"];
        route["Properties"]["RouteKey"] == key.as_str()
            && target(&integration["IntegrationUri"]) == it.id
            && integration["PayloadFormatVersion"] == "2.0"
    });
    let mut problems = if leads_here { vec![] } else { vec![format!("no route {key:?} leads to it")] };
    let stars: Vec<_> = endpoint.path.split('/').map(|part| if part.starts_with('{') { "*" } else { part }).collect();
    let caller = format!("/*/{}{}", endpoint.method, stars.join("/"));
    let permitted = permission(it, "apigateway.amazonaws.com")
        .any(|p| p["SourceArn"]["Fn::Sub"].as_str().is_some_and(|arn| arn.ends_with(&format!("${{ApiId}}{caller}"))));
    if !permitted {
        problems.push(format!("API Gateway has no permission to call it for {caller}"));
    }
    problems
}

fn wrong_schedule(name: &str, every: Interval, it: &Deployed) -> Vec<String> {
    let rate = match every {
        Interval::Minute => json!("rate(1 minute)"),
        Interval::Labs => json!({ "Fn::Sub": "rate(${LabsIntervalMinutes} minutes)" }),
        Interval::Metrics => json!({ "Fn::If": [
            "EveryMinute", "rate(1 minute)", { "Fn::Sub": "rate(${MetricsIntervalMinutes} minutes)" },
        ]}),
    };
    let rule = &it.stack.get(name).unwrap_or(&Value::Null)["Properties"];
    let mut problems = Vec::new();
    if target(&rule["Targets"][0]["Arn"]) != it.id {
        problems.push(format!("there is no schedule {name} that starts it"));
    }
    if rule["ScheduleExpression"] != rate {
        problems.push(format!("{name} has the rate {}, should have {rate}", rule["ScheduleExpression"]));
    }
    problems.extend(without_permission(it, "events.amazonaws.com").map(|()| "EventBridge may not call it".into()));
    problems.extend(without_reserve(it));
    problems
}

fn wrong_mapping(queue: Queue, (batch_size, max_concurrency): (u32, u32), it: &Deployed) -> Vec<String> {
    let wanted = json!({
        "FunctionName": { "Ref": it.id },
        "EventSourceArn": { "Ref": format!("{}QueueArn", pascal(queue.name())) },
        "BatchSize": batch_size,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": { "MaximumConcurrency": max_concurrency },
    });
    match mappings(it).next() {
        None => vec![format!("nothing delivers the queue {} to it", queue.name())],
        Some(is) if *is != wanted => vec![format!("its mapping is {is}, should be {wanted}")],
        Some(_) => vec![],
    }
}

fn wrong_stream(sort_keys: &str, batch_size: u32, it: &Deployed) -> Vec<String> {
    let pattern =
        format!(r#"{{"dynamodb":{{"Keys":{{"sk":{{"S":[{{"prefix":"{sort_keys}"}}]}}}}}},"eventName":["INSERT"]}}"#);
    let wanted = json!({
        "FunctionName": { "Ref": it.id },
        "EventSourceArn": { "Ref": "TableStreamArn" },
        "StartingPosition": "TRIM_HORIZON",
        "BatchSize": batch_size,
        "FilterCriteria": { "Filters": [{ "Pattern": pattern }] },
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "BisectBatchOnFunctionError": true,
        "ParallelizationFactor": 1,
        "MaximumRetryAttempts": -1,
        "MaximumRecordAgeInSeconds": 21_600,
        "DestinationConfig": { "OnFailure": { "Destination": { "Ref": "EventsDeadLettersArn" } } },
    });
    let mut problems = match mappings(it).next() {
        None => vec!["nothing delivers the table's stream to it".into()],
        Some(is) if *is != wanted => vec![format!("its mapping is {is}, should be {wanted}")],
        Some(_) => vec![],
    };
    let alarm = &it.stack.get(&format!("{}Alarm", it.id)).unwrap_or(&Value::Null)["Properties"];
    if alarm["MetricName"] != "IteratorAge" || target(&alarm["Dimensions"][0]["Value"]) != it.id {
        problems.push("no alarm tells that it is behind".into());
    }
    problems
}

/// The properties of what delivers to it.
fn mappings(it: &Deployed) -> impl Iterator<Item = &Value> {
    let mappings = it.stack.values().filter(|resource| resource["Type"] == "AWS::Lambda::EventSourceMapping");
    mappings.map(|mapping| &mapping["Properties"]).filter(|mapping| target(&mapping["FunctionName"]) == it.id)
}

fn rules(it: &Deployed) -> impl Iterator<Item = &Value> {
    let rules = it.stack.values().filter(|resource| resource["Type"] == "AWS::Events::Rule");
    rules.map(|rule| &rule["Properties"]).filter(|rule| target(&rule["Targets"][0]["Arn"]) == it.id)
}

fn permission<'a>(it: &'a Deployed, service: &'a str) -> impl Iterator<Item = &'a Value> {
    let all = it.stack.values().filter(|resource| resource["Type"] == "AWS::Lambda::Permission");
    all.map(|permission| &permission["Properties"])
        .filter(move |p| p["Principal"] == service && target(&p["FunctionName"]) == it.id && !p["SourceArn"].is_null())
}

fn without_permission(it: &Deployed, service: &str) -> Option<()> {
    permission(it, service).next().is_none().then_some(())
}

fn without_reserve(it: &Deployed) -> Option<String> {
    let reserved = &it.properties["ReservedConcurrentExecutions"]["Fn::If"];
    let fine = reserved[0] == "ConcurrencyIsReserved" && reserved[1].as_u64().is_some_and(|n| n > 0);
    (!fine).then(|| "it has no ReservedConcurrentExecutions".to_owned())
}

fn no_route_is_deployed_that_the_table_does_not_have(repository: &Repository) -> Vec<String> {
    let in_table: BTreeSet<String> = repository
        .functions
        .iter()
        .filter_map(Function::endpoint)
        .map(|endpoint| format!("{} {}", endpoint.method, endpoint.path))
        .collect();
    let templates = templates::all(repository);
    let dead =
        templates.iter().flat_map(|template| template.of_type("AWS::ApiGatewayV2::Route")).filter_map(|(id, route)| {
            let key = route["Properties"]["RouteKey"].as_str().unwrap_or_default();
            (!in_table.contains(key)).then(|| format!("{id}: the route {key:?} is not in the function table"))
        });
    dead.collect()
}

fn every_function_has_a_fixture_and_a_row_in_the_documentation(repository: &Repository) -> Vec<String> {
    let mut problems: Vec<String> = repository
        .names("events", "json")
        .filter(|name| *name != "environment" && repository.find(name).is_none())
        .map(|name| format!("events/{name}.json: there is no such function"))
        .collect();
    for function in &repository.functions {
        let name = function.name;
        if repository.text(&format!("events/{name}.json")).is_empty() {
            problems.push(format!("{name}: there is no events/{name}.json"));
        }
        let of_endpoints = function.endpoint().map(|_| "docs/API.md");
        for path in ["docs/DEPLOYMENT.md", "docs/IAM.md"].into_iter().chain(of_endpoints) {
            if !repository.text(path).contains(&format!("\n| {name} |")) {
                problems.push(format!("{name}: {path} has no row for it"));
            }
        }
    }
    problems
}
