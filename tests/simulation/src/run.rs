//! One run: a seed, from its first moment to its judgement.

use std::sync::Arc;

use app::Settings;
use domain::SignedDuration;

use crate::executor::{Executor, HOUR, Moment, Sim};
use crate::faults::{FaultCounts, Weather};
use crate::hands::meddle;
use crate::invariants::HAND_HOLDS_HOURS;
use crate::lab_users::use_labs;
use crate::newcomers::newcomers;
use crate::rules::Violation;
use crate::sabotage::Sabotage;
use crate::settled;
use crate::settled_labs;
use crate::trace::Trace;
use crate::users::{Slot, manage};
use crate::world::{ACCOUNT, World, places};

/// How long before the end faults stop: long enough for the longest operation, and to see it settled.
const CLEAR_FOR: Moment = 4 * HOUR;

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Everything that happens follows from it.
    pub seed: u64,
    /// How long, in simulated days.
    pub days: u32,
    /// How many workers there are at a time.
    pub workers: u32,
    /// What does not protect.
    pub sabotage: Sabotage,
    /// Whether the trace is wanted.
    pub traced: bool,
}

impl Plan {
    /// A day of three workers.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self { seed, days: 1, workers: 3, sabotage: Sabotage::None, traced: false }
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Rules that were broken, the first few.
    pub violations: Vec<Violation>,
    /// Faults that happened, by kind.
    pub faults: FaultCounts,
    /// Messages that went to the dead letters; what they were about is due still.
    pub dead_letters: u64,
    /// Polls of tasks.
    pub steps: u64,
    /// Of every step, and of every line when they are wanted: the same for the same plan.
    pub hash: u64,
    /// What happened, by time; empty when it is not wanted.
    pub trace: Vec<String>,
}

/// Runs one seed.
#[must_use]
pub fn simulate(plan: Plan) -> Outcome {
    let end = i64::from(plan.days.max(1)) * 24 * HOUR;
    let sim = Sim::new(plan.seed, Trace::new(plan.traced));
    let weather = Arc::new(Weather::of(&sim, end - CLEAR_FOR));
    let mut executor = Executor::default();
    let world = World::new(&sim, &weather, plan.sabotage, settings(plan.sabotage));
    world.begin();
    for _ in 0..plan.workers.max(1) {
        let slot = Slot::default();
        sim.spawn(manage(world.clone(), slot.clone()));
        sim.spawn(use_labs(world.clone(), slot));
    }
    sim.spawn(meddle(world.clone()));
    sim.spawn(newcomers(world.clone()));
    sim.spawn(world.watch.periods.clone().come());
    sim.run_until(&mut executor, end);
    // On the table itself nothing is waited for: it is done when it is polled.
    let judged = world.clone();
    sim.spawn(async move {
        settled::check(&judged).await;
        settled_labs::check(&judged).await;
    });
    sim.run_until(&mut executor, end);
    let trace = sim.take_trace();
    let steps = trace.steps;
    let (hash, trace) = trace.finish();
    let (violations, dead_letters) = (world.monitor.violations(), world.sqs.dead());
    Outcome { violations, faults: weather.counts(), dead_letters, steps, hash, trace }
}

fn settings(sabotage: Sabotage) -> Settings {
    let Ok(account) = ACCOUNT.parse() else { unreachable!("the account's id is a constant") };
    let mut settings = Settings::new(account);
    settings.default_instance_type = "c5.2xlarge".into();
    settings.fallback_instance_types = vec!["m5.2xlarge".into()];
    settings.reconcile.manual_change_hold = SignedDuration::from_hours(HAND_HOLDS_HOURS);
    settings.discovery_places = places();
    sabotage.settings(&mut settings);
    settings
}
