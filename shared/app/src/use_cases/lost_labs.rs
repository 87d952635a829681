//! What is lost with a machine that is launched anew: its labs, as they were known last.

use domain::lab::Lab;
use domain::reconcile::lab::DesiredLab;
use domain::worker::Worker;
use domain::{LabId, WorkerId};
use futures::{StreamExt, TryStreamExt};

use crate::context::Context;
use crate::error::AppError;

/// Titles that are told; of the rest the number is.
const NAMED_MAX: usize = 10;
/// Labs whose backups are asked for at the same time.
const ASKED_AT_ONCE: usize = 10;

/// One lab that is lost.
struct Lost {
    title: String,
    /// Somebody wished it started.
    wished_started: bool,
    backed_up: bool,
}

/// What is lost with the worker's instance, in a sentence for the reason of its new launch: which labs, which of them
/// were wished started, and which can be restored. Null where no lab of it is known.
///
/// # Errors
/// The table failed.
pub(super) async fn what_is_lost(ctx: &Context, worker: &Worker) -> Result<Option<String>, AppError> {
    let mut labs = ctx.store.all_worker_labs(worker.id).await?;
    // Those are of a machine before.
    labs.retain(|lab| lab.missing_since.is_none());
    if labs.is_empty() {
        return Ok(None);
    }
    let wishes = ctx.store.lab_wishes(worker.id).await?;
    let started =
        |lab: &LabId| wishes.iter().any(|wish| wish.lab_id == *lab && wish.wish.desired == DesiredLab::Started);
    let looks = labs.into_iter().map(|lab| {
        let wished_started = started(&lab.id);
        async move { look(ctx, lab, wished_started).await }
    });
    let mut lost: Vec<Lost> = futures::stream::iter(looks).buffered(ASKED_AT_ONCE).try_collect().await?;
    lost.sort_by(|a, b| (!a.wished_started, &a.title).cmp(&(!b.wished_started, &b.title)));
    Ok(Some(sentence(worker.id, &lost)))
}

async fn look(ctx: &Context, lab: Lab, wished_started: bool) -> Result<Lost, AppError> {
    let backups = ctx.store.list_backups(Some((lab.worker_id, &lab.id)), 1, None).await?.items;
    Ok(Lost { title: lab.title, wished_started, backed_up: !backups.is_empty() })
}

fn sentence(worker: WorkerId, lost: &[Lost]) -> String {
    let named = |lab: &Lost| {
        let facts = [(lab.wished_started, "wished started"), (lab.backed_up, "backed up")];
        let facts: Vec<&str> = facts.into_iter().filter_map(|(holds, word)| holds.then_some(word)).collect();
        let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) };
        format!("{:?}{facts}", lab.title)
    };
    let mut labs = lost.iter().take(NAMED_MAX).map(named).collect::<Vec<_>>().join(", ");
    let more = lost.len().saturating_sub(NAMED_MAX);
    if more > 0 {
        labs = format!("{labs}, and {more} more");
    }
    let backed_up = lost.iter().filter(|lab| lab.backed_up).count();
    let then = if backed_up == 0 {
        "None of them has a backup".to_owned()
    } else {
        format!(
            "{backed_up} of {} can be restored (GET /api/backups?worker_id={worker}), which is not done unasked",
            lost.len()
        )
    };
    format!("Labs lost with it: {labs}. {then}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(title: &str, wished_started: bool, backed_up: bool) -> Lost {
        Lost { title: title.into(), wished_started, backed_up }
    }

    fn worker() -> WorkerId {
        WorkerId::new(domain::Timestamp::UNIX_EPOCH, 7)
    }

    #[test]
    fn at_most_ten_labs_are_named_and_the_rest_counted() {
        let labs: Vec<Lost> = (0..12).map(|number| lost(&format!("lab {number:02}"), false, false)).collect();
        let ten = sentence(worker(), &labs[..10]);
        assert!(ten.contains("\"lab 09\". None of them has a backup."), "{ten}");
        let twelve = sentence(worker(), &labs);
        assert!(twelve.contains("\"lab 09\", and 2 more. None") && !twelve.contains("lab 10"), "{twelve}");
    }

    #[test]
    fn what_was_wished_started_and_what_can_be_restored_is_told() {
        let told = sentence(worker(), &[lost("a", true, true), lost("b", false, true), lost("c", true, false)]);
        let expected = format!(
            "Labs lost with it: \"a\" (wished started, backed up), \"b\" (backed up), \"c\" (wished started). 2 of 3 can \
             be restored (GET /api/backups?worker_id={}), which is not done unasked.",
            worker()
        );
        assert_eq!(told, expected);
    }
}
