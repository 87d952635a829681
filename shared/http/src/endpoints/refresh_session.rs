//! `POST /api/auth/refresh`

use app::sign_in::SignInError;
use app::use_cases::refresh_session::{Issuer, refresh_session};

use crate::api::Api;
use crate::auth::session::{forget_session, own_cookie, public_url};
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;
use crate::wire::SessionView;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let public_url = public_url(&api.context)?;
    let cookie = own_cookie(request, public_url)?.ok_or(SignInError::Over)?;
    let issuer = Issuer { provider: api.identity()?, tokens: api.auth.as_ref(), sealer: api.sealer()? };
    match refresh_session(&api.context, issuer, cookie).await {
        Ok(session) => Ok(Response::json(200, &SessionView::new(&session, &api.context.settings.sessions))),
        Err(error @ SignInError::Over) => Err(Problem::from(error).cookie(forget_session(public_url))),
        Err(error) => Err(error.into()),
    }
}
