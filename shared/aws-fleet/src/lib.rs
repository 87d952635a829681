//! EC2 and CloudWatch behind the ports of `app`, with a client for each account and region.
//!
//! A crate of its own, because the EC2 SDK alone takes minutes to compile and is most of the binary
//! that links it.

mod accounts;
mod clients;
mod cloudwatch;
mod ec2;
mod error;
mod launch;
mod observation;
mod recent;

#[cfg(test)]
mod tests;

pub use accounts::{AccountRole, AccountRoles, FixedRoles};
pub use clients::FleetClients;
pub use cloudwatch::AwsCloudWatch;
pub use ec2::AwsEc2;
