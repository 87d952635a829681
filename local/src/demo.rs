//! The demonstration fleet: some running, some stopped, one that waits to be imported.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::ports::Clock;
use domain::{Place, SignedDuration};
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use local_controllers::{ADMIN_USERNAME, Controllers};
use local_region::{SeedInstance, SimulatedCloud};
use local_state::Documents;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::StackError;
use crate::gateway::Gateway;
use crate::oidc::Issuer;
use crate::pump::running;

const KIND: &str = "stack";
const ID: &str = "demo";
const REGION: &str = "us-east-1";

/// Its members: name, type, whether it runs, whether it is managed.
const FLEET: [(&str, &str, bool, bool); 4] = [
    ("demo-routing", "m5zn.metal", true, true),
    ("demo-switching", "c5.metal", true, true),
    ("demo-security", "m5zn.metal", false, true),
    ("cml-unmanaged", "c5.metal", true, false),
];

/// Its labs: on which member, title, CML user who owns it, nodes, whether it is started. The user `user` may act on
/// one of them, and on no other.
const LABS: [(&str, &str, &str, u32, bool); 2] =
    [("demo-routing", "OSPF and BGP", ADMIN_USERNAME, 6, true), ("demo-routing", "Spanning tree", "user", 3, false)];

/// Whether this data directory gets the fleet. Decided once: an empty one stays empty.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Progress {
    Wanted,
    Done,
    Unwanted,
}

/// What the demonstration is set up with.
pub(crate) struct Demo<'a> {
    pub(crate) documents: &'a Documents,
    pub(crate) cloud: &'a SimulatedCloud,
    pub(crate) controllers: &'a Controllers,
    pub(crate) fleet: &'a Arc<dyn Clock>,
    pub(crate) gateway: &'a Gateway,
    pub(crate) issuer: &'a Issuer,
    pub(crate) account: &'a str,
}

impl Demo<'_> {
    /// Sets the fleet up, in a fresh data directory only. Cut off in the middle, it goes on at the
    /// next start.
    pub(crate) async fn set_up(&self, wanted: bool) -> Result<(), StackError> {
        let progress = match self.documents.get(KIND, ID)? {
            Some(progress) => progress,
            None => {
                let progress = if wanted { Progress::Wanted } else { Progress::Unwanted };
                self.documents.put(KIND, ID, &progress)?;
                progress
            }
        };
        if progress != Progress::Wanted {
            return Ok(());
        }
        let place = Place { account: self.account.parse().map_err(invalid)?, region: REGION.parse().map_err(invalid)? };
        for (name, instance_type, runs, _) in FLEET {
            self.seed(&place, name, instance_type, runs);
        }
        // Labs can only be started on controllers that run.
        self.controllers.sync(&running(self.cloud)).await;
        let mut complete = true;
        for lab in &LABS {
            if let Err(error) = self.lab(lab) {
                tracing::warn!(title = lab.1, error, "the demonstration lab could not be made");
            }
        }
        for (name, _, _, managed) in FLEET {
            if managed && let Some(id) = self.instance(name) {
                complete &= self.import(name, &id).await?;
            }
        }
        if complete {
            self.documents.put(KIND, ID, &Progress::Done)?;
        }
        Ok(())
    }

    fn instance(&self, name: &str) -> Option<String> {
        let named = |instance: &local_region::InstanceView| instance.name.as_deref() == Some(name);
        self.cloud.instances().into_iter().find(named).map(|instance| instance.instance_id)
    }

    fn seed(&self, place: &Place, name: &str, instance_type: &str, runs: bool) {
        if self.instance(name).is_some() {
            return;
        }
        // Long enough ago that CML is up and there is something on the clock.
        let since = self.fleet.now().saturating_sub(SignedDuration::from_mins(30)).ok();
        self.cloud.seed_instance(SeedInstance {
            place: place.clone(),
            name: name.into(),
            instance_type: instance_type.into(),
            ami_id: None,
            tags: BTreeMap::new(),
            running_since: since.filter(|_| runs),
        });
    }

    /// One lab, once.
    fn lab(&self, &(member, title, owner, nodes, started): &(&str, &str, &str, u32, bool)) -> Result<(), String> {
        let Some(instance_id) = self.instance(member) else { return Ok(()) };
        let seeded = format!("demo-lab-{title}");
        if self.documents.get::<String>(KIND, &seeded).map_err(|e| e.to_string())?.is_some() {
            return Ok(());
        }
        let lab = self.controllers.seed_lab_of(owner, &instance_id, title, nodes, started)?;
        self.documents.put(KIND, &seeded, &lab).map_err(|e| e.to_string())
    }

    /// Asks the API for it, as anybody would.
    async fn import(&self, name: &str, instance_id: &str) -> Result<bool, StackError> {
        let token = self.issuer.access_token("admin")?;
        let body = json!({"region": REGION, "instance_id": instance_id, "name": name}).to_string();
        let request = Request::post("/api/workers/import")
            .header(HOST, "127.0.0.1")
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .header(CONTENT_TYPE, "application/json")
            .header("idempotency-key", format!("demonstration-{name}"))
            .body(body.into_bytes())
            .map_err(invalid)?;
        let (parts, body) = request.into_parts();
        let response = self.gateway.answer(parts, body).await;
        let accepted = response.status().is_success();
        if !accepted {
            let body = axum::body::to_bytes(response.into_body(), 64 * 1024).await.unwrap_or_default();
            tracing::warn!(name, answer = %String::from_utf8_lossy(&body), "the demonstration worker was not imported");
        }
        Ok(accepted)
    }
}

fn invalid(error: impl std::fmt::Display) -> StackError {
    StackError::Start(format!("the demonstration fleet: {error}"))
}
