//! What every store of secrets must do, whatever it is made of.

use crate::ports::{CmlCredentials, CmlLogins, LicenseToken, PortError, Secrets};

/// Tries a store of secrets that has none yet below the references used here.
///
/// # Errors
/// What it does not do, or how it failed.
pub async fn check_secrets(secrets: &dyn Secrets) -> Result<(), String> {
    let failed = |error: PortError| error.to_string();
    let pair = |password: &str| CmlCredentials { username: "ccm".into(), password: password.into() };
    let set = async |password: &str| secrets.set_cml_credentials("contract", &pair(password)).await.map_err(failed);
    let is = async |current: &str, previous: Option<&str>, what: &str| {
        let wanted = CmlLogins { current: pair(current), previous: previous.map(pair) };
        let kept = secrets.cml_credentials("contract").await.map_err(failed)?;
        if kept == Some(wanted) { Ok(()) } else { Err(format!("this does not hold: {what}")) }
    };
    let holds = |so: bool, what: &str| if so { Ok(()) } else { Err(format!("this does not hold: {what}")) };

    let never = secrets.cml_credentials("contract-never").await.map_err(failed)?;
    holds(never.is_none(), "a pair that was never set is none")?;
    set("one").await?;
    is("one", None, "the first pair has none before it").await?;
    set("one").await?;
    is("one", None, "nor has it when it is set again").await?;
    set("two").await?;
    is("two", Some("one"), "the pair that was set is the one before").await?;
    for _ in 0..2 {
        set("two").await?;
        is("two", Some("one"), "the same pair again forgets nothing").await?;
    }
    set("one").await?;
    is("one", Some("two"), "a pair may come back").await?;
    set("three").await?;
    is("three", Some("one"), "the last two are kept").await?;

    let token = LicenseToken("contract-token".into());
    secrets.put_token("contract", &token).await.map_err(failed)?;
    holds(secrets.token("contract").await.map_err(failed)? == Some(token), "a token comes back")?;
    for _ in 0..2 {
        secrets.delete_token("contract").await.map_err(failed)?;
        holds(secrets.token("contract").await.map_err(failed)?.is_none(), "a deleted token is none")?;
    }
    Ok(())
}
