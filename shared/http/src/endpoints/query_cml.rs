//! `GET /api/workers/{worker_id}/cml/{path+}`

use app::use_cases::query_cml::query_cml;

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

/// Tells CML's answers, its errors too, from ours.
const ANSWERED_BY: &str = "x-answered-by";
/// What is handed on as what it is; the rest, a page of a web server's, as plain text: no page of a controller's
/// is to be one of ours.
const DATA: [&str; 3] = ["application/json", "application/yaml", "text/yaml"];

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let worker = request.worker_id()?;
    let person = request.caller()?.acting_person();
    let path = request.path_parameters.get("path").map_or("", String::as_str);
    let ports = (api.controllers()?, api.secrets()?);
    let answer = query_cml(&api.context, ports, &person, worker, path, &request.query).await?;
    let mut response = Response::text(content_type(answer.content_type.as_deref()), answer.text);
    response.status = answer.status;
    Ok(response.header(ANSWERED_BY, "cml"))
}

fn content_type(given: Option<&str>) -> &'static str {
    let media_type = given.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let data = DATA.into_iter().find(|data| media_type.eq_ignore_ascii_case(data));
    data.unwrap_or("text/plain; charset=utf-8")
}

#[cfg(test)]
mod tests {
    use super::content_type;

    #[test]
    fn a_page_of_a_controllers_is_none_of_ours() {
        assert_eq!(content_type(Some("application/json")), "application/json");
        assert_eq!(content_type(Some("Application/JSON; charset=utf-8")), "application/json");
        for other in [None, Some("text/html"), Some("text/html; application/json"), Some(""), Some("image/svg+xml")] {
            assert_eq!(content_type(other), "text/plain; charset=utf-8", "{other:?}");
        }
    }
}
