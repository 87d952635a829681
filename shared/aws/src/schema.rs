//! The table itself, for the local stack and the tests. In AWS it is made by the template.

use std::time::Duration;

use app::ports::PortError;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::client::Waiters;
use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, StreamSpecification, StreamViewType, TimeToLiveSpecification, TimeToLiveStatus,
};

use crate::error::port_error;
use crate::item::{EXPIRES_AT, GSI1_PK, GSI1_SK, GSI2_PK, GSI2_SK, PK, SK};

/// The indexes' names.
pub(crate) const GSI1: &str = "gsi1";
pub(crate) const GSI2: &str = "gsi2";

/// How long a new table may take to become active.
const LONGEST_CREATION: Duration = Duration::from_secs(120);

/// Makes the table with its indexes, its stream and its time to live, unless it is there; ready when this
/// returns.
///
/// # Errors
/// DynamoDB could not be reached, or refused.
pub async fn create_table(client: &Client, name: &str) -> Result<(), PortError> {
    let request = request(client, name).map_err(|error| port_error("dynamodb.CreateTable", error))?;
    match request.send().await {
        Ok(_) => {}
        Err(SdkError::ServiceError(refusal)) if is_there(refusal.err()) => {}
        Err(error) => return Err(port_error("dynamodb.CreateTable", error)),
    }
    let waiter = client.wait_until_table_exists().table_name(name);
    waiter.wait(LONGEST_CREATION).await.map_err(|error| port_error("dynamodb.DescribeTable", error))?;
    enable_stream(client, name).await?;
    enable_time_to_live(client, name).await
}

fn is_there(refusal: &CreateTableError) -> bool {
    refusal.is_resource_in_use_exception()
}

fn request(
    client: &Client,
    name: &str,
) -> Result<aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder, BuildError> {
    let mut request = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(key_schema(PK, SK)?))
        .stream_specification(stream()?)
        .global_secondary_indexes(index(GSI1, GSI1_PK, GSI1_SK)?)
        .global_secondary_indexes(index(GSI2, GSI2_PK, GSI2_SK)?);
    for key in [PK, SK, GSI1_PK, GSI1_SK, GSI2_PK, GSI2_SK] {
        let definition =
            AttributeDefinition::builder().attribute_name(key).attribute_type(ScalarAttributeType::S).build()?;
        request = request.attribute_definitions(definition);
    }
    Ok(request)
}

fn key_schema(pk: &str, sk: &str) -> Result<Vec<KeySchemaElement>, BuildError> {
    let element = |name: &str, key_type| KeySchemaElement::builder().attribute_name(name).key_type(key_type).build();
    Ok(vec![element(pk, KeyType::Hash)?, element(sk, KeyType::Range)?])
}

fn index(name: &str, pk: &str, sk: &str) -> Result<GlobalSecondaryIndex, BuildError> {
    GlobalSecondaryIndex::builder()
        .index_name(name)
        .set_key_schema(Some(key_schema(pk, sk)?))
        .projection(Projection::builder().projection_type(ProjectionType::All).build())
        .build()
}

/// A table of an earlier version may have none.
async fn enable_stream(client: &Client, name: &str) -> Result<(), PortError> {
    let described = client.describe_table().table_name(name).send().await;
    let described = described.map_err(|error| port_error("dynamodb.DescribeTable", error))?;
    let specification = described.table().and_then(|table| table.stream_specification());
    if specification.is_some_and(StreamSpecification::stream_enabled) {
        return Ok(());
    }
    let specification = stream().map_err(|error| port_error("dynamodb.UpdateTable", error))?;
    let request = client.update_table().table_name(name).stream_specification(specification);
    request.send().await.map(drop).map_err(|error| port_error("dynamodb.UpdateTable", error))
}

fn stream() -> Result<StreamSpecification, BuildError> {
    StreamSpecification::builder().stream_enabled(true).stream_view_type(StreamViewType::NewImage).build()
}

async fn enable_time_to_live(client: &Client, name: &str) -> Result<(), PortError> {
    let described = client
        .describe_time_to_live()
        .table_name(name)
        .send()
        .await
        .map_err(|error| port_error("dynamodb.DescribeTimeToLive", error))?;
    let status = described.time_to_live_description().and_then(|description| description.time_to_live_status());
    // Enabling it twice is an error.
    if matches!(status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)) {
        return Ok(());
    }
    let specification = TimeToLiveSpecification::builder()
        .attribute_name(EXPIRES_AT)
        .enabled(true)
        .build()
        .map_err(|error| port_error("dynamodb.UpdateTimeToLive", error))?;
    client
        .update_time_to_live()
        .table_name(name)
        .time_to_live_specification(specification)
        .send()
        .await
        .map_err(|error| port_error("dynamodb.UpdateTimeToLive", error))?;
    Ok(())
}
