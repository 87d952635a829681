//! What a row of the function table says.

use std::time::Duration;

use domain::Role;
use futures::future::BoxFuture;

use app::context::REQUEST_TIME_LIMIT;
use app::ports::{FileKind, Queue, Sealed};
use app::topology::TOPOLOGY_MAX_BYTES;

use crate::api::Api;
use crate::caller::Via;
use crate::problem::Problem;
use crate::request::{BODY_MAX_BYTES, Request};
use crate::response::Response;

/// One Lambda function: an endpoint or a consumer.
#[derive(Clone, Copy)]
pub struct Function {
    /// Its name everywhere: file, `Handler`, template, fixture, log, docs.
    pub name: &'static str,
    /// The binary it is in: what it may reach.
    pub zone: Zone,
    /// What starts it.
    pub trigger: Trigger,
    /// What it may touch; its permissions follow from this.
    pub ports: &'static [Port],
    /// One line for the documentation.
    pub summary: &'static str,
}

/// What a function may reach; also the binary that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Zone {
    /// The table and the queues.
    Api,
    /// Also EC2, CloudWatch, STS and the bucket of files.
    Fleet,
    /// Also CML controllers and their secrets.
    Cml,
}

impl Zone {
    /// Every zone.
    pub const ALL: [Self; 3] = [Self::Api, Self::Fleet, Self::Cml];

    /// The binary's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Fleet => "fleet",
            Self::Cml => "cml",
        }
    }
}

/// What a function may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Port {
    /// Reads items.
    TableRead,
    /// Writes items.
    TableWrite,
    /// Sends to a queue.
    Send(Queue),
    /// Publishes on the bus.
    Publish,
    /// Fetches the issuer's keys.
    Issuer,
    /// Describes instances, images and status checks.
    Ec2Read,
    /// Launches; starts, stops, terminates, tags, monitors what is ours.
    Ec2Write,
    /// Puts our tags on instances that have none.
    Ec2Import,
    /// Reads the console output of what is ours.
    Ec2Console,
    /// Reads metrics.
    CloudWatch,
    /// Calls CML controllers.
    Cml,
    /// Reads CML credentials.
    SecretsRead,
    /// Writes CML credentials.
    SecretsWrite,
    /// Keeps licence tokens.
    TokensWrite,
    /// Reads and deletes licence tokens.
    TokensUse,
    /// Reads topologies, backups or evidence.
    FilesRead(FileKind),
    /// Keeps them.
    FilesWrite(FileKind),
    /// Deletes them.
    FilesDelete(FileKind),
    /// Notes the use of API keys and of nonces, and nothing else in the table.
    CredentialUse,
    /// Sends people to the issuer, and fetches and revokes their tokens there.
    SignIn,
    /// Encrypts what only we may read.
    Seal(Sealed),
    /// Decrypts it.
    Unseal(Sealed),
}

/// What starts a function.
#[derive(Clone, Copy)]
pub enum Trigger {
    /// A request.
    Http(Endpoint),
    /// A schedule of ours.
    Schedule {
        /// Its name in the template.
        name: &'static str,
        /// Which setting tells how often.
        every: Interval,
    },
    /// Messages of a queue, in batches with partial failures.
    Queue {
        /// The queue.
        queue: Queue,
        /// Messages a batch, at most.
        batch_size: u32,
        /// Batches at the same time, at most.
        max_concurrency: u32,
    },
    /// New items of the table, as its stream tells them, in batches of which the rest is delivered again
    /// from the first failed one on.
    Stream {
        /// What the sort keys of the items begin with.
        sort_keys: &'static str,
        /// Records a batch, at most.
        batch_size: u32,
    },
    /// EC2's own state-change notifications.
    Ec2StateChange,
}

/// How often a schedule fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    /// As often as metrics are collected (5 minutes by default).
    Metrics,
    /// Every minute.
    Minute,
    /// As often as labs are read (30 minutes by default).
    Labs,
}

/// The HTTP side of a function.
#[derive(Clone, Copy)]
pub struct Endpoint {
    /// `GET`, `POST`, ...
    pub method: &'static str,
    /// The path with its parameters in braces.
    pub path: &'static str,
    /// The group in the documentation and in key scopes.
    pub group: &'static str,
    /// Who may call it.
    pub access: Access,
    /// What it is about belongs to somebody: users reach what is theirs, and nobody else's.
    pub of_owner: bool,
    /// The body it takes.
    pub body: Option<BodySchema>,
    /// Query parameters: name, what.
    pub query: &'static [(&'static str, &'static str)],
    /// The answer when all is well: status, schema name (none for text and HTML).
    pub answer: (u16, Option<&'static str>),
    /// The code.
    pub handler: Handler,
}

/// The body an endpoint takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodySchema {
    /// The schema's name.
    pub name: &'static str,
    /// Whether it must be sent.
    pub required: bool,
    /// What it is written in.
    pub format: BodyFormat,
}

/// What a body is written in, and how large it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFormat {
    /// JSON, at most [`BODY_MAX_BYTES`].
    Json,
    /// A topology in YAML or JSON, at most [`TOPOLOGY_MAX_BYTES`].
    Topology,
}

/// Who may call an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody. (What judges a session by itself is public too.)
    Public,
    /// A caller of at least this role: by token, session, or an API key with the group's scope.
    Role(Role),
    /// A person of at least this role: by token or session. No key makes keys.
    Person(Role),
    /// As [`Role`](Access::Role), and by a signed request: what machines do.
    Machine(Role),
}

impl Access {
    /// The least role; none for anybody.
    #[must_use]
    pub fn least_role(self) -> Option<Role> {
        match self {
            Self::Public => None,
            Self::Role(role) | Self::Person(role) | Self::Machine(role) => Some(role),
        }
    }

    /// Whether a caller may show who they are in that way.
    #[must_use]
    pub fn takes(self, via: Via) -> bool {
        match via {
            Via::Token | Via::Session => self != Self::Public,
            Via::ApiKey => matches!(self, Self::Role(_) | Self::Machine(_)),
            Via::Signature => matches!(self, Self::Machine(_)),
        }
    }
}

/// The code of an endpoint.
pub type Handler = for<'a> fn(&'a Api, &'a Request) -> BoxFuture<'a, Result<Response, Problem>>;

impl Endpoint {
    /// The largest body it reads, in bytes. What takes none reads one to refuse it.
    #[must_use]
    pub fn body_max_bytes(&self) -> usize {
        match self.body.map(|body| body.format) {
            Some(BodyFormat::Topology) => TOPOLOGY_MAX_BYTES,
            Some(BodyFormat::Json) | None => BODY_MAX_BYTES,
        }
    }

    /// Whether it changes anything.
    #[must_use]
    pub fn is_change(&self) -> bool {
        !matches!(self.method, "GET" | "HEAD")
    }
}

impl Function {
    /// The longest that one invocation may take; Lambda's `Timeout`. HTTP stays below API Gateway's
    /// 30 s, and a dispatcher ends before its next tick.
    #[must_use]
    pub fn time_limit(&self) -> Duration {
        Duration::from_secs(match self.trigger {
            Trigger::Http(_) => return REQUEST_TIME_LIMIT.unsigned_abs(),
            Trigger::Schedule { .. } => 55,
            Trigger::Queue { queue: Queue::MetricsAws | Queue::MetricsCml | Queue::Labs, .. } => 120,
            Trigger::Queue { .. } | Trigger::Stream { .. } => 60,
            Trigger::Ec2StateChange => 30,
        })
    }

    /// Its HTTP side, if it has one.
    #[must_use]
    pub fn endpoint(&self) -> Option<&Endpoint> {
        match &self.trigger {
            Trigger::Http(endpoint) => Some(endpoint),
            Trigger::Schedule { .. } | Trigger::Queue { .. } | Trigger::Stream { .. } | Trigger::Ec2StateChange => None,
        }
    }
}
