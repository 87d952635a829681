//! The controller itself: health, statistics, computes, notices to its users.

use std::collections::BTreeMap;

use app::ports::{
    Capacity, CmlAccess, CmlError, CmlNotice, CmlSystem, ComputeHealth, ComputeHost, ComputeStatistics,
    ControllerHealth, MaintenanceMode, NoticeChange, NoticeLevel, SystemHealth, SystemStatistics,
};
use async_trait::async_trait;
use serde_json::Value;

use crate::CmlClient;
use crate::call::Call;
use crate::json::{
    bool_at, changes, count_at, elements, id_of, identified, list, members, number, number_at, object, text_at,
    texts_at,
};
use crate::system::{HEALTH, STATS};

const COMPUTES: &str = "GET /system/compute_hosts";
const MAINTENANCE: &str = "GET /system/maintenance_mode";
const NOTICES: &str = "GET /system/notices";
const CREATE_NOTICE: &str = "POST /system/notices";

fn system_health(answer: &Value) -> SystemHealth {
    SystemHealth {
        valid: bool_at(answer, "/valid"),
        is_licensed: bool_at(answer, "/is_licensed"),
        is_enterprise: bool_at(answer, "/is_enterprise"),
        computes: members(answer, "/computes")
            .map(|(id, compute)| ComputeHealth {
                id: id.clone(),
                hostname: text_at(compute, "/hostname"),
                is_controller: bool_at(compute, "/is_controller"),
                admission_state: text_at(compute, "/admission_state"),
                checks: checks(compute, ""),
            })
            .collect(),
        controller: ControllerHealth { checks: checks(answer, "/controller") },
    }
}

/// What is true, false or not known; CML adds to them with each version.
fn checks(answer: &Value, pointer: &str) -> BTreeMap<String, Option<bool>> {
    members(answer, pointer)
        .filter(|(name, check)| name.as_str() != "is_controller" && (check.is_boolean() || check.is_null()))
        .map(|(name, check)| (name.clone(), check.as_bool()))
        .collect()
}

fn system_statistics(answer: &Value) -> SystemStatistics {
    SystemStatistics {
        cpu_count: number_at(answer, "/all/cpu/count"),
        cpu_percent: number_at(answer, "/all/cpu/percent"),
        memory: capacity(answer, "/all/memory"),
        disk: capacity(answer, "/all/disk"),
        computes: members(answer, "/computes").map(|(id, compute)| compute_statistics(id, compute)).collect(),
    }
}

fn compute_statistics(id: &str, compute: &Value) -> ComputeStatistics {
    ComputeStatistics {
        id: id.to_owned(),
        hostname: text_at(compute, "/hostname"),
        is_controller: bool_at(compute, "/is_controller"),
        cpu_count: number_at(compute, "/stats/cpu/count"),
        cpu_percent: number_at(compute, "/stats/cpu/percent"),
        load: elements(compute, "/stats/cpu/load").filter_map(number).collect(),
        memory: capacity(compute, "/stats/memory"),
        disk: capacity(compute, "/stats/disk"),
        total_nodes: count_at(compute, "/stats/dominfo/total_nodes"),
        running_nodes: count_at(compute, "/stats/dominfo/running_nodes"),
        allocated_cpus: count_at(compute, "/stats/dominfo/allocated_cpus"),
        allocated_memory: number_at(compute, "/stats/dominfo/allocated_memory"),
    }
}

fn capacity(answer: &Value, pointer: &str) -> Capacity {
    let bytes = |name: &str| number_at(answer, &format!("{pointer}/{name}"));
    Capacity { used_bytes: bytes("used"), free_bytes: bytes("free"), total_bytes: bytes("total") }
}

fn compute_host(host: &Value) -> Option<ComputeHost> {
    Some(ComputeHost {
        id: id_of(host)?,
        hostname: text_at(host, "/hostname"),
        server_address: text_at(host, "/server_address"),
        admission_state: text_at(host, "/admission_state"),
        is_connector: bool_at(host, "/is_connector"),
        is_simulator: bool_at(host, "/is_simulator"),
        is_connected: bool_at(host, "/is_connected"),
        is_synced: bool_at(host, "/is_synced"),
        deployed_nodes: count_at(host, "/node_counts/deployed"),
        running_nodes: count_at(host, "/node_counts/running"),
    })
}

fn notice(notice: &Value) -> Option<CmlNotice> {
    Some(CmlNotice {
        id: id_of(notice)?,
        level: text_at(notice, "/level").map(|level| NoticeLevel::from_name(&level)),
        label: text_at(notice, "/label"),
        content: text_at(notice, "/content"),
        enabled: bool_at(notice, "/enabled"),
        acknowledged: members(notice, "/acknowledged")
            .filter_map(|(user, acknowledged)| Some((user.clone(), acknowledged.as_bool()?)))
            .collect(),
        groups: texts_at(notice, "/groups"),
    })
}

fn fields(change: NoticeChange<'_>) -> Value {
    changes([
        ("level", change.level.map(|level| level.name().into())),
        ("label", change.label.map(Value::from)),
        ("content", change.content.map(Value::from)),
        ("enabled", change.enabled.map(Value::from)),
        ("groups", change.groups.map(Value::from)),
    ])
}

#[async_trait]
impl CmlSystem for CmlClient {
    async fn health(&self, access: CmlAccess<'_>) -> Result<SystemHealth, CmlError> {
        let answer = self.session(access).await?.json(&Call::new(HEALTH)?).await?;
        Ok(system_health(&object(HEALTH, answer)?))
    }

    async fn statistics(&self, access: CmlAccess<'_>) -> Result<SystemStatistics, CmlError> {
        let answer = self.session(access).await?.json(&Call::new(STATS)?).await?;
        Ok(system_statistics(&object(STATS, answer)?))
    }

    async fn compute_hosts(&self, access: CmlAccess<'_>) -> Result<Vec<ComputeHost>, CmlError> {
        list(COMPUTES, &self.session(access).await?.json(&Call::new(COMPUTES)?).await?, compute_host)
    }

    async fn maintenance_mode(&self, access: CmlAccess<'_>) -> Result<MaintenanceMode, CmlError> {
        let answer = self.session(access).await?.json(&Call::new(MAINTENANCE)?).await?;
        let answer = object(MAINTENANCE, answer)?;
        Ok(MaintenanceMode { enabled: bool_at(&answer, "/maintenance_mode"), notice_id: text_at(&answer, "/notice") })
    }

    async fn notices(&self, access: CmlAccess<'_>) -> Result<Vec<CmlNotice>, CmlError> {
        list(NOTICES, &self.session(access).await?.json(&Call::new(NOTICES)?).await?, notice)
    }

    async fn create_notice(&self, access: CmlAccess<'_>, new: NoticeChange<'_>) -> Result<CmlNotice, CmlError> {
        let call = Call::new(CREATE_NOTICE)?.json(fields(new));
        identified(CREATE_NOTICE, notice(&self.session(access).await?.json(&call).await?))
    }

    async fn update_notice(
        &self,
        access: CmlAccess<'_>,
        notice_id: &str,
        change: NoticeChange<'_>,
    ) -> Result<(), CmlError> {
        let call = Call::with_ids("PATCH /system/notices/{notice_id}", &[notice_id])?.json(fields(change));
        self.session(access).await?.change(&call).await
    }

    async fn delete_notice(&self, access: CmlAccess<'_>, notice_id: &str) -> Result<(), CmlError> {
        let call = Call::with_ids("DELETE /system/notices/{notice_id}", &[notice_id])?;
        self.session(access).await?.change(&call).await
    }
}
