//! A world that tries to break the product: its real use cases, dispatchers and consumers between simulated
//! ports, on one thread, with one clock and one source of randomness.
//!
//! One seed is one world: its weather (which faults happen, and how often), its people, and every interleaving.
//! The same seed is the same run, step by step. In the last hours faults stop, so that it can be judged whether
//! everything comes to what is wished. See docs/SIMULATION.md.

mod cloud;
mod cml;
mod cml_licensing;
mod cml_unused;
mod controllers;
mod dynamo;
mod ec2;
mod executor;
mod faults;
mod hands;
mod invariants;
mod lab_users;
mod labs;
mod newcomers;
mod periods;
mod rules;
mod rules_labs;
mod run;
mod sabotage;
mod services;
mod settled;
mod settled_labs;
mod sqs;
mod trace;
mod users;
mod watch;
mod world;

pub use faults::{Fault, FaultCounts, KINDS};
pub use rules::{Rule, Violation};
pub use run::{Outcome, Plan, simulate};
pub use sabotage::Sabotage;
