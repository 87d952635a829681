//! Each function may do what its ports need, and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use http_api::{Function, Port, Trigger};
use serde_json::{Value, json};

use super::repository::Repository;
use super::templates::{self, Deployed};

comparisons![
    a_function_may_do_what_its_ports_need_and_no_more,
    a_function_sends_only_to_the_queues_of_its_ports,
    every_star_in_a_resource_has_its_written_reason,
    nothing_changes_in_ec2_without_our_tag,
];

/// What every function does: its own log, its own traces.
const ALWAYS: &[&str] =
    &["logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords"];

/// The reviewed list: which actions a port stands for. Written apart from the generator's on purpose.
pub(super) fn actions(port: Port) -> &'static [&'static str] {
    match port {
        Port::TableRead => &["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"],
        Port::TableWrite => &["dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem"],
        Port::Send(_) => &["sqs:SendMessage"],
        Port::Issuer | Port::SignIn => &[],
        Port::CredentialUse => &["dynamodb:PutItem"],
        Port::Seal(_) => &["kms:GenerateDataKey"],
        Port::Unseal(_) => &["kms:Decrypt"],
        Port::Publish => &["events:PutEvents"],
        Port::Ec2Read => {
            &["ec2:DescribeInstances", "ec2:DescribeInstanceStatus", "ec2:DescribeImages", "sts:AssumeRole"]
        }
        Port::Ec2Write => &[
            "ec2:RunInstances",
            "ec2:StartInstances",
            "ec2:StopInstances",
            "ec2:TerminateInstances",
            "ec2:ModifyInstanceAttribute",
            "ec2:MonitorInstances",
            "ec2:UnmonitorInstances",
            "ec2:CreateTags",
            "ec2:DeleteTags",
            "iam:PassRole",
            "sts:AssumeRole",
        ],
        Port::Ec2Import => &["ec2:CreateTags", "sts:AssumeRole"],
        Port::Ec2Console => &["ec2:GetConsoleOutput", "sts:AssumeRole"],
        Port::CloudWatch => &["cloudwatch:GetMetricData", "sts:AssumeRole"],
        // Lambda's own need when the function is in a VPC.
        Port::Cml => &[
            "ec2:CreateNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:DeleteNetworkInterface",
            "ec2:AssignPrivateIpAddresses",
            "ec2:UnassignPrivateIpAddresses",
        ],
        // To be told that a file is not there, and not that it may not be read.
        Port::FilesRead(_) => &["s3:GetObject", "s3:ListBucket"],
        Port::FilesWrite(_) => &["s3:PutObject"],
        Port::FilesDelete(_) => &["s3:DeleteObject"],
        Port::SecretsRead => &["secretsmanager:GetSecretValue"],
        // It is not written again when it is set already.
        Port::SecretsWrite => {
            &["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:CreateSecret"]
        }
        // It is deleted again when its operation could not be recorded.
        Port::TokensWrite => {
            &["secretsmanager:PutSecretValue", "secretsmanager:CreateSecret", "secretsmanager:DeleteSecret"]
        }
        Port::TokensUse => &["secretsmanager:GetSecretValue", "secretsmanager:DeleteSecret"],
    }
}

fn needed(function: &Function) -> BTreeSet<String> {
    let by_trigger: &[&str] = match function.trigger {
        Trigger::Queue { .. } => &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
        // Lambda's own need to deliver it; and what it gives up on.
        Trigger::Stream { .. } => &[
            "dynamodb:DescribeStream",
            "dynamodb:GetRecords",
            "dynamodb:GetShardIterator",
            "dynamodb:ListStreams",
            "sqs:SendMessage",
        ],
        // What it gives up on.
        Trigger::Ec2StateChange => &["sqs:SendMessage"],
        Trigger::Http(_) | Trigger::Schedule { .. } => &[],
    };
    let by_ports = function.ports.iter().flat_map(|port| actions(*port));
    ALWAYS.iter().chain(by_trigger).chain(by_ports).map(|action| (*action).to_owned()).collect()
}

pub(super) struct Statement {
    pub(super) allow: bool,
    pub(super) actions: Vec<String>,
    pub(super) resources: Vec<String>,
    pub(super) condition: Value,
    pub(super) only_if: Option<String>,
}

pub(super) fn list(value: &Value) -> Vec<String> {
    let words = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other["Fn::Sub"].as_str().or_else(|| other["Ref"].as_str()).map_or(other.to_string(), str::to_owned),
    };
    value.as_array().map_or_else(|| vec![words(value)], |all| all.iter().map(words).collect())
}

fn statements(it: &Deployed) -> Vec<Statement> {
    of_role(it.stack.get(&format!("{}Role", it.id)).unwrap_or(&Value::Null))
}

/// The statements of a role's policies.
pub(super) fn of_role(role: &Value) -> Vec<Statement> {
    let role = &role["Properties"];
    assert!(role["ManagedPolicyArns"].is_null(), "managed policies allow more than one function needs: {role}");
    let all = role["Policies"].as_array().into_iter().flatten();
    all.flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().into_iter().flatten())
        .map(|statement| {
            let only_if = statement["Fn::If"][0].as_str().map(str::to_owned);
            let statement = if only_if.is_some() { &statement["Fn::If"][1] } else { statement };
            Statement {
                allow: statement["Effect"] == "Allow",
                actions: list(&statement["Action"]),
                resources: list(&statement["Resource"]),
                condition: statement["Condition"].clone(),
                only_if,
            }
        })
        .collect()
}

fn a_function_may_do_what_its_ports_need_and_no_more(repository: &Repository) -> Vec<String> {
    let deployed = templates::functions(repository);
    let mut problems = Vec::new();
    for function in &repository.functions {
        let Some(it) = deployed.get(function.name) else { continue };
        let allowed = statements(it).into_iter().filter(|s| s.allow).flat_map(|s| s.actions).collect::<BTreeSet<_>>();
        let needed = needed(function);
        problems.extend(needed.difference(&allowed).map(|action| format!("{}: lacks {action}", function.name)));
        problems
            .extend(allowed.difference(&needed).map(|action| format!("{}: has no need of {action}", function.name)));
    }
    problems
}

fn a_function_sends_only_to_the_queues_of_its_ports(repository: &Repository) -> Vec<String> {
    let deployed = templates::functions(repository);
    let mut problems = Vec::new();
    for function in &repository.functions {
        let Some(it) = deployed.get(function.name) else { continue };
        let sends = statements(it).into_iter().filter(|s| s.actions == ["sqs:SendMessage"]);
        let allowed: BTreeSet<String> = sends.flat_map(|statement| statement.resources).collect();
        let mut wanted: BTreeSet<String> = function
            .ports
            .iter()
            .filter_map(|port| match port {
                Port::Send(queue) => Some(format!("{}QueueArn", super::functions::pascal(queue.name()))),
                _ => None,
            })
            .collect();
        if let Trigger::Ec2StateChange | Trigger::Stream { .. } = function.trigger {
            wanted.insert("EventsDeadLettersArn".into());
        }
        let name = function.name;
        problems.extend(wanted.difference(&allowed).map(|queue| format!("{name}: may not send to {queue}")));
        problems.extend(allowed.difference(&wanted).map(|queue| format!("{name}: has no need to send to {queue}")));
    }
    problems
}

fn every_star_in_a_resource_has_its_written_reason(repository: &Repository) -> Vec<String> {
    let reasons: BTreeMap<String, String> = serde_norway::from_str(repository.text("infra/iam-reasons.yaml")).unwrap();
    let mut problems = Vec::new();
    let mut used = BTreeSet::new();
    for (name, it) in templates::functions(repository) {
        for statement in statements(&it).into_iter().filter(|s| s.resources.iter().any(|r| r.contains('*'))) {
            for action in statement.actions {
                if reasons.get(&action).is_none_or(|reason| reason.len() < 20) {
                    problems.push(format!("{name}: infra/iam-reasons.yaml has no reason for the * of {action}"));
                }
                used.insert(action);
            }
        }
    }
    let stale = reasons.keys().filter(|action| !used.contains(*action));
    problems.extend(stale.map(|action| format!("infra/iam-reasons.yaml: no function has a * for {action}")));
    problems
}

fn nothing_changes_in_ec2_without_our_tag(repository: &Repository) -> Vec<String> {
    let functions = templates::functions(repository);
    functions.iter().flat_map(|(name, it)| changes_without_our_tag(name, &statements(it))).collect()
}

/// Statements that may change what is not ours, or make it ours together with other changes.
pub(super) fn changes_without_our_tag(name: &str, statements: &[Statement]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut changes: BTreeSet<&str> = BTreeSet::new();
    for s in statements.iter().filter(|s| s.allow) {
        changes.extend(s.actions.iter().map(String::as_str).filter(|action| changes_instances(action)));
        for action in s.actions.iter().filter(|action| !has_its_condition(action, s)) {
            problems.push(format!("{name}: {action} on {} lacks its condition", s.resources.join(", ")));
        }
    }
    if statements.iter().any(makes_ours) && changes != BTreeSet::from(["ec2:CreateTags"]) {
        problems.push(format!("{name}: may make instances ours, and also {changes:?}: so it reaches every instance"));
    }
    problems
}

fn changes_instances(action: &str) -> bool {
    action.starts_with("ec2:") && !action.starts_with("ec2:Describe")
}

const OURS: &str = "aws:ResourceTag/ccm:managed";

fn makes_ours(s: &Statement) -> bool {
    s.actions.iter().any(|action| action == "ec2:CreateTags") && s.condition["Null"][OURS] == "true"
}

fn has_its_condition(action: &str, s: &Statement) -> bool {
    let by_us = "aws:RequestTag/ccm:managed";
    let marks = json!(["ccm:managed", "ccm:worker-id"]);
    let equals = &s.condition["StringEquals"];
    match action {
        "ec2:StartInstances"
        | "ec2:StopInstances"
        | "ec2:TerminateInstances"
        | "ec2:MonitorInstances"
        | "ec2:UnmonitorInstances" => equals[OURS] == "true",
        "ec2:DeleteTags" => {
            equals[OURS] == "true" && s.condition["ForAllValues:StringNotEquals"]["aws:TagKeys"] == marks
        }
        "ec2:CreateTags" => {
            let launched = equals["ec2:CreateAction"] == "RunInstances" && equals[by_us] == "true";
            let imported = s.only_if.as_deref() == Some("ImportIsAllowed")
                && makes_ours(s)
                && s.condition["ForAllValues:StringEquals"]["aws:TagKeys"] == marks;
            equals[OURS] == "true" || launched || imported
        }
        "ec2:RunInstances" => {
            let made = |resource: &String| resource.contains(":instance/") || resource.contains(":volume/");
            equals[by_us] == "true" || !s.resources.iter().any(made)
        }
        "iam:PassRole" => equals["iam:PassedToService"] == "ec2.amazonaws.com" && s.resources == ["WorkerRoleArn"],
        _ => true,
    }
}

#[test]
fn the_code_of_a_function_in_a_vpc_may_not_touch_the_network_itself() {
    let repository = &Repository::committed();
    for (name, it) in templates::functions(repository) {
        let statements = statements(&it);
        let network = |allow: bool| {
            let some = statements.iter().filter(move |s| s.allow == allow);
            some.flat_map(|s| &s.actions).filter(|a| a.contains("NetworkInterface") || a.contains("PrivateIp"))
        };
        let (allowed, denied): (BTreeSet<_>, BTreeSet<_>) = (network(true).collect(), network(false).collect());
        assert_eq!(allowed, denied, "{name}");
    }
}

#[test]
fn the_permissions_are_those_that_were_reviewed() {
    let repository = &Repository::committed();
    let deployed = templates::functions(repository);
    let mut out = String::new();
    for function in &repository.functions {
        writeln!(out, "{}", function.name).unwrap();
        for s in statements(&deployed[function.name]) {
            let effect = if s.allow { "" } else { "never " };
            write!(out, "  {effect}{}\n    on {}", s.actions.join(", "), s.resources.join(", ")).unwrap();
            if !s.condition.is_null() {
                write!(out, "\n    if {}", s.condition).unwrap();
            }
            if let Some(condition) = s.only_if {
                write!(out, "\n    only with {condition}").unwrap();
            }
            out.push('\n');
        }
    }
    insta::assert_snapshot!("permissions", out);
}
