//! The role inside other accounts: who is let in, and as whom may do what.

use std::collections::BTreeSet;

use http_api::{Function, Port};
use serde_json::{Value, json};

use super::permissions::{actions, changes_without_our_tag, list, of_role};
use super::repository::Repository;
use super::templates::{self, Template};

const PATH: &str = "infra/account-role.yaml";

comparisons![
    exactly_the_functions_that_act_in_other_accounts_are_let_in_each_under_its_own_name,
    in_another_account_a_function_may_do_what_its_ports_need_and_no_more,
    nothing_changes_in_another_account_without_our_tag,
];

/// Those that act where workers are.
fn acting(repository: &Repository) -> Vec<&Function> {
    let acts = |port: &Port| matches!(port, Port::Ec2Read | Port::Ec2Write | Port::Ec2Import | Port::CloudWatch);
    repository.functions.iter().filter(|function| function.ports.iter().any(acts)).collect()
}

fn role(repository: &Repository) -> Value {
    Template::load(repository, PATH).resources().get("ControlPlaneRole").cloned().unwrap_or_default()
}

fn trust(role: &Value) -> Vec<Value> {
    let statements = &role["Properties"]["AssumeRolePolicyDocument"]["Statement"];
    statements.as_array().cloned().unwrap_or_default()
}

fn exactly_the_functions_that_act_in_other_accounts_are_let_in_each_under_its_own_name(
    repository: &Repository,
) -> Vec<String> {
    let mut problems = Vec::new();
    let role_of =
        |name: &str| format!("arn:${{AWS::Partition}}:iam::${{HomeAccount}}:role/${{Prefix}}-${{HomeRegion}}-{name}");
    let session_of = |name: &str| format!("ccm-${{HomeAccount}}-{name}");
    let mut let_in: BTreeSet<(String, String)> = BTreeSet::new();
    for statement in trust(&role(repository)) {
        let (condition, equals) = (&statement["Condition"], &statement["Condition"]["StringEquals"]);
        if equals["sts:ExternalId"] != json!({ "Ref": "ExternalId" }) {
            problems.push(format!("{PATH}: somebody is let in without the external id"));
        }
        let home = json!({ "AWS": { "Fn::Sub": "arn:${AWS::Partition}:iam::${HomeAccount}:root" } });
        if (&statement["Principal"], &statement["Action"]) != (&home, &json!("sts:AssumeRole")) {
            problems.push(format!("{PATH}: lets in {} for {}", statement["Principal"], statement["Action"]));
        }
        let (roles, sessions) =
            (list(&condition["ArnEquals"]["aws:PrincipalArn"]), list(&equals["sts:RoleSessionName"]));
        let_in.extend(roles.iter().flat_map(|role| sessions.iter().map(|session| (role.clone(), session.clone()))));
    }
    let deployed = templates::functions(repository);
    let acting = acting(repository);
    for function in &acting {
        let name = function.name;
        if !let_in.contains(&(role_of(name), session_of(name))) {
            problems.push(format!("{PATH}: does not let in {name}"));
        }
        let Some(it) = deployed.get(name) else { continue };
        let own_role = it.stack.get(&format!("{}Role", it.id)).unwrap_or(&Value::Null);
        if own_role["Properties"]["RoleName"]["Fn::Sub"] != format!("${{Prefix}}-${{AWS::Region}}-{name}").as_str() {
            problems.push(format!("{name}: its role has not the name that {PATH} believes"));
        }
    }
    // Functions that share a statement may take each other's name, so they must have the same rights.
    let changing =
        |function: &&&Function| function.ports.iter().any(|port| matches!(port, Port::Ec2Write | Port::Ec2Import));
    for (role, session) in let_in {
        let owner = acting.iter().find(|function| role_of(function.name) == role);
        let other = acting.iter().find(|function| session_of(function.name) == session);
        let same = owner.is_some_and(|owner| other.is_some_and(|other| owner.name == other.name));
        if owner.is_none() || other.is_none() || (!same && [owner, other].iter().flatten().any(changing)) {
            problems.push(format!("{PATH}: lets in {role} as {session}"));
        }
    }
    problems
}

fn in_another_account_a_function_may_do_what_its_ports_need_and_no_more(repository: &Repository) -> Vec<String> {
    let statements = of_role(&role(repository));
    let mut problems = Vec::new();
    for function in acting(repository) {
        let name = function.name;
        let user = format!("*:ccm-${{HomeAccount}}-{name}");
        let its = statements.iter().filter(|s| list(&s.condition["StringLike"]["aws:userid"]).contains(&user));
        let allowed: BTreeSet<&str> = its.flat_map(|s| &s.actions).map(String::as_str).collect();
        let abroad = |action: &&str| ["ec2:", "cloudwatch:", "iam:"].iter().any(|service| action.starts_with(service));
        let ports = function.ports.iter().filter(|port| **port != Port::Cml);
        let needed: BTreeSet<&str> = ports.flat_map(|port| actions(*port)).copied().filter(abroad).collect();
        problems.extend(needed.difference(&allowed).map(|action| format!("{PATH}: {name} lacks {action}")));
        problems.extend(allowed.difference(&needed).map(|action| format!("{PATH}: {name} has no need of {action}")));
    }
    let anybody = statements.iter().filter(|s| s.condition["StringLike"]["aws:userid"].is_null());
    problems.extend(anybody.map(|s| format!("{PATH}: everybody let in may {}", s.actions.join(", "))));
    problems
}

fn nothing_changes_in_another_account_without_our_tag(repository: &Repository) -> Vec<String> {
    let role = role(repository);
    let by_function = acting(repository).into_iter().flat_map(|function| {
        let user = format!("*:ccm-${{HomeAccount}}-{}", function.name);
        let mut its = of_role(&role);
        its.retain(|s| list(&s.condition["StringLike"]["aws:userid"]).contains(&user));
        changes_without_our_tag(&format!("{PATH}: {}", function.name), &its)
    });
    by_function.collect()
}

/// Source: IAM user guide, "IAM and AWS STS quotas": 2,048 characters of a trust policy, 10,240 of a
/// role's policies, white space not counted; 64 of a role's name.
#[test]
fn the_role_fits_into_the_quotas_of_iam_with_the_longest_parameters() {
    let repository = &Repository::committed();
    let longest = |text: &str| {
        let mut text = text.to_owned();
        for (name, value) in [
            ("${AWS::Partition}", "aws-us-gov"),
            ("${HomeAccount}", "123456789012"),
            ("${AWS::AccountId}", "123456789012"),
            ("${Prefix}", "a2345678901234567890"),
            ("${HomeRegion}", "ap-southeast-1"),
            ("${AWS::Region}", "ap-southeast-1"),
            (r#"{"Ref":"ExternalId"}"#, &format!("\"{}\"", "x".repeat(64))),
        ] {
            text = text.replace(name, value);
        }
        text.replace(r#"{"Fn::Sub":"#, "").replace(r#""}"#, r#"""#).chars().filter(|c| !c.is_whitespace()).count()
    };
    let role = role(repository);
    let trust = longest(&role["Properties"]["AssumeRolePolicyDocument"].to_string());
    assert!((500..=2_048).contains(&trust), "{trust}");
    let policies = longest(&role["Properties"]["Policies"][0]["PolicyDocument"].to_string());
    assert!((500..=10_240).contains(&policies), "{policies}");
    for function in acting(repository) {
        assert!(longest(&format!("${{Prefix}}-${{AWS::Region}}-{}", function.name)) <= 64, "{}", function.name);
    }
}
