//! The simulated controller as data: pure, and the same at the same instant.

pub(crate) mod console;
pub(crate) mod definitions;
pub(crate) mod lab;
pub(crate) mod licence;
pub(crate) mod load;
pub(crate) mod node;
pub(crate) mod notice;
pub(crate) mod telemetry;

use app::ports::Random;
use domain::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use lab::Lab;
use licence::Licence;
use load::{Demand, Host};
use node::{Node, NodeState, Power};
use notice::{Maintenance, Notice};
use telemetry::{Event, MACHINE_EVERY};

/// Name of CML's built-in administrator.
pub const ADMIN_USERNAME: &str = "admin";
/// Password of CML's built-in administrator.
pub const ADMIN_PASSWORD: &str = "cml-admin-password";
/// The id that CML gives its built-in administrator.
pub const ADMIN_ID: &str = "00000000-0000-4000-a000-000000000000";
/// The CML user the product signs in as.
pub const POLLER_USERNAME: &str = "ccm-poller";
/// Its password.
pub const POLLER_PASSWORD: &str = "ccm-poller-password";

/// A new random (version 4) UUID.
pub(crate) fn new_uuid(random: &dyn Random) -> String {
    uuid::Builder::from_random_bytes(random.next().to_be_bytes()).into_uuid().to_string()
}

/// Which CML this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ControllerVersion {
    /// 2.4.0: too old to be supported, met all the same. It differs in what it calls itself and in its 401.
    V2_4,
    /// 2.9.1.
    V2_9,
    /// 2.10.0.
    V2_10,
}

pub(crate) use ControllerVersion as Version;

impl ControllerVersion {
    /// Half of the fleet is on each, always the same half.
    fn of_instance(instance_id: &str) -> Self {
        let sum = instance_id.bytes().fold(0_u32, |sum, byte| sum.wrapping_add(u32::from(byte)));
        if sum.is_multiple_of(2) { Self::V2_9 } else { Self::V2_10 }
    }

    /// Its number: `2.9.1`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V2_4 => "2.4.0",
            Self::V2_9 => "2.9.1",
            Self::V2_10 => "2.10.0",
        }
    }

    /// The version of that number.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::V2_4, Self::V2_9, Self::V2_10].into_iter().find(|version| version.name() == name)
    }

    /// As CML spells it.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::V2_4 => "2.4.0+build.1",
            Self::V2_9 => "2.9.1+build.7",
            Self::V2_10 => "2.10.0+build.4",
        }
    }
}

/// A CML user. The password is kept as it is: nothing here is worth protecting.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) admin: bool,
    #[serde(default)]
    pub(crate) fullname: String,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) email: String,
    pub(crate) created: Timestamp,
}

impl User {
    /// A user of whom nothing else is told.
    pub(crate) fn new(id: String, username: &str, password: &str, admin: bool, created: Timestamp) -> Self {
        Self {
            id,
            username: username.into(),
            password: password.into(),
            admin,
            fullname: String::new(),
            description: String::new(),
            email: String::new(),
            created,
        }
    }
}

/// Everything a controller remembers but its telemetry, which is kept beside it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Controller {
    pub(crate) version: Version,
    pub(crate) product_uuid: String,
    pub(crate) compute_id: String,
    pub(crate) certificate_pem: String,
    pub(crate) key_pem: String,
    pub(crate) users: Vec<User>,
    pub(crate) labs: Vec<Lab>,
    pub(crate) licence: Licence,
    #[serde(default)]
    pub(crate) notices: Vec<Notice>,
    #[serde(default)]
    pub(crate) maintenance: Maintenance,
    /// The start of the machine this boot belongs to; null when it is off.
    pub(crate) booted_at: Option<Timestamp>,
    /// Until when the machine has written about itself.
    wrote_until: Option<Timestamp>,
}

impl Controller {
    /// A new controller, as its image is.
    pub(crate) fn new(instance_id: &str, now: Timestamp, random: &dyn Random, pems: (String, String)) -> Self {
        // The poller too: licensing, and the labs of others, are for administrators only.
        let user = |id: String, username: &str, password: &str| User::new(id, username, password, true, now);
        Self {
            version: Version::of_instance(instance_id),
            product_uuid: new_uuid(random),
            compute_id: new_uuid(random),
            certificate_pem: pems.0,
            key_pem: pems.1,
            users: vec![
                user(ADMIN_ID.into(), ADMIN_USERNAME, ADMIN_PASSWORD),
                user(new_uuid(random), POLLER_USERNAME, POLLER_PASSWORD),
            ],
            labs: Vec::new(),
            licence: Licence::registered(now),
            notices: Vec::new(),
            maintenance: Maintenance::default(),
            booted_at: None,
            wrote_until: None,
        }
    }

    /// The user with the id.
    pub(crate) fn user(&self, id: &str) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.labs.iter().flat_map(|lab| &lab.nodes)
    }

    /// The machine runs since `since`. Nodes do not outlive a reboot; they do outlive a restart of
    /// the local stack, which is no reboot.
    pub(crate) fn power_on(&mut self, since: Timestamp) -> bool {
        if self.booted_at == Some(since) {
            return false;
        }
        self.power_off();
        self.booted_at = Some(since);
        self.wrote_until = Some(since);
        true
    }

    /// The machine stopped: so did the nodes.
    pub(crate) fn power_off(&mut self) {
        self.booted_at = None;
        for node in self.labs.iter_mut().flat_map(|lab| &mut lab.nodes) {
            node.cut();
        }
    }

    /// What the nodes ask of the host at `now`.
    pub(crate) fn demand(&self, now: Timestamp) -> Demand {
        Demand::of(self.nodes(), now)
    }

    /// Writes down what time alone has brought since the last look: nodes that booted or stopped, and
    /// the machine's entries about itself. In order of time, and none before an entry of a person,
    /// because every look begins with this.
    pub(crate) fn advance(&mut self, host: &Host, now: Timestamp) -> Vec<Event> {
        let mut events = Vec::new();
        if let Some(at) = self.licence.settle(now) {
            events.push(Event::of_machine("license_info", at, json!({})));
        }
        if self.version >= Version::V2_10 {
            self.start_by_itself(now, &mut events);
        }
        for lab in &mut self.labs {
            advance_lab(lab, now, &mut events);
        }
        self.write_of_machine(host, now, &mut events);
        events.sort_by_key(|event| event.timestamp);
        events
    }

    /// Starts the labs that are to start with the machine, once in each boot, as far as the licence goes.
    fn start_by_itself(&mut self, now: Timestamp, events: &mut Vec<Event>) {
        let Some(booted_at) = self.booted_at else { return };
        let mut due: Vec<(u32, usize)> =
            self.labs.iter().enumerate().filter_map(|(at, lab)| lab.autostart_due(at, booted_at, now)).collect();
        due.sort_unstable();
        for (_, at) in due {
            let seats_left = self.seats_left(now);
            let lab = &mut self.labs[at];
            lab.autostarted_at = Some(booted_at);
            if lab.nodes_to_start(now) > seats_left {
                continue;
            }
            let at = lab.autostart.at(booted_at);
            events.push(Event::of_machine("lab_autostart", at, json!({ "lab_id": lab.id })));
            for node in &mut lab.nodes {
                if node.start(at) {
                    let data =
                        json!({ "lab_id": lab.id, "node_id": node.id, "node_definition": node.spec.node_definition });
                    events.push(Event::of_machine("queue_node", at, data));
                }
            }
        }
    }

    /// How many more nodes the licence lets run.
    pub(crate) fn seats_left(&self, now: Timestamp) -> u32 {
        let taken: u32 = self.labs.iter().map(|lab| lab.licensed_nodes(now)).sum();
        self.licence.node_limit().saturating_sub(taken)
    }

    fn write_of_machine(&mut self, host: &Host, now: Timestamp, events: &mut Vec<Event>) {
        let (Some(_), Some(written)) = (self.booted_at, self.wrote_until) else { return };
        let due = now.duration_since(written).as_secs() / MACHINE_EVERY.as_secs();
        // Two entries each time: older ones than these the feed would drop anyway.
        let most = i64::try_from(telemetry::EVENTS_KEPT / 2).unwrap_or(i64::MAX);
        let first = (due - most).max(0) + 1;
        for count in first..=due {
            let at = written + MACHINE_EVERY * i32::try_from(count).unwrap_or(i32::MAX);
            let demand = self.demand(at);
            let load = demand.load(host);
            events.push(Event::of_machine(
                "system_stats",
                at,
                json!({ "cpu_percent": load.cpu_percent, "memory_percent": load.memory_percent }),
            ));
            events.push(Event::of_machine("running_nodes", at, json!({ "running_nodes": demand.running_nodes })));
        }
        if due > 0 {
            self.wrote_until = Some(written + MACHINE_EVERY * i32::try_from(due).unwrap_or(i32::MAX));
        }
    }
}

fn advance_lab(lab: &mut Lab, now: Timestamp, events: &mut Vec<Event>) {
    let mut reached = Vec::new();
    for node in &mut lab.nodes {
        match node.power {
            Power::On { since, announced: false } => {
                let Some(at) = node.booted_at(now) else { continue };
                let data =
                    json!({ "lab_id": lab.id, "node_id": node.id, "node_definition": node.spec.node_definition });
                events.push(Event::of_machine("boot_node", at, data));
                node.power = Power::On { since, announced: true };
                reached.push((at, node.id.clone(), NodeState::Booted));
            }
            Power::Stopping { .. } if node.converged(now) => {
                node.power = Power::Off;
                reached.push((now, node.id.clone(), NodeState::Stopped));
            }
            _ => {}
        }
    }
    for (at, node_id, state) in reached {
        lab.record_state(at, &node_id, state);
    }
}
