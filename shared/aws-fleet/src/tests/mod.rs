//! What goes over the wire, and what is made of what comes back.

mod accounts;
mod cloudwatch;
mod errors;
mod launch;
mod reads;
mod wire;

use domain::{InstanceId, Place};

/// The place the function itself runs in.
fn home() -> Place {
    place("111111111111", "eu-central-1")
}

fn place(account: &str, region: &str) -> Place {
    Place { account: account.parse().unwrap(), region: region.parse().unwrap() }
}

fn instance_id(number: usize) -> InstanceId {
    format!("i-{number:017x}").parse().unwrap()
}
