//! `POST /api/auth/logout`

use app::use_cases::end_session::end_session;

use crate::api::Api;
use crate::auth::session::{forget_session, own_cookie, public_url};
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;
use crate::wire::Logout;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let public_url = public_url(&api.context)?;
    let logout_url = match own_cookie(request, public_url)? {
        Some(cookie) => end_session(&api.context, api.identity()?, api.sealer()?, cookie).await?,
        None => None,
    };
    Ok(Response::json(200, &Logout { logout_url }).cookie(forget_session(public_url)))
}
