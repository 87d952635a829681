//! `GET /api/workers/{worker_id}/labs/{lab_id}/download`

use app::use_cases::read_labs::download_lab;

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

/// Most characters of a title in a file's name.
const NAME_MAX_CHARS: usize = 60;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let (worker, lab) = (request.worker_id()?, request.lab_id()?);
    let person = request.caller()?.acting_person();
    let ports = (api.controllers()?, api.secrets()?);
    let (lab, yaml) = download_lab(&api.context, ports, &person, worker, &lab).await?;
    let disposition = format!("attachment; filename=\"{}.yaml\"", file_name(&lab.title));
    Ok(Response::text("application/yaml", yaml).header("content-disposition", disposition))
}

/// The title as a file's name on any system: what is no letter, digit, `-` or `_` is a hyphen.
fn file_name(title: &str) -> String {
    let usual = |letter: char| if letter.is_ascii_alphanumeric() || letter == '_' { letter } else { '-' };
    let name: String = title.chars().map(usual).take(NAME_MAX_CHARS).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "lab".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn a_title_becomes_a_files_name_that_breaks_out_of_no_header() {
        assert_eq!(file_name("Two routers (v2)"), "Two-routers--v2");
        assert_eq!(file_name("a\"\r\nset-cookie: x"), "a---set-cookie--x");
        assert_eq!(file_name("../../etc"), "etc");
        assert_eq!(file_name("\u{1f4a5}"), "lab");
        assert_eq!(file_name(&"x".repeat(64)).len(), 60);
    }
}
