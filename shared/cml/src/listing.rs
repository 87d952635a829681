//! All labs by as few calls as it takes: one for the ids, one for the tiles that CML's own start page
//! is made of, and one for each lab that the tiles leave out.
//!
//! The tiles are not meant for others ("Do not use"), may go, and do not say whether they are of all
//! owners; so it is the ids that decide what there is.

use std::collections::BTreeMap;

use app::ports::{CmlError, CmlErrorKind, CmlLab, LabListing};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use serde_json::Value;

use crate::auth::Session;
use crate::call::Call;
use crate::errors::malformed;
use crate::lab;

const TILES: &str = "GET /populate_lab_tiles";
/// Tiles hold every topology without its configurations: some 100 kB for a large lab.
const TILES_BYTES: usize = 16 * 1024 * 1024;
/// Labs asked for at a time: a controller is busy with simulating.
const AT_A_TIME: usize = 4;
/// Labs read one by one; the rest waits for the next reading.
const ONE_BY_ONE: usize = 500;

pub(crate) async fn all(session: &Session<'_>) -> Result<LabListing, CmlError> {
    // The ids last: a lab made in between is read by itself, one deleted in between is left out.
    let mut tiles = match tiles(session).await {
        Err(error) if is_of_tiles_alone(&error) => BTreeMap::new(),
        tiles => tiles?,
    };
    let mut ids = lab::ids(session).await?;
    ids.sort_unstable();
    ids.dedup();
    let mut listing = LabListing::default();
    let mut missing = Vec::new();
    for id in ids {
        match tiles.remove(&id) {
            Some(lab) => listing.labs.push(lab),
            None => missing.push(id),
        }
    }
    let not_asked = missing.split_off(missing.len().min(ONE_BY_ONE));
    let alone = missing.into_iter().map(|id| one(session, id));
    let alone: Vec<Alone> = stream::iter(alone).buffered(AT_A_TIME).try_collect().await?;
    for (id, lab) in alone {
        match lab {
            Ok(lab) => listing.labs.push(lab),
            Err(error) if error.status == Some(404) => {}
            Err(error) => listing.unread.push((id, error)),
        }
    }
    let limit = || malformed(TILES, format!("more than {ONE_BY_ONE} labs are missing from its answer"));
    listing.unread.extend(not_asked.into_iter().map(|id| (id, limit())));
    listing.labs.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(listing)
}

type Alone = (String, Result<CmlLab, CmlError>);

/// One lab by itself. What concerns the controller ends the whole reading.
async fn one(session: &Session<'_>, id: String) -> Result<Alone, CmlError> {
    let lab = lab::one(session, &id).await;
    match lab {
        Err(error) if !only_this_call(&error) => Err(error),
        lab => Ok((id, lab)),
    }
}

/// There are no tiles, for whatever reason, but nothing says that the controller is away or another: a large answer
/// may take too long where small ones do not, and the ids tell.
fn is_of_tiles_alone(error: &CmlError) -> bool {
    error.operation == TILES && error.kind != CmlErrorKind::CertificateChanged
}

/// The controller is there and refuses, or cannot do, this one thing.
fn only_this_call(error: &CmlError) -> bool {
    match error.kind {
        CmlErrorKind::Refused | CmlErrorKind::Malformed => true,
        CmlErrorKind::Denied => error.status == Some(403) && error.operation != CmlError::SIGN_IN,
        CmlErrorKind::NotReady => matches!(error.status, Some(500 | 501)),
        CmlErrorKind::Unreachable | CmlErrorKind::CertificateChanged => false,
    }
}

async fn tiles(session: &Session<'_>) -> Result<BTreeMap<String, CmlLab>, CmlError> {
    let answer = session.bytes_up_to(TILES_BYTES, &Call::new(TILES)?.bulk()).await?;
    let tiles: Tiles = serde_json::from_slice(&answer)
        .map_err(|error| malformed(TILES, format!("its answer is not one of lab tiles (line {})", error.line())))?;
    let right = |(id, Tile(lab)): (String, Tile)| lab.filter(|lab| lab.id == id).map(|lab| (id, lab));
    Ok(tiles.lab_tiles.into_iter().filter_map(right).collect())
}

/// Read tile by tile: all topologies at once would take many times their size.
#[derive(Deserialize)]
struct Tiles {
    lab_tiles: BTreeMap<String, Tile>,
}

/// A tile, or none where it has no state or cannot be read.
#[derive(Deserialize)]
#[serde(from = "Value")]
struct Tile(Option<CmlLab>);

impl From<Value> for Tile {
    fn from(tile: Value) -> Self {
        Self(lab::lab(&tile).filter(|lab| lab.state.is_some()))
    }
}
