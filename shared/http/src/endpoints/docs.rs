//! docs: a page to read and try the API. It needs nothing from elsewhere and runs nothing but itself.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

const PAGE: &str = include_str!("docs.html");

/// Allows the page's own script and style by their hashes, and calls to where it came from.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; connect-src 'self'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash_of("script"),
        hash_of("style")
    )
});

/// The hash of the text in the page's one element of that name, as a policy spells it.
fn hash_of(element: &str) -> String {
    let text = PAGE.split_once(&format!("<{element}>")).and_then(|(_, rest)| rest.split_once(&format!("</{element}>")));
    let digest = Sha256::digest(text.map_or("", |(text, _)| text));
    format!("sha256-{}", STANDARD.encode(digest))
}

#[expect(clippy::unused_async, reason = "one signature for all handlers")]
pub(crate) async fn handle(_api: &Api, _request: &Request) -> Result<Response, Problem> {
    Ok(Response::text("text/html; charset=utf-8", PAGE.to_owned()).header("content-security-policy", POLICY.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_one_script_and_one_style_and_loads_nothing() {
        for element in ["script", "style"] {
            assert_eq!(PAGE.matches(&format!("<{element}")).count(), 1, "{element}");
            assert_ne!(
                hash_of(element),
                format!("sha256-{}", STANDARD.encode(Sha256::digest(""))),
                "{element} is found"
            );
        }
        // The policy would block these, so the page would be broken.
        for unwanted in ["http://", "https://", " style=\"", " onclick", "innerHTML", "<base", "src="] {
            assert!(!PAGE.contains(unwanted), "{unwanted}");
        }
        assert!(!POLICY.contains("unsafe"));
    }
}
