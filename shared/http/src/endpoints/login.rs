//! `GET /api/auth/login`

use app::use_cases::begin_login::begin_login;

use crate::api::Api;
use crate::auth::session::{Cookie, login_cookie, public_url};
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let public_url = public_url(&api.context)?;
    let return_to = request.query.get("return_to").map(String::as_str);
    let begun = request.cookie(Cookie::Login.name(public_url));
    let login = begin_login(&api.context, api.identity()?, return_to, begun).await?;
    Ok(Response::found(login.url).cookie(login_cookie(public_url, &login.browser)))
}
