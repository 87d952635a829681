//! Begin a sign-in: keep what its end is checked with, and tell where the browser signs in.

use domain::{InvalidField, SignedDuration};

use crate::context::Context;
use crate::error::AppError;
use crate::ports::{AuthorizationRequest, IdentityProvider, PortError};
use crate::public_url::PublicUrl;
use crate::secret::{hash, new_secret, pkce_challenge};
use crate::sign_in::unavailable;
use crate::store::PendingLogin;

/// Where the browser comes back to.
pub const CALLBACK_PATH: &str = "/api/auth/callback";
/// How long a sign-in may take.
pub const GOOD_FOR: SignedDuration = SignedDuration::from_mins(10);
/// Longest path to return to.
const RETURN_TO_MAX_BYTES: usize = 2048;

/// A sign-in that has begun.
pub struct BegunLogin {
    /// Where the browser is sent.
    pub url: String,
    /// What the browser keeps to show, in the end, that it is the one that began.
    pub browser: String,
}

/// Begins a sign-in that ends at the local path `return_to`. A browser that has begun another one keeps its
/// value, so that both can be finished.
///
/// # Errors
/// `return_to` leads elsewhere, or the table or the issuer cannot be reached.
pub async fn begin_login(
    ctx: &Context,
    provider: &dyn IdentityProvider,
    return_to: Option<&str>,
    browser: Option<&str>,
) -> Result<BegunLogin, AppError> {
    let return_to = return_to.unwrap_or("/");
    if !is_local_path(return_to) {
        return Err(InvalidField::new("return_to", "must be a path of this site, such as /workers").into());
    }
    let random = ctx.random.as_ref();
    let browser = browser.filter(|value| is_secret(value)).map_or_else(|| new_secret(random), str::to_owned);
    let (state, nonce, verifier) = (new_secret(random), new_secret(random), new_secret(random));
    let login = PendingLogin {
        browser_hash: hash(&browser),
        nonce: nonce.clone(),
        verifier: verifier.clone(),
        return_to: return_to.to_owned(),
        good_until: ctx.machine_clock.now() + GOOD_FOR,
    };
    let redirect_uri = public_url(ctx)?.at(CALLBACK_PATH);
    let code_challenge = pkce_challenge(&verifier);
    let request = AuthorizationRequest { redirect_uri, state: state.clone(), nonce, code_challenge };
    // The issuer first: while it is away nothing needs to be kept.
    let url = provider.authorization_url(&request).await.map_err(unavailable)?;
    ctx.store.save_login(&hash(&state), &login).await?;
    Ok(BegunLogin { url, browser })
}

/// Where browsers reach us.
pub(super) fn public_url(ctx: &Context) -> Result<&PublicUrl, AppError> {
    let missing = || AppError::Unavailable(PortError::new("settings", "PUBLIC_URL is not set"));
    ctx.settings.public_url.as_ref().ok_or_else(missing)
}

/// Whether browsers stay on this site when they are sent there.
fn is_local_path(path: &str) -> bool {
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    plain && path.len() <= RETURN_TO_MAX_BYTES && path.starts_with('/') && !path.starts_with("//")
}

/// Whether it may be a value of ours: nothing else is taken over from a cookie.
fn is_secret(value: &str) -> bool {
    value.len() == 43 && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    #[test]
    fn only_a_path_of_this_site_is_returned_to() {
        for path in ["/", "/workers", "/workers?status=running#first", "/a%2f%2fb", "/@evil.example", "/a//b"] {
            assert!(is_local_path(path), "{path}");
        }
        for path in [
            "",
            "workers",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            " /workers",
            "/a b",
            "https://evil.example",
            "javascript:alert(1)",
            "/\u{e9}",
            "/\u{0}",
        ] {
            assert!(!is_local_path(path), "{path:?}");
        }
        assert!(!is_local_path(&format!("/{}", "a".repeat(3000))));
    }

    proptest! {
        #[test]
        fn a_browser_that_follows_it_stays_here(path in "[/\\\\.@:?#a\t\n%]{0,12}") {
            let here = Url::parse("https://ccm.example.com/api/auth/callback").unwrap();
            if is_local_path(&path) {
                prop_assert_eq!(here.join(&path).unwrap().origin(), here.origin());
                let public: PublicUrl = "https://ccm.example.com".parse().unwrap();
                prop_assert_eq!(Url::parse(&public.at(&path)).unwrap().origin(), here.origin());
            }
        }
    }
}
