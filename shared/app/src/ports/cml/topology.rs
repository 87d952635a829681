//! What a lab is made of.

use super::CmlState;

/// A lab's nodes and links, without configurations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CmlTopology {
    /// The lab's title.
    pub title: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// Its notes.
    pub notes: Option<String>,
    /// Its nodes, in CML's order.
    pub nodes: Vec<TopologyNode>,
    /// Its links, in CML's order.
    pub links: Vec<TopologyLink>,
}

/// A node as it is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopologyNode {
    /// CML's id of it.
    pub id: String,
    /// Its name in the lab.
    pub label: Option<String>,
    /// Which node definition it is of.
    pub node_definition: Option<String>,
    /// Which image; null is the definition's own.
    pub image_definition: Option<String>,
    /// Whether it runs.
    pub state: Option<CmlState>,
    /// Where it is drawn, from left to right.
    pub x: Option<f64>,
    /// Where it is drawn, from top to bottom.
    pub y: Option<f64>,
    /// How many interfaces it has.
    pub interface_count: u32,
}

/// A link between two nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopologyLink {
    /// CML's id of it.
    pub id: String,
    /// Its name.
    pub label: Option<String>,
    /// Whether it is up.
    pub state: Option<CmlState>,
    /// The node at one end.
    pub node_a: Option<String>,
    /// Its interface.
    pub interface_a: Option<String>,
    /// The node at the other end.
    pub node_b: Option<String>,
    /// Its interface.
    pub interface_b: Option<String>,
}
