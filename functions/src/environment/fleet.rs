//! EC2 and CloudWatch, for the functions whose row names them.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_config::SdkConfig;
use aws_fleet::{AccountRole, AwsCloudWatch, AwsEc2, FixedRoles, FleetClients};
use domain::AccountId;
use http_api::{Function, Port};
use serde::Deserialize;

use super::{Environment, EnvironmentError};
use crate::world::World;

const ACCOUNT_ROLES: &str = "ACCOUNT_ROLES";

pub(super) fn equip(
    environment: &Environment<'_>,
    function: &Function,
    config: &SdkConfig,
    world: &mut World,
) -> Result<(), EnvironmentError> {
    let home = world.context.settings.home_account.clone();
    let roles = Arc::new(FixedRoles(roles(environment)?));
    let clients = Arc::new(FleetClients::new(config, home, function.name, roles));
    let has = |port| function.ports.contains(&port);
    if has(Port::Ec2Read) || has(Port::Ec2Write) || has(Port::Ec2Import) || has(Port::Ec2Console) {
        world.ec2 = Some(Arc::new(AwsEc2::new(Arc::clone(&clients))));
    }
    if has(Port::CloudWatch) {
        world.cloudwatch = Some(Arc::new(AwsCloudWatch::new(clients)));
    }
    super::files::equip(environment, function, config, world)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Role {
    role_arn: String,
    external_id: String,
}

/// `{"<account id>": {"role_arn": "...", "external_id": "..."}}`; other accounts than home have none by default.
fn roles(environment: &Environment<'_>) -> Result<BTreeMap<AccountId, AccountRole>, EnvironmentError> {
    let wrong = |message: String| EnvironmentError::Wrong { name: ACCOUNT_ROLES.into(), message };
    let Some(text) = environment.optional(ACCOUNT_ROLES) else { return Ok(BTreeMap::new()) };
    let by_account: BTreeMap<String, Role> = serde_json::from_str(&text)
        .map_err(|error| wrong(format!("must be JSON, by account id, of role_arn and external_id: {error}")))?;
    let role = |(account, role): (String, Role)| {
        let account = account.parse().map_err(|error: domain::InvalidField| wrong(error.to_string()))?;
        Ok((account, AccountRole { role_arn: role.role_arn, external_id: role.external_id }))
    };
    by_account.into_iter().map(role).collect()
}
