//! A lab: nodes, links, and what happened to them.

use domain::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::node::{Interface, Node, NodeState};

/// How many of its events a lab remembers.
const EVENTS_KEPT: usize = 500;

/// CML's lab states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum LabState {
    DefinedOnCore,
    Stopped,
    Started,
}

/// From the start of the machine until it can start nodes.
pub(crate) const READY_AFTER: SignedDuration = SignedDuration::from_secs(180);

/// Whether a lab starts with its machine. From 2.10 on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Autostart {
    #[serde(default)]
    pub(crate) enabled: bool,
    /// 0 to 10000; lower ones first.
    #[serde(default)]
    pub(crate) priority: Option<u32>,
    /// Seconds, up to a day.
    #[serde(default)]
    pub(crate) delay: Option<u32>,
}

impl Autostart {
    /// When it starts, of a machine that started then.
    pub(crate) fn at(&self, booted_at: Timestamp) -> Timestamp {
        booted_at + READY_AFTER + SignedDuration::from_secs(self.delay.unwrap_or(0).into())
    }
}

/// In which order nodes start. From 2.10 on; kept and shown, not followed here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NodeStaging {
    enabled: bool,
    start_remaining: bool,
    abort_on_failure: bool,
}

impl Default for NodeStaging {
    fn default() -> Self {
        Self { enabled: false, start_remaining: true, abort_on_failure: false }
    }
}

/// A link between two interfaces.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Link {
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) node_a: String,
    pub(crate) interface_a: String,
    pub(crate) node_b: String,
    pub(crate) interface_b: String,
}

impl Link {
    /// Whether it ends at the interface.
    pub(crate) fn ends_at(&self, interface: &str) -> bool {
        self.interface_a == interface || self.interface_b == interface
    }
}

/// One entry of `GET /labs/{id}/events`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LabEvent {
    pub(crate) at: Timestamp,
    /// `ADD`, `REMOVE`, `CHANGE` or `STATE_CHANGED`.
    pub(crate) event: String,
    /// `lab`, `node`, `interface` or `link`.
    pub(crate) element_type: String,
    pub(crate) element_id: String,
    pub(crate) data: Value,
}

/// A lab.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Lab {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) notes: String,
    /// A user's id.
    pub(crate) owner: String,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    #[serde(default)]
    pub(crate) nodes: Vec<Node>,
    #[serde(default)]
    pub(crate) links: Vec<Link>,
    #[serde(default)]
    pub(crate) events: Vec<LabEvent>,
    /// Drawings, kept as they came.
    #[serde(default)]
    pub(crate) annotations: Vec<Value>,
    #[serde(default)]
    pub(crate) smart_annotations: Vec<Value>,
    #[serde(default)]
    pub(crate) autostart: Autostart,
    #[serde(default)]
    pub(crate) node_staging: NodeStaging,
    /// The boot it last started with by itself.
    #[serde(default)]
    pub(crate) autostarted_at: Option<Timestamp>,
}

impl Lab {
    /// An empty lab.
    pub(crate) fn new(id: String, title: String, owner: String, now: Timestamp) -> Self {
        Self {
            id,
            title,
            description: String::new(),
            notes: String::new(),
            owner,
            created: now,
            modified: now,
            nodes: Vec::new(),
            links: Vec::new(),
            events: Vec::new(),
            annotations: Vec::new(),
            smart_annotations: Vec::new(),
            autostart: Autostart::default(),
            node_staging: NodeStaging::default(),
            autostarted_at: None,
        }
    }

    /// Its running nodes that take a seat of the licence.
    pub(crate) fn licensed_nodes(&self, now: Timestamp) -> u32 {
        self.count_machines(|node| node.state(now).runs())
    }

    /// The nodes that a start of all would begin to run and that take a seat of the licence.
    pub(crate) fn nodes_to_start(&self, now: Timestamp) -> u32 {
        self.count_machines(|node| !node.state(now).runs())
    }

    fn count_machines(&self, wanted: impl Fn(&Node) -> bool) -> u32 {
        let machines = self.nodes.iter().filter(|node| node.spec.definition().is_machine() && wanted(node));
        u32::try_from(machines.count()).unwrap_or(u32::MAX)
    }

    /// Whether it is to start by itself now: its priority, and `place`, by which it is found again.
    pub(super) fn autostart_due(&self, place: usize, booted_at: Timestamp, now: Timestamp) -> Option<(u32, usize)> {
        let due =
            self.autostart.enabled && self.autostarted_at != Some(booted_at) && now >= self.autostart.at(booted_at);
        due.then(|| (self.autostart.priority.unwrap_or(u32::MAX), place))
    }

    /// What it shows at `now`.
    pub(crate) fn state(&self, now: Timestamp) -> LabState {
        let states: Vec<NodeState> = self.nodes.iter().map(|node| node.state(now)).collect();
        if states.iter().any(|state| state.runs()) {
            LabState::Started
        } else if states.iter().all(|state| *state == NodeState::DefinedOnCore) {
            LabState::DefinedOnCore
        } else {
            LabState::Stopped
        }
    }

    /// Every node is where it was told to be.
    pub(crate) fn converged(&self, now: Timestamp) -> bool {
        self.nodes.iter().all(|node| node.converged(now))
    }

    /// The node with the id.
    pub(crate) fn node(&self, id: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// The node with the id, to change it.
    pub(crate) fn node_mut(&mut self, id: &str) -> Option<&mut Node> {
        self.nodes.iter_mut().find(|node| node.id == id)
    }

    /// All interfaces, each with its node.
    pub(crate) fn interfaces(&self) -> impl Iterator<Item = (&Node, &Interface)> {
        self.nodes.iter().flat_map(|node| node.interfaces.iter().map(move |interface| (node, interface)))
    }

    /// The interface with the id, and its node.
    pub(crate) fn interface(&self, id: &str) -> Option<(&Node, &Interface)> {
        self.interfaces().find(|(_, interface)| interface.id == id)
    }

    /// What a link shows: it carries traffic when both ends run.
    pub(crate) fn link_state(&self, link: &Link, now: Timestamp) -> NodeState {
        let end = |id: &str| self.node(id).map_or(NodeState::DefinedOnCore, |node| node.state(now).of_wire());
        end(&link.node_a).min(end(&link.node_b))
    }

    /// Something was changed by hand.
    pub(crate) fn touch(&mut self, now: Timestamp, event: &str, element_type: &str, element_id: &str) {
        self.modified = now;
        self.record(now, event, element_type, element_id, Value::Null);
    }

    /// A node was told another state.
    pub(crate) fn record_state(&mut self, now: Timestamp, node_id: &str, state: NodeState) {
        self.record(now, "STATE_CHANGED", "node", node_id, serde_json::json!({ "state": state }));
    }

    fn record(&mut self, at: Timestamp, event: &str, element_type: &str, element_id: &str, data: Value) {
        self.events.push(LabEvent {
            at,
            event: event.into(),
            element_type: element_type.into(),
            element_id: element_id.into(),
            data,
        });
        let surplus = self.events.len().saturating_sub(EVENTS_KEPT);
        self.events.drain(..surplus);
    }
}
