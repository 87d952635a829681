//! Which role leads into another account.

use std::collections::BTreeMap;

use app::ports::PortError;
use async_trait::async_trait;
use domain::AccountId;

/// A role of another account, and the external id by which that account knows it is us who come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRole {
    /// The role's ARN.
    pub role_arn: String,
    /// What its trust policy asks for as `sts:ExternalId`.
    pub external_id: String,
}

impl AccountRole {
    /// Whether it is a role of that account: one of another would show its instances as this account's.
    pub(crate) fn is_of(&self, account: &AccountId) -> bool {
        // arn:<partition>:iam::<account>:role/<name>
        let mut parts = self.role_arn.splitn(6, ':');
        let (service, owner) = (parts.nth(2), parts.nth(1));
        service == Some("iam") && owner == Some(account.as_str())
    }
}

/// Where the roles of other accounts are looked up.
#[async_trait]
pub trait AccountRoles: Send + Sync {
    /// The role that leads into the account; null when none is set.
    async fn role(&self, account: &AccountId) -> Result<Option<AccountRole>, PortError>;
}

/// Roles that were given at the start.
#[derive(Clone, Debug, Default)]
pub struct FixedRoles(pub BTreeMap<AccountId, AccountRole>);

#[async_trait]
impl AccountRoles for FixedRoles {
    async fn role(&self, account: &AccountId) -> Result<Option<AccountRole>, PortError> {
        Ok(self.0.get(account).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_of_the_account_in_its_arn_and_of_no_other() {
        let account: AccountId = "222222222222".parse().unwrap();
        let role = |arn: &str| AccountRole { role_arn: arn.into(), external_id: "x".into() };
        assert!(role("arn:aws:iam::222222222222:role/ccm").is_of(&account));
        assert!(role("arn:aws-us-gov:iam::222222222222:role/path/ccm").is_of(&account));
        for other in
            ["arn:aws:iam::111111111111:role/ccm", "arn:aws:iam:222222222222::role/ccm", "222222222222", "", "::::::"]
        {
            assert!(!role(other).is_of(&account), "{other}");
        }
    }
}
