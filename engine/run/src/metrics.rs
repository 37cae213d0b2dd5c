//! What the engine counts about itself since it started. Reading is free; nothing here is durable.

mod histogram;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use cartwright_core::{
    call::ErrorClass,
    slots::{Head, Slot},
};

pub use histogram::{Histogram, HistogramView};

/// Classes of failed calls with the words that metrics use.
const CLASSES: [(ErrorClass, &str); 5] = [
    (ErrorClass::Final, "final"),
    (ErrorClass::Retryable, "retryable"),
    (ErrorClass::Unknown, "unknown"),
    (ErrorClass::Park, "park"),
    (ErrorClass::Deferred, "deferred"),
];

/// Counters since the start.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Metrics {
    pub events_accepted: AtomicU64,
    pub events_duplicate: AtomicU64,
    /// Events that `dedupe` took for duplicates.
    pub events_deduped: AtomicU64,
    /// Events that `debounce` merged into a burst.
    pub events_merged: AtomicU64,
    /// Events that `collect` gathered.
    pub events_collected: AtomicU64,
    /// Events that were held for a workflow that was switched off or gone when their time came.
    pub events_dropped: AtomicU64,
    /// Runs that `throttle` delayed.
    pub runs_delayed: AtomicU64,
    pub runs_started: AtomicU64,
    pub runs_succeeded: AtomicU64,
    pub runs_failed: AtomicU64,
    pub runs_parked: AtomicU64,
    pub runs_cancelled: AtomicU64,
    /// Steps with a call whose outcome nobody knows.
    pub steps_unknown: AtomicU64,
    pub calls: AtomicU64,
    pub call_errors: AtomicU64,
    /// Calls that were put off: no errors.
    pub call_deferrals: AtomicU64,
    pub store_calls: AtomicU64,
    /// By class, in the order of [`CLASSES`].
    store_call_errors: [AtomicU64; CLASSES.len()],
    pub commits: AtomicU64,
    pub commit_conflicts: AtomicU64,
    pub commit_errors: AtomicU64,
    pub scripts: AtomicU64,
    pub slots: Slots,
    pub times: Times,
}

/// Slots of `concurrency` at the moment.
#[derive(Debug, Default)]
pub struct Slots {
    held: AtomicI64,
    queued: AtomicI64,
}

impl Slots {
    /// How many are held, and how many runs wait for one.
    pub fn now(&self) -> (u64, u64) {
        let of = |count: &AtomicI64| u64::try_from(count.load(Relaxed)).unwrap_or_default();
        (of(&self.held), of(&self.queued))
    }

    /// A group that was there when the engine started.
    pub(crate) fn found(&self, head: &Head) {
        self.held.fetch_add(i64::from(head.held), Relaxed);
        self.queued.fetch_add(i64::try_from(head.waiting).unwrap_or(i64::MAX), Relaxed);
    }

    /// A run's slot is another than before.
    pub(crate) fn moved(&self, before: &Slot, after: &Slot) {
        let count = |slot: &Slot| match slot {
            Slot::Held(_) => Some(&self.held),
            Slot::Queued(_) => Some(&self.queued),
            Slot::None | Slot::Asked(_) | Slot::Lent(_) => None,
        };
        count(before).map(|count| count.fetch_sub(1, Relaxed));
        count(after).map(|count| count.fetch_add(1, Relaxed));
    }
}

/// How long things took.
#[derive(Debug)]
pub struct Times {
    /// From handing a batch to storage until it is on disk, tries while storage is away included.
    pub commit: Histogram,
    /// From handing an event to storage until it is on disk.
    pub accept: Histogram,
    /// From when a timer was due until its run was told.
    pub timer_lateness: Histogram,
}

impl Default for Times {
    fn default() -> Self {
        Self { commit: Histogram::of_disk(), accept: Histogram::of_disk(), timer_lateness: Histogram::of_lateness() }
    }
}

impl Metrics {
    /// One more.
    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }

    /// A call to a store ended; `failed` says how it failed.
    pub(crate) fn store_call(&self, failed: Option<ErrorClass>) {
        Self::add(&self.store_calls);
        let at = failed.and_then(|class| CLASSES.iter().position(|(known, _)| *known == class));
        if let Some(counter) = at.and_then(|at| self.store_call_errors.get(at)) {
            Self::add(counter);
        }
    }

    /// Failed calls to stores by what the engine may do about them.
    pub fn store_call_errors(&self) -> impl Iterator<Item = (&'static str, u64)> {
        CLASSES.iter().zip(&self.store_call_errors).map(|((_, word), counter)| (*word, counter.load(Relaxed)))
    }
}
