//! Which address of a worker leads to its controller.

/// Which of an instance's addresses CML is reached at. An address that an admin set comes before any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CmlAddress {
    /// The public one.
    Public,
    /// The private one.
    Private,
    /// None: only what an admin set.
    Named,
}

impl CmlAddress {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Public, Self::Private, Self::Named];

    /// Its name in the settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Named => "dns",
        }
    }

    /// The choice of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.name() == name)
    }

    /// Why a worker that runs has no address, in words for its users.
    #[must_use]
    pub fn missing(self) -> &'static str {
        match self {
            Self::Public => "The instance has no public address, and CML is reached at public addresses here.",
            Self::Private => "The instance has no private address, and CML is reached at private addresses here.",
            Self::Named => "CML is reached by name here, and no cml_endpoint is set for this worker.",
        }
    }
}
