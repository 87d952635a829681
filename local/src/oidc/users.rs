//! Who can sign in.

/// The password of all of them.
pub(crate) const PASSWORD: &str = "test";

/// A user of the development issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    /// The stable subject.
    pub(crate) id: &'static str,
    /// The name.
    pub(crate) name: &'static str,
    /// The one realm role.
    pub(crate) role: &'static str,
}

/// All users: one for each role.
pub(crate) const USERS: [User; 3] = [
    User { id: "2f6c1b5e-0a51-4c7e-9d0e-6c1f5b1d7a01", name: "admin", role: "admin" },
    User { id: "2f6c1b5e-0a51-4c7e-9d0e-6c1f5b1d7a02", name: "manager", role: "manager" },
    User { id: "2f6c1b5e-0a51-4c7e-9d0e-6c1f5b1d7a03", name: "user", role: "user" },
];

/// The user of that name.
pub(super) fn find(name: &str) -> Option<&'static User> {
    USERS.iter().find(|user| user.name == name)
}

/// The user of that subject.
pub(super) fn by_id(id: &str) -> Option<&'static User> {
    USERS.iter().find(|user| user.id == id)
}

/// The user, if the password is right.
pub(super) fn sign_in(name: &str, password: &str) -> Option<&'static User> {
    find(name).filter(|_| password == PASSWORD)
}
