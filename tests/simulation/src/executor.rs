//! One thread, one clock, one source of randomness: tasks wait for moments, and the executor goes from one
//! moment to the next. Of several tasks that are ready at the same moment the seed says which goes first, so
//! that another seed is another interleaving, and the same seed the same.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use app::ports::{Clock, Random};
use domain::Timestamp;

use crate::trace::Trace;

/// Milliseconds since the simulation began.
pub(crate) type Moment = i64;
/// Milliseconds of a second.
pub(crate) const SECOND: Moment = 1_000;
/// Milliseconds of a minute.
pub(crate) const MINUTE: Moment = 60 * SECOND;
/// Milliseconds of an hour.
pub(crate) const HOUR: Moment = 60 * MINUTE;

/// When every simulation begins, in seconds since 1970: 2026-03-02 00:00 UTC.
const BEGINNING: i64 = 1_772_409_600;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The clock, the randomness and the queue of what comes.
pub(crate) struct Sim(Mutex<Inner>);

struct Inner {
    now: Moment,
    /// Counts what is put into the agenda, so that no two entries are equal.
    entries: u64,
    agenda: BinaryHeap<Reverse<Entry>>,
    rng: fastrand::Rng,
    /// Tasks that began since the executor last looked.
    begun: Vec<(u64, Begun)>,
    tasks: u64,
    trace: Trace,
}

/// A task, and after how many polls it is dropped: a machine that crashes between two calls.
struct Begun {
    task: Task,
    fuse: Option<u32>,
}

/// Something that becomes ready: by its moment, then by chance.
struct Entry {
    key: (Moment, u32, u64),
    what: Ready,
}

enum Ready {
    /// Somebody waits for the moment.
    Wake(Waker),
    /// The task ends here, wherever it is: its machine crashed, or its time was up.
    Kill(u64),
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

impl Sim {
    pub(crate) fn new(seed: u64, trace: Trace) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Inner {
            now: 0,
            entries: 0,
            agenda: BinaryHeap::new(),
            rng: fastrand::Rng::with_seed(seed),
            begun: Vec::new(),
            tasks: 0,
            trace,
        })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Moment {
        self.inner().now
    }

    /// A moment as the product reads it.
    pub(crate) fn timestamp(at: Moment) -> Timestamp {
        Timestamp::from_millisecond(BEGINNING * 1_000 + at).unwrap_or(Timestamp::MAX)
    }

    /// A moment that the product wrote.
    pub(crate) fn moment(at: Timestamp) -> Moment {
        at.as_millisecond() - BEGINNING * 1_000
    }

    /// A number from `from` to `to`, both inclusive.
    pub(crate) fn pick(&self, from: i64, to: i64) -> i64 {
        self.inner().rng.i64(from..=to.max(from))
    }

    /// True with that probability.
    pub(crate) fn chance(&self, probability: f64) -> bool {
        probability > 0.0 && self.inner().rng.f64() < probability
    }

    /// Writes a line of the trace; it is only made when somebody will read it.
    pub(crate) fn note(&self, line: impl FnOnce() -> String) {
        let mut inner = self.inner();
        let now = inner.now;
        inner.trace.note(now, line);
    }

    /// Takes the trace at the end.
    pub(crate) fn take_trace(&self) -> Trace {
        std::mem::take(&mut self.inner().trace)
    }

    /// Waits for so long; with zero, for the others that are ready now and go first.
    pub(crate) fn pause(self: &Arc<Self>, time: Moment) -> Pause {
        Pause { sim: self.clone(), until: self.now() + time.max(0), armed: false }
    }

    /// What a call to another machine takes: mostly little, sometimes long.
    pub(crate) fn call(self: &Arc<Self>) -> Pause {
        let time = {
            let rng = &mut self.inner().rng;
            match rng.u32(0..100) {
                0..70 => 0,
                70..95 => rng.i64(1..=100),
                95..99 => rng.i64(100..=2 * SECOND),
                _ => rng.i64(2 * SECOND..=12 * SECOND),
            }
        };
        self.pause(time)
    }

    /// Begins a task; it is first polled when its turn comes.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.begin(Begun { task: Box::pin(task), fuse: None });
    }

    /// Begins a task that has so much time, and that is dropped after so many polls if a number is given.
    pub(crate) fn spawn_limited(
        &self,
        task: impl Future<Output = ()> + Send + 'static,
        fuse: Option<u32>,
        time_limit: Moment,
    ) {
        let id = self.begin(Begun { task: Box::pin(task), fuse });
        let mut inner = self.inner();
        let at = inner.now + time_limit;
        inner.put(at, Ready::Kill(id));
    }

    fn begin(&self, begun: Begun) -> u64 {
        let mut inner = self.inner();
        inner.tasks += 1;
        let id = inner.tasks;
        inner.begun.push((id, begun));
        id
    }

    /// Runs everything until that moment.
    pub(crate) fn run_until(&self, executor: &mut Executor, end: Moment) {
        loop {
            let begun = std::mem::take(&mut self.inner().begun);
            for (id, begun) in begun {
                let waker = Waker::from(Arc::new(TaskWaker { id, woken: executor.woken.clone() }));
                executor.tasks.insert(id, (begun, waker.clone()));
                let mut inner = self.inner();
                let now = inner.now;
                inner.put(now, Ready::Wake(waker));
            }
            let ready = {
                let mut inner = self.inner();
                match inner.agenda.peek() {
                    Some(Reverse(entry)) if entry.key.0 <= end => {}
                    _ => {
                        inner.now = end;
                        return;
                    }
                }
                let Some(Reverse(entry)) = inner.agenda.pop() else { return };
                inner.now = entry.key.0;
                entry.what
            };
            match ready {
                Ready::Wake(waker) => waker.wake(),
                Ready::Kill(id) => {
                    if executor.tasks.remove(&id).is_some() {
                        self.note(|| format!("task {id} is cut off"));
                    }
                }
            }
            executor.poll_woken(self);
        }
    }
}

impl Inner {
    fn put(&mut self, at: Moment, what: Ready) {
        self.entries += 1;
        let key = (at, self.rng.u32(..), self.entries);
        self.agenda.push(Reverse(Entry { key, what }));
    }
}

/// The tasks under way.
#[derive(Default)]
pub(crate) struct Executor {
    tasks: BTreeMap<u64, (Begun, Waker)>,
    woken: Arc<Mutex<Vec<u64>>>,
}

struct TaskWaker {
    id: u64,
    woken: Arc<Mutex<Vec<u64>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).push(self.id);
    }
}

impl Executor {
    fn poll_woken(&mut self, sim: &Sim) {
        loop {
            let next = self.woken.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(id) = next else { return };
            let Some((begun, waker)) = self.tasks.get_mut(&id) else { continue };
            sim.inner().trace.step(id);
            let crashed = begun.fuse == Some(0);
            begun.fuse = begun.fuse.map(|polls| polls.saturating_sub(1));
            if crashed {
                sim.note(|| format!("task {id} crashes"));
            }
            if crashed || begun.task.as_mut().poll(&mut Context::from_waker(waker)).is_ready() {
                self.tasks.remove(&id);
            }
        }
    }
}

/// Waits for a moment.
pub(crate) struct Pause {
    sim: Arc<Sim>,
    until: Moment,
    armed: bool,
}

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.armed && self.sim.now() >= self.until {
            return Poll::Ready(());
        }
        if !self.armed {
            self.armed = true;
            let until = self.until;
            self.sim.inner().put(until, Ready::Wake(context.waker().clone()));
        }
        Poll::Pending
    }
}

impl Clock for Sim {
    fn now(&self) -> Timestamp {
        Self::timestamp(Self::now(self))
    }
}

impl Random for Sim {
    fn next(&self) -> u128 {
        self.inner().rng.u128(..)
    }
}
