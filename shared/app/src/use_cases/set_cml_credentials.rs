//! Set the CML user and password of one worker, or of the fleet. Write-only: the item keeps the reference,
//! never the secret.

use domain::worker::{Command, Worker, command::command};
use domain::{Invalid, WorkerId};

use super::change::change;
use super::command::{Asked, check_version};
use crate::context::Context;
use crate::error::AppError;
use crate::ports::{CmlCredentials, Secrets};
use crate::settings::FLEET_CREDENTIALS_REF;

/// Stores the credentials under the worker's id and lets the worker use them. Those that it used until now stay good
/// for a controller that refuses the new ones, until the next are set.
///
/// # Errors
/// A field is wrong, the worker is gone, the version does not fit, or a port failed.
pub async fn set_cml_credentials(
    ctx: &Context,
    secrets: &dyn Secrets,
    asked: &Asked,
    id: WorkerId,
    credentials: &CmlCredentials,
) -> Result<(), AppError> {
    check(credentials)?;
    let worker = ctx.store.worker(id).await?;
    check_version(asked, &worker)?;
    let reference = id.to_string();
    let wish = Command::UseCredentials { cml_credentials_ref: Some(reference.clone()) };
    // Refused before the secret is stored, so that nothing is half done.
    command(&worker, &wish)?;
    keep_pair_in_use(secrets, &worker, &reference).await?;
    secrets.set_cml_credentials(&reference, credentials).await.map_err(AppError::Unavailable)?;
    change(ctx, id, &asked.actor, |worker| {
        check_version(asked, worker)?;
        Ok(command(worker, &wish)?)
    })
    .await?;
    Ok(())
}

/// The pair that the worker has used until now, the fleet's or another's, becomes the one before its own: its
/// controller takes that one until somebody changes the password there.
async fn keep_pair_in_use(secrets: &dyn Secrets, worker: &Worker, own: &str) -> Result<(), AppError> {
    let in_use = worker.cml_credentials_ref.as_deref().unwrap_or(FLEET_CREDENTIALS_REF);
    if in_use == own {
        return Ok(());
    }
    let Some(in_use) = secrets.cml_credentials(in_use).await.map_err(AppError::Unavailable)? else { return Ok(()) };
    secrets.set_cml_credentials(own, &in_use.current).await.map_err(AppError::Unavailable)
}

/// Stores the credentials that are used for every worker without its own. Those that were set stay good for
/// controllers that refuse the new ones, until the next are set.
///
/// # Errors
/// A field is wrong, or the secrets failed.
pub async fn set_fleet_cml_credentials(secrets: &dyn Secrets, credentials: &CmlCredentials) -> Result<(), AppError> {
    check(credentials)?;
    secrets.set_cml_credentials(FLEET_CREDENTIALS_REF, credentials).await.map_err(AppError::Unavailable)
}

fn check(credentials: &CmlCredentials) -> Result<(), Invalid> {
    let mut invalid = Invalid::default();
    // CML's own limit: 1 to 32 characters. Source: CML OpenAPI, POST /authenticate.
    if !(1..=32).contains(&credentials.username.chars().count()) {
        invalid.push("username", "must have 1 to 32 characters");
    }
    if credentials.password.is_empty() || credentials.password.len() > 256 {
        invalid.push("password", "must have 1 to 256 bytes");
    }
    invalid.finish(Some(()))
}
