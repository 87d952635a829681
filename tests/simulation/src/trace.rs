//! What happened, by time: for a person who looks into a failing seed, and as a number by which two runs of
//! one seed are compared.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::executor::{Moment, Sim};

/// Lines kept of a run that somebody looks into.
const LINES_MAX: usize = 200_000;

/// The trace of one run.
#[derive(Default)]
pub(crate) struct Trace {
    /// Lines are kept.
    recording: bool,
    lines: VecDeque<String>,
    /// Of every step and every line.
    hasher: DefaultHasher,
    /// Tasks polled.
    pub(crate) steps: u64,
}

impl Trace {
    pub(crate) fn new(recording: bool) -> Self {
        Self { recording, ..Self::default() }
    }

    pub(crate) fn step(&mut self, task: u64) {
        self.steps += 1;
        task.hash(&mut self.hasher);
    }

    pub(crate) fn note(&mut self, now: Moment, line: impl FnOnce() -> String) {
        now.hash(&mut self.hasher);
        if self.recording {
            let line = line();
            line.hash(&mut self.hasher);
            if self.lines.len() == LINES_MAX {
                self.lines.pop_front();
            }
            self.lines.push_back(format!("{} {line}", Sim::timestamp(now).strftime("%d %H:%M:%S%.3f")));
        }
    }

    pub(crate) fn finish(self) -> (u64, Vec<String>) {
        (self.hasher.finish(), self.lines.into())
    }
}
