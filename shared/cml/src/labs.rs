//! Labs: as a list, each as a thing with a title, and what is done with one.

use app::ports::{
    CmlAccess, CmlError, CmlLab, CmlLabs, CmlState, CmlTopology, ElementStates, ImportedLab, LabChange, LabEvent,
    LabListing, SimulationStatistics,
};
use async_trait::async_trait;
use reqwest::Url;
use serde_json::Value;

use crate::CmlClient;
use crate::auth::Session;
use crate::call::Call;
use crate::errors::malformed;
use crate::json::{changes, id_of, identified, text, texts_at};
use crate::{lab, listing, simulation, topology};

/// A topology with its configurations; larger ones are not labs that a person drew.
const DOWNLOAD_BYTES: usize = 8 * 1024 * 1024;

const CREATE: &str = "POST /labs";
const IMPORT: &str = "POST /import";
const STATE: &str = "GET /labs/{lab_id}/state";
const CONVERGED: &str = "GET /labs/{lab_id}/check_if_converged";
const DOWNLOAD: &str = "GET /labs/{lab_id}/download";

/// CML reads these without the `lab_` that it answers with.
fn fields(lab: LabChange<'_>) -> Value {
    changes([
        ("title", lab.title.map(Value::from)),
        ("description", lab.description.map(Value::from)),
        ("notes", lab.notes.map(Value::from)),
    ])
}

async fn import(session: &Session<'_>, topology: &str, title: Option<&str>) -> Result<ImportedLab, CmlError> {
    let mut call = Call::new(IMPORT)?.untyped(topology);
    if let Some(title) = title {
        call = call.query(&encoded("title", title));
    }
    let answer = session.json(&call).await?;
    let id = identified(IMPORT, id_of(&answer))?;
    Ok(ImportedLab { id, warnings: texts_at(&answer, "/warnings") })
}

/// `name=value`, encoded for a query.
fn encoded(name: &str, value: &str) -> String {
    let url = Url::parse_with_params("query:", [(name, value)]);
    url.ok().and_then(|url| url.query().map(str::to_owned)).unwrap_or_default()
}

#[async_trait]
impl CmlLabs for CmlClient {
    async fn lab_ids(&self, access: CmlAccess<'_>) -> Result<Vec<String>, CmlError> {
        lab::ids(&self.session(access).await?).await
    }

    async fn labs(&self, access: CmlAccess<'_>) -> Result<LabListing, CmlError> {
        listing::all(&self.session(access).await?).await
    }

    async fn lab(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<CmlLab, CmlError> {
        lab::one(&self.session(access).await?, lab_id).await
    }

    async fn create_lab(&self, access: CmlAccess<'_>, new: LabChange<'_>) -> Result<CmlLab, CmlError> {
        let call = Call::new(CREATE)?.json(fields(new));
        identified(CREATE, lab::lab(&self.session(access).await?.json(&call).await?))
    }

    async fn update_lab(&self, access: CmlAccess<'_>, lab_id: &str, change: LabChange<'_>) -> Result<(), CmlError> {
        let call = Call::with_ids("PATCH /labs/{lab_id}", &[lab_id])?.json(fields(change));
        self.session(access).await?.change(&call).await
    }

    async fn delete_lab(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<(), CmlError> {
        let call = Call::with_ids("DELETE /labs/{lab_id}", &[lab_id])?;
        self.session(access).await?.change(&call).await
    }

    async fn start_lab(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<(), CmlError> {
        let call = Call::with_ids("PUT /labs/{lab_id}/start", &[lab_id])?;
        self.session(access).await?.change(&call).await
    }

    async fn stop_lab(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<(), CmlError> {
        let call = Call::with_ids("PUT /labs/{lab_id}/stop", &[lab_id])?;
        self.session(access).await?.change(&call).await
    }

    async fn wipe_lab(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<(), CmlError> {
        let call = Call::with_ids("PUT /labs/{lab_id}/wipe", &[lab_id])?;
        self.session(access).await?.change(&call).await
    }

    async fn import_lab(
        &self,
        access: CmlAccess<'_>,
        topology: &str,
        title: Option<&str>,
    ) -> Result<ImportedLab, CmlError> {
        import(&self.session(access).await?, topology, title).await
    }

    async fn download_lab(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<String, CmlError> {
        let call = Call::with_ids(DOWNLOAD, &[lab_id])?;
        let yaml = self.session(access).await?.bytes_up_to(DOWNLOAD_BYTES, &call).await?;
        String::from_utf8(yaml).map_err(|_| malformed(DOWNLOAD, "its answer is not UTF-8 text"))
    }

    async fn lab_topology(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<CmlTopology, CmlError> {
        topology::read(&self.session(access).await?, lab_id).await
    }

    async fn lab_state(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<CmlState, CmlError> {
        let answer = self.session(access).await?.json(&Call::with_ids(STATE, &[lab_id])?).await?;
        Ok(CmlState::from_name(&text(STATE, answer)?))
    }

    async fn lab_element_states(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<ElementStates, CmlError> {
        simulation::element_states(&self.session(access).await?, lab_id).await
    }

    async fn lab_events(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<Vec<LabEvent>, CmlError> {
        simulation::events(&self.session(access).await?, lab_id).await
    }

    async fn simulation_statistics(
        &self,
        access: CmlAccess<'_>,
        lab_id: &str,
    ) -> Result<SimulationStatistics, CmlError> {
        simulation::statistics(&self.session(access).await?, lab_id).await
    }

    async fn lab_converged(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<bool, CmlError> {
        let answer = self.session(access).await?.json(&Call::with_ids(CONVERGED, &[lab_id])?).await?;
        answer.as_bool().ok_or_else(|| malformed(CONVERGED, "its answer is neither true nor false"))
    }
}
