//! The templates as JSON, short tags in their long form.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};

use super::repository::Repository;

/// One template.
pub(super) struct Template {
    pub(super) path: String,
    pub(super) content: Value,
}

/// One deployed function.
pub(super) struct Deployed {
    pub(super) path: String,
    /// Its logical id.
    pub(super) id: String,
    pub(super) properties: Value,
    /// All resources of its stack.
    pub(super) stack: Arc<Map<String, Value>>,
}

impl Template {
    pub(super) fn load(repository: &Repository, path: &str) -> Self {
        Self { path: path.to_owned(), content: content(path, repository.text(path)) }
    }

    pub(super) fn resources(&self) -> &Map<String, Value> {
        self.content["Resources"].as_object().unwrap_or_else(|| panic!("{} has no resources", self.path))
    }

    /// The resources of that type.
    pub(super) fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.resources().iter().filter(move |(_, resource)| resource["Type"] == kind)
    }
}

/// What a text says. Many tests read the same ones, so that it is kept.
fn content(path: &str, text: &str) -> Value {
    static KNOWN: Mutex<BTreeMap<String, Value>> = Mutex::new(BTreeMap::new());
    if let Some(known) = KNOWN.lock().unwrap().get(text) {
        return known.clone();
    }
    let yaml: serde_norway::Value = serde_norway::from_str(text).unwrap_or_else(|error| panic!("{path}: {error}"));
    let content = long(&yaml);
    KNOWN.lock().unwrap().insert(text.to_owned(), content.clone());
    content
}

/// Every template of the repository.
pub(super) fn all(repository: &Repository) -> Vec<Template> {
    let below = ["infra", "infra/functions"].into_iter().flat_map(|folder| {
        let names = repository.names(folder, "yaml").filter(|name| *name != "iam-reasons");
        names.map(move |name| format!("{folder}/{name}.yaml"))
    });
    below.chain(["template.yaml".to_owned()]).map(|path| Template::load(repository, &path)).collect()
}

/// Every deployed function by its `Handler`.
pub(super) fn functions(repository: &Repository) -> BTreeMap<String, Deployed> {
    let mut functions = BTreeMap::new();
    for template in all(repository) {
        let shared = &template.content["Globals"]["Function"];
        let stack = Arc::new(template.resources().clone());
        for (id, resource) in template.of_type("AWS::Serverless::Function") {
            let deployed = Deployed {
                path: template.path.clone(),
                id: id.clone(),
                properties: merged(shared, &resource["Properties"]),
                stack: stack.clone(),
            };
            let handler = deployed.properties["Handler"].as_str().unwrap_or_default().to_owned();
            assert!(functions.insert(handler.clone(), deployed).is_none(), "two functions have the Handler {handler}");
        }
    }
    functions
}

/// The name of a parameter, condition or resource that an expression refers to.
pub(super) fn target(expression: &Value) -> &str {
    expression["Ref"].as_str().or_else(|| expression["Fn::GetAtt"][0].as_str()).unwrap_or_default()
}

fn merged(shared: &Value, own: &Value) -> Value {
    match (shared, own) {
        (Value::Object(shared), Value::Object(own)) => {
            let mut all = shared.clone();
            for (key, value) in own {
                let value = merged(shared.get(key).unwrap_or(&Value::Null), value);
                all.insert(key.clone(), value);
            }
            all.into()
        }
        _ => own.clone(),
    }
}

fn long(value: &serde_norway::Value) -> Value {
    use serde_norway::Value as Yaml;
    match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(flag) => (*flag).into(),
        Yaml::Number(number) => number.as_i64().map(Into::into).or_else(|| number.as_f64().map(Into::into)).unwrap(),
        Yaml::String(text) => text.as_str().into(),
        Yaml::Sequence(items) => items.iter().map(long).collect(),
        Yaml::Mapping(members) => members
            .iter()
            .map(|(key, value)| (key.as_str().unwrap().to_owned(), long(value)))
            .collect::<Map<_, _>>()
            .into(),
        Yaml::Tagged(tagged) => {
            let (name, value) = (tagged.tag.to_string(), long(&tagged.value));
            match (name.as_str(), value.as_str().and_then(|text| text.split_once('.'))) {
                ("!Ref", _) => json!({ "Ref": value }),
                ("!GetAtt", Some((resource, attribute))) => json!({ "Fn::GetAtt": [resource, attribute] }),
                _ => Map::from_iter([(name.replacen('!', "Fn::", 1), value)]).into(),
            }
        }
    }
}
