//! What runs in a lab: states, events, statistics.

use std::collections::{BTreeMap, VecDeque};

use app::ports::{CmlError, CmlState, ElementStates, LabEvent, LinkStatistics, NodeStatistics, SimulationStatistics};
use serde_json::Value;

use crate::auth::Session;
use crate::call::Call;
use crate::errors::malformed;
use crate::json::{members, number, number_at, object, state_at, text_at, time_at};
use crate::splitter::{NotAnArray, Splitter};
use crate::transport::read_chunks;

const STATES: &str = "GET /labs/{lab_id}/lab_element_state";
const EVENTS: &str = "GET /labs/{lab_id}/events";
const STATISTICS: &str = "GET /labs/{lab_id}/simulation_stats";
/// Events come with all that changed; a lab used for months has tens of thousands.
const EVENTS_BYTES: usize = 16 * 1024 * 1024;
/// The newest events kept.
const EVENTS_KEPT: usize = 1_000;

pub(crate) async fn element_states(session: &Session<'_>, lab_id: &str) -> Result<ElementStates, CmlError> {
    let answer = object(STATES, session.json(&Call::with_ids(STATES, &[lab_id])?).await?)?;
    let states = |pointer| {
        members(&answer, pointer).filter_map(|(id, state)| Some((id.clone(), CmlState::from_name(state.as_str()?))))
    };
    Ok(ElementStates {
        nodes: states("/nodes").collect(),
        links: states("/links").collect(),
        interfaces: states("/interfaces").collect(),
    })
}

pub(crate) async fn events(session: &Session<'_>, lab_id: &str) -> Result<Vec<LabEvent>, CmlError> {
    let no_array = |_: NotAnArray| malformed(EVENTS, "its answer is not one whole JSON array");
    let response = session.send(&Call::with_ids(EVENTS, &[lab_id])?).await?;
    let (mut splitter, mut newest) = (Splitter::default(), VecDeque::new());
    // CML writes them in the order in which they happened.
    let mut keep = |element: &[u8]| {
        newest.extend(serde_json::from_slice(element).ok().as_ref().and_then(event));
        if newest.len() > EVENTS_KEPT {
            newest.pop_front();
        }
    };
    read_chunks(EVENTS, response, EVENTS_BYTES, |chunk| splitter.push(chunk, &mut keep).map_err(no_array)).await?;
    splitter.finish().map_err(no_array)?;
    Ok(newest.into())
}

fn event(event: &Value) -> Option<LabEvent> {
    event.is_object().then(|| LabEvent {
        event: text_at(event, "/event"),
        element_type: text_at(event, "/element_type"),
        element_id: text_at(event, "/element_id"),
        state: state_at(event, "/data/state"),
        at: time_at(event, "/timestamp"),
    })
}

/// Objects by id, whatever CML's documentation says of arrays.
pub(crate) async fn statistics(session: &Session<'_>, lab_id: &str) -> Result<SimulationStatistics, CmlError> {
    let answer = object(STATISTICS, session.json(&Call::with_ids(STATISTICS, &[lab_id])?).await?)?;
    Ok(SimulationStatistics {
        nodes: members(&answer, "/nodes").map(|(id, node)| of_node(id, node)).collect(),
        links: members(&answer, "/links").map(|(id, link)| of_link(id, link)).collect(),
    })
}

fn of_node(id: &str, node: &Value) -> NodeStatistics {
    let times: BTreeMap<_, _> =
        members(node, "/times").filter_map(|(state, secs)| Some((state.clone(), number(secs)?))).collect();
    NodeStatistics {
        node_id: id.to_owned(),
        cpu_percent: number_at(node, "/cpu_usage"),
        disk_read_bytes: number_at(node, "/block0_rd_bytes"),
        disk_written_bytes: number_at(node, "/block0_wr_bytes"),
        seconds_in_state: times,
    }
}

fn of_link(id: &str, link: &Value) -> LinkStatistics {
    LinkStatistics {
        link_id: id.to_owned(),
        read_bytes: number_at(link, "/readbytes"),
        read_packets: number_at(link, "/readpackets"),
        written_bytes: number_at(link, "/writebytes"),
        written_packets: number_at(link, "/writepackets"),
        drops: number_at(link, "/drops"),
    }
}
