//! `GET /api/auth/session`

use app::sign_in::SignInError;
use app::use_cases::read_session::read_session;

use crate::api::Api;
use crate::auth::session::{Cookie, public_url};
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;
use crate::wire::SessionView;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let cookie = request.cookie(&Cookie::Session.name(public_url(&api.context)?)).ok_or(SignInError::Over)?;
    let stored = read_session(&api.context, cookie).await?;
    Ok(Response::json(200, &SessionView::new(&stored.session, &api.context.settings.sessions)))
}
