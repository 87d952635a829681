//! Users and groups of a controller, read only.

use async_trait::async_trait;
use domain::Timestamp;

use super::{CmlAccess, CmlError};

/// A CML user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CmlUser {
    /// CML's id of them.
    pub id: String,
    /// The name they sign in with.
    pub username: Option<String>,
    /// Their full name.
    pub fullname: Option<String>,
    /// Their address.
    pub email: Option<String>,
    /// May do everything.
    pub is_admin: Option<bool>,
    /// The ids of the groups they are in.
    pub groups: Vec<String>,
    /// When they were made.
    pub created_at: Option<Timestamp>,
}

/// A CML group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CmlGroup {
    /// CML's id of it.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The ids of the users in it.
    pub members: Vec<String>,
}

/// Whose credentials ours are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CmlIdentity {
    /// The user's id.
    pub user_id: Option<String>,
    /// The user's name.
    pub username: Option<String>,
    /// May do everything; null when CML does not say.
    pub is_admin: Option<bool>,
}

/// A controller's users.
#[async_trait]
pub trait CmlUsers: Send + Sync {
    /// Whose credentials these are, as the controller knows them now.
    async fn who_am_i(&self, access: CmlAccess<'_>) -> Result<CmlIdentity, CmlError>;

    /// Every user.
    async fn users(&self, access: CmlAccess<'_>) -> Result<Vec<CmlUser>, CmlError>;

    /// Every group.
    async fn groups(&self, access: CmlAccess<'_>) -> Result<Vec<CmlGroup>, CmlError>;
}
