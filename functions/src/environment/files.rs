//! The bucket of files, for the functions whose row names it.

use std::sync::Arc;

use aws::S3Files;
use aws_config::SdkConfig;
use http_api::{Function, Port};

use super::{Environment, EnvironmentError};
use crate::world::World;

pub(super) fn equip(
    environment: &Environment<'_>,
    function: &Function,
    config: &SdkConfig,
    world: &mut World,
) -> Result<(), EnvironmentError> {
    let on_files = |port: &Port| matches!(port, Port::FilesRead(_) | Port::FilesWrite(_) | Port::FilesDelete(_));
    if function.ports.iter().any(on_files) {
        let bucket = environment.required("FILES_BUCKET")?;
        world.files = Some(Arc::new(S3Files::new(aws_sdk_s3::Client::new(config), bucket)));
    }
    Ok(())
}
