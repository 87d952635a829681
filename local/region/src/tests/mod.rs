//! A small world to try the region in.

mod calls;
mod machines;
mod metrics;

use std::collections::BTreeMap;
use std::sync::Arc;

use app::ports::{Clock, Ec2, Ec2Error, InstanceFilter, LaunchRequest};
use app::testing::{CountingRandom, ManualClock};
use domain::instance::{InstanceObservation, WORKER_TAG};
use domain::worker::LaunchSpec;
use domain::{InstanceId, Place, SignedDuration, Timestamp};
use local_state::Documents;
use serde_json::Value;

use crate::{InstanceLoad, LoadSource, SimulatedCloud};

struct FixedLoad;

impl LoadSource for FixedLoad {
    fn load(&self, _instance_id: &str) -> InstanceLoad {
        InstanceLoad {
            running_nodes: 3,
            cpu_percent: 140.0,
            memory_percent: Some(25.0),
            network_bytes_per_second: 1_000.0,
        }
    }
}

struct World {
    clock: Arc<ManualClock>,
    documents: Documents,
    cloud: SimulatedCloud,
}

impl World {
    fn new() -> Self {
        Self::on(Documents::in_memory().unwrap())
    }

    fn on(documents: Documents) -> Self {
        let clock = Arc::new(ManualClock::at("2026-03-01T08:00:00Z".parse().unwrap()));
        let cloud = open(&documents, &clock);
        Self { clock, documents, cloud }
    }

    /// What a killed process finds when it is started again.
    fn reopen(&mut self) {
        self.cloud = open(&self.documents, &self.clock);
    }

    fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn launch(&self, token: &str) -> InstanceId {
        self.cloud.run_instance(&home(), &request(token)).await.unwrap().id
    }

    /// One that runs, and whose notifications have been taken.
    async fn running(&self, token: &str) -> InstanceId {
        let id = self.launch(token).await;
        self.pass(30);
        self.cloud.advance();
        id
    }

    async fn see(&self, id: &InstanceId) -> Option<InstanceObservation> {
        self.cloud.describe(&home(), &InstanceFilter::Ids(vec![id.clone()])).await.unwrap().pop()
    }

    async fn state(&self, id: &InstanceId) -> &'static str {
        self.see(id).await.map_or("not listed", |seen| seen.state.name())
    }

    /// The states told by notifications since the last time.
    fn told(&self) -> Vec<(String, String)> {
        self.cloud.advance().iter().map(told).collect()
    }

    fn states_told(&self) -> Vec<String> {
        self.told().into_iter().map(|(_, state)| state).collect()
    }
}

fn open(documents: &Documents, clock: &Arc<ManualClock>) -> SimulatedCloud {
    SimulatedCloud::open(documents.clone(), clock.clone(), Arc::new(CountingRandom::default()), Arc::new(FixedLoad))
        .unwrap()
}

fn told(notice: &Value) -> (String, String) {
    let text = |name: &str| notice["detail"][name].as_str().unwrap().to_owned();
    (text("instance-id"), text("state"))
}

fn place(account: &str, region: &str) -> Place {
    Place { account: account.parse().unwrap(), region: region.parse().unwrap() }
}

fn home() -> Place {
    place("123456789012", "us-east-1")
}

fn request(token: &str) -> LaunchRequest {
    request_in(&home(), token)
}

fn request_in(place: &Place, token: &str) -> LaunchRequest {
    LaunchRequest {
        client_token: token.into(),
        ami_id: crate::images::own(place)[0].id.clone(),
        spec: LaunchSpec::of_type("c5.2xlarge"),
        tags: BTreeMap::from([(WORKER_TAG.to_owned(), format!("wkr-{token}")), ("Name".to_owned(), token.to_owned())]),
    }
}

fn code<T: std::fmt::Debug>(answer: Result<T, Ec2Error>) -> String {
    answer.unwrap_err().code
}
