//! The function table: everything that is deployed, and nothing else.
//!
//! The gateway, the pump, the OpenAPI document, the role tests, the permissions and the template
//! all follow from it. A function that is not here does not exist. There is a file for each group of
//! endpoints, as the documentation and key scopes name it, and one for all that no request starts.

mod background;
mod backups;
mod cml;
mod desired_state;
mod identity;
mod labs;
mod license;
mod operations;
mod power;
mod row;
mod system;
mod workers;

use crate::function::Function;

/// The groups in the order of the documentation.
const GROUPS: [&[Function]; 11] = [
    workers::ROWS,
    labs::ROWS,
    backups::ROWS,
    license::ROWS,
    cml::ROWS,
    desired_state::ROWS,
    power::ROWS,
    operations::ROWS,
    identity::ROWS,
    system::ROWS,
    background::ROWS,
];

const COUNT: usize = {
    let (mut count, mut group) = (0, 0);
    while group < GROUPS.len() {
        count += GROUPS[group].len();
        group += 1;
    }
    count
};

/// Every function.
pub static FUNCTIONS: &[Function] = &joined();

const fn joined() -> [Function; COUNT] {
    let mut all = [GROUPS[0][0]; COUNT];
    let (mut at, mut group) = (0, 0);
    while group < GROUPS.len() {
        let mut row = 0;
        while row < GROUPS[group].len() {
            all[at] = GROUPS[group][row];
            (at, row) = (at + 1, row + 1);
        }
        group += 1;
    }
    all
}

/// The function of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}
