//! `GET /api/workers/{worker_id}/metrics`

use app::use_cases::read_workers::{HISTORY_MAX, HISTORY_PAGE, history};
use domain::{InvalidField, Timestamp};

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::{SampleList, SampleView};

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let id = request.worker_id()?;
    let limit = request.limit()? as usize;
    // Without `to` it ends now; the cursor keeps that now, so that the pages are of one list.
    let cursor = request.cursor().map(|text| cursor(&text)).transpose()?;
    let to = match (time(request, "to")?, cursor) {
        (Some(to), _) | (None, Some((_, to))) => to,
        (None, None) => api.context.now(),
    };
    let from = time(request, "from")?.unwrap_or_else(|| to - HISTORY_PAGE);
    let invalid = |field: &str, message: &str| Problem::invalid(&InvalidField::new(field, message).into());
    if from > to || to.duration_since(from) > HISTORY_MAX {
        return Err(invalid("from", "must be before to, and at most 31 days before it"));
    }
    let begin = match cursor {
        None => from,
        Some((begin, end)) if begin >= from && begin <= to && end == to => begin,
        Some(_) => return Err(invalid("cursor", "must be a next_cursor of this list")),
    };
    let (samples, next) = history(&api.context, id, begin, to, limit).await?;
    let items = samples.iter().map(SampleView::from).collect();
    Ok(Response::json(200, &SampleList { items, next_cursor: next.map(|next| format!("{next}/{to}")) }))
}

/// Where the next page begins, and where the list ends.
fn cursor(text: &str) -> Result<(Timestamp, Timestamp), Problem> {
    let times = text.split_once('/').and_then(|(begin, end)| Some((begin.parse().ok()?, end.parse().ok()?)));
    times.ok_or_else(|| Problem::invalid(&InvalidField::new("cursor", "must be a next_cursor of this list").into()))
}

fn time(request: &Request, name: &str) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = request.query.get(name) else { return Ok(None) };
    // Around the first and the last times there are, no span can be counted.
    let has_room = |at: &Timestamp| at.checked_sub(HISTORY_MAX).is_ok() && at.checked_add(HISTORY_MAX).is_ok();
    text.parse().ok().filter(has_room).map(Some).ok_or_else(|| {
        let field = InvalidField::new(name, "must be an RFC 3339 time such as 2026-01-31T12:00:00Z");
        Problem::invalid(&field.into())
    })
}
