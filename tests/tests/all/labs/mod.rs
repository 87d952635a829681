//! What is done with labs, driven as queues drive it, at simulated controllers over TLS on loopback.

mod acting;
mod backups;
mod ending;
mod evidence;
mod giving_up;
mod importing;
mod licenses;
mod listing;
mod notices;
mod reconciling;
mod refusals;
mod registered;
mod renewals;
mod retiring;
mod taking_back;
pub(crate) mod world;
