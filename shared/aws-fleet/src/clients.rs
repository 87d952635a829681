//! A client for each account and region. A client of another place says "not found" of what runs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use app::ports::Ec2Error;
use aws_config::identity::IdentityCache;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{Region, SdkConfig};
use aws_sdk_ec2::config::SharedCredentialsProvider;
use domain::{AccountId, Place};

use crate::accounts::{AccountRole, AccountRoles};
use crate::recent::Recent;

/// Places whose clients are kept. A client holds no connection of its own: all share one HTTP client.
const MOST_PLACES: usize = 128;
/// Accounts whose credentials are kept.
const MOST_ACCOUNTS: usize = 64;
/// Credentials are renewed so long before they end, so that no call is signed with ended ones.
const RENEW_BEFORE: Duration = Duration::from_secs(120);
/// Source: STS API reference, `AssumeRole`, `RoleSessionName`.
const SESSION_NAME_MAX: usize = 64;

const ASSUME_ROLE: &str = "AssumeRole";

/// The clients of one place.
#[derive(Clone, Debug)]
pub(crate) struct PlaceClients {
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) cloudwatch: aws_sdk_cloudwatch::Client,
}

/// Clients by account and region, built when first needed. The home account is reached with the
/// function's own credentials, any other with a role of that account. An account's role is looked up
/// once in the life of the process.
pub struct FleetClients {
    config: SdkConfig,
    home: AccountId,
    session_name: String,
    roles: Arc<dyn AccountRoles>,
    accounts: Recent<AccountId, SdkConfig>,
    places: Recent<Place, PlaceClients>,
}

impl fmt::Debug for FleetClients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FleetClients").field("home", &self.home).finish_non_exhaustive()
    }
}

impl FleetClients {
    /// Clients made of `config`, for the function of that name, which runs in the account `home`.
    #[must_use]
    pub fn new(config: &SdkConfig, home: AccountId, function: &str, roles: Arc<dyn AccountRoles>) -> Self {
        let session_name = session_name(&home, function);
        let mut own = config.to_builder().timeout_config(timeouts());
        // Assuming a role panics without a clock, and only a loaded configuration has one.
        own.set_time_source(Some(config.time_source().unwrap_or_default()));
        Self {
            config: own.build(),
            home,
            session_name,
            roles,
            accounts: Recent::new(MOST_ACCOUNTS),
            places: Recent::new(MOST_PLACES),
        }
    }

    pub(crate) async fn of(&self, place: &Place) -> Result<PlaceClients, Ec2Error> {
        if let Some(clients) = self.places.get(place) {
            return Ok(clients);
        }
        let account = self.account_config(&place.account).await?;
        let config = account.to_builder().region(Region::new(place.region.as_str().to_owned())).build();
        let clients = PlaceClients {
            ec2: aws_sdk_ec2::Client::new(&config),
            cloudwatch: aws_sdk_cloudwatch::Client::new(&config),
        };
        Ok(self.places.keep(place.clone(), clients))
    }

    async fn account_config(&self, account: &AccountId) -> Result<SdkConfig, Ec2Error> {
        if *account == self.home {
            return Ok(self.config.clone());
        }
        if let Some(config) = self.accounts.get(account) {
            return Ok(config);
        }
        let role = self.role(account).await?;
        Ok(self.accounts.keep(account.clone(), self.assuming(role).await))
    }

    async fn role(&self, account: &AccountId) -> Result<AccountRole, Ec2Error> {
        let failed = |code: &str, message: String| Ec2Error { operation: ASSUME_ROLE, code: code.into(), message };
        let role = self.roles.role(account).await.map_err(|error| failed("Unavailable", error.to_string()))?;
        let role = role.ok_or_else(|| failed("NoRole", format!("No role is set for the account {account}.")))?;
        if !role.is_of(account) {
            let message = format!("The role {} is not one of the account {account}.", role.role_arn);
            return Err(failed("WrongRole", message));
        }
        Ok(role)
    }

    /// The configuration that acts in that role. Its credentials are asked for at the first call, and
    /// kept for all of the account's regions until shortly before they end.
    async fn assuming(&self, role: AccountRole) -> SdkConfig {
        let provider = AssumeRoleProvider::builder(role.role_arn)
            .external_id(role.external_id)
            .session_name(&self.session_name)
            .configure(&self.config)
            .build()
            .await;
        self.config
            .to_builder()
            .credentials_provider(SharedCredentialsProvider::new(provider))
            .identity_cache(IdentityCache::lazy().buffer_time(RENEW_BEFORE).build())
            .build()
    }
}

/// A launch, or a page of a thousand instances, takes EC2 longer than the store takes for an item.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_secs(10))
        .operation_timeout(Duration::from_secs(25))
        .build()
}

/// What the other account reads in its CloudTrail: from which account, and which function.
fn session_name(home: &AccountId, function: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "_+=,.@-".contains(c) { c } else { '-' };
    format!("ccm-{home}-{function}").chars().map(allowed).take(SESSION_NAME_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_name_has_at_most_64_characters_that_sts_allows() {
        let home: AccountId = "111111111111".parse().unwrap();
        assert_eq!(session_name(&home, "run-operation"), "ccm-111111111111-run-operation");
        assert_eq!(session_name(&home, "a b/ü"), "ccm-111111111111-a-b--");
        assert_eq!(session_name(&home, &"x".repeat(100)).len(), 64);
    }
}
