//! Look for CML instances of one account and region that no worker stands for.

use std::collections::BTreeSet;

use domain::discovery::{Sighting, sweep};
use domain::instance::MANAGED_TAG;
use domain::{InstanceId, Place};

use crate::context::Context;
use crate::error::AppError;
use crate::ports::{Ec2, Ec2Error, InstanceFilter};
use crate::store::PlaceLook;

/// Looks by image, as an import of all does, and by our tag. Nothing is changed in EC2. A place where EC2 refuses is
/// noted as such, and what was known of it stays: one look that failed tells nothing.
///
/// # Errors
/// The table failed; the message is delivered again.
pub async fn discover_instances(ctx: &Context, ec2: &dyn Ec2, place: &Place) -> Result<(), AppError> {
    let now = ctx.now();
    let error = match look(ctx, ec2, place).await {
        Ok(sightings) => {
            let known = ctx.store.discovered_in(place).await?;
            let mut ids: BTreeSet<InstanceId> = sightings.iter().map(|sighting| sighting.seen.id.clone()).collect();
            ids.extend(known.iter().map(|one| one.instance_id.clone()));
            let claimed = ctx.store.claimed(place, &ids).await?;
            let swept = sweep(place, &known, &sightings, &claimed, now);
            tracing::info!(%place, unmanaged = swept.keep.len(), gone = swept.forget.len(), "discovery looked");
            ctx.store.save_sweep(place, &swept).await?;
            None
        }
        Err(error) => {
            tracing::warn!(%place, %error, "discovery could not look; the next tick does");
            Some(format!("{}: {}", error.code, error.message))
        }
    };
    ctx.store.save_look(&PlaceLook { place: place.clone(), looked_at: now, error }).await
}

async fn look(ctx: &Context, ec2: &dyn Ec2, place: &Place) -> Result<Vec<Sighting>, Ec2Error> {
    let tagged = ec2.describe(place, &InstanceFilter::Tag(MANAGED_TAG.into(), None)).await?;
    let images = ec2.images(place, ctx.settings.ami_name(&place.region), &ctx.settings.trusted_image_owners).await?;
    let images: Vec<String> = images.into_iter().map(|image| image.id).collect();
    let of_images = match images.is_empty() {
        true => vec![],
        false => ec2.describe(place, &InstanceFilter::Images(images)).await?,
    };
    let sighting = |seen: domain::instance::InstanceObservation| {
        let tagged = seen.tags.contains_key(MANAGED_TAG);
        Sighting { seen, tagged }
    };
    Ok(tagged.into_iter().chain(of_images).map(sighting).collect())
}
