//! CML controllers and their credentials, for the functions whose row names them.

use std::sync::Arc;

use ::cml::CmlClient;
use aws::SecretsManagerSecrets;
use aws_config::SdkConfig;
use http_api::{Function, Port};

use super::{Environment, EnvironmentError};
use crate::system::SystemClock;
use crate::world::World;

pub(super) fn equip(
    environment: &Environment<'_>,
    function: &Function,
    config: &SdkConfig,
    world: &mut World,
) -> Result<(), EnvironmentError> {
    let clock = Arc::new(SystemClock);
    let has = |port| function.ports.contains(&port);
    if has(Port::Cml) {
        let client = Arc::new(CmlClient::new(clock.clone()));
        world.cml = Some(client.clone());
        world.controllers = Some(client);
    }
    super::files::equip(environment, function, config, world)?;
    let secrets = [Port::SecretsRead, Port::SecretsWrite, Port::TokensUse, Port::TokensWrite];
    if secrets.into_iter().any(has) {
        let client = aws_sdk_secretsmanager::Client::new(config);
        let stack = environment.required("STACK_NAME")?;
        world.secrets = Some(Arc::new(SecretsManagerSecrets::new(client, stack, clock)));
    }
    Ok(())
}
