//! Read a worker's licence: from its controller, or what was read last.

use std::time::Duration;

use domain::license::{Feature, License};
use domain::metrics::LicenseReading;
use domain::worker::Worker;
use domain::{Timestamp, WorkerId};
use futures::future::{Either, select};

use super::controller::reach;
use crate::context::Context;
use crate::error::AppError;
use crate::ports::{Controllers, LicensingStatus, Secrets, Timer};
use crate::store::CmlReadings;

/// How long a controller may take; then what was read last is all there is to say.
const PATIENCE: Duration = Duration::from_secs(5);

/// A licence, and how fresh that is.
#[derive(Clone, Debug)]
pub struct LicenseDetails {
    /// The licence; null when it was never read.
    pub license: Option<License>,
    /// When that was read.
    pub read_at: Option<Timestamp>,
    /// Why it was not read just now; null when it was.
    pub not_live: Option<String>,
    /// What somebody should do something about, in words.
    pub warnings: Vec<String>,
}

/// The licence of a worker.
///
/// # Errors
/// The worker does not exist, or the table or the secrets failed. A controller that does not answer is none.
pub async fn get_license(
    ctx: &Context,
    (controllers, secrets, timer): (&dyn Controllers, &dyn Secrets, &dyn Timer),
    id: WorkerId,
) -> Result<LicenseDetails, AppError> {
    let worker = ctx.store.worker(id).await?;
    let now = ctx.now();
    let asking = Box::pin(read_live(ctx, controllers, secrets, &worker));
    let live = match select(asking, timer.after(PATIENCE)).await {
        Either::Left((live, _)) => live?,
        Either::Right(_) => Err(format!("The controller did not answer within {} s.", PATIENCE.as_secs())),
    };
    let (license, read_at, not_live) = match live {
        Ok(status) => (Some(license(status)), Some(now), None),
        Err(why) => {
            let last = ctx.store.latest::<CmlReadings>(id).await?.unwrap_or_default();
            let license = last.cml.license.map(|reading| License { reading, ..License::default() });
            let read_at = license.as_ref().and(last.license_at.or(last.read_at));
            (license, read_at, Some(why))
        }
    };
    let warnings = license.as_ref().map(|license| license.warnings(now)).unwrap_or_default();
    Ok(LicenseDetails { license, read_at, not_live, warnings })
}

async fn read_live(
    ctx: &Context,
    controllers: &dyn Controllers,
    secrets: &dyn Secrets,
    worker: &Worker,
) -> Result<Result<LicensingStatus, String>, AppError> {
    Ok(match reach(ctx, secrets, worker).await? {
        Ok(way) => controllers.licensing(way.access()).await.map_err(|error| error.to_string()),
        Err(no_way) => Err(no_way.message().to_owned()),
    })
}

fn license(status: LicensingStatus) -> License {
    let features = status.features.into_iter().map(|feature| Feature {
        id: feature.id,
        name: feature.name,
        in_use: feature.in_use,
        max: feature.max,
        status: feature.status,
    });
    License {
        reading: LicenseReading {
            registration: status.registration.status,
            authorization: status.authorization.status,
            product: status.product.active,
            expires_at: status.registration.expires_at,
        },
        authorization_expires_at: status.authorization.expires_at,
        features: Some(features.collect()),
    }
}
