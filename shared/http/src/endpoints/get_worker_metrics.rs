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
    let to = time(request, "to")?.unwrap_or_else(|| api.context.now());
    let from = time(request, "from")?.unwrap_or_else(|| to - HISTORY_PAGE);
    let invalid = |field: &str, message: &str| Problem::invalid(&InvalidField::new(field, message).into());
    if from > to || to.duration_since(from) > HISTORY_MAX {
        return Err(invalid("from", "must be before to, and at most 31 days before it"));
    }
    // A page is a day at most; the cursor is where the next one begins.
    let begin = match request.cursor() {
        None => from,
        Some(text) => text
            .parse::<Timestamp>()
            .ok()
            .filter(|at| *at >= from && *at <= to)
            .ok_or_else(|| invalid("cursor", "must be a next_cursor of this list"))?,
    };
    let (samples, next) = history(&api.context, id, begin, to).await?;
    let items = samples.iter().map(SampleView::from).collect();
    Ok(Response::json(200, &SampleList { items, next_cursor: next.map(crate::wire::time) }))
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
