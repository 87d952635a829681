//! Where a token says which roles its bearer has, and what they are called there.

use std::collections::BTreeMap;

use domain::Role;
use serde_json::Value;

/// Where roles are, and what they are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRules {
    /// Claims with role names, as JSON pointers (RFC 6901): `/realm_access/roles`, `/cognito:groups`.
    pub claims: Vec<String>,
    /// Names that mean a role of ours, beside the roles' own.
    pub names: BTreeMap<String, Role>,
}

impl RoleRules {
    /// What Keycloak and Cognito do by themselves: realm roles, roles of the clients, groups.
    #[must_use]
    pub fn usual(clients: &[String]) -> Self {
        let escaped = |client: &String| client.replace('~', "~0").replace('/', "~1");
        let of_clients = clients.iter().map(|client| format!("/resource_access/{}/roles", escaped(client)));
        let fixed = ["/realm_access/roles", "/cognito:groups"].map(str::to_owned);
        Self { claims: fixed.into_iter().chain(of_clients).collect(), names: BTreeMap::new() }
    }

    /// The greatest role that a token gives.
    pub(super) fn greatest(&self, says: &Value) -> Option<Role> {
        let listed = self.claims.iter().filter_map(|pointer| says.pointer(pointer)).filter_map(Value::as_array);
        listed.flatten().filter_map(|name| self.role(name.as_str()?)).max()
    }

    fn role(&self, name: &str) -> Option<Role> {
        self.names.get(name).copied().or_else(|| Role::from_name(name))
    }
}
