//! The verbs of EC2.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use app::ports::{Ec2, Ec2Error, ImageFacts, InstanceFilter, LaunchRequest, StatusChecks};
use async_trait::async_trait;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{AttributeValue, Filter, Instance, Tag};
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use domain::instance::InstanceObservation;
use domain::operation::retry::ErrorClass;
use domain::{InstanceId, Place};

use crate::clients::FleetClients;
use crate::error::{ec2_error, incomplete};
use crate::launch::{run_instances, sdk_tags};
use crate::observation::{image_facts, observation, status_checks};

/// Values one filter takes. Source: EC2 API reference, `DescribeInstances`, `Filters`.
const FILTER_VALUES_MAX: usize = 200;
/// Source: EC2 API reference, `DescribeInstances`, `MaxResults`.
const PAGE: i32 = 1000;
/// Source: EC2 API reference, `DescribeInstanceStatus`, `InstanceIds`.
const STATUS_IDS_MAX: usize = 100;
/// Pages of one answer that are read at most: a token that never ends must not hold the function.
const PAGES_MAX: usize = 100;

const RUN: &str = "RunInstances";
const DESCRIBE: &str = "DescribeInstances";
const IMAGES: &str = "DescribeImages";
const CONSOLE: &str = "GetConsoleOutput";

/// EC2, through the client of each place.
#[derive(Clone, Debug)]
pub struct AwsEc2 {
    clients: Arc<FleetClients>,
}

impl AwsEc2 {
    /// EC2 through these clients.
    #[must_use]
    pub fn new(clients: Arc<FleetClients>) -> Self {
        Self { clients }
    }

    async fn client(&self, place: &Place) -> Result<Client, Ec2Error> {
        Ok(self.clients.of(place).await?.ec2)
    }
}

#[async_trait]
impl Ec2 for AwsEc2 {
    async fn run_instance(&self, place: &Place, request: &LaunchRequest) -> Result<InstanceObservation, Ec2Error> {
        let client = self.client(place).await?;
        let Some(root_device) = root_device(&client, &request.ami_id).await? else {
            // The image may have been withdrawn since a first call that launched, but was not answered.
            return launched_before(&client, request).await;
        };
        let call = run_instances(&client, request, &root_device);
        let answer = call.send().await.map_err(|error| ec2_error(RUN, error))?;
        let instance = answer.instances.unwrap_or_default().into_iter().find_map(observation);
        instance.ok_or_else(|| incomplete(RUN, "instance"))
    }

    async fn start(&self, place: &Place, id: &InstanceId) -> Result<(), Ec2Error> {
        let call = self.client(place).await?.start_instances().instance_ids(id.as_str());
        call.send().await.map(drop).map_err(|error| ec2_error("StartInstances", error))
    }

    async fn modify_type(&self, place: &Place, id: &InstanceId, instance_type: &str) -> Result<(), Ec2Error> {
        let value = AttributeValue::builder().value(instance_type).build();
        let call = self.client(place).await?.modify_instance_attribute().instance_id(id.as_str()).instance_type(value);
        call.send().await.map(drop).map_err(|error| ec2_error("ModifyInstanceAttribute", error))
    }

    async fn stop(&self, place: &Place, id: &InstanceId) -> Result<(), Ec2Error> {
        let call = self.client(place).await?.stop_instances().instance_ids(id.as_str());
        call.send().await.map(drop).map_err(|error| ec2_error("StopInstances", error))
    }

    async fn terminate(&self, place: &Place, id: &InstanceId) -> Result<(), Ec2Error> {
        let call = self.client(place).await?.terminate_instances().instance_ids(id.as_str());
        call.send().await.map(drop).map_err(|error| ec2_error("TerminateInstances", error))
    }

    async fn describe(&self, place: &Place, filter: &InstanceFilter) -> Result<Vec<InstanceObservation>, Ec2Error> {
        let client = self.client(place).await?;
        let mut found = Vec::new();
        for filter in filters(filter) {
            found.extend(describe(&client, filter).await?.into_iter().filter_map(observation));
        }
        if let InstanceFilter::Ids(asked) = filter {
            // An endpoint that does not know the filter shows everything; a worker must not be taken for another.
            let asked: BTreeSet<_> = asked.iter().collect();
            found.retain(|seen| asked.contains(&seen.id));
        }
        Ok(found)
    }

    async fn status_checks(&self, place: &Place, ids: &[InstanceId]) -> Result<Vec<StatusChecks>, Ec2Error> {
        let client = self.client(place).await?;
        let mut checks = Vec::with_capacity(ids.len());
        for ids in ids.chunks(STATUS_IDS_MAX) {
            let ids = ids.iter().map(ToString::to_string).collect();
            let call = client.describe_instance_status().set_instance_ids(Some(ids)).include_all_instances(false);
            let answer = call.send().await.map_err(|error| ec2_error("DescribeInstanceStatus", error))?;
            checks.extend(answer.instance_statuses.unwrap_or_default().into_iter().filter_map(status_checks));
        }
        Ok(checks)
    }

    async fn console_output(&self, place: &Place, id: &InstanceId) -> Result<Option<String>, Ec2Error> {
        let call = self.client(place).await?.get_console_output().instance_id(id.as_str());
        let answer = match call.clone().latest(true).send().await.map_err(|error| ec2_error(CONSOLE, error)) {
            // Not of this type (UnsupportedOperation), or not in this state: then what EC2 kept of its last change.
            Err(error) if matches!(error.class(), ErrorClass::Terminal | ErrorClass::Transient) => {
                call.send().await.map_err(|error| ec2_error(CONSOLE, error))?
            }
            answer => answer?,
        };
        let Some(encoded) = answer.output.filter(|output| !output.is_empty()) else { return Ok(None) };
        // Wrapped or not; and a console writes whatever it likes.
        let encoded: Vec<u8> = encoded.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let output = BASE64.decode(encoded).map_err(|_| incomplete(CONSOLE, "console in base64"))?;
        Ok(Some(String::from_utf8_lossy(&output).into_owned()))
    }

    async fn update_tags(
        &self,
        place: &Place,
        id: &InstanceId,
        set: &BTreeMap<String, String>,
        remove: &[String],
    ) -> Result<(), Ec2Error> {
        let client = self.client(place).await?;
        if !set.is_empty() {
            let call = client.create_tags().resources(id.as_str()).set_tags(Some(sdk_tags(set)));
            call.send().await.map_err(|error| ec2_error("CreateTags", error))?;
        }
        if !remove.is_empty() {
            // Without a value: whatever value it has by now.
            let tags = remove.iter().map(|key| Tag::builder().key(key).build()).collect();
            let call = client.delete_tags().resources(id.as_str()).set_tags(Some(tags));
            call.send().await.map_err(|error| ec2_error("DeleteTags", error))?;
        }
        Ok(())
    }

    async fn set_monitoring(&self, place: &Place, id: &InstanceId, enabled: bool) -> Result<(), Ec2Error> {
        let client = self.client(place).await?;
        if enabled {
            let call = client.monitor_instances().instance_ids(id.as_str());
            call.send().await.map(drop).map_err(|error| ec2_error("MonitorInstances", error))
        } else {
            let call = client.unmonitor_instances().instance_ids(id.as_str());
            call.send().await.map(drop).map_err(|error| ec2_error("UnmonitorInstances", error))
        }
    }

    async fn images(&self, place: &Place, name_pattern: &str, owners: &[String]) -> Result<Vec<ImageFacts>, Ec2Error> {
        if owners.is_empty() {
            // EC2 would answer with everybody's.
            return Ok(Vec::new());
        }
        let call = self.client(place).await?.describe_images().set_owners(Some(owners.to_vec()));
        let call = call.filters(filter("name", [name_pattern])).filters(filter("state", ["available"]));
        let mut pages = call.into_paginator().page_size(PAGE).send();
        let mut found = Vec::new();
        for _ in 0..PAGES_MAX {
            let Some(page) = pages.next().await else { return Ok(found) };
            let page = page.map_err(|error| ec2_error(IMAGES, error))?;
            found.extend(page.images.unwrap_or_default().into_iter().filter_map(image_facts));
        }
        Err(endless(IMAGES))
    }
}

async fn describe(client: &Client, filter: Filter) -> Result<Vec<Instance>, Ec2Error> {
    let mut pages = client.describe_instances().filters(filter).into_paginator().page_size(PAGE).send();
    let mut found = Vec::new();
    for _ in 0..PAGES_MAX {
        let Some(page) = pages.next().await else { return Ok(found) };
        let reservations = page.map_err(|error| ec2_error(DESCRIBE, error))?.reservations.unwrap_or_default();
        found.extend(reservations.into_iter().flat_map(|reservation| reservation.instances.unwrap_or_default()));
    }
    // Half of an answer would make what is missing look gone.
    Err(endless(DESCRIBE))
}

/// The name under which the image's root volume is attached: a mapping of any other name would add a
/// second volume, and leave the root as the image has it. Null when there is no such image.
async fn root_device(client: &Client, ami_id: &str) -> Result<Option<String>, Ec2Error> {
    let answer = match client.describe_images().image_ids(ami_id).send().await.map_err(|error| ec2_error(IMAGES, error))
    {
        Ok(answer) => answer,
        Err(error) if matches!(error.code.as_str(), "InvalidAMIID.NotFound" | "InvalidAMIID.Unavailable") => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let Some(image) = answer.images.unwrap_or_default().into_iter().next() else { return Ok(None) };
    image.root_device_name.map(Some).ok_or_else(|| incomplete(IMAGES, "root device name"))
}

async fn launched_before(client: &Client, request: &LaunchRequest) -> Result<InstanceObservation, Ec2Error> {
    let found = describe(client, filter("client-token", [&request.client_token])).await?;
    // Asked of the answer too: an endpoint that does not know the filter shows everything.
    let ours = |instance: &Instance| instance.client_token.as_ref() == Some(&request.client_token);
    found.into_iter().filter(ours).find_map(observation).ok_or_else(|| Ec2Error {
        operation: RUN,
        code: "InvalidAMIID.NotFound".into(),
        message: format!("The image {} does not exist.", request.ami_id),
    })
}

/// The filters of as many calls as it takes.
fn filters(by: &InstanceFilter) -> Vec<Filter> {
    match by {
        InstanceFilter::Ids(ids) => chunked("instance-id", &ids.iter().map(ToString::to_string).collect::<Vec<_>>()),
        InstanceFilter::Images(images) => chunked("image-id", images),
        InstanceFilter::Tag(key, None) => vec![filter("tag-key", [literal(key)])],
        InstanceFilter::Tag(key, Some(value)) => vec![filter(&format!("tag:{key}"), [literal(value)])],
    }
}

fn chunked(name: &str, values: &[String]) -> Vec<Filter> {
    values.chunks(FILTER_VALUES_MAX).map(|values| filter(name, values)).collect()
}

fn filter<V: AsRef<str>>(name: &str, values: impl IntoIterator<Item = V>) -> Filter {
    let values = values.into_iter().map(|value| value.as_ref().to_owned()).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

/// In a filter `*` and `?` are wildcards.
fn literal(text: &str) -> String {
    text.replace('\\', "\\\\").replace('*', "\\*").replace('?', "\\?")
}

fn endless(operation: &'static str) -> Ec2Error {
    let message = format!("The answer did not end after {PAGES_MAX} pages.");
    Ec2Error { operation, code: "TooManyPages".into(), message }
}
