//! Labs as files: download and import.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::topology::SCHEMA;
use super::{Machined, Params, labs, links, nodes, raw, yaml};
use crate::failure::Failure;
use crate::machine::{Caller, Pen};
use crate::model::lab::Lab;
use crate::model::new_uuid;
use crate::model::node::{Interface, Node, NodeSpec};
use crate::model::telemetry::Event;

/// The versions of the schema that CML reads. Source: the schemas of CML 2.9.
const SCHEMAS: [&str; 10] = ["0.0.1", "0.0.2", "0.0.3", "0.0.4", "0.0.5", "0.1.0", "0.2.0", "0.2.1", "0.2.2", SCHEMA];

/// A topology file. Ids are those of the file: they name nothing outside it.
#[derive(Serialize, Deserialize)]
struct File {
    #[serde(default)]
    annotations: Vec<Value>,
    #[serde(default)]
    smart_annotations: Vec<Value>,
    #[serde(default)]
    nodes: Vec<FileNode>,
    #[serde(default)]
    links: Vec<FileLink>,
    lab: FileLab,
    /// Where old schemas have them: beside the nodes.
    #[serde(default, skip_serializing)]
    interfaces: Vec<LooseInterface>,
}

#[derive(Deserialize)]
struct LooseInterface {
    node: String,
    #[serde(flatten)]
    interface: Interface,
}

#[derive(Serialize, Deserialize)]
struct FileLab {
    #[serde(default)]
    description: String,
    #[serde(default)]
    notes: String,
    title: Option<String>,
    #[serde(default)]
    version: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct FileNode {
    id: String,
    #[serde(flatten)]
    spec: NodeSpec,
    #[serde(default)]
    interfaces: Vec<Interface>,
}

/// Files say `n1`, `i1`; topologies as JSON say `node_a`, `interface_a`.
#[derive(Serialize, Deserialize)]
struct FileLink {
    id: String,
    #[serde(alias = "node_a")]
    n1: String,
    #[serde(alias = "node_b")]
    n2: String,
    #[serde(alias = "interface_a")]
    i1: String,
    #[serde(alias = "interface_b")]
    i2: String,
    #[serde(default)]
    label: String,
}

impl File {
    fn read(bytes: &[u8]) -> Result<Self, Failure> {
        // YAML forbids the tabs that JSON may be indented with, so JSON is read as what it is.
        if bytes.trim_ascii_start().starts_with(b"{") {
            return serde_json::from_slice(bytes).map_err(Failure::bad_request);
        }
        let parsed: serde_norway::Value =
            serde_norway::from_slice(bytes).map_err(|error| yaml::refusal(&error, &String::from_utf8_lossy(bytes)))?;
        serde_norway::from_value(parsed).map_err(Failure::bad_request)
    }

    /// Refuses what no CML has: another version of the schema, another kind of node.
    fn check(&self) -> Result<(), Failure> {
        let version = self.lab.version.as_deref().unwrap_or(SCHEMA);
        if !SCHEMAS.contains(&version) {
            return Err(Failure::bad_request(format!("unsupported topology schema version: {version}")));
        }
        self.nodes.iter().try_for_each(|node| nodes::check(&node.spec))
    }

    fn of(lab: &Lab) -> Self {
        let node_names: BTreeMap<&str, String> =
            lab.nodes.iter().enumerate().map(|(number, node)| (node.id.as_str(), format!("n{number}"))).collect();
        let named = |id: &str| node_names.get(id).cloned().unwrap_or_default();
        let interface_name = |node: &Node, id: &str| {
            let number = node.interfaces.iter().position(|own| own.id == id);
            number.map(|number| format!("i{number}")).unwrap_or_default()
        };
        let nodes = lab.nodes.iter().map(|node| {
            let interfaces = node.interfaces.iter();
            let interfaces = interfaces.map(|own| Interface { id: interface_name(node, &own.id), ..own.clone() });
            FileNode { id: named(&node.id), spec: node.spec.clone(), interfaces: interfaces.collect() }
        });
        let end = |node: &str, id: &str| lab.node(node).map(|node| interface_name(node, id)).unwrap_or_default();
        let links = lab.links.iter().enumerate().map(|(number, link)| FileLink {
            id: format!("l{number}"),
            n1: named(&link.node_a),
            n2: named(&link.node_b),
            i1: end(&link.node_a, &link.interface_a),
            i2: end(&link.node_b, &link.interface_b),
            label: link.label.clone(),
        });
        Self {
            annotations: lab.annotations.clone(),
            smart_annotations: lab.smart_annotations.clone(),
            nodes: nodes.collect(),
            links: links.collect(),
            interfaces: Vec::new(),
            lab: FileLab {
                description: lab.description.clone(),
                notes: lab.notes.clone(),
                title: Some(lab.title.clone()),
                version: Some(SCHEMA.into()),
            },
        }
    }

    /// The lab of the file, with ids of its own.
    fn into_lab(self, title: String, pen: &Pen<'_>) -> Result<Lab, Failure> {
        let mut lab = Lab::new(new_uuid(pen.random), title, pen.user_id.to_owned(), pen.now);
        lab.description = self.lab.description;
        lab.notes = self.lab.notes;
        lab.annotations = self.annotations;
        lab.smart_annotations = self.smart_annotations;
        // The file's names of interfaces are unique within their node only.
        let mut interfaces: BTreeMap<(String, String), String> = BTreeMap::new();
        let mut nodes: BTreeSet<String> = BTreeSet::new();
        for file_node in self.nodes {
            if !nodes.insert(file_node.id.clone()) {
                return Err(Failure::bad_request(format!("node {} is defined twice", file_node.id)));
            }
            let mut node = Node::new(new_uuid(pen.random), file_node.spec);
            let loose = self.interfaces.iter().filter(|loose| loose.node == file_node.id);
            let loose = loose.map(|loose| loose.interface.clone());
            for interface in file_node.interfaces.into_iter().chain(loose) {
                let id = new_uuid(pen.random);
                interfaces.insert((file_node.id.clone(), interface.id.clone()), id.clone());
                node.interfaces.push(Interface { id, ..interface });
            }
            lab.nodes.push(node);
        }
        for link in self.links {
            let end = |node: String, interface: String| {
                let missing = format!("link {} ends at {interface} of {node}, which is not in the file", link.id);
                interfaces.get(&(node, interface)).ok_or_else(|| Failure::bad_request(missing))
            };
            let (a, b) = (end(link.n1, link.i1)?, end(link.n2, link.i2)?);
            let made = links::connect(&mut lab, new_uuid(pen.random), [a, b])?;
            if let (false, Some(last)) = (link.label.is_empty(), lab.links.last_mut()) {
                last.label = link.label;
            }
            lab.touch(pen.now, "ADD", "link", &made.id);
        }
        Ok(lab)
    }
}

/// Also an `export_lab` in the telemetry.
pub(super) async fn download(
    State(machine): Machined,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    machine.with(|turn| {
        let yaml = serde_norway::to_string(&File::of(turn.lab(&caller, &id)?)).map_err(Failure::bad_request)?;
        let event = Event::of_lab("export_lab", turn.now, &caller.user.id, &id);
        turn.note(event);
        Ok(([(header::CONTENT_TYPE, "application/x-yaml")], yaml).into_response())
    })
}

pub(super) async fn import(
    State(machine): Machined,
    caller: Caller,
    params: Params,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Failure> {
    let file = File::read(&raw(bytes)?)?;
    file.check()?;
    machine.with(|turn| {
        let title = params.text("title").map(str::to_owned).or_else(|| file.lab.title.clone());
        let title = title.unwrap_or_else(|| labs::default_title(turn));
        labs::check_title(&title)?;
        let warnings: Vec<&str> = match file.lab.version {
            Some(_) => Vec::new(),
            None => vec!["The topology has no schema version."],
        };
        let pen = turn.pen(&caller.user.id);
        let lab = file.into_lab(title, &pen)?;
        pen.events.push(Event::of_lab("import_lab", pen.now, pen.user_id, &lab.id));
        let id = lab.id.clone();
        turn.edit().labs.push(lab);
        Ok(Json(json!({ "id": id, "warnings": warnings })))
    })
}
