//! `GET /api/auth/callback`

use app::use_cases::finish_login::{Callback, finish_login};

use crate::api::Api;
use crate::auth::session::{Cookie, public_url, session_cookie};
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let public_url = public_url(&api.context)?;
    let query = |name: &str| request.query.get(name).map(String::as_str);
    let callback = Callback {
        state: query("state"),
        code: query("code"),
        issuer: query("iss"),
        error: query("error"),
        browser: request.cookie(Cookie::Login.name(public_url)),
        previous: request.cookie(Cookie::Session.name(public_url)),
    };
    let login = finish_login(&api.context, api.identity()?, api.auth.as_ref(), api.sealer()?, &callback).await?;
    let cookie = session_cookie(public_url, &login.cookie, &login.session, login.session.created_at);
    Ok(Response::found(login.location).cookie(cookie))
}
