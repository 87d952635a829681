//! A lab as callers see it, and what they send about one.

use std::collections::BTreeMap;

use app::ports::{CmlNode, TopologyLink};
use app::store::{Listed, StoredWish};
use app::use_cases::read_labs::{LabUsage, LiveLab};
use domain::lab::{Lab, LabEdit};
use domain::{LabId, WorkerId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::worker_power::{DriftView, FailureView};
use super::{maybe_time, time};

/// A lab as it was read last; where one is asked for by itself, also as it is now.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Lab)]
pub struct LabView {
    /// CML's id.
    pub id: String,
    /// The worker it is on.
    pub worker_id: String,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: Option<String>,
    /// Its notes, in Markdown; null in lists, which would be too long with them.
    pub notes: Option<String>,
    /// What it shows: `DEFINED_ON_CORE`, `STARTED` or `STOPPED`.
    pub state: Option<String>,
    /// What somebody wished of it here: `started` or `stopped`; null where nobody did, and it is left as it is.
    pub desired_state: Option<&'static str>,
    /// What is done about that, and why; null until it is judged.
    pub reconciliation: Option<LabReconciliation>,
    /// The id of the CML user who owns it.
    pub owner: Option<String>,
    /// That user's name.
    pub owner_username: Option<String>,
    /// How many nodes it has.
    pub node_count: Option<u32>,
    /// How many links it has.
    pub link_count: Option<u32>,
    /// Its nodes as they run now; null in lists, and when the controller did not answer in time.
    pub nodes: Option<Vec<LabNodeView>>,
    /// Its links as they are now; null when `nodes` is.
    pub links: Option<Vec<LabLinkView>>,
    /// What it uses now; everything is null when `nodes` is.
    pub resources: LabResources,
    /// When it was made.
    pub created_at: Option<String>,
    /// When it was last changed.
    pub modified_at: Option<String>,
    /// When it was read last.
    pub synced_at: String,
    /// Since when a full listing has not had it: it is forgotten at the next that does not.
    pub missing_since: Option<String>,
}

/// What is done so that a lab is as it is wished.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LabReconciliation {
    /// Who wished.
    pub wished_by: String,
    /// When.
    pub wished_at: String,
    /// What was decided: `none`, `wait`, `start`, `stop` or `give_up`.
    pub decision: &'static str,
    /// Why.
    pub decision_reason: String,
    /// When.
    pub decided_at: String,
    /// What is done next, if nothing happens until then.
    pub next_action: Option<&'static str>,
    /// When it is done.
    pub next_action_at: Option<String>,
    /// Attempts of the reconciler since the wish, or since the lab was last as wished.
    pub attempts: u32,
    /// Why the last attempt, of anybody, failed; null when it did not.
    pub last_failure: Option<FailureView>,
    /// What somebody did to it in CML, against the wish.
    pub drift: Vec<DriftView>,
}

/// What a lab uses. What CML does not tell is null.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct LabResources {
    /// CPU in percent of one processor, all nodes together.
    pub cpu_percent: Option<f64>,
    /// Memory given to its running nodes, in MiB.
    pub memory_mib: Option<u64>,
    /// Bytes read from its disks since its nodes' start.
    pub disk_read_bytes: Option<f64>,
    /// Bytes written to them.
    pub disk_written_bytes: Option<f64>,
}

/// A node of a lab.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LabNodeView {
    /// CML's id.
    pub id: String,
    /// Its name in the lab.
    pub label: Option<String>,
    /// Which kind of node it is.
    pub node_definition: Option<String>,
    /// Which image; null is the kind's own.
    pub image_definition: Option<String>,
    /// What it shows: CML's own word, such as `BOOTED`.
    pub state: Option<String>,
    /// How far it has booted, in CML's words.
    pub boot_progress: Option<String>,
    /// Its virtual CPUs; null is its kind's number.
    pub vcpus: Option<u32>,
    /// Its memory in MiB; null is its kind's.
    pub memory_mib: Option<u32>,
    /// Its tags.
    pub tags: Vec<String>,
}

/// A link between two nodes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LabLinkView {
    /// CML's id.
    pub id: String,
    /// Its name.
    pub label: Option<String>,
    /// What it shows: `STARTED` when it is up.
    pub state: Option<String>,
    /// The id of the node at one end.
    pub node_a: Option<String>,
    /// The id of its interface.
    pub interface_a: Option<String>,
    /// The id of the node at the other end.
    pub node_b: Option<String>,
    /// The id of its interface.
    pub interface_b: Option<String>,
}

/// A page of labs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LabList {
    /// The labs.
    pub items: Vec<LabView>,
    /// Where the next page begins; null at the end.
    pub next_cursor: Option<String>,
}

/// What is changed of a lab; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateLab {
    /// 1 to 64 characters.
    pub title: Option<String>,
    /// At most 4096 characters.
    pub description: Option<String>,
    /// At most 32768 characters, in Markdown.
    pub notes: Option<String>,
}

/// A topology in CML's own form, as it is downloaded: YAML, or JSON of the same form. CML judges the rest of it.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it is described here, and judged as text")]
pub struct Topology {
    /// What CML shall say of the lab: `title`, `description`, `notes`, and the `version` of the form.
    lab: BTreeMap<String, String>,
    /// Its nodes, at most 1000: `id`, `label`, `node_definition`, `x`, `y`, `interfaces`, ...
    nodes: Vec<BTreeMap<String, String>>,
    /// Its links: `id`, `n1`, `i1`, `n2`, `i2`.
    #[schema(required = false)]
    links: Vec<BTreeMap<String, String>>,
}

impl From<UpdateLab> for LabEdit {
    fn from(body: UpdateLab) -> Self {
        Self { title: body.title, description: body.description, notes: body.notes }
    }
}

impl LabView {
    /// The lab as an item of a list: as it was read last, and without its notes.
    #[must_use]
    pub fn listed(lab: &Lab, wish: Option<&StoredWish>) -> Self {
        // 200 of them with notes would pass the 6 MB that Lambda answers with.
        Self { notes: None, ..Self::new(lab, None, wish) }
    }

    /// The lab, with what its controller shows of it now, if it does, and what is wished of it, if anything is.
    #[must_use]
    pub fn new(lab: &Lab, live: Option<LiveLab>, wish: Option<&StoredWish>) -> Self {
        let (nodes, links, usage) = match live {
            Some(LiveLab { nodes, links, usage }) => (Some(nodes), Some(links), usage),
            None => (None, None, LabUsage::default()),
        };
        Self {
            id: lab.id.to_string(),
            worker_id: lab.worker_id.to_string(),
            title: lab.title.clone(),
            description: lab.description.clone(),
            notes: lab.notes.clone(),
            state: lab.state.as_ref().map(|state| state.name().to_owned()),
            desired_state: wish.map(|stored| stored.wish.desired.name()),
            reconciliation: wish.and_then(LabReconciliation::of),
            owner: lab.owner.clone(),
            owner_username: lab.owner_username.clone(),
            node_count: lab.node_count,
            link_count: lab.link_count,
            nodes: nodes.map(|nodes| nodes.into_iter().map(LabNodeView::from).collect()),
            links: links.map(|links| links.into_iter().map(LabLinkView::from).collect()),
            resources: LabResources {
                cpu_percent: usage.cpu_percent,
                memory_mib: usage.memory_mib,
                disk_read_bytes: usage.disk_read_bytes,
                disk_written_bytes: usage.disk_written_bytes,
            },
            created_at: maybe_time(lab.created_at),
            modified_at: maybe_time(lab.modified_at),
            synced_at: time(lab.synced_at),
            missing_since: maybe_time(lab.missing_since),
        }
    }
}

impl LabList {
    /// A page of labs, with what is wished of them.
    #[must_use]
    pub fn new(page: Listed<Lab>, wishes: &BTreeMap<(WorkerId, LabId), StoredWish>) -> Self {
        let view = |lab: &Lab| LabView::listed(lab, wishes.get(&(lab.worker_id, lab.id.clone())));
        Self { items: page.items.iter().map(view).collect(), next_cursor: page.next }
    }
}

impl LabReconciliation {
    fn of(stored: &StoredWish) -> Option<Self> {
        let (at, decision) = stored.decided.as_ref()?;
        Some(Self {
            wished_by: stored.wish.wished_by.to_string(),
            wished_at: time(stored.wish.wished_at),
            decision: decision.action.name(),
            decision_reason: decision.reason.clone(),
            decided_at: time(*at),
            next_action: decision.next.map(|(action, _)| action.name()),
            next_action_at: decision.next.map(|(_, at)| time(at)),
            attempts: stored.record.attempts,
            last_failure: stored.record.last_failure.as_ref().map(FailureView::from),
            drift: stored.record.drift.iter().map(DriftView::from).collect(),
        })
    }
}

impl From<CmlNode> for LabNodeView {
    fn from(node: CmlNode) -> Self {
        Self {
            id: node.id,
            label: node.label,
            node_definition: node.node_definition,
            image_definition: node.image_definition,
            state: node.state.map(|state| state.to_string()),
            boot_progress: node.boot_progress,
            vcpus: node.vcpus,
            memory_mib: node.memory_mib,
            tags: node.tags,
        }
    }
}

impl From<TopologyLink> for LabLinkView {
    fn from(link: TopologyLink) -> Self {
        Self {
            id: link.id,
            label: link.label,
            state: link.state.map(|state| state.to_string()),
            node_a: link.node_a,
            interface_a: link.interface_a,
            node_b: link.node_b,
            interface_b: link.interface_b,
        }
    }
}
