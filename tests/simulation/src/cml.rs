//! What the product asks controllers for, answered from what is there.

use app::ports::{
    Cml, CmlAccess, CmlError, CmlErrorKind, CmlLab, CmlLabs, CmlLogins, CmlNode, CmlNodes, CmlNotice, CmlProxy,
    CmlState, CmlSystem, CmlTarget, CmlTopology, ComputeHost, ComputeStatistics, ControllerReading, ElementStates,
    FirstContact, ImportedLab, LabChange, LabEvent, LabListing, MaintenanceMode, NodeProgress, NoticeChange,
    ProxyAnswer, ProxyRequest, SimulationStatistics, SystemHealth, SystemInformation, SystemStatistics,
};
use async_trait::async_trait;
use domain::activity::TelemetryEvent;
use domain::metrics::{CmlReading, LicenseReading};
use domain::{InstanceId, SignedDuration, Timestamp};

use crate::cloud::Host;
use crate::controllers::{ControllerPark, POLLER, certificate};
use crate::executor::Sim;
use crate::labs::SimLab;
use crate::rules_labs::Touch;

/// What nothing in the simulation asks for.
pub(crate) fn unused<T>(operation: &'static str) -> Result<T, CmlError> {
    let message = "not simulated".into();
    Err(CmlError { operation, status: Some(404), kind: CmlErrorKind::Refused, message })
}

/// CML's word for whether it has a licence.
pub(crate) fn registration(registered: bool) -> &'static str {
    if registered { "COMPLETED" } else { "NOT_REGISTERED" }
}

fn no_lab(operation: &'static str) -> CmlError {
    let message = "Lab not found".into();
    CmlError { operation, status: Some(404), kind: CmlErrorKind::Refused, message }
}

impl ControllerPark {
    /// A lab of the controller that is reached, and since when its machine runs.
    async fn with_lab<T>(
        &self,
        operation: &'static str,
        access: CmlAccess<'_>,
        lab: &str,
        read: impl FnOnce(&SimLab, i64) -> T + Send,
    ) -> Result<T, CmlError> {
        let id = self.reach(operation, access.target, true).await?;
        let since = self.running_since(&id).unwrap_or(i64::MAX);
        self.with(&id, |one| one.labs.get(lab).map(|lab| read(lab, since))).ok_or_else(|| no_lab(operation))
    }

    /// Does something to a lab, unless that cannot be done to it as it is.
    async fn act(
        &self,
        operation: &'static str,
        access: CmlAccess<'_>,
        (lab, action): (&str, &str),
        refusal: impl Fn(&CmlState) -> Option<&'static str> + Send,
        change: impl FnOnce(&Self, &InstanceId) + Send,
    ) -> Result<(), CmlError> {
        let id = self.reach(operation, access.target, true).await?;
        let since = self.running_since(&id).unwrap_or(i64::MAX);
        let state = self.with(&id, |one| one.labs.get(lab).map(|lab| lab.state(since)));
        if let Some(message) = refusal(&state.ok_or_else(|| no_lab(operation))?) {
            let message = message.into();
            return Err(CmlError { operation, status: Some(400), kind: CmlErrorKind::Refused, message });
        }
        self.cloud.watch.touches_lab(&access.target.worker.to_string(), lab, action);
        change(self, &id);
        self.answer(operation).await
    }

    pub(crate) fn running_nodes(&self, id: &InstanceId) -> u32 {
        let since = self.running_since(id).unwrap_or(i64::MAX);
        let now = Sim::now(&self.sim);
        self.with(id, |one| one.labs.values().map(|lab| lab.running_nodes(since, now)).sum())
    }
}

#[async_trait]
impl Cml for ControllerPark {
    async fn system_information(&self, target: &CmlTarget) -> Result<FirstContact, CmlError> {
        let id = match self.reach("GET /system_information", target, false).await {
            // A stranger's controller answers like any other.
            Err(error) if error.kind == CmlErrorKind::Malformed => {
                let information = SystemInformation { version: "2.9.1".into(), ready: true };
                return Ok(FirstContact { information, certificate_sha256: certificate(&Host::Stranger) });
            }
            other => other?,
        };
        let information = SystemInformation { version: "2.9.1".into(), ready: true };
        Ok(FirstContact { information, certificate_sha256: certificate(&Host::Machine(id)) })
    }

    async fn read(
        &self,
        target: &CmlTarget,
        _: &CmlLogins,
        information: &SystemInformation,
        telemetry_after: Option<Timestamp>,
    ) -> Result<ControllerReading, CmlError> {
        let id = self.reach("GET /system_stats", target, true).await?;
        let nodes = self.running_nodes(&id);
        let now = app::ports::Clock::now(&*self.sim);
        let newer = |event: &&TelemetryEvent| telemetry_after.is_none_or(|mark| event.at > mark);
        let (labs, mut telemetry) = self.with(&id, |one| {
            one.telemetry.push(TelemetryEvent {
                category: "user_activity".into(),
                at: now,
                user_id: Some(POLLER.into()),
            });
            (one.labs.len(), one.telemetry.iter().filter(newer).cloned().collect::<Vec<_>>())
        });
        let registration = registration(self.with(&id, |one| one.registered_at.is_some()));
        let mut cml = CmlReading {
            version: Some(information.version.clone()),
            ready: information.ready,
            labs: u32::try_from(labs).ok(),
            running_nodes: Some(nodes),
            healthy: Some(true),
            license: Some(LicenseReading { registration: Some(registration.into()), ..LicenseReading::default() }),
            ..CmlReading::default()
        };
        let mut read = Some(());
        if self.lies() {
            match self.sim.pick(0, 3) {
                0 => cml.running_nodes = None,
                1 => cml.running_nodes = Some(u32::MAX),
                2 => read = None,
                _ => {
                    let at = now + SignedDuration::from_hours(24 * 365);
                    telemetry.push(TelemetryEvent { category: "start_lab".into(), at, user_id: None });
                }
            }
        }
        self.sim.call().await;
        Ok(ControllerReading {
            cml,
            telemetry: read.map(|()| telemetry),
            our_user_id: Some(POLLER.into()),
            errors: vec![],
        })
    }
}

#[async_trait]
impl CmlLabs for ControllerPark {
    async fn lab_ids(&self, access: CmlAccess<'_>) -> Result<Vec<String>, CmlError> {
        let id = self.reach("GET /labs", access.target, true).await?;
        Ok(self.with(&id, |one| one.labs.keys().cloned().collect()))
    }

    async fn labs(&self, access: CmlAccess<'_>) -> Result<LabListing, CmlError> {
        let id = self.reach("GET /labs", access.target, true).await?;
        let since = self.running_since(&id).unwrap_or(i64::MAX);
        let labs = self.with(&id, |one| one.labs.iter().map(|(id, lab)| lab.listed(id, since)).collect());
        Ok(LabListing { labs, unread: vec![] })
    }

    async fn lab(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<CmlLab, CmlError> {
        self.with_lab("GET /labs/{lab_id}", access, lab_id, |lab, since| lab.listed(lab_id, since)).await
    }

    async fn create_lab(&self, _: CmlAccess<'_>, _: LabChange<'_>) -> Result<CmlLab, CmlError> {
        unused("POST /labs")
    }

    async fn update_lab(&self, _: CmlAccess<'_>, _: &str, _: LabChange<'_>) -> Result<(), CmlError> {
        unused("PATCH /labs/{lab_id}")
    }

    async fn delete_lab(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<(), CmlError> {
        let runs = |state: &CmlState| (*state != CmlState::DefinedOnCore).then_some("Lab is not wiped");
        let operation = "DELETE /labs/{lab_id}";
        let delete = |park: &Self, id: &InstanceId| {
            let now = Sim::now(&park.sim);
            park.sim.note(|| format!("{lab_id} on {id} is deleted"));
            park.with(id, |one| (one.labs.remove(lab_id), one.lab_deleted_at = now));
        };
        self.act(operation, access, (lab_id, "delete"), runs, delete).await
    }

    async fn start_lab(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<(), CmlError> {
        let operation = "PUT /labs/{lab_id}/start";
        self.act(operation, access, (lab_id, "start"), |_| None, |park, id| park.turn_lab(id, lab_id, true)).await
    }

    async fn stop_lab(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<(), CmlError> {
        let operation = "PUT /labs/{lab_id}/stop";
        self.act(operation, access, (lab_id, "stop"), |_| None, |park, id| park.turn_lab(id, lab_id, false)).await
    }

    async fn wipe_lab(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<(), CmlError> {
        let runs = |state: &CmlState| (*state == CmlState::Started).then_some("Lab is running");
        let wipe = |park: &Self, id: &InstanceId| {
            let now = Sim::now(&park.sim);
            park.with(id, |one| one.labs.get_mut(lab_id).map(|lab| lab.wipe(now)));
        };
        self.act("PUT /labs/{lab_id}/wipe", access, (lab_id, "wipe"), runs, wipe).await
    }

    async fn import_lab(&self, _: CmlAccess<'_>, _: &str, _: Option<&str>) -> Result<ImportedLab, CmlError> {
        unused("POST /import")
    }

    async fn download_lab(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<String, CmlError> {
        let operation = "GET /labs/{lab_id}/download";
        let id = self.reach(operation, access.target, true).await?;
        self.with(&id, |one| one.labs.get(lab_id).map(|lab| lab.file(&id, lab_id))).ok_or_else(|| no_lab(operation))
    }

    async fn lab_topology(&self, _: CmlAccess<'_>, _: &str) -> Result<CmlTopology, CmlError> {
        unused("GET /labs/{lab_id}/topology")
    }

    async fn lab_state(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<CmlState, CmlError> {
        self.with_lab("GET /labs/{lab_id}/state", access, lab_id, SimLab::state).await
    }

    async fn lab_element_states(&self, _: CmlAccess<'_>, _: &str) -> Result<ElementStates, CmlError> {
        unused("GET /labs/{lab_id}/lab_element_state")
    }

    async fn lab_events(&self, _: CmlAccess<'_>, _: &str) -> Result<Vec<LabEvent>, CmlError> {
        unused("GET /labs/{lab_id}/events")
    }

    async fn simulation_statistics(&self, _: CmlAccess<'_>, _: &str) -> Result<SimulationStatistics, CmlError> {
        unused("GET /labs/{lab_id}/simulation_stats")
    }

    async fn lab_converged(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<bool, CmlError> {
        let at = self.with_lab("GET /labs/{lab_id}/check_if_converged", access, lab_id, |lab, _| lab.converged_at);
        Ok(at.await? <= Sim::now(&self.sim))
    }
}

#[async_trait]
impl CmlSystem for ControllerPark {
    async fn health(&self, _: CmlAccess<'_>) -> Result<SystemHealth, CmlError> {
        unused("GET /system_health")
    }

    async fn statistics(&self, access: CmlAccess<'_>) -> Result<SystemStatistics, CmlError> {
        let id = self.reach("GET /system_stats", access.target, true).await?;
        let running_nodes = Some(self.running_nodes(&id));
        let compute = ComputeStatistics { id: "one".into(), running_nodes, ..ComputeStatistics::default() };
        Ok(SystemStatistics { computes: vec![compute], ..SystemStatistics::default() })
    }

    async fn compute_hosts(&self, _: CmlAccess<'_>) -> Result<Vec<ComputeHost>, CmlError> {
        unused("GET /system/compute_hosts")
    }

    async fn maintenance_mode(&self, _: CmlAccess<'_>) -> Result<MaintenanceMode, CmlError> {
        unused("GET /system/maintenance_mode")
    }

    async fn notices(&self, access: CmlAccess<'_>) -> Result<Vec<CmlNotice>, CmlError> {
        let id = self.reach("GET /system/notices", access.target, true).await?;
        Ok(self.with(&id, |one| one.notices.clone()))
    }

    async fn create_notice(&self, access: CmlAccess<'_>, notice: NoticeChange<'_>) -> Result<CmlNotice, CmlError> {
        let id = self.reach("POST /system/notices", access.target, true).await?;
        self.cloud.watch.touches("a notice", Touch::Changes);
        let number = self.sim.pick(0, i64::MAX - 1);
        let notice = CmlNotice {
            id: format!("notice-{number}"),
            label: notice.label.map(Into::into),
            content: notice.content.map(Into::into),
            ..CmlNotice::default()
        };
        self.with(&id, |one| one.notices.push(notice.clone()));
        self.answer("POST /system/notices").await?;
        Ok(notice)
    }

    async fn update_notice(&self, _: CmlAccess<'_>, _: &str, _: NoticeChange<'_>) -> Result<(), CmlError> {
        unused("PATCH /system/notices/{notice_id}")
    }

    async fn delete_notice(&self, access: CmlAccess<'_>, notice_id: &str) -> Result<(), CmlError> {
        let id = self.reach("DELETE /system/notices/{notice_id}", access.target, true).await?;
        self.cloud.watch.touches("the end of a notice", Touch::Changes);
        self.with(&id, |one| one.notices.retain(|notice| notice.id != notice_id));
        self.answer("DELETE /system/notices/{notice_id}").await
    }
}

#[async_trait]
impl CmlNodes for ControllerPark {
    async fn nodes(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<Vec<CmlNode>, CmlError> {
        let now = Sim::now(&self.sim);
        let nodes = |lab: &SimLab, since| lab.shown_nodes(since, now);
        self.with_lab("GET /labs/{lab_id}/nodes", access, lab_id, nodes).await
    }

    async fn node_state(&self, _: CmlAccess<'_>, _: &str, _: &str) -> Result<NodeProgress, CmlError> {
        unused("GET /labs/{lab_id}/nodes/{node_id}/state")
    }

    async fn start_node(&self, _: CmlAccess<'_>, _: &str, _: &str) -> Result<(), CmlError> {
        unused("PUT /labs/{lab_id}/nodes/{node_id}/state/start")
    }

    async fn stop_node(&self, _: CmlAccess<'_>, _: &str, _: &str) -> Result<(), CmlError> {
        unused("PUT /labs/{lab_id}/nodes/{node_id}/state/stop")
    }

    async fn wipe_node_disks(&self, _: CmlAccess<'_>, _: &str, _: &str) -> Result<(), CmlError> {
        unused("PUT /labs/{lab_id}/nodes/{node_id}/wipe_disks")
    }

    async fn extract_configuration(&self, access: CmlAccess<'_>, lab_id: &str, _: &str) -> Result<(), CmlError> {
        let operation = "PUT /labs/{lab_id}/nodes/{node_id}/extract_configuration";
        self.with_lab(operation, access, lab_id, |_, _| ()).await?;
        self.cloud.watch.touches("an extraction", Touch::Changes);
        self.answer(operation).await
    }

    async fn console_log(
        &self,
        access: CmlAccess<'_>,
        lab: &str,
        node: &str,
        _: u32,
        _: u32,
    ) -> Result<Vec<String>, CmlError> {
        let operation = "GET /labs/{lab_id}/nodes/{node_id}/consoles/{console_id}/log";
        self.with_lab(operation, access, lab, |_, _| vec![format!("{node} login:")]).await
    }
}

#[async_trait]
impl CmlProxy for ControllerPark {
    /// Only diagnostics are asked for so.
    async fn forward(&self, access: CmlAccess<'_>, _: ProxyRequest<'_>) -> Result<ProxyAnswer, CmlError> {
        self.reach("GET /diagnostics/{category}", access.target, true).await?;
        Ok(ProxyAnswer { status: 200, content_type: Some("application/json".into()), body: b"{}".to_vec() })
    }
}
