//! One generated stack, and the root's list of them.

use http_api::Function;
use serde_json::{Map, Value, json};

use super::yaml::text;
use super::{TemplateError, environment, function, logical, parameters, trigger};

const HEADER: &str = "\
# Generated from the function table (shared/http/src/table.rs) by `cargo xtask template`.
# Change the table or xtask/src/template, not this file: a test compares them.
";

/// A stack and what the root gives it.
pub(super) struct Stack {
    template: Value,
    /// Name, and the root's expression for it.
    parameters: Vec<(String, Value)>,
}

/// The stack with these functions.
pub(super) fn stack(functions: &[&Function]) -> Stack {
    let mut resources = Map::new();
    for function in functions {
        resources.extend(function::resources(function));
        resources.extend(trigger::resources(function));
    }
    let mut template = json!({
        "Globals": { "Function": {
            "Runtime": "provided.al2023",
            "Architectures": ["arm64"],
            "Tracing": "Active",
            "Environment": { "Variables": environment::shared() },
        }},
        "Resources": resources,
    });
    let conditions = parameters::used_conditions(&template);
    if conditions.as_object().is_some_and(|conditions| !conditions.is_empty()) {
        template["Conditions"] = conditions;
    }
    let parameters = parameters::used(&template);
    let declared = parameters.iter().map(|(name, _)| (name.clone(), json!({ "Type": "String" })));
    template["Parameters"] = declared.collect::<Map<_, _>>().into();
    Stack { template, parameters }
}

impl Stack {
    /// The template's text.
    pub(super) fn text(&self) -> Result<String, TemplateError> {
        let mut out =
            format!("{HEADER}AWSTemplateFormatVersion: \"2010-09-09\"\nTransform: AWS::Serverless-2016-10-31\n");
        for section in ["Parameters", "Conditions", "Globals", "Resources"] {
            if let Some(content) = self.template.get(section) {
                out.push('\n');
                out.push_str(&text(&json!({ section: content }))?);
            }
        }
        Ok(out)
    }
}

/// The root's resources for these stacks, indented to stand below `Resources`.
pub(super) fn nested(stacks: &[(&'static str, Stack)]) -> Result<String, TemplateError> {
    let mut out = String::new();
    for (group, stack) in stacks {
        let parameters: Map<_, _> = stack.parameters.iter().cloned().collect();
        let name = format!("{}Functions", logical(group));
        let resource = json!({ name: {
            "Type": "AWS::CloudFormation::Stack",
            "Properties": { "TemplateURL": format!("{}/{group}.yaml", super::FOLDER), "Parameters": parameters },
        }});
        for line in text(&resource)?.lines() {
            out.push_str("  ");
            out.push_str(line);
            out.push('\n');
        }
    }
    Ok(out)
}
