//! What is deployed is what the function table says: the templates, their permissions, and what is
//! written about them. Every failure names the function and what is missing or too much.

use self::repository::Repository;

/// Everything in which the repository is not one with its function table.
type Comparison = fn(&Repository) -> Vec<String>;

/// Comparisons that are tests too, of the repository as it stands.
macro_rules! comparisons {
    ($($name:ident),* $(,)?) => {
        pub(super) const COMPARISONS: &[super::Comparison] = &[$($name),*];

        mod as_committed {
            $(
                #[test]
                fn $name() {
                    super::super::none(&super::$name(&super::super::repository::Repository::committed()));
                }
            )*
        }
    };
}

mod account_role;
mod code;
mod data;
mod environment;
mod functions;
mod generated;
mod mutations;
mod new_function;
mod permissions;
mod repository;
mod stacks;
mod templates;

/// What all comparisons find.
fn differences(repository: &Repository) -> Vec<String> {
    let all = [
        account_role::COMPARISONS,
        code::COMPARISONS,
        data::COMPARISONS,
        environment::COMPARISONS,
        functions::COMPARISONS,
        permissions::COMPARISONS,
        stacks::COMPARISONS,
    ];
    all.concat().iter().flat_map(|compare| compare(repository)).collect()
}

/// Fails with all problems at once.
fn none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}
