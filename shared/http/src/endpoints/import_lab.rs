//! `POST /api/workers/{worker_id}/labs`

use app::topology::TopologyFormat;
use app::use_cases::import_lab::{SentTopology, import_lab};
use domain::InvalidField;

use super::{accepted, asked};
use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let worker = request.worker_id()?;
    let asked = asked(request, "import-lab")?;
    let format = match request.media_type().as_str() {
        "application/yaml" | "application/x-yaml" | "text/yaml" | "text/x-yaml" => TopologyFormat::Yaml,
        "application/json" => TopologyFormat::Json,
        other => return Err(Problem::unsupported_media_type("application/yaml, text/yaml or application/json", other)),
    };
    let text = std::str::from_utf8(&request.body)
        .map_err(|_| Problem::invalid(&InvalidField::new("body", "must be text in UTF-8").into()))?;
    let title = request.query.get("title").map(String::as_str);
    let sent = SentTopology { text, format, title };
    Ok(accepted(&import_lab(&api.context, api.files()?, &asked, worker, sent).await?))
}
