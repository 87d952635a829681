//! The functions as Lambda calls them: a real event in, a real answer out, in a world of stand-ins.

mod access;
mod answers;
mod api_keys;
mod backups;
mod bad_bodies;
mod bad_requests;
mod batches;
mod credentials;
mod deadlines;
mod evidence;
mod failures;
pub(crate) mod fixtures;
mod labs;
mod licenses;
mod log;
mod pass_through;
mod preconditions;
mod reconciliation;
mod recorded_errors;
mod sessions;
mod streams;
mod test_api;
pub(crate) mod tokens;
pub(crate) mod world;
