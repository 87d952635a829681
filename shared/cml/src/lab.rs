//! Labs as CML tells of them: their ids, and one by itself.

use app::ports::{Autostart, CmlError, CmlLab, NodeStaging};
use serde_json::Value;

use crate::auth::Session;
use crate::call::Call;
use crate::errors::malformed;
use crate::json::{bool_at, count_at, id_of, identified, object, state_at, text_at, texts_at, time_at};

const LABS: &str = "GET /labs";
pub(crate) const LAB: &str = "GET /labs/{lab_id}";

pub(crate) async fn count(session: &Session<'_>) -> Result<u32, CmlError> {
    Ok(u32::try_from(ids(session).await?.len()).unwrap_or(u32::MAX))
}

/// The ids of all labs. One that is no text spoils the list: a lab left out would look deleted.
pub(crate) async fn ids(session: &Session<'_>) -> Result<Vec<String>, CmlError> {
    // show_all: without it only the reading user's own labs are there.
    let answer = session.json(&Call::new(LABS)?.query("show_all=true")).await?;
    let labs = answer.as_array().ok_or_else(|| malformed(LABS, "its answer is not a JSON array"))?;
    let ids = labs.iter().map(|id| id.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
    ids.ok_or_else(|| malformed(LABS, "its answer is not an array of ids"))
}

pub(crate) async fn one(session: &Session<'_>, lab_id: &str) -> Result<CmlLab, CmlError> {
    let answer = object(LAB, session.json(&Call::with_ids(LAB, &[lab_id])?).await?)?;
    identified(LAB, lab(&answer))
}

/// The lab of `GET /labs/{id}`, and of a tile.
pub(crate) fn lab(answer: &Value) -> Option<CmlLab> {
    Some(CmlLab {
        id: id_of(answer)?,
        title: text_at(answer, "/lab_title"),
        description: text_at(answer, "/lab_description"),
        notes: text_at(answer, "/lab_notes"),
        state: state_at(answer, "/state"),
        owner_id: text_at(answer, "/owner"),
        owner_username: text_at(answer, "/owner_username"),
        owner_fullname: text_at(answer, "/owner_fullname"),
        node_count: count_at(answer, "/node_count"),
        link_count: count_at(answer, "/link_count"),
        created_at: time_at(answer, "/created"),
        modified_at: time_at(answer, "/modified"),
        permissions: texts_at(answer, "/effective_permissions"),
        autostart: answer.get("autostart").filter(|autostart| autostart.is_object()).map(|autostart| Autostart {
            enabled: bool_at(autostart, "/enabled"),
            priority: count_at(autostart, "/priority"),
            delay_secs: count_at(autostart, "/delay"),
        }),
        node_staging: answer.get("node_staging").filter(|staging| staging.is_object()).map(|staging| NodeStaging {
            enabled: bool_at(staging, "/enabled"),
            start_remaining: bool_at(staging, "/start_remaining"),
            abort_on_failure: bool_at(staging, "/abort_on_failure"),
        }),
    })
}
