//! What the use cases need of the world, as small as they need it. Adapters implement these; every
//! outgoing call of an adapter has a timeout and a bound on what it reads.

mod cloudwatch;
mod cml;
mod ec2;
mod events;
mod identity_provider;
mod queues;
mod sealer;
mod secrets;
mod table;
mod token_verifier;

pub use cloudwatch::{CloudWatch, InstanceMetrics, MetricsRequest};
pub use cml::{Cml, CmlError, CmlErrorKind, CmlTarget, ControllerReading, FirstContact, SystemInformation};
pub use ec2::{Ec2, Ec2Error, ImageFacts, InstanceFilter, LaunchRequest, StatusChecks};
pub use events::{CloudEvent, Events, Publication};
pub use identity_provider::{AuthorizationRequest, IdentityError, IdentityProvider, Tokens};
pub use queues::{Outgoing, Queue, Queues};
pub use sealer::{SealOnce, Sealed, Sealer};
pub use secrets::{CmlCredentials, Secrets};
pub use table::{Condition, IndexName, Item, ItemKey, Page, Query, Table, TableError, Write};
pub use token_verifier::{TokenError, TokenVerifier, VerifiedIdToken, VerifiedToken};

use domain::Timestamp;

/// What time it is. There are two: fleet time, by which workers live (boots, idle timeouts,
/// deadlines), and machine time, by which software lives (leases, tokens, throttles). In AWS they
/// are the same; the local stack lets fleet time run faster.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Random numbers, from the operating system or from a seed.
pub trait Random: Send + Sync {
    /// The next 128 bits.
    fn next(&self) -> u128;
}
