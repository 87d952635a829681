//! `--cloud aws`: EC2 and CloudWatch through the adapters that run in Lambda, on a stand-in for AWS.

use domain::AccountId;

use crate::backend::Cloud;
use crate::error::StackError;

/// The adapters, at the address that `AWS_ENDPOINT_URL` names.
///
/// # Errors
/// None is named: fleet time and CML are made up here, and what is judged by them must not act on
/// instances that cost money.
#[cfg(feature = "fleet")]
pub(crate) async fn open(home: &AccountId) -> Result<Cloud, StackError> {
    use std::sync::Arc;

    use aws_fleet::{AwsCloudWatch, AwsEc2, FixedRoles, FleetClients};

    let config = aws::sdk_config().await;
    if config.endpoint_url().is_none() {
        let message = "--cloud aws needs AWS_ENDPOINT_URL, the address of a stand-in for AWS: the local stack never \
                       touches the instances of a real account";
        return Err(StackError::Start(message.into()));
    }
    let roles = Arc::new(FixedRoles::default());
    let clients = Arc::new(FleetClients::new(&config, home.clone(), "local", roles));
    Ok(Cloud { ec2: Arc::new(AwsEc2::new(Arc::clone(&clients))), cloudwatch: Arc::new(AwsCloudWatch::new(clients)) })
}

/// Not in this build.
///
/// # Errors
/// Always.
#[cfg(not(feature = "fleet"))]
pub(crate) async fn open(_home: &AccountId) -> Result<Cloud, StackError> {
    let message = "this build has no EC2 adapters; start it with \
                   `cargo run --package local --features fleet -- --cloud aws`";
    Err(StackError::Start(message.into()))
}
