//! EC2 as a caller sees it: late, throttled, and with answers that get lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::ports::{
    CloudWatch, Ec2, Ec2Error, ImageFacts, InstanceFilter, InstanceMetrics, LaunchRequest, MetricsRequest, StatusChecks,
};
use async_trait::async_trait;
use domain::instance::{InstanceObservation, InstanceState};
use domain::metrics::CloudWatchReading;
use domain::{InstanceId, Place};

use crate::cloud::{BY_REQUEST, Cloud};
use crate::executor::{MINUTE, SECOND};
use crate::faults::Fault;
use crate::rules_labs::Touch;

/// The product's way to EC2.
pub(crate) struct Ec2View(pub(crate) Arc<Cloud>);

fn error(operation: &'static str, code: &str) -> Ec2Error {
    Ec2Error { operation, code: code.into(), message: format!("{code}, as told by the simulation") }
}

impl Ec2View {
    /// The way there.
    async fn arrive(&self, operation: &'static str) -> Result<(), Ec2Error> {
        self.0.sim.call().await;
        if self.0.weather.strikes(Fault::Ec2Throttled) {
            return Err(error(operation, "RequestLimitExceeded"));
        }
        if self.0.weather.strikes(Fault::Ec2Failed) {
            return Err(error(operation, "InternalError"));
        }
        Ok(())
    }

    /// The way back.
    async fn answer<T>(&self, operation: &'static str, answer: T) -> Result<T, Ec2Error> {
        let lost = self.0.weather.strikes(Fault::Ec2AnswerLost);
        self.0.sim.call().await;
        if lost { Err(error(operation, "timeout")) } else { Ok(answer) }
    }

    /// The state of an instance of ours to act on.
    fn state(&self, operation: &'static str, place: &Place, id: &InstanceId) -> Result<InstanceState, Ec2Error> {
        let now = self.0.sim.now();
        let state =
            self.0.machine(id, |one| (one.place == *place && one.seen(now, now).is_some()).then_some(one.shown.state));
        state.flatten().ok_or_else(|| error(operation, "InvalidInstanceID.NotFound"))
    }
}

#[async_trait]
impl Ec2 for Ec2View {
    async fn run_instance(&self, place: &Place, request: &LaunchRequest) -> Result<InstanceObservation, Ec2Error> {
        let operation = "RunInstances";
        self.arrive(operation).await?;
        let cloud = &self.0;
        let request = cloud.sabotage.launch(request, app::ports::Random::next(&*cloud.sim));
        let id = match cloud.launched_by(place, &request.client_token) {
            Some((before, _)) if before != request => return Err(error(operation, "IdempotentParameterMismatch")),
            Some((_, id)) => id,
            None if !cloud.has_capacity(place, &request.spec.instance_type) => {
                return Err(error(operation, "InsufficientInstanceCapacity"));
            }
            None => {
                cloud.watch.touches("RunInstances", Touch::Changes);
                cloud.launch(place, &request).ok_or_else(|| error(operation, "InternalError"))?
            }
        };
        let shown = cloud.machine(&id, |one| one.shown.clone()).ok_or_else(|| error(operation, "InternalError"))?;
        // It takes longer than other calls, and its answer is lost as often as those of several.
        if (0..4).any(|_| cloud.weather.strikes(Fault::Ec2AnswerLost)) {
            return Err(error(operation, "timeout"));
        }
        self.answer(operation, shown).await
    }

    async fn start(&self, place: &Place, id: &InstanceId) -> Result<(), Ec2Error> {
        let operation = "StartInstances";
        self.arrive(operation).await?;
        match self.state(operation, place, id)? {
            InstanceState::Pending | InstanceState::Running => {}
            InstanceState::Stopped => {
                let of_type = self.0.machine(id, |one| one.shown.instance_type.clone()).unwrap_or_default();
                if !self.0.has_capacity(place, &of_type) {
                    return Err(error(operation, "InsufficientInstanceCapacity"));
                }
                self.0.monitor.started(&self.0, id);
                self.0.watch.touches_instance(&self.0, operation, id, Touch::Changes);
                self.0.start(id);
            }
            _ => return Err(error(operation, "IncorrectInstanceState")),
        }
        self.answer(operation, ()).await
    }

    async fn modify_type(&self, place: &Place, id: &InstanceId, instance_type: &str) -> Result<(), Ec2Error> {
        let operation = "ModifyInstanceAttribute";
        self.arrive(operation).await?;
        if self.state(operation, place, id)? != InstanceState::Stopped {
            return Err(error(operation, "IncorrectInstanceState"));
        }
        self.0.watch.touches_instance(&self.0, operation, id, Touch::Changes);
        self.0.change(id, |one| one.shown.instance_type = instance_type.into());
        self.answer(operation, ()).await
    }

    async fn stop(&self, place: &Place, id: &InstanceId) -> Result<(), Ec2Error> {
        let operation = "StopInstances";
        self.arrive(operation).await?;
        match self.state(operation, place, id)? {
            InstanceState::Stopping | InstanceState::Stopped => {}
            InstanceState::Running => {
                self.0.monitor.stopped(&self.0, id);
                self.0.watch.touches_instance(&self.0, operation, id, Touch::Destroys);
                self.0.stop(id, BY_REQUEST);
            }
            _ => return Err(error(operation, "IncorrectInstanceState")),
        }
        self.answer(operation, ()).await
    }

    async fn terminate(&self, place: &Place, id: &InstanceId) -> Result<(), Ec2Error> {
        let operation = "TerminateInstances";
        self.arrive(operation).await?;
        if !matches!(self.state(operation, place, id)?, InstanceState::ShuttingDown | InstanceState::Terminated) {
            self.0.monitor.terminated(&self.0, id);
            self.0.watch.touches_instance(&self.0, operation, id, Touch::Destroys);
            self.0.watch.check_saved(id);
            self.0.terminate(id, BY_REQUEST);
        }
        self.answer(operation, ()).await
    }

    async fn describe(&self, place: &Place, filter: &InstanceFilter) -> Result<Vec<InstanceObservation>, Ec2Error> {
        let operation = "DescribeInstances";
        self.arrive(operation).await?;
        let now = self.0.sim.now();
        let lag = if self.0.weather.strikes(Fault::StaleDescribe) {
            self.0.sim.pick(SECOND, 2 * MINUTE)
        } else {
            self.0.sim.pick(0, SECOND)
        };
        let wanted = |seen: &InstanceObservation| match filter {
            InstanceFilter::Ids(ids) => ids.contains(&seen.id),
            InstanceFilter::Tag(key, value) => {
                seen.tags.get(key).is_some_and(|tag| value.as_ref().is_none_or(|value| value == tag))
            }
            InstanceFilter::Images(images) => images.contains(&seen.ami_id),
        };
        let found = self.0.each(|one| {
            let seen = (one.place == *place).then(|| one.seen(now, now - lag)).flatten()?;
            wanted(&seen).then_some(seen)
        });
        self.answer(operation, found).await
    }

    async fn status_checks(&self, place: &Place, ids: &[InstanceId]) -> Result<Vec<StatusChecks>, Ec2Error> {
        let operation = "DescribeInstanceStatus";
        self.arrive(operation).await?;
        for id in ids {
            self.state(operation, place, id)?;
        }
        let ok = |id: &InstanceId| StatusChecks { id: id.clone(), instance: "ok".into(), system: "ok".into() };
        let running = ids.iter().filter(|id| self.0.machine(id, |one| one.runs()).unwrap_or(false));
        self.answer(operation, running.map(ok).collect()).await
    }

    async fn update_tags(
        &self,
        place: &Place,
        id: &InstanceId,
        set: &BTreeMap<String, String>,
        remove: &[String],
    ) -> Result<(), Ec2Error> {
        let operation = "CreateTags";
        self.arrive(operation).await?;
        self.state(operation, place, id)?;
        self.0.watch.touches_instance(&self.0, operation, id, Touch::Changes);
        self.0.change(id, |one| {
            one.shown.tags.retain(|key, _| !remove.contains(key));
            one.shown.tags.extend(set.clone());
        });
        self.answer(operation, ()).await
    }

    async fn set_monitoring(&self, place: &Place, id: &InstanceId, enabled: bool) -> Result<(), Ec2Error> {
        let operation = "MonitorInstances";
        self.arrive(operation).await?;
        self.state(operation, place, id)?;
        self.0.watch.touches_instance(&self.0, operation, id, Touch::Changes);
        self.0.change(id, |one| one.shown.detailed_monitoring = enabled);
        self.answer(operation, ()).await
    }

    async fn images(&self, _: &Place, _: &str, _: &[String]) -> Result<Vec<ImageFacts>, Ec2Error> {
        let operation = "DescribeImages";
        self.arrive(operation).await?;
        let image = ImageFacts {
            id: "ami-0123456789abcdef0".into(),
            name: "cml-2.9".into(),
            created_at: "2026-01-01T00:00:00Z".into(),
        };
        self.answer(operation, vec![image]).await
    }
}

#[async_trait]
impl CloudWatch for Ec2View {
    async fn metrics(&self, _: &Place, request: &MetricsRequest) -> Result<Vec<InstanceMetrics>, Ec2Error> {
        self.arrive("GetMetricData").await?;
        let reading = CloudWatchReading { cpu_percent: Some(12.5), ..CloudWatchReading::default() };
        let all = request.instances.iter().map(|id| InstanceMetrics { id: id.clone(), reading: reading.clone() });
        self.answer("GetMetricData", all.collect()).await
    }
}
