//! The verbs of EC2.

use std::collections::BTreeMap;

use app::ports::{Ec2, Ec2Error, ImageFacts, InstanceFilter, LaunchRequest, StatusChecks};
use async_trait::async_trait;
use domain::instance::InstanceObservation;
use domain::{InstanceId, Place, Timestamp};

use crate::faults::{Scarce, refusal};
use crate::instance::{Instance, Reason, State, Verb};
use crate::model::{Batch, Model, Token};
use crate::{SimulatedCloud, console, images, instance_types, internal};

/// Source: EC2 API reference, `DescribeInstances`, `MaxResults`.
const DESCRIBE_PAGE: usize = 1_000;
/// Source: EC2 API reference, `DescribeInstanceStatus`, `InstanceIds`.
const STATUS_MAX_IDS: usize = 100;
/// Source: EC2 user guide, "Tag restrictions".
const TAGS_MAX: usize = 50;
/// Source: EC2 API reference, "Ensuring idempotency in Amazon EC2 API requests".
const TOKEN_MAX_CHARS: usize = 64;

const RUN: &str = "RunInstances";
const DESCRIBE: &str = "DescribeInstances";
const START: &str = "StartInstances";
const NO_CAPACITY: &str = "InsufficientInstanceCapacity";
const STATUS: &str = "DescribeInstanceStatus";

#[async_trait]
impl Ec2 for SimulatedCloud {
    async fn run_instance(&self, place: &Place, request: &LaunchRequest) -> Result<InstanceObservation, Ec2Error> {
        let scarce = self.lock().gate.scarce().to_vec();
        self.call(RUN, |model, now| self.launch(model, place, request, &scarce, now))
    }

    async fn start(&self, place: &Place, id: &InstanceId) -> Result<(), Ec2Error> {
        let scarce = self.lock().gate.scarce().to_vec();
        self.call(START, |model, now| {
            let one = model.find(START, Some(place), id.as_str(), now)?;
            let short = |scarce: &Scarce| scarce.lacks(&one.instance_type, &one.availability_zone);
            if one.state == State::Stopped && scarce.iter().any(short) {
                return Err(refusal(START, NO_CAPACITY));
            }
            model.ask(Verb::Start, Some(place), id.as_str(), now, self.random())
        })
    }

    async fn modify_type(&self, place: &Place, id: &InstanceId, instance_type: &str) -> Result<(), Ec2Error> {
        let operation = "ModifyInstanceAttribute";
        self.call(operation, |model, now| {
            if instance_types::vcpus(instance_type).is_none() {
                return Err(invalid(operation, format!("Invalid value '{instance_type}' for InstanceType.")));
            }
            model.amend(operation, place, id, now, |instance| {
                if instance.state != State::Stopped {
                    return Err(Ec2Error {
                        operation,
                        code: "IncorrectInstanceState".into(),
                        message: format!("The instance '{}' is not in the 'stopped' state.", instance.id),
                    });
                }
                instance_type.clone_into(&mut instance.instance_type);
                Ok(())
            })
        })
    }

    async fn stop(&self, place: &Place, id: &InstanceId) -> Result<(), Ec2Error> {
        self.ask(Verb::Stop, place, id)
    }

    async fn terminate(&self, place: &Place, id: &InstanceId) -> Result<(), Ec2Error> {
        self.ask(Verb::Terminate, place, id)
    }

    async fn describe(&self, place: &Place, filter: &InstanceFilter) -> Result<Vec<InstanceObservation>, Ec2Error> {
        let found: Vec<InstanceObservation> = self.call(DESCRIBE, |model, now| {
            let here = model.listed(now).filter(|instance| instance.is_in(place) && wanted(instance, filter));
            Ok(here.map(Instance::observation).collect())
        })?;
        let pages = found.len().div_ceil(DESCRIBE_PAGE).max(1);
        self.lock().gate.count(DESCRIBE, pages as u64 - 1);
        Ok(found)
    }

    async fn status_checks(&self, place: &Place, ids: &[InstanceId]) -> Result<Vec<StatusChecks>, Ec2Error> {
        self.call(STATUS, |model, now| {
            if ids.len() > STATUS_MAX_IDS {
                return Err(invalid(
                    STATUS,
                    format!("at most {STATUS_MAX_IDS} instance ids can be named, not {}", ids.len()),
                ));
            }
            let mut checks = Vec::with_capacity(ids.len());
            for id in ids {
                let instance = model.find(STATUS, Some(place), id.as_str(), now)?;
                if instance.state == State::Running {
                    let word = instance.checks(now);
                    checks.push(StatusChecks { id: id.clone(), instance: word.into(), system: word.into() });
                }
            }
            Ok(checks)
        })
    }

    async fn console_output(&self, place: &Place, id: &InstanceId) -> Result<Option<String>, Ec2Error> {
        let operation = "GetConsoleOutput";
        self.call(operation, |model, now| {
            let instance = model.find(operation, Some(place), id.as_str(), now)?;
            Ok(console::output(instance, now))
        })
    }

    async fn update_tags(
        &self,
        place: &Place,
        id: &InstanceId,
        set: &BTreeMap<String, String>,
        remove: &[String],
    ) -> Result<(), Ec2Error> {
        if !set.is_empty() {
            let operation = "CreateTags";
            self.call(operation, |model, now| {
                model.amend(operation, place, id, now, |instance| {
                    instance.tags.extend(set.clone());
                    check_tags(operation, &instance.tags)
                })
            })?;
        }
        if !remove.is_empty() {
            let operation = "DeleteTags";
            self.call(operation, |model, now| {
                model.amend(operation, place, id, now, |instance| {
                    instance.tags.retain(|key, _| !remove.contains(key));
                    Ok(())
                })
            })?;
        }
        Ok(())
    }

    async fn set_monitoring(&self, place: &Place, id: &InstanceId, enabled: bool) -> Result<(), Ec2Error> {
        let operation = if enabled { "MonitorInstances" } else { "UnmonitorInstances" };
        self.call(operation, |model, now| {
            model.amend(operation, place, id, now, |instance| {
                instance.detailed_monitoring = enabled;
                Ok(())
            })
        })
    }

    async fn images(&self, place: &Place, name_pattern: &str, owners: &[String]) -> Result<Vec<ImageFacts>, Ec2Error> {
        self.call("DescribeImages", |_, _| Ok(images::find(place, name_pattern, owners)))
    }
}

impl SimulatedCloud {
    fn ask(&self, verb: Verb, place: &Place, id: &InstanceId) -> Result<(), Ec2Error> {
        let operation = verb.operation();
        self.call(operation, |model, now| model.ask(verb, Some(place), id.as_str(), now, self.random()))
    }

    fn launch(
        &self,
        model: &mut Model,
        place: &Place,
        request: &LaunchRequest,
        scarce: &[Scarce],
        now: Timestamp,
    ) -> Result<InstanceObservation, Ec2Error> {
        let token = &request.client_token;
        if token.is_empty() || token.len() > TOKEN_MAX_CHARS || !token.is_ascii() {
            return Err(invalid(RUN, format!("clientToken must have 1 to {TOKEN_MAX_CHARS} ASCII characters")));
        }
        // Tokens are bound per account and region.
        let key = format!("{}/{}/{token}", place.account, place.region);
        let fingerprint = fingerprint(request);
        if let Some((bound, instance)) = model.token(&key) {
            return if bound.fingerprint == fingerprint { Ok(instance.observation()) } else { Err(mismatch(token)) };
        }
        check_launch(place, request)?;
        let launch = Launch {
            place,
            instance_type: &request.spec.instance_type,
            ami_id: &request.ami_id,
            detailed_monitoring: request.spec.detailed_monitoring,
            tags: request.tags.clone(),
        };
        let mut instance = self.prepare(model, launch, now)?;
        instance.availability_zone = self.zone(place, request, scarce)?;
        instance.token = Some(key.clone());
        let observation = instance.observation();
        let mut batch = Batch::default();
        // In one transaction with the instance: a kill between the two would leak a machine.
        batch.bind(key, Token { instance: instance.id.clone(), fingerprint });
        batch.changed(instance, self.random());
        model.commit(batch).map_err(|error| internal(RUN, &error))?;
        Ok(observation)
    }

    /// A zone with capacity: that of the subnet, or any.
    fn zone(&self, place: &Place, request: &LaunchRequest, scarce: &[Scarce]) -> Result<String, Ec2Error> {
        let spec = &request.spec;
        let lies_in = spec.subnet_id.as_ref().map(|id| images::fnv1a(id.as_bytes()));
        let first = lies_in.unwrap_or_else(|| (self.random().next() % 3) as u64);
        let zones = (0..if lies_in.is_some() { 1 } else { 3 }).map(|n| zone_name(place, first.wrapping_add(n)));
        let has = |zone: &String| !scarce.iter().any(|scarce| scarce.lacks(&spec.instance_type, zone));
        zones.into_iter().find(has).ok_or_else(|| refusal(RUN, NO_CAPACITY))
    }

    /// A new instance, pending, not yet recorded.
    pub(crate) fn prepare(&self, model: &Model, launch: Launch<'_>, now: Timestamp) -> Result<Instance, Ec2Error> {
        let random = self.random();
        let id = model.new_id(random).map_err(|error| invalid(RUN, error.to_string()))?;
        Ok(Instance {
            id,
            account: launch.place.account.clone(),
            region: launch.place.region.clone(),
            state: State::Pending,
            since: now,
            reason: Reason::pending(),
            instance_type: launch.instance_type.to_owned(),
            ami_id: launch.ami_id.to_owned(),
            availability_zone: zone_name(launch.place, (random.next() % 3) as u64),
            public_ip: Some(model.public_ip(RUN, None, random)?),
            last_public_ip: None,
            private_ip: model.private_ip(RUN, random)?,
            launched_at: now,
            last_run: None,
            detailed_monitoring: launch.detailed_monitoring,
            tags: launch.tags,
            token: None,
        })
    }
}

fn zone_name(place: &Place, number: u64) -> String {
    format!("{}{}", place.region, ["a", "b", "c"][(number % 3) as usize])
}

/// What makes an instance the one it is.
pub(crate) struct Launch<'a> {
    pub(crate) place: &'a Place,
    pub(crate) instance_type: &'a str,
    pub(crate) ami_id: &'a str,
    pub(crate) detailed_monitoring: bool,
    pub(crate) tags: BTreeMap<String, String>,
}

fn wanted(instance: &Instance, filter: &InstanceFilter) -> bool {
    match filter {
        InstanceFilter::Ids(ids) => ids.contains(&instance.id),
        InstanceFilter::Tag(key, value) => {
            instance.tags.get(key).is_some_and(|has| value.as_ref().is_none_or(|value| value == has))
        }
        InstanceFilter::Images(images) => images.contains(&instance.ami_id),
    }
}

fn check_launch(place: &Place, request: &LaunchRequest) -> Result<(), Ec2Error> {
    let instance_type = &request.spec.instance_type;
    if instance_types::vcpus(instance_type).is_none() {
        return Err(invalid(RUN, format!("Invalid value '{instance_type}' for InstanceType.")));
    }
    if !images::exists(place, &request.ami_id) {
        return Err(Ec2Error {
            operation: RUN,
            code: "InvalidAMIID.NotFound".into(),
            message: format!("The image id '[{}]' does not exist", request.ami_id),
        });
    }
    check_tags(RUN, &request.tags)
}

fn check_tags(operation: &'static str, tags: &BTreeMap<String, String>) -> Result<(), Ec2Error> {
    if tags.len() > TAGS_MAX {
        return Err(Ec2Error {
            operation,
            code: "TagLimitExceeded".into(),
            message: format!("More than {TAGS_MAX} tags specified"),
        });
    }
    match tags.keys().find(|key| key.to_ascii_lowercase().starts_with("aws:")) {
        Some(key) => {
            Err(invalid(operation, format!("Tag keys starting with 'aws:' are reserved for internal use: {key}")))
        }
        None => Ok(()),
    }
}

/// The parameters of the call, and nothing that is not one: how the image was chosen is not.
fn fingerprint(request: &LaunchRequest) -> String {
    let spec = &request.spec;
    let parameters = format!(
        "{:?}",
        (
            &request.ami_id,
            &request.tags,
            (&spec.instance_type, &spec.subnet_id, &spec.security_group_ids, &spec.instance_profile),
            (spec.volume_gib, spec.nested_virtualization, spec.detailed_monitoring, &spec.user_data),
        )
    );
    format!("{:016x}", images::fnv1a(parameters.as_bytes()))
}

fn mismatch(token: &str) -> Ec2Error {
    Ec2Error {
        operation: RUN,
        code: "IdempotentParameterMismatch".into(),
        message: format!(
            "Arguments on this idempotent request are inconsistent with arguments used in previous request(s): {token}"
        ),
    }
}

pub(crate) fn invalid(operation: &'static str, message: String) -> Ec2Error {
    Ec2Error { operation, code: "InvalidParameterValue".into(), message }
}
