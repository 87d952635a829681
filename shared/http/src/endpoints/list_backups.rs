//! `GET /api/backups`

use app::use_cases::read_backups::{BackupFilter, list_backups};
use domain::InvalidField;

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::{BackupList, BackupView};

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let wrong = |name: &'static str, what: &'static str| {
        move |_: InvalidField| Problem::invalid(&InvalidField::new(name, what).into())
    };
    let worker = request.query.get("worker_id").map(|text| text.parse()).transpose();
    let lab = request.query.get("lab_id").map(|text| text.parse()).transpose();
    let filter = BackupFilter {
        worker: worker.map_err(wrong("worker_id", "must be a worker's id"))?,
        lab: lab.map_err(wrong("lab_id", "must be a lab's id"))?,
    };
    let person = request.caller()?.acting_person();
    let page = list_backups(&api.context, &person, &filter, request.limit()?, request.cursor()).await?;
    let items = page.items.iter().map(BackupView::from).collect();
    Ok(Response::json(200, &BackupList { items, next_cursor: page.next }))
}
