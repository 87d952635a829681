//! The identity provider and KMS, for the functions whose row names them.

use std::sync::Arc;

use app::ports::Sealed;
use aws::KmsSealer;
use aws_config::SdkConfig;
use http_api::{Function, Port};

use super::{Environment, EnvironmentError};
use crate::{OidcClient, OidcConfig, SystemClock, World};

pub(super) fn equip(
    environment: &Environment<'_>,
    function: &Function,
    config: &SdkConfig,
    world: &mut World,
) -> Result<(), EnvironmentError> {
    let has = |port| function.ports.contains(&port);
    if has(Port::SignIn) {
        world.identity = Some(Arc::new(OidcClient::new(provider(environment)?, Arc::new(SystemClock))?));
    }
    if Sealed::ALL.into_iter().any(|what| has(Port::Seal(what)) || has(Port::Unseal(what))) {
        let client = aws_sdk_kms::Client::new(config);
        world.sealer =
            Some(Arc::new(KmsSealer::new(client, environment.required("KMS_KEY_ID")?, Arc::new(SystemClock))));
    }
    Ok(())
}

fn provider(environment: &Environment<'_>) -> Result<OidcConfig, EnvironmentError> {
    let issuer = environment.required("OIDC_ISSUER")?;
    let audiences = environment.required("OIDC_AUDIENCES")?;
    let first = || audiences.split(',').next().unwrap_or_default().trim().to_owned();
    Ok(OidcConfig {
        internal_issuer: environment.optional("OIDC_INTERNAL_ISSUER").unwrap_or_else(|| issuer.clone()),
        client_id: environment.optional("OIDC_CLIENT_ID").unwrap_or_else(first),
        logout_url: environment.optional("OIDC_LOGOUT_URL"),
        issuer,
    })
}
