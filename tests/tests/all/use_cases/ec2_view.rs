//! The simulated EC2, which can show less than there is: `DescribeInstances` is eventually consistent.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use app::ports::{Ec2, Ec2Error, ImageFacts, InstanceFilter, LaunchRequest, StatusChecks};
use async_trait::async_trait;
use domain::instance::InstanceObservation;
use domain::{InstanceId, Place};
use local_region::SimulatedCloud;

pub(super) struct Ec2View {
    cloud: SimulatedCloud,
    blind: AtomicBool,
    untagged: AtomicU32,
}

impl Ec2View {
    pub(super) fn of(cloud: SimulatedCloud) -> Self {
        Self { cloud, blind: AtomicBool::new(false), untagged: AtomicU32::new(0) }
    }

    /// No instance is listed from now on, or all are again.
    pub(super) fn blind(&self, blind: bool) {
        self.blind.store(blind, Ordering::SeqCst);
    }

    /// The next lists show no tags.
    pub(super) fn show_untagged_next(&self, lists: u32) {
        self.untagged.store(lists, Ordering::SeqCst);
    }
}

#[async_trait]
impl Ec2 for Ec2View {
    async fn run_instance(&self, place: &Place, request: &LaunchRequest) -> Result<InstanceObservation, Ec2Error> {
        tokio::task::yield_now().await;
        self.cloud.run_instance(place, request).await
    }

    async fn start(&self, place: &Place, id: &InstanceId) -> Result<(), Ec2Error> {
        self.cloud.start(place, id).await
    }

    async fn modify_type(&self, place: &Place, id: &InstanceId, instance_type: &str) -> Result<(), Ec2Error> {
        self.cloud.modify_type(place, id, instance_type).await
    }

    async fn stop(&self, place: &Place, id: &InstanceId) -> Result<(), Ec2Error> {
        self.cloud.stop(place, id).await
    }

    async fn terminate(&self, place: &Place, id: &InstanceId) -> Result<(), Ec2Error> {
        self.cloud.terminate(place, id).await
    }

    async fn describe(&self, place: &Place, filter: &InstanceFilter) -> Result<Vec<InstanceObservation>, Ec2Error> {
        tokio::task::yield_now().await;
        let mut found = self.cloud.describe(place, filter).await?;
        let fewer = |lists: u32| lists.checked_sub(1);
        if self.untagged.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer).is_ok() {
            found.iter_mut().for_each(|one| one.tags.clear());
        }
        Ok(if self.blind.load(Ordering::SeqCst) { vec![] } else { found })
    }

    async fn status_checks(&self, place: &Place, ids: &[InstanceId]) -> Result<Vec<StatusChecks>, Ec2Error> {
        self.cloud.status_checks(place, ids).await
    }

    async fn console_output(&self, place: &Place, id: &InstanceId) -> Result<Option<String>, Ec2Error> {
        self.cloud.console_output(place, id).await
    }

    async fn update_tags(
        &self,
        place: &Place,
        id: &InstanceId,
        set: &BTreeMap<String, String>,
        remove: &[String],
    ) -> Result<(), Ec2Error> {
        self.cloud.update_tags(place, id, set, remove).await
    }

    async fn set_monitoring(&self, place: &Place, id: &InstanceId, enabled: bool) -> Result<(), Ec2Error> {
        self.cloud.set_monitoring(place, id, enabled).await
    }

    async fn images(&self, place: &Place, name_pattern: &str, owners: &[String]) -> Result<Vec<ImageFacts>, Ec2Error> {
        self.cloud.images(place, name_pattern, owners).await
    }
}
