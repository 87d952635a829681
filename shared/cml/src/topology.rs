//! What a lab is made of.

use app::ports::{CmlError, CmlTopology, TopologyLink, TopologyNode};
use serde_json::Value;

use crate::auth::Session;
use crate::call::Call;
use crate::json::{elements, id_of, number_at, object, state_at, text_at};

const TOPOLOGY: &str = "GET /labs/{lab_id}/topology";
/// Without configurations; every interface of every node is in it.
const TOPOLOGY_BYTES: usize = 4 * 1024 * 1024;

pub(crate) async fn read(session: &Session<'_>, lab_id: &str) -> Result<CmlTopology, CmlError> {
    let call = Call::with_ids(TOPOLOGY, &[lab_id])?.query("exclude_configurations=true");
    let answer = object(TOPOLOGY, session.json_up_to(TOPOLOGY_BYTES, &call).await?)?;
    Ok(CmlTopology {
        title: either(&answer, "/lab/title", "/lab/lab_title"),
        description: either(&answer, "/lab/description", "/lab/lab_description"),
        notes: either(&answer, "/lab/notes", "/lab/lab_notes"),
        nodes: elements(&answer, "/nodes").filter_map(node).collect(),
        links: elements(&answer, "/links").filter_map(link).collect(),
    })
}

fn node(node: &Value) -> Option<TopologyNode> {
    Some(TopologyNode {
        id: id_of(node)?,
        label: text_at(node, "/label"),
        node_definition: text_at(node, "/node_definition"),
        image_definition: text_at(node, "/image_definition"),
        state: state_at(node, "/state"),
        x: number_at(node, "/x"),
        y: number_at(node, "/y"),
        interface_count: u32::try_from(elements(node, "/interfaces").count()).unwrap_or(u32::MAX),
    })
}

/// Its ends go by long names in answers and by short ones in files.
fn link(link: &Value) -> Option<TopologyLink> {
    Some(TopologyLink {
        id: id_of(link)?,
        label: text_at(link, "/label"),
        state: state_at(link, "/state"),
        node_a: either(link, "/node_a", "/n1"),
        interface_a: either(link, "/interface_a", "/i1"),
        node_b: either(link, "/node_b", "/n2"),
        interface_b: either(link, "/interface_b", "/i2"),
    })
}

fn either(value: &Value, pointer: &str, other: &str) -> Option<String> {
    text_at(value, pointer).or_else(|| text_at(value, other))
}
