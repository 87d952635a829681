//! Secrets Manager, the bucket of files and the event bus.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use app::ports::{CloudEvent, CmlCredentials, CmlLogins, Events, Files, LicenseToken, PortError, Publication, Secrets};
use async_trait::async_trait;

use crate::executor::Sim;
use crate::faults::{Fault, Weather};
use crate::invariants::Monitor;
use crate::rules::Rule;
use crate::sabotage::Sabotage;
use crate::watch::Watch;

/// Secrets and files.
pub(crate) struct Vault {
    sim: Arc<Sim>,
    weather: Arc<Weather>,
    watch: Arc<Watch>,
    sabotage: Sabotage,
    files: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl Vault {
    pub(crate) fn new(sim: &Arc<Sim>, weather: &Arc<Weather>, watch: Arc<Watch>, sabotage: Sabotage) -> Self {
        Self { sim: sim.clone(), weather: weather.clone(), watch, sabotage, files: Mutex::default() }
    }

    async fn arrive(&self, operation: &'static str) -> Result<(), PortError> {
        self.sim.call().await;
        if self.weather.strikes(Fault::SecretsFailed) { Err(PortError::new(operation, "failed")) } else { Ok(()) }
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Secrets for Vault {
    async fn cml_credentials(&self, _: &str) -> Result<Option<CmlLogins>, PortError> {
        self.arrive("secrets.Get").await?;
        Ok(Some(CmlCredentials { username: "ccm".into(), password: "of-the-fleet".into() }.into()))
    }

    async fn set_cml_credentials(&self, _: &str, _: &CmlCredentials) -> Result<(), PortError> {
        self.arrive("secrets.Put").await
    }

    async fn put_token(&self, _: &str, _: &LicenseToken) -> Result<(), PortError> {
        self.arrive("secrets.Put").await
    }

    async fn token(&self, _: &str) -> Result<Option<LicenseToken>, PortError> {
        self.arrive("secrets.Get").await?;
        Ok(None)
    }

    async fn delete_token(&self, _: &str) -> Result<(), PortError> {
        self.arrive("secrets.Delete").await
    }
}

#[async_trait]
impl Files for Vault {
    async fn put(&self, key: &str, content: &[u8]) -> Result<(), PortError> {
        self.arrive("files.Put").await?;
        if self.sabotage == Sabotage::FilesVanish {
            return Ok(());
        }
        self.watch.file_kept(key, content);
        self.files().insert(key.to_owned(), content.to_owned());
        Ok(())
    }

    async fn get(&self, key: &str, _: usize) -> Result<Option<Vec<u8>>, PortError> {
        self.arrive("files.Get").await?;
        Ok(self.files().get(key).cloned())
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        self.arrive("files.Delete").await?;
        self.watch.file_gone(key);
        self.files().remove(key);
        Ok(())
    }
}

/// The bus.
pub(crate) struct Bus {
    sim: Arc<Sim>,
    weather: Arc<Weather>,
    monitor: Arc<Monitor>,
}

impl Bus {
    pub(crate) fn new(sim: &Arc<Sim>, weather: &Arc<Weather>, monitor: Arc<Monitor>) -> Self {
        Self { sim: sim.clone(), weather: weather.clone(), monitor }
    }
}

#[async_trait]
impl Events for Bus {
    async fn publish(&self, events: &[CloudEvent]) -> Vec<Publication> {
        self.sim.call().await;
        let failed = || Publication::Failed(PortError::new("events.PutEvents", "failed"));
        let mut broken = false;
        let publish = |event: &CloudEvent| {
            if !broken && !self.weather.strikes(Fault::BusFailed) {
                self.monitor.published(&event.id);
                // It has it, and sometimes says that it has not.
                broken = self.weather.strikes(Fault::BusFailed);
                return if broken { failed() } else { Publication::Published };
            }
            broken = true;
            failed()
        };
        events.iter().map(publish).collect()
    }

    async fn set_aside(&self, _: &serde_json::Value, why: &str) -> Result<(), PortError> {
        self.monitor.violated(Rule::EventsPublished, format!("an event is set aside: {why}"));
        Ok(())
    }
}
