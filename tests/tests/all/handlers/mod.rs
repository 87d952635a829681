//! The functions as Lambda calls them: a real event in, a real answer out, in a world of stand-ins.

mod access;
mod answers;
mod bad_bodies;
mod bad_requests;
mod batches;
mod failures;
mod fixtures;
mod preconditions;
mod test_api;
mod tokens;
mod world;
