//! What the product asks controllers for, answered from what is there.

use app::ports::{
    Cml, CmlAccess, CmlError, CmlErrorKind, CmlLab, CmlLabs, CmlLicensing, CmlLogins, CmlNode, CmlNodes, CmlNotice,
    CmlProxy, CmlState, CmlSystem, CmlTarget, CmlTopology, ComputeHost, ComputeStatistics, ControllerReading,
    Deregistration, ElementStates, FeatureCount, FirstContact, ImportedLab, LabChange, LabEvent, LabListing,
    LicensingStatus, LicensingTransportChange, MaintenanceMode, NodeProgress, NoticeChange, ProxyAnswer, ProxyRequest,
    SimulationStatistics, SystemHealth, SystemInformation, SystemStatistics,
};
use async_trait::async_trait;
use domain::activity::TelemetryEvent;
use domain::metrics::CmlReading;
use domain::{InstanceId, SignedDuration, Timestamp};

use crate::cloud::Host;
use crate::controllers::{ControllerPark, PERSON, POLLER, SimLab, certificate};
use crate::executor::Sim;

/// What nothing in the simulation asks for.
pub(crate) fn unused<T>(operation: &'static str) -> Result<T, CmlError> {
    let message = "not simulated".into();
    Err(CmlError { operation, status: Some(404), kind: CmlErrorKind::Refused, message })
}

fn no_lab(operation: &'static str) -> CmlError {
    let message = "Lab not found".into();
    CmlError { operation, status: Some(404), kind: CmlErrorKind::Refused, message }
}

impl ControllerPark {
    fn lab_of(id: &str, lab: &SimLab, since: i64) -> CmlLab {
        let state = if lab.runs(since) { CmlState::Started } else { CmlState::Stopped };
        CmlLab {
            id: id.into(),
            title: Some(id.into()),
            state: Some(state),
            owner_username: Some(PERSON.into()),
            node_count: Some(lab.nodes),
            ..CmlLab::default()
        }
    }

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

    async fn turn(&self, operation: &'static str, access: CmlAccess<'_>, lab: &str, on: bool) -> Result<(), CmlError> {
        self.with_lab(operation, access, lab, |_, _| ()).await?;
        let id = self.reach(operation, access.target, true).await?;
        self.turn_lab(&id, lab, on);
        self.sim.call().await;
        Ok(())
    }

    fn running_nodes(&self, id: &InstanceId) -> u32 {
        let since = self.running_since(id).unwrap_or(i64::MAX);
        self.with(id, |one| one.running(since).map(|lab| lab.nodes).sum())
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
        let mut cml = CmlReading {
            version: Some(information.version.clone()),
            ready: information.ready,
            labs: u32::try_from(labs).ok(),
            running_nodes: Some(nodes),
            healthy: Some(true),
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
        let labs = self.with(&id, |one| one.labs.iter().map(|(id, lab)| Self::lab_of(id, lab, since)).collect());
        Ok(LabListing { labs, unread: vec![] })
    }

    async fn lab(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<CmlLab, CmlError> {
        self.with_lab("GET /labs/{lab_id}", access, lab_id, |lab, since| Self::lab_of(lab_id, lab, since)).await
    }

    async fn create_lab(&self, _: CmlAccess<'_>, _: LabChange<'_>) -> Result<CmlLab, CmlError> {
        unused("POST /labs")
    }

    async fn update_lab(&self, _: CmlAccess<'_>, _: &str, _: LabChange<'_>) -> Result<(), CmlError> {
        unused("PATCH /labs/{lab_id}")
    }

    async fn delete_lab(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<(), CmlError> {
        let id = self.reach("DELETE /labs/{lab_id}", access.target, true).await?;
        self.with(&id, |one| one.labs.remove(lab_id)).map(|_| ()).ok_or_else(|| no_lab("DELETE /labs/{lab_id}"))
    }

    async fn start_lab(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<(), CmlError> {
        self.turn("PUT /labs/{lab_id}/start", access, lab_id, true).await
    }

    async fn stop_lab(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<(), CmlError> {
        self.turn("PUT /labs/{lab_id}/stop", access, lab_id, false).await
    }

    async fn wipe_lab(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<(), CmlError> {
        self.turn("PUT /labs/{lab_id}/wipe", access, lab_id, false).await
    }

    async fn import_lab(&self, _: CmlAccess<'_>, _: &str, _: Option<&str>) -> Result<ImportedLab, CmlError> {
        unused("POST /import")
    }

    async fn download_lab(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<String, CmlError> {
        self.with_lab("GET /labs/{lab_id}/download", access, lab_id, |_, _| "nodes: []\n".to_owned()).await
    }

    async fn lab_topology(&self, _: CmlAccess<'_>, _: &str) -> Result<CmlTopology, CmlError> {
        unused("GET /labs/{lab_id}/topology")
    }

    async fn lab_state(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<CmlState, CmlError> {
        let state = |lab: &SimLab, since| if lab.runs(since) { CmlState::Started } else { CmlState::Stopped };
        self.with_lab("GET /labs/{lab_id}/state", access, lab_id, state).await
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
        let number = self.sim.pick(0, i64::MAX - 1);
        let notice = CmlNotice {
            id: format!("notice-{number}"),
            label: notice.label.map(Into::into),
            content: notice.content.map(Into::into),
            ..CmlNotice::default()
        };
        self.with(&id, |one| one.notices.push(notice.clone()));
        Ok(notice)
    }

    async fn update_notice(&self, _: CmlAccess<'_>, _: &str, _: NoticeChange<'_>) -> Result<(), CmlError> {
        unused("PATCH /system/notices/{notice_id}")
    }

    async fn delete_notice(&self, access: CmlAccess<'_>, notice_id: &str) -> Result<(), CmlError> {
        let id = self.reach("DELETE /system/notices/{notice_id}", access.target, true).await?;
        self.with(&id, |one| one.notices.retain(|notice| notice.id != notice_id));
        Ok(())
    }
}

#[async_trait]
impl CmlNodes for ControllerPark {
    async fn nodes(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<Vec<CmlNode>, CmlError> {
        self.with_lab("GET /labs/{lab_id}/nodes", access, lab_id, |_, _| vec![]).await
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

    async fn extract_configuration(&self, _: CmlAccess<'_>, _: &str, _: &str) -> Result<(), CmlError> {
        unused("PUT /labs/{lab_id}/nodes/{node_id}/extract_configuration")
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

#[async_trait]
impl CmlLicensing for ControllerPark {
    async fn licensing(&self, access: CmlAccess<'_>) -> Result<LicensingStatus, CmlError> {
        self.reach("GET /licensing", access.target, true).await?;
        Ok(LicensingStatus::default())
    }

    async fn deregister(&self, access: CmlAccess<'_>) -> Result<Deregistration, CmlError> {
        self.reach("DELETE /licensing/deregistration", access.target, true).await?;
        Ok(Deregistration::Done)
    }

    async fn set_licensing_transport(&self, _: CmlAccess<'_>, _: LicensingTransportChange<'_>) -> Result<(), CmlError> {
        unused("PUT /licensing/transport")
    }

    async fn set_product_license(&self, _: CmlAccess<'_>, _: &str) -> Result<(), CmlError> {
        unused("PUT /licensing/product_license")
    }

    async fn register(&self, _: CmlAccess<'_>, _: &str, _: bool) -> Result<(), CmlError> {
        unused("POST /licensing/registration")
    }

    async fn renew_registration(&self, _: CmlAccess<'_>) -> Result<(), CmlError> {
        unused("PUT /licensing/registration/renew")
    }

    async fn renew_authorization(&self, _: CmlAccess<'_>) -> Result<(), CmlError> {
        unused("PUT /licensing/authorization/renew")
    }

    async fn set_features(&self, _: CmlAccess<'_>, _: &[FeatureCount]) -> Result<(), CmlError> {
        unused("PATCH /licensing/features")
    }

    async fn licensing_tech_support(&self, _: CmlAccess<'_>) -> Result<String, CmlError> {
        unused("GET /licensing/tech_support")
    }

    async fn set_reservation_mode(&self, _: CmlAccess<'_>, _: bool) -> Result<(), CmlError> {
        unused("PUT /licensing/reservation/mode")
    }

    async fn request_reservation(&self, _: CmlAccess<'_>) -> Result<String, CmlError> {
        unused("POST /licensing/reservation/request")
    }

    async fn complete_reservation(&self, _: CmlAccess<'_>, _: &str) -> Result<String, CmlError> {
        unused("POST /licensing/reservation/complete")
    }

    async fn cancel_reservation(&self, _: CmlAccess<'_>) -> Result<(), CmlError> {
        unused("DELETE /licensing/reservation/cancel")
    }

    async fn release_reservation(&self, _: CmlAccess<'_>) -> Result<String, CmlError> {
        unused("DELETE /licensing/reservation/release")
    }

    async fn discard_reservation(&self, _: CmlAccess<'_>, _: &str) -> Result<String, CmlError> {
        unused("POST /licensing/reservation/discard")
    }

    async fn reservation_confirmation_code(&self, _: CmlAccess<'_>) -> Result<String, CmlError> {
        unused("GET /licensing/reservation/confirmation_code")
    }

    async fn forget_confirmation_code(&self, _: CmlAccess<'_>) -> Result<(), CmlError> {
        unused("DELETE /licensing/reservation/confirmation_code")
    }

    async fn reservation_return_code(&self, _: CmlAccess<'_>) -> Result<String, CmlError> {
        unused("GET /licensing/reservation/return_code")
    }

    async fn forget_return_code(&self, _: CmlAccess<'_>) -> Result<(), CmlError> {
        unused("DELETE /licensing/reservation/return_code")
    }
}
