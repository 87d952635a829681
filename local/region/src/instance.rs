//! One instance: its document and its state machine.

use std::collections::BTreeMap;

use app::ports::Ec2Error;
use domain::instance::{InstanceObservation, InstanceState, Lifecycle};
use domain::{AccountId, InstanceId, Place, Region, SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::instance_types::is_metal;

/// How long `DescribeInstances` still lists a terminated instance.
/// Source: EC2 user guide, "Terminate Amazon EC2 instances" ("typically about one hour").
const LISTED_AFTER_END: SignedDuration = SignedDuration::from_hours(1);
/// How long a client token stays bound to a terminated instance.
/// Source: EC2 API reference, "Ensuring idempotency in Amazon EC2 API requests".
const TOKEN_BOUND_AFTER_END: SignedDuration = SignedDuration::from_hours(24);
/// How long the status checks of a fresh boot say `initializing`.
const CHECKS_TAKE: SignedDuration = SignedDuration::from_mins(2);

/// EC2's states, as documents spell them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    Pending,
    Running,
    Stopping,
    Stopped,
    ShuttingDown,
    Terminated,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        InstanceState::from(self).name()
    }
}

impl From<State> for InstanceState {
    fn from(state: State) -> Self {
        match state {
            State::Pending => Self::Pending,
            State::Running => Self::Running,
            State::Stopping => Self::Stopping,
            State::Stopped => Self::Stopped,
            State::ShuttingDown => Self::ShuttingDown,
            State::Terminated => Self::Terminated,
        }
    }
}

/// EC2's `StateReason`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reason {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Reason {
    fn new(code: &str, message: &str) -> Option<Self> {
        Some(Self { code: code.into(), message: message.into() })
    }

    pub(crate) fn pending() -> Option<Self> {
        Self::new("pending", "pending")
    }

    fn user() -> Option<Self> {
        Self::new("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown")
    }

    fn host() -> Option<Self> {
        Self::new("Server.InternalError", "Server.InternalError: Internal error")
    }
}

/// What may be asked of an instance's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Start,
    Stop,
    Terminate,
}

impl Verb {
    /// The API call.
    pub(crate) fn operation(self) -> &'static str {
        match self {
            Self::Start => "StartInstances",
            Self::Stop => "StopInstances",
            Self::Terminate => "TerminateInstances",
        }
    }

    fn participle(self) -> &'static str {
        match self {
            Self::Start => "started",
            Self::Stop => "stopped",
            Self::Terminate => "terminated",
        }
    }
}

/// One instance, as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Instance {
    #[serde(with = "crate::text")]
    pub(crate) id: InstanceId,
    #[serde(with = "crate::text")]
    pub(crate) account: AccountId,
    #[serde(with = "crate::text")]
    pub(crate) region: Region,
    pub(crate) state: State,
    /// When it entered the state.
    pub(crate) since: Timestamp,
    pub(crate) reason: Option<Reason>,
    pub(crate) instance_type: String,
    pub(crate) ami_id: String,
    pub(crate) availability_zone: String,
    pub(crate) public_ip: Option<String>,
    /// The address before it was stopped, which it does not get again.
    pub(crate) last_public_ip: Option<String>,
    pub(crate) private_ip: String,
    pub(crate) launched_at: Timestamp,
    /// The span of its last run that has ended.
    pub(crate) last_run: Option<(Timestamp, Timestamp)>,
    pub(crate) detailed_monitoring: bool,
    pub(crate) tags: BTreeMap<String, String>,
    /// The document of the client token that launched it.
    pub(crate) token: Option<String>,
}

impl Instance {
    pub(crate) fn is_in(&self, place: &Place) -> bool {
        self.account == place.account && self.region == place.region
    }

    /// The change of state that time brings next.
    pub(crate) fn due(&self) -> Option<(Timestamp, State)> {
        let metal = is_metal(&self.instance_type);
        let (secs, next) = match self.state {
            State::Pending => (if metal { 240 } else { 30 }, State::Running),
            State::Stopping => (if metal { 180 } else { 60 }, State::Stopped),
            State::ShuttingDown => (60, State::Terminated),
            State::Running | State::Stopped | State::Terminated => return None,
        };
        Some((self.since + SignedDuration::from_secs(secs), next))
    }

    /// Whether EC2 still lists it.
    pub(crate) fn listed(&self, now: Timestamp) -> bool {
        self.state != State::Terminated || now < self.since + LISTED_AFTER_END
    }

    /// Whether nothing of it is remembered any longer, its client token included.
    pub(crate) fn forgotten(&self, now: Timestamp) -> bool {
        self.state == State::Terminated && now >= self.since + TOKEN_BOUND_AFTER_END
    }

    /// The state the verb leads to, none when it is so already.
    pub(crate) fn judge(&self, verb: Verb) -> Result<Option<State>, Ec2Error> {
        match (verb, self.state) {
            (Verb::Start, State::Stopped) => Ok(Some(State::Pending)),
            (Verb::Stop, State::Running) => Ok(Some(State::Stopping)),
            (Verb::Terminate, State::Pending | State::Running | State::Stopping | State::Stopped) => {
                Ok(Some(State::ShuttingDown))
            }
            (Verb::Start, State::Running)
            | (Verb::Stop, State::Stopping | State::Stopped)
            | (Verb::Terminate, State::ShuttingDown | State::Terminated) => Ok(None),
            (Verb::Start, State::Pending | State::Stopping | State::ShuttingDown | State::Terminated)
            | (Verb::Stop, State::Pending | State::ShuttingDown | State::Terminated) => Err(Ec2Error {
                operation: verb.operation(),
                code: "IncorrectInstanceState".into(),
                message: format!(
                    "The instance '{}' is not in a state from which it can be {}.",
                    self.id,
                    verb.participle()
                ),
            }),
        }
    }

    /// Enters a state that somebody asked for, or that time brought.
    pub(crate) fn enter(&mut self, state: State, at: Timestamp) {
        if self.state == State::Running {
            self.last_run = Some((self.since, at));
        }
        self.state = state;
        self.since = at;
        match state {
            State::Pending => {
                self.launched_at = at;
                self.reason = None;
            }
            State::Running => self.reason = None,
            State::Stopping | State::ShuttingDown => self.reason = Reason::user(),
            // The address goes back to the pool only now, when nothing answers there any longer.
            State::Stopped | State::Terminated => {
                self.last_public_ip = self.public_ip.take().or(self.last_public_ip.take());
            }
        }
    }

    /// Its host fails: it is gone at once.
    pub(crate) fn lose(&mut self, at: Timestamp) {
        self.enter(State::Terminated, at);
        self.reason = Reason::host();
    }

    /// Whether it ran at some moment of the span.
    pub(crate) fn ran_in(&self, from: Timestamp, to: Timestamp, now: Timestamp) -> bool {
        let runs = (self.state == State::Running).then_some((self.since, now));
        // A run that ended just as the span began leaves no data in it.
        runs.into_iter().chain(self.last_run).any(|(begin, end)| begin < to && end > from)
    }

    /// What both status checks say.
    pub(crate) fn checks(&self, now: Timestamp) -> &'static str {
        if now < self.since + CHECKS_TAKE { "initializing" } else { "ok" }
    }

    /// What `DescribeInstances` says of it.
    pub(crate) fn observation(&self) -> InstanceObservation {
        let gone = self.state == State::Terminated;
        InstanceObservation {
            id: self.id.clone(),
            state: self.state.into(),
            state_reason_code: self.reason.as_ref().map(|reason| reason.code.clone()),
            state_reason_message: self.reason.as_ref().map(|reason| reason.message.clone()),
            instance_type: self.instance_type.clone(),
            ami_id: self.ami_id.clone(),
            availability_zone: Some(self.availability_zone.clone()),
            public_ip: self.public_ip.clone(),
            private_ip: (!gone).then(|| self.private_ip.clone()),
            lifecycle: Lifecycle::OnDemand,
            launched_at: Some(self.launched_at),
            detailed_monitoring: self.detailed_monitoring,
            tags: self.tags.clone(),
        }
    }
}
