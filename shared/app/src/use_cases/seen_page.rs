//! Pages of a list of which a caller sees only some entries.

use async_trait::async_trait;
use domain::Sight;

use crate::error::AppError;
use crate::store::Listed;

/// Entries read at a time. For one who sees few, most are passed over.
const CHUNK: u32 = 200;
/// Pages read for one answer when a filter matches little and everything may be seen.
const PAGES_PER_ANSWER: usize = 10;

/// A list, and what of it is shown.
#[async_trait]
pub(super) trait Rows<T: Send>: Sync {
    /// A page of the list as it is stored.
    async fn page(&self, limit: u32, after: Option<String>) -> Result<Listed<T>, AppError>;

    /// For each of these entries whether it is shown.
    async fn shown(&self, entries: &[T]) -> Result<Vec<bool>, AppError>;
}

/// A page of at most `limit` entries that somebody with this sight is shown.
pub(super) async fn seen_page<T: Send>(
    sight: &Sight,
    rows: &dyn Rows<T>,
    limit: u32,
    cursor: Option<String>,
) -> Result<Listed<T>, AppError> {
    match sight {
        Sight::Everything => any_page(rows, limit, cursor).await,
        Sight::Own { .. } => own_page(rows, limit, cursor).await,
    }
}

/// A page of at most `limit` shown entries, for one who may see all: it may be short and still have a next
/// one, so that a filter that matches little costs no scan.
async fn any_page<T: Send>(rows: &dyn Rows<T>, limit: u32, cursor: Option<String>) -> Result<Listed<T>, AppError> {
    let (mut items, mut next) = (Vec::new(), cursor);
    for _ in 0..PAGES_PER_ANSWER {
        let missing = limit.saturating_sub(u32::try_from(items.len()).unwrap_or(limit));
        let page = rows.page(missing, next).await?;
        let shown = rows.shown(&page.items).await?;
        items.extend(page.items.into_iter().zip(shown).filter_map(|(entry, shown)| shown.then_some(entry)));
        next = page.next;
        if next.is_none() || items.len() >= limit as usize {
            break;
        }
    }
    Ok(Listed { items, next })
}

/// The same for one who sees only some: a cursor tells the entry where a page ended, so it ends at one that is
/// shown. What lies between is read, and nothing told of it.
async fn own_page<T: Send>(rows: &dyn Rows<T>, limit: u32, cursor: Option<String>) -> Result<Listed<T>, AppError> {
    let (mut items, mut after) = (Vec::new(), cursor);
    loop {
        let page = rows.page(CHUNK, after.clone()).await?;
        let shown = rows.shown(&page.items).await?;
        for (at, (entry, shown)) in page.items.into_iter().zip(shown).enumerate() {
            if !shown {
                continue;
            }
            items.push(entry);
            if items.len() >= limit as usize {
                let end = u32::try_from(at + 1).unwrap_or(CHUNK);
                return Ok(Listed { items, next: rows.page(end, after).await?.next });
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(Listed { items, next: None });
        }
    }
}
