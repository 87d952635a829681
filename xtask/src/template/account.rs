//! The role that the control plane takes in another account, which holds what its functions need there.
//!
//! One role for all of them, but none has the others' rights: the role believes a function only under
//! the session name of that function, and each statement asks for the session names it is for.

use http_api::Function;
use serde_json::{Map, Value, json};

use super::TemplateError;
use super::parameters::used_conditions;
use super::policy::{Statement, on_workers, reaches_other_accounts};
use super::yaml::{attribute, sub, text};

const HEAD: &str = "\
# Generated from the function table (shared/http/src/table.rs) by `cargo xtask template`.
# Deploy this once in every other account with workers, in any region (docs/DEPLOYMENT.md).
AWSTemplateFormatVersion: \"2010-09-09\"
Description: CML Cloud Manager, the role that the control plane takes in an account with workers

Parameters:
  Prefix:
    Type: String
    Default: ccm
    AllowedPattern: \"[a-z][a-z0-9-]{1,19}\"
    Description: The control plane's Prefix.
  HomeAccount:
    Type: String
    AllowedPattern: \"[0-9]{12}\"
    Description: The control plane's account.
  HomeRegion:
    Type: String
    AllowedPattern: \"[a-z]{2}(-[a-z]+)+-[0-9]\"
    Description: The control plane's region.
  ExternalId:
    Type: String
    MinLength: 16
    MaxLength: 64
    AllowedPattern: \"[A-Za-z0-9+=,.@:/_-]+\"
    Description: What the control plane has to say to be let in; the same as in its AccountRoles. Choose it at random.
  WorkerRoleArn:
    Type: String
    Default: \"\"
    AllowedPattern: (arn:[a-z-]+:iam::[0-9]{12}:role/.+)?
    Description: The one role of this account that workers may be given (of their instance profile). Empty for none.
  AllowImport:
    Type: String
    Default: \"true\"
    AllowedValues: [\"true\", \"false\"]
    Description: Whether import may put our tag on instances that are not ours.

Rules:
  OnlyElsewhere:
    Assertions:
      - Assert: !Not [!Equals [!Ref HomeAccount, !Ref AWS::AccountId]]
        AssertDescription: In the control plane's own account its functions need no other role
";

/// The name of a function's role, for those that are believed in other accounts. IAM's limit is 64
/// characters, and names are the same in all regions.
pub(super) fn role_name(function: &Function) -> Option<Value> {
    reaches_other_accounts(function).then(|| sub(format!("${{Prefix}}-${{AWS::Region}}-{}", function.name)))
}

/// The template's text.
pub(super) fn template(functions: &[Function]) -> Result<String, TemplateError> {
    let believed: Vec<&Function> = functions.iter().filter(|function| reaches_other_accounts(function)).collect();
    let role = json!({
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": sub("${Prefix}-control-plane"),
            "Description": "What the CML Cloud Manager may do in this account",
            "AssumeRolePolicyDocument": { "Version": "2012-10-17", "Statement": trust(&believed) },
            "Policies": [{
                "PolicyName": "workers",
                "PolicyDocument": { "Version": "2012-10-17", "Statement": permissions(&believed) },
            }],
        },
    });
    let mut out = HEAD.to_owned();
    let conditions = used_conditions(&role);
    let outputs = json!({ "RoleArn": {
        "Description": "For the control plane's AccountRoles and AccountRoleArns.",
        "Value": attribute("ControlPlaneRole", "Arn"),
    }});
    for (section, content) in
        [("Conditions", conditions), ("Resources", json!({ "ControlPlaneRole": role })), ("Outputs", outputs)]
    {
        out.push('\n');
        out.push_str(&text(&Value::from(Map::from_iter([(section.to_owned(), content)])))?);
    }
    Ok(out)
}

/// Functions that may do the same share a statement: a trust policy has 2,048 characters.
fn trust(believed: &[&Function]) -> Vec<Value> {
    let mut alike: Vec<(Vec<Statement>, Vec<&Function>)> = Vec::new();
    for function in believed {
        let rights: Vec<Statement> = changes(function);
        match alike.iter_mut().find(|(others, _)| *others == rights) {
            Some((_, members)) => members.push(function),
            None => alike.push((rights, vec![function])),
        }
    }
    let statement = |members: Vec<&Function>| {
        let role = |function: &&Function| {
            let name = function.name;
            sub(format!("arn:${{AWS::Partition}}:iam::${{HomeAccount}}:role/${{Prefix}}-${{HomeRegion}}-{name}"))
        };
        json!({
            "Effect": "Allow",
            // The whole account, and of it only these roles: a role named as the principal itself would
            // have to be there first, and would be lost when it is made anew.
            "Principal": { "AWS": sub("arn:${AWS::Partition}:iam::${HomeAccount}:root") },
            "Action": "sts:AssumeRole",
            "Condition": {
                "ArnEquals": { "aws:PrincipalArn": members.iter().map(role).collect::<Vec<_>>() },
                "StringEquals": {
                    "sts:ExternalId": { "Ref": "ExternalId" },
                    "sts:RoleSessionName": members.iter().map(|member| session(member)).collect::<Vec<_>>(),
                },
            },
        })
    };
    alike.into_iter().map(|(_, members)| statement(members)).collect()
}

/// What a function changes; all of them read.
fn changes(function: &Function) -> Vec<Statement> {
    rights(function).into_iter().filter(|statement| statement.condition.is_some()).collect()
}

fn rights(function: &Function) -> Vec<Statement> {
    function.ports.iter().flat_map(|port| on_workers(*port)).collect()
}

/// Each statement once, for the sessions of the functions that need it.
fn permissions(believed: &[&Function]) -> Vec<Value> {
    let mut all: Vec<(Statement, Vec<&Function>)> = Vec::new();
    for function in believed {
        for statement in rights(function) {
            match all.iter_mut().find(|(other, _)| *other == statement) {
                Some((_, members)) => members.push(function),
                None => all.push((statement, vec![function])),
            }
        }
    }
    let restricted = |(statement, members): (Statement, Vec<&Function>)| {
        let sessions: Vec<Value> = members.iter().map(|member| user_id(member)).collect();
        let mut condition = statement.condition.clone().unwrap_or_else(|| json!({}));
        condition["StringLike"] = json!({ "aws:userid": sessions });
        statement.condition(condition).json()
    };
    all.into_iter().map(restricted).collect()
}

/// The session name under which a function takes a role. Source: `shared/aws-fleet/src/clients.rs`.
fn session(function: &Function) -> Value {
    sub(format!("ccm-${{HomeAccount}}-{}", function.name))
}

/// What `aws:userid` is in such a session: the role's id, a colon, the session name, in which no colon
/// can be. Source: IAM user guide, "Information available in requests for federated users".
fn user_id(function: &Function) -> Value {
    sub(format!("*:ccm-${{HomeAccount}}-{}", function.name))
}
