//! Whose things are whose: what a user may see, and on which labs they may act.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::actor::{Actor, Role};
use crate::invalid::InvalidField;
use crate::session::Person;

/// Whether users see the whole fleet, or only what is theirs. Managers and admins see everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Visibility {
    /// The whole fleet.
    #[default]
    All,
    /// What is theirs.
    Own,
}

impl Visibility {
    /// Each of them.
    pub const ALL: [Self; 2] = [Self::All, Self::Own];

    /// The name in settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Own => "own",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|visibility| visibility.name() == name)
    }

    /// What that person sees.
    #[must_use]
    pub fn of(self, person: &Person) -> Sight {
        if self == Self::All || person.role >= Role::Manager {
            return Sight::Everything;
        }
        Sight::Own { subject: person.subject.clone(), username: person.username.clone() }
    }
}

/// What somebody sees. What they do not see does not exist for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// All there is.
    Everything,
    /// What is theirs.
    Own {
        /// The identity provider's stable id.
        subject: String,
        /// The name that owners are given by.
        username: String,
    },
}

impl Sight {
    /// Whether they see what that owner has. What nobody owns is not theirs.
    #[must_use]
    pub fn sees(&self, owner: Option<&str>) -> bool {
        match self {
            Self::Everything => true,
            Self::Own { username, .. } => owner == Some(username),
        }
    }

    /// Whether they see what that actor began.
    #[must_use]
    pub fn sees_work_of(&self, actor: &Actor) -> bool {
        match (self, actor) {
            (Self::Everything, _) => true,
            (Self::Own { subject, .. }, Actor::User { subject: began, .. }) => subject == began,
            (Self::Own { .. }, _) => false,
        }
    }
}

/// Which of our users a CML user is. CML knows its users by name, and so do we.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LabOwners {
    /// The one of the same name, letter for letter.
    #[default]
    SameName,
    /// Our user by CML user. Who is not in it is nobody of ours.
    Table(BTreeMap<String, String>),
    /// Nobody: users read labs and act on none.
    Nobody,
}

impl LabOwners {
    /// Our user behind a lab's CML owner.
    #[must_use]
    pub fn owner<'a>(&'a self, cml_username: &'a str) -> Option<&'a str> {
        match self {
            Self::SameName => Some(cml_username).filter(|name| !name.is_empty()),
            Self::Table(ours) => ours.get(cml_username).map(String::as_str),
            Self::Nobody => None,
        }
    }

    /// Whether that person may start, stop, wipe, change or delete a lab of that CML owner: managers and
    /// admins any lab, users their own.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, person: &Person, cml_username: Option<&str>) -> Result<(), LabRefusal> {
        if person.role >= Role::Manager {
            return Ok(());
        }
        if *self == Self::Nobody {
            return Err(LabRefusal::ReadOnly);
        }
        let owner = cml_username.and_then(|name| self.owner(name));
        if owner == Some(person.username.as_str()) { Ok(()) } else { Err(LabRefusal::NotTheirs) }
    }
}

/// Why somebody may not act on a lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabRefusal {
    /// Users may act on no lab at all.
    #[error("users only read labs here; ask a manager")]
    ReadOnly,
    /// Its owner in CML is somebody else, or nobody we know.
    #[error("this lab belongs to somebody else; users act on their own labs, managers on all")]
    NotTheirs,
}

impl FromStr for LabOwners {
    type Err = InvalidField;

    /// `same-name`, `nobody`, or pairs: `<CML user>=<our user>, ...`.
    fn from_str(text: &str) -> Result<Self, InvalidField> {
        let wrong = || {
            InvalidField::new(
                "lab_owners",
                "must be same-name, nobody, or pairs such as cml-ada=ada,cml-bob=bob, each CML user once",
            )
        };
        match text.trim() {
            "same-name" => return Ok(Self::SameName),
            "nobody" => return Ok(Self::Nobody),
            _ => {}
        }
        let mut ours = BTreeMap::new();
        for pair in text.split(',') {
            let (cml, our) = pair.split_once('=').ok_or_else(wrong)?;
            let (cml, our) = (cml.trim(), our.trim());
            if cml.is_empty() || our.is_empty() || ours.insert(cml.to_owned(), our.to_owned()).is_some() {
                return Err(wrong());
            }
        }
        Ok(Self::Table(ours))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn person(role: Role, username: &str) -> Person {
        Person { subject: format!("id-of-{username}"), username: username.into(), role }
    }

    fn roles() -> impl Strategy<Value = Role> {
        prop::sample::select(Role::ALL.to_vec())
    }

    #[test]
    fn a_user_sees_their_own_when_the_setting_says_so_and_managers_see_all() {
        let ada = person(Role::User, "ada");
        assert_eq!(Visibility::All.of(&ada), Sight::Everything);
        assert_eq!(Visibility::Own.of(&person(Role::Manager, "bob")), Sight::Everything);
        let own = Visibility::Own.of(&ada);
        assert!(own.sees(Some("ada")));
        for other in [None, Some(""), Some("Ada"), Some("ada "), Some("bob")] {
            assert!(!own.sees(other), "{other:?}");
        }
        let by = |subject: &str| Actor::User { subject: subject.into(), username: "ada".into() };
        assert!(own.sees_work_of(&by("id-of-ada")));
        assert!(!own.sees_work_of(&by("id-of-bob")));
        assert!(!own.sees_work_of(&Actor::Aws));
    }

    #[test]
    fn a_lab_is_its_cml_owners_by_name_by_table_or_nobodys() {
        let table: LabOwners = "cml-ada=ada, cml-bob=bob".parse().unwrap();
        let ada = person(Role::User, "ada");
        for (owners, cml, expected) in [
            (LabOwners::SameName, Some("ada"), Ok(())),
            (LabOwners::SameName, Some("Ada"), Err(LabRefusal::NotTheirs)),
            (LabOwners::SameName, Some(""), Err(LabRefusal::NotTheirs)),
            (LabOwners::SameName, None, Err(LabRefusal::NotTheirs)),
            (table.clone(), Some("cml-ada"), Ok(())),
            (table.clone(), Some("ada"), Err(LabRefusal::NotTheirs)),
            (table, Some("cml-bob"), Err(LabRefusal::NotTheirs)),
            (LabOwners::Nobody, Some("ada"), Err(LabRefusal::ReadOnly)),
        ] {
            assert_eq!(owners.check(&ada, cml), expected, "{owners:?} {cml:?}");
            assert_eq!(owners.check(&person(Role::Manager, "bob"), cml), Ok(()));
        }
    }

    #[test]
    fn owners_are_read_from_a_setting_and_a_slip_is_refused() {
        assert_eq!("same-name".parse(), Ok(LabOwners::SameName));
        assert_eq!(" nobody ".parse(), Ok(LabOwners::Nobody));
        for slip in ["", "ada", "=ada", "ada=", "a=b,", "a=b,a=c", "same_name"] {
            assert!(slip.parse::<LabOwners>().is_err(), "{slip:?}");
        }
    }

    proptest! {
        #[test]
        fn no_user_acts_on_a_lab_that_is_not_theirs(role in roles(), name in "[a-c]{0,2}", cml in "[a-c]{0,2}") {
            let who = person(role, &name);
            let allowed = LabOwners::SameName.check(&who, Some(&cml)).is_ok();
            prop_assert_eq!(allowed, role >= Role::Manager || (!name.is_empty() && name == cml));
        }

        #[test]
        fn names_read_back(visibility in prop::sample::select(Visibility::ALL.to_vec())) {
            prop_assert_eq!(Visibility::from_name(visibility.name()), Some(visibility));
        }
    }
}
