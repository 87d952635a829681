//! KMS, for the functions whose row names it.

use std::sync::Arc;

use app::ports::Sealed;
use aws::KmsSealer;
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
    let has = |port| function.ports.contains(&port);
    if Sealed::ALL.into_iter().any(|what| has(Port::Seal(what)) || has(Port::Unseal(what))) {
        let client = aws_sdk_kms::Client::new(config);
        world.sealer =
            Some(Arc::new(KmsSealer::new(client, environment.required("KMS_KEY_ID")?, Arc::new(SystemClock))));
    }
    Ok(())
}
