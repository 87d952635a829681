//! The fleet of simulated controllers, one per running simulated instance.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use app::ports::{Clock, Random};
use domain::Timestamp;
use local_state::Documents;

use crate::actions;
use crate::failure::Failure;
use crate::machine::{Machine, Turn, World};
use crate::model::load::{Host, Load};
use crate::model::telemetry::{self, Event};
use crate::model::{ADMIN_PASSWORD, ADMIN_USERNAME, ControllerVersion, User, new_uuid};
use crate::server::Server;
use crate::store::Store;

/// The password of users that come with a seeded lab.
const SEEDED_PASSWORD: &str = "test";

/// A simulated EC2 instance that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningInstance {
    /// Its id.
    pub instance_id: String,
    /// Its last start: another one is a reboot.
    pub running_since: Timestamp,
    /// Its type.
    pub instance_type: String,
    /// Virtual CPUs of the type.
    pub vcpus: u32,
}

/// How a person reaches a controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// `https://127.0.0.1:<port>`.
    pub url: String,
    /// An administrator of CML.
    pub username: String,
    /// Their password.
    pub password: String,
    /// The controller's version of CML.
    pub version: ControllerVersion,
}

#[derive(Default)]
struct Members {
    /// Every controller that was looked at, running or not, by instance.
    machines: BTreeMap<String, Arc<Machine>>,
    /// The running ones.
    servers: BTreeMap<String, Server>,
}

struct Shared {
    world: World,
    members: Mutex<Members>,
    /// One change of the fleet at a time.
    syncing: tokio::sync::Mutex<()>,
}

/// The simulated controllers. Cheap to clone.
#[derive(Clone)]
pub struct Controllers(Arc<Shared>);

impl Controllers {
    /// No server runs yet; see [`Controllers::sync`]. What earlier processes left in `documents` is
    /// taken up.
    pub fn new(
        documents: Documents,
        fleet_clock: Arc<dyn Clock>,
        machine_clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        let world = World { store: Store::new(documents), fleet_clock, machine_clock, random };
        Self(Arc::new(Shared { world, members: Mutex::default(), syncing: tokio::sync::Mutex::new(()) }))
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        // A poisoned lock only says that some thread panicked between two insertions.
        self.0.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn machine(&self, instance_id: &str) -> Result<Arc<Machine>, Failure> {
        let mut members = self.members();
        if let Some(machine) = members.machines.get(instance_id) {
            return Ok(Arc::clone(machine));
        }
        let machine = Arc::new(Machine::open(instance_id, self.0.world.clone())?);
        members.machines.insert(instance_id.to_owned(), Arc::clone(&machine));
        Ok(machine)
    }

    pub(crate) fn running(&self, instance_id: &str) -> Option<Arc<Machine>> {
        let members = self.members();
        members.servers.get(instance_id)?;
        members.machines.get(instance_id).map(Arc::clone)
    }

    /// The controller of a running instance, to be asked without a network.
    #[cfg(test)]
    pub(crate) fn running_machine(&self, instance_id: &str) -> Option<Arc<Machine>> {
        self.running(instance_id)
    }

    /// Makes the running servers those of `running`: starts what is new, with all nodes stopped, and
    /// stops what is gone, keeping its labs as stopped.
    pub async fn sync(&self, running: &[RunningInstance]) {
        let _one_at_a_time = self.0.syncing.lock().await;
        let gone: Vec<(String, Server)> = {
            let mut members = self.members();
            let (stay, gone) = std::mem::take(&mut members.servers)
                .into_iter()
                .partition(|(id, _)| running.iter().any(|instance| instance.instance_id == *id));
            members.servers = stay;
            gone.into_iter().collect()
        };
        for (instance_id, server) in gone {
            server.stop().await;
            if let Err(error) = self.machine(&instance_id).and_then(|machine| machine.power_off()) {
                tracing::error!(%error, instance_id, "a simulated controller cannot be powered off");
            }
        }
        for instance in running {
            if let Err(error) = self.keep_running(instance).await {
                tracing::error!(%error, instance_id = instance.instance_id, "a simulated controller cannot be started");
            }
        }
    }

    async fn keep_running(&self, instance: &RunningInstance) -> Result<(), Failure> {
        let machine = self.machine(&instance.instance_id)?;
        let host = Host { instance_type: instance.instance_type.clone(), vcpus: instance.vcpus };
        machine.power_on(instance.running_since, host)?;
        if self.address(&instance.instance_id).is_none() {
            let server = Server::start(machine, 0).await.map_err(Failure::bad_request)?;
            self.members().servers.insert(instance.instance_id.clone(), server);
        }
        Ok(())
    }

    pub(crate) fn seats(&self) -> Result<Vec<String>, Failure> {
        Ok(self.0.world.store.seats()?)
    }

    /// Starts the server of a running instance anew, where it was: every connection ends.
    pub(crate) async fn restart(&self, instance_id: &str) -> Result<(), Failure> {
        let _one_at_a_time = self.0.syncing.lock().await;
        let Some(server) = self.members().servers.remove(instance_id) else { return Ok(()) };
        let port = server.address().port();
        server.stop().await;
        let server = Server::start(self.machine(instance_id)?, port).await.map_err(Failure::bad_request)?;
        self.members().servers.insert(instance_id.to_owned(), server);
        Ok(())
    }

    /// Drops everything about an instance that was terminated.
    pub fn forget(&self, instance_id: &str) {
        let mut members = self.members();
        members.servers.remove(instance_id);
        members.machines.remove(instance_id);
        if let Err(error) = self.0.world.store.delete(instance_id) {
            tracing::error!(%error, instance_id, "a simulated controller cannot be forgotten");
        }
    }

    /// Where the server of a running instance listens now.
    #[must_use]
    pub fn address(&self, instance_id: &str) -> Option<SocketAddr> {
        self.members().servers.get(instance_id).map(Server::address)
    }

    /// How a person reaches the controller of a running instance.
    #[must_use]
    pub fn access(&self, instance_id: &str) -> Option<Access> {
        let address = self.address(instance_id)?;
        let version = self.running(instance_id)?.with(|turn| Ok(turn.controller().version)).ok()?;
        Some(Access {
            version,
            url: format!("https://{address}"),
            username: ADMIN_USERNAME.into(),
            password: ADMIN_PASSWORD.into(),
        })
    }

    /// What CloudWatch would measure; nothing when the instance does not run.
    #[must_use]
    pub fn load(&self, instance_id: &str) -> Load {
        self.running(instance_id).map(|machine| machine.load()).unwrap_or_default()
    }

    /// Adds a telemetry entry like a person's.
    ///
    /// # Errors
    /// The instance does not run, CML has no such category, or the controller no such user (name or id).
    pub fn record_activity(&self, instance_id: &str, user: &str, kind: &str) -> Result<(), String> {
        let machine = self.running_or_refusal(instance_id)?;
        if !telemetry::is_category(kind) {
            return Err(format!("CML has no telemetry category {kind}"));
        }
        let recorded = machine.with(|turn| {
            let known = turn.controller().users.iter().find(|known| known.username == user || known.id == user);
            let Some(id) = known.map(|known| known.id.clone()) else { return Ok(false) };
            let event = Event::by_user(kind, turn.now, &id);
            turn.note(event);
            Ok(true)
        });
        match recorded {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("the controller of {instance_id} has no user {user}")),
            Err(failure) => Err(failure.to_string()),
        }
    }

    /// Makes a lab of `nodes` alpine nodes, owned by CML's administrator, and returns its id. It is
    /// started if asked for and the instance runs.
    ///
    /// # Errors
    /// The controller's state cannot be read or written.
    pub fn seed_lab(&self, instance_id: &str, title: &str, nodes: u32, started: bool) -> Result<String, String> {
        self.seed_lab_of(ADMIN_USERNAME, instance_id, title, nodes, started)
    }

    /// The same, owned by the CML user of that name. If there is none, one is made who is no administrator, with
    /// the password `test`.
    ///
    /// # Errors
    /// As [`seed_lab`](Self::seed_lab).
    pub fn seed_lab_of(
        &self,
        owner: &str,
        instance_id: &str,
        title: &str,
        nodes: u32,
        started: bool,
    ) -> Result<String, String> {
        let machine = self.machine(instance_id).map_err(|failure| failure.to_string())?;
        // Asked of the fleet: what is remembered as running may have been stopped while nobody looked.
        let runs = self.running(instance_id).is_some();
        let made = machine.with(|turn| {
            let owner = user_named(turn, owner);
            let mut pen = turn.pen(&owner);
            let mut lab = actions::alpine_lab(title, nodes, &mut pen);
            if started && runs {
                actions::start_lab(&mut lab, &mut pen);
            }
            let id = lab.id.clone();
            turn.edit().labs.push(lab);
            Ok(id)
        });
        made.map_err(|failure| failure.to_string())
    }

    /// Stops all servers. No power is cut: synced again with the same start, here or in a later process,
    /// a controller goes on as if it had run all the time.
    pub async fn shutdown(&self) {
        let _one_at_a_time = self.0.syncing.lock().await;
        let servers = std::mem::take(&mut self.members().servers);
        for server in servers.into_values() {
            server.stop().await;
        }
    }
}

/// The id of the user of that name, who is made if need be.
fn user_named(turn: &mut Turn<'_>, name: &str) -> String {
    if let Some(known) = turn.controller().users.iter().find(|user| user.username == name) {
        return known.id.clone();
    }
    let made = User::new(new_uuid(turn.random), name, SEEDED_PASSWORD, false, turn.now);
    let id = made.id.clone();
    turn.edit().users.push(made);
    id
}
