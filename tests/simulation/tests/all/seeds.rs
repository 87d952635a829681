//! Days on which everything goes wrong, and nothing is broken.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use simulation::{Fault, FaultCounts, Plan, simulate};

/// Seeds of every run of the tests.
const SEEDS: u64 = 200;

#[test]
fn two_runs_of_one_seed_are_the_same_step_by_step() {
    let plan = Plan { traced: true, ..Plan::of(7) };
    let (first, second) = (simulate(plan), simulate(plan));
    assert_eq!((first.hash, first.steps, first.faults), (second.hash, second.steps, second.faults));
    assert!(first.steps > 10_000, "it did something: {}", first.steps);
}

#[test]
fn on_two_hundred_days_full_of_faults_no_rule_is_broken() {
    let (next, broken, faults) = (AtomicU64::new(0), Mutex::new(Vec::new()), Mutex::new(FaultCounts::new()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= SEEDS {
                return;
            }
            let outcome = simulate(Plan::of(seed));
            let told = outcome.violations.iter().map(|one| format!("seed {seed}: {one}"));
            broken.lock().unwrap().extend(told);
            for (fault, count) in outcome.faults {
                *faults.lock().unwrap().entry(fault).or_default() += count;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(work);
        }
    });
    let broken = broken.into_inner().unwrap();
    let again = "make simulate SEEDS=1 START=<seed>";
    assert!(broken.is_empty(), "see one again with {again}:\n{}", broken.join("\n"));
    let faults = faults.into_inner().unwrap();
    let missing: Vec<Fault> = Fault::ALL.into_iter().filter(|fault| !faults.contains_key(fault)).collect();
    assert!(missing.is_empty(), "these never happened: {missing:?}");
}
