//! Each function may do what its ports need, and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use http_api::{FUNCTIONS, Function, Port, Trigger};
use serde_json::{Value, json};

use super::templates::{self, Deployed};
use super::{none, read};

/// What every function does: its own log, its own traces.
const ALWAYS: &[&str] =
    &["logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords"];

/// The reviewed list: which actions a port stands for. Written apart from the generator's on purpose.
fn actions(port: Port) -> &'static [&'static str] {
    match port {
        Port::TableRead => &["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"],
        Port::TableWrite => &["dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem"],
        Port::Send(_) => &["sqs:SendMessage"],
        Port::Issuer => &[],
        Port::Ec2Read => {
            &["ec2:DescribeInstances", "ec2:DescribeInstanceStatus", "ec2:DescribeImages", "sts:AssumeRole"]
        }
        Port::Ec2Write => &[
            "ec2:RunInstances",
            "ec2:StartInstances",
            "ec2:StopInstances",
            "ec2:TerminateInstances",
            "ec2:MonitorInstances",
            "ec2:UnmonitorInstances",
            "ec2:CreateTags",
            "ec2:DeleteTags",
            "iam:PassRole",
            "sts:AssumeRole",
        ],
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
        Port::SecretsRead => &["secretsmanager:GetSecretValue"],
        Port::SecretsWrite => &["secretsmanager:PutSecretValue", "secretsmanager:CreateSecret"],
    }
}

fn needed(function: &Function) -> BTreeSet<String> {
    let by_trigger: &[&str] = match function.trigger {
        Trigger::Queue { .. } => &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
        // What it gives up on.
        Trigger::Ec2StateChange => &["sqs:SendMessage"],
        Trigger::Http(_) | Trigger::Schedule { .. } => &[],
    };
    let by_ports = function.ports.iter().flat_map(|port| actions(*port));
    ALWAYS.iter().chain(by_trigger).chain(by_ports).map(|action| (*action).to_owned()).collect()
}

struct Statement {
    allow: bool,
    actions: Vec<String>,
    resources: Vec<String>,
    condition: Value,
    only_if: Option<String>,
}

fn list(value: &Value) -> Vec<String> {
    let words = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other["Fn::Sub"].as_str().or_else(|| other["Ref"].as_str()).map_or(other.to_string(), str::to_owned),
    };
    value.as_array().map_or_else(|| vec![words(value)], |all| all.iter().map(words).collect())
}

fn statements(it: &Deployed) -> Vec<Statement> {
    let role = &it.stack[&format!("{}Role", it.id)]["Properties"];
    assert!(role["ManagedPolicyArns"].is_null(), "{}: managed policies allow more than one function needs", it.id);
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

#[test]
fn a_function_may_do_what_its_ports_need_and_no_more() {
    let deployed = templates::functions();
    let mut problems = Vec::new();
    for function in FUNCTIONS {
        let Some(it) = deployed.get(function.name) else { continue };
        let allowed = statements(it).into_iter().filter(|s| s.allow).flat_map(|s| s.actions).collect::<BTreeSet<_>>();
        let needed = needed(function);
        problems.extend(needed.difference(&allowed).map(|action| format!("{}: lacks {action}", function.name)));
        problems
            .extend(allowed.difference(&needed).map(|action| format!("{}: has no need of {action}", function.name)));
    }
    none(&problems);
}

#[test]
fn a_function_sends_only_to_the_queues_of_its_ports() {
    let deployed = templates::functions();
    for function in FUNCTIONS {
        let sends = statements(&deployed[function.name]).into_iter().filter(|s| s.actions == ["sqs:SendMessage"]);
        let allowed: BTreeSet<String> = sends.flat_map(|statement| statement.resources).collect();
        let mut wanted: BTreeSet<String> = function
            .ports
            .iter()
            .filter_map(|port| match port {
                Port::Send(queue) => Some(format!("{}QueueArn", super::functions::pascal(queue.name()))),
                _ => None,
            })
            .collect();
        if let Trigger::Ec2StateChange = function.trigger {
            wanted.insert("EventsDeadLettersArn".into());
        }
        assert_eq!(allowed, wanted, "{}", function.name);
    }
}

#[test]
fn every_star_in_a_resource_has_its_written_reason() {
    let reasons: BTreeMap<String, String> = serde_norway::from_str(&read("infra/iam-reasons.yaml")).unwrap();
    let mut problems = Vec::new();
    let mut used = BTreeSet::new();
    for (name, it) in templates::functions() {
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
    none(&problems);
}

#[test]
fn nothing_changes_in_ec2_without_our_tag() {
    let (ours, by_us) = (json!("aws:ResourceTag/ccm:managed"), json!("aws:RequestTag/ccm:managed"));
    let (ours, by_us) = (ours.as_str().unwrap(), by_us.as_str().unwrap());
    let mut problems = Vec::new();
    for (name, it) in templates::functions() {
        for s in statements(&it).into_iter().filter(|s| s.allow) {
            let equals = &s.condition["StringEquals"];
            for action in &s.actions {
                let fine = match action.as_str() {
                    "ec2:StartInstances"
                    | "ec2:StopInstances"
                    | "ec2:TerminateInstances"
                    | "ec2:MonitorInstances"
                    | "ec2:UnmonitorInstances" => equals[ours] == "true",
                    "ec2:DeleteTags" => {
                        let kept = json!(["ccm:managed", "ccm:worker-id"]);
                        equals[ours] == "true" && s.condition["ForAllValues:StringNotEquals"]["aws:TagKeys"] == kept
                    }
                    "ec2:CreateTags" => {
                        let launched = equals["ec2:CreateAction"] == "RunInstances" && equals[by_us] == "true";
                        let imported = s.only_if.as_deref() == Some("ImportIsAllowed")
                            && s.condition["Null"][ours] == "true"
                            && s.condition["ForAllValues:StringEquals"]["aws:TagKeys"].is_array();
                        equals[ours] == "true" || launched || imported
                    }
                    "ec2:RunInstances" => {
                        let made = |resource: &String| resource.contains(":instance/") || resource.contains(":volume/");
                        equals[by_us] == "true" || !s.resources.iter().any(made)
                    }
                    "iam:PassRole" => {
                        equals["iam:PassedToService"] == "ec2.amazonaws.com" && s.resources == ["WorkerRoleArn"]
                    }
                    _ => true,
                };
                if !fine {
                    problems.push(format!("{name}: {action} on {} lacks its condition", s.resources.join(", ")));
                }
            }
        }
    }
    none(&problems);
}

#[test]
fn the_code_of_a_function_in_a_vpc_may_not_touch_the_network_itself() {
    for (name, it) in templates::functions() {
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
    let deployed = templates::functions();
    let mut out = String::new();
    for function in FUNCTIONS {
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
