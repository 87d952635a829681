//! The use cases on the table in memory and the simulated region, driven as the functions drive them.

mod brakes;
mod capacity;
mod controllers;
mod counting;
mod creating;
mod discovering;
mod ec2_view;
mod evidence;
mod fake_cml;
mod idle;
mod importing;
mod losses;
mod mailbox;
mod metrics;
mod observing;
mod powering;
mod publishing;
mod reconciling;
mod refreshing;
mod retrying;
mod tag_drift;
mod test_table;
mod updating;
pub(crate) mod world;
