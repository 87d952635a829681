//! What goes wrong, how often, and how often it did.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::executor::{HOUR, MINUTE, Moment, SECOND, Sim};

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A call to EC2 is refused for being too many.
    Ec2Throttled,
    /// A call to EC2 is done, and its answer never comes.
    Ec2AnswerLost,
    /// A call to EC2 fails.
    Ec2Failed,
    /// There is no capacity for a launch or a start.
    NoCapacity,
    /// `DescribeInstances` shows how things were.
    StaleDescribe,
    /// `DescribeInstances` does not list an instance for a while.
    Unlisted,
    /// A boot or a stop takes very long.
    SlowInstance,
    /// An instance is terminated or stopped by its host's failure.
    HostFailure,
    /// A person stops an instance at EC2.
    StoppedByHand,
    /// A person starts an instance at EC2.
    StartedByHand,
    /// A person terminates an instance at EC2.
    TerminatedByHand,
    /// A notification of EC2's is lost.
    EventLost,
    /// A notification of EC2's comes twice.
    EventDoubled,
    /// A notification of EC2's comes late, after later ones.
    EventLate,
    /// A queue refuses what is sent.
    SendRefused,
    /// A queue takes what is sent, and says that it failed.
    SendAnswerLost,
    /// A message comes late.
    MessageLate,
    /// A message comes twice.
    MessageDoubled,
    /// A consumer ends at some point between two calls.
    Crash,
    /// A schedule fires twice.
    TickDoubled,
    /// A schedule does not fire.
    TickLost,
    /// The table throttles.
    TableThrottled,
    /// A write is done, and answered with an error.
    WriteAnswerLost,
    /// Another transaction has the items.
    TransactionConflict,
    /// An index shows how things were.
    StaleIndex,
    /// A controller does not answer.
    CmlDown,
    /// A controller answers late.
    CmlSlow,
    /// A controller's web server answers for it: 502.
    CmlBadGateway,
    /// A controller says odd things.
    CmlLies,
    /// An address goes to somebody else's machine.
    AddressReused,
    /// The bus does not take an event, or takes it and says that it did not.
    BusFailed,
    /// Secrets or files cannot be had.
    SecretsFailed,
    /// A controller does what it is asked to, and its answer never comes.
    CmlAnswerLost,
    /// Somebody switches `SAFE_MODE` on for a while.
    SafeMode,
    /// The table's lists of workers are empty for a while.
    StoreEmpty,
    /// A person launches CML at EC2.
    LaunchedByHand,
}

/// How many kinds there are.
pub const KINDS: usize = 36;

impl Fault {
    /// Every kind.
    pub const ALL: [Self; KINDS] = [
        Self::Ec2Throttled,
        Self::Ec2AnswerLost,
        Self::Ec2Failed,
        Self::NoCapacity,
        Self::StaleDescribe,
        Self::Unlisted,
        Self::SlowInstance,
        Self::HostFailure,
        Self::StoppedByHand,
        Self::StartedByHand,
        Self::TerminatedByHand,
        Self::EventLost,
        Self::EventDoubled,
        Self::EventLate,
        Self::SendRefused,
        Self::SendAnswerLost,
        Self::MessageLate,
        Self::MessageDoubled,
        Self::Crash,
        Self::TickDoubled,
        Self::TickLost,
        Self::TableThrottled,
        Self::WriteAnswerLost,
        Self::TransactionConflict,
        Self::StaleIndex,
        Self::CmlDown,
        Self::CmlSlow,
        Self::CmlBadGateway,
        Self::CmlLies,
        Self::AddressReused,
        Self::BusFailed,
        Self::SecretsFailed,
        Self::CmlAnswerLost,
        Self::SafeMode,
        Self::StoreEmpty,
        Self::LaunchedByHand,
    ];

    /// How likely it is at each occasion, on a day on which everything is as it is on average. What happens at
    /// each call is rare; what happens once an instance or once an hour is not.
    fn probability(self) -> f64 {
        match self {
            Self::TableThrottled | Self::WriteAnswerLost | Self::TransactionConflict => 0.002,
            Self::StaleIndex | Self::Ec2Failed | Self::MessageDoubled | Self::MessageLate => 0.02,
            Self::Ec2Throttled | Self::Ec2AnswerLost | Self::StaleDescribe => 0.04,
            Self::EventLost | Self::EventDoubled | Self::EventLate => 0.1,
            Self::SendRefused | Self::SendAnswerLost | Self::SecretsFailed => 0.01,
            Self::Crash | Self::TickDoubled | Self::TickLost => 0.02,
            Self::CmlBadGateway | Self::CmlLies | Self::CmlSlow | Self::CmlAnswerLost | Self::BusFailed => 0.03,
            // Once an hour, or once an instance.
            Self::SafeMode | Self::StoreEmpty => 0.012,
            Self::LaunchedByHand => 0.03,
            Self::NoCapacity | Self::CmlDown => 0.15,
            Self::Unlisted | Self::SlowInstance => 0.2,
            Self::HostFailure | Self::StoppedByHand | Self::StartedByHand | Self::TerminatedByHand => 0.06,
            Self::AddressReused => 0.5,
        }
    }

    /// The name in reports.
    #[must_use]
    pub fn name(self) -> String {
        let mut name = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_ascii_uppercase() && !name.is_empty() {
                name.push(' ');
            }
            name.push(letter.to_ascii_lowercase());
        }
        name
    }
}

/// How often each kind happened.
pub type FaultCounts = BTreeMap<Fault, u64>;

/// The weather of one seed: some kinds never happen, others more than on average, until it clears up.
pub(crate) struct Weather {
    sim: Arc<Sim>,
    until: Moment,
    probabilities: BTreeMap<Fault, f64>,
    counts: Mutex<FaultCounts>,
}

impl Weather {
    /// The weather of the simulation's seed, until that moment.
    pub(crate) fn of(sim: &Arc<Sim>, until: Moment) -> Self {
        let mut probabilities = BTreeMap::new();
        for fault in Fault::ALL {
            // A third of the kinds is left out: what hides behind one of them shows on such a day.
            if sim.chance(0.67) {
                let strength = [0.3, 1.0, 1.0, 3.0][usize::try_from(sim.pick(0, 3)).unwrap_or(0)];
                probabilities.insert(fault, fault.probability() * strength);
            }
        }
        Self { sim: sim.clone(), until, probabilities, counts: Mutex::default() }
    }

    /// Whether faults may still happen.
    pub(crate) fn is_bad(&self) -> bool {
        self.sim.now() < self.until
    }

    /// When faults end.
    pub(crate) fn until(&self) -> Moment {
        self.until
    }

    /// Whether it happens now. If it does it is counted.
    pub(crate) fn strikes(&self, fault: Fault) -> bool {
        let Some(probability) = self.probabilities.get(&fault) else { return false };
        if !self.is_bad() || !self.sim.chance(*probability) {
            return false;
        }
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(fault).or_default() += 1;
        true
    }

    /// How often each kind happened.
    pub(crate) fn counts(&self) -> FaultCounts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How long a boot takes: bare metal takes ten minutes, and sometimes more.
    pub(crate) fn boot_time(&self) -> Moment {
        if self.strikes(Fault::SlowInstance) {
            return self.sim.pick(12 * MINUTE, 25 * MINUTE);
        }
        self.sim.pick(30 * SECOND, 9 * MINUTE)
    }

    /// How long a stop or a termination takes.
    pub(crate) fn stop_time(&self) -> Moment {
        if self.strikes(Fault::SlowInstance) {
            return self.sim.pick(8 * MINUTE, 20 * MINUTE);
        }
        self.sim.pick(5 * SECOND, 4 * MINUTE)
    }

    /// A stretch of trouble that begins now.
    pub(crate) fn trouble_time(&self) -> Moment {
        self.sim.pick(5 * MINUTE, HOUR)
    }
}
