//! `make simulate SEEDS=n DAYS=d WORKERS=w START=s`: runs seeds and counts.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use simulation::{Fault, FaultCounts, Outcome, Plan, Sabotage, simulate};

/// Runs the simulation for some seeds.
#[derive(Parser)]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    start: u64,
    /// Simulated days of each.
    #[arg(long, default_value_t = 1)]
    days: u32,
    /// Workers at a time.
    #[arg(long, default_value_t = 3)]
    workers: u32,
    /// A protection to switch off.
    #[arg(long, value_parser = sabotage, default_value = "none")]
    sabotage: Sabotage,
    /// Shows the whole trace of each seed.
    #[arg(long)]
    trace: bool,
}

/// What does not protect, by name.
fn sabotage(name: &str) -> Result<Sabotage, String> {
    let known = |one: &Sabotage| format!("{one:?}").eq_ignore_ascii_case(name);
    Sabotage::ALL.into_iter().find(known).ok_or_else(|| format!("one of {:?}", Sabotage::ALL))
}

/// Lines of a failing seed's trace that are shown without being asked for.
const LINES_SHOWN: usize = 60;

#[derive(Default)]
struct Sum {
    faults: FaultCounts,
    violations: u64,
    failing: Vec<u64>,
    dead_letters: u64,
    steps: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let begun = Instant::now();
    let (next, sum) = (AtomicU64::new(0), Mutex::new(Sum::default()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(&arguments, &next, &sum));
        }
    });
    let sum = sum.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let days = arguments.seeds * u64::from(arguments.days) * u64::from(arguments.workers);
    println!("seeds: {} ({} to {})", arguments.seeds, arguments.start, last(&arguments));
    println!("simulated worker-days: {days}");
    println!("steps: {} in {:.1} s", sum.steps, begun.elapsed().as_secs_f64());
    println!("faults: {}", sum.faults.values().sum::<u64>());
    for fault in Fault::ALL {
        println!("  {}: {}", fault.name(), sum.faults.get(&fault).copied().unwrap_or(0));
    }
    println!("dead letters: {}", sum.dead_letters);
    if !sum.failing.is_empty() {
        println!("failing seeds: {:?}", sum.failing);
    }
    println!("violations: {}", sum.violations);
    if sum.violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn last(arguments: &Arguments) -> u64 {
    arguments.start + arguments.seeds.saturating_sub(1)
}

fn work(arguments: &Arguments, next: &AtomicU64, sum: &Mutex<Sum>) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= arguments.seeds {
            return;
        }
        let seed = arguments.start + number;
        let plan = Plan {
            seed,
            days: arguments.days,
            workers: arguments.workers,
            sabotage: arguments.sabotage,
            traced: arguments.trace,
        };
        let outcome = simulate(plan);
        let mut sum = sum.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        sum.steps += outcome.steps;
        sum.dead_letters += outcome.dead_letters;
        sum.violations += outcome.violations.len() as u64;
        for (fault, count) in &outcome.faults {
            *sum.faults.entry(*fault).or_default() += count;
        }
        if arguments.trace {
            outcome.trace.iter().for_each(|line| println!("{line}"));
        }
        if !outcome.violations.is_empty() {
            sum.failing.push(seed);
            tell(plan, &outcome);
        }
    }
}

/// Shows what was broken, with the way to see it again.
fn tell(plan: Plan, outcome: &Outcome) {
    let Plan { seed, days, workers, .. } = plan;
    println!("seed {seed} fails; again: make simulate SEEDS=1 START={seed} DAYS={days} WORKERS={workers} TRACE=1");
    for violation in &outcome.violations {
        println!("  {violation}");
    }
    if plan.traced {
        return;
    }
    let again = simulate(Plan { traced: true, ..plan });
    let first = again.trace.iter().position(|line| line.contains("VIOLATION")).unwrap_or(again.trace.len());
    let worker = outcome.violations.first().and_then(|one| one.detail.split(' ').find(|word| word.starts_with("wkr-")));
    let about = |line: &&String| worker.is_none_or(|worker| line.contains(worker));
    let lines: Vec<&String> = again.trace.iter().take(first + 1).filter(about).collect();
    for line in lines.iter().skip(lines.len().saturating_sub(LINES_SHOWN)) {
        println!("    {line}");
    }
}
