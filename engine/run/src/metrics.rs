//! What the engine counts about itself since it started. Reading is free; nothing here is durable.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters since the start.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Metrics {
    pub events_accepted: AtomicU64,
    pub events_duplicate: AtomicU64,
    pub runs_started: AtomicU64,
    pub runs_succeeded: AtomicU64,
    pub runs_failed: AtomicU64,
    pub runs_parked: AtomicU64,
    pub runs_cancelled: AtomicU64,
    pub steps_unknown: AtomicU64,
    pub calls: AtomicU64,
    pub call_errors: AtomicU64,
    pub commits: AtomicU64,
    pub commit_conflicts: AtomicU64,
    pub commit_errors: AtomicU64,
    pub commit_micros: AtomicU64,
    pub scripts: AtomicU64,
}

impl Metrics {
    /// One more.
    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }

    /// All of them with their names.
    pub fn snapshot(&self) -> Vec<(&'static str, u64)> {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        vec![
            ("events_accepted", read(&self.events_accepted)),
            ("events_duplicate", read(&self.events_duplicate)),
            ("runs_started", read(&self.runs_started)),
            ("runs_succeeded", read(&self.runs_succeeded)),
            ("runs_failed", read(&self.runs_failed)),
            ("runs_parked", read(&self.runs_parked)),
            ("runs_cancelled", read(&self.runs_cancelled)),
            ("steps_unknown", read(&self.steps_unknown)),
            ("calls", read(&self.calls)),
            ("call_errors", read(&self.call_errors)),
            ("commits", read(&self.commits)),
            ("commit_conflicts", read(&self.commit_conflicts)),
            ("commit_errors", read(&self.commit_errors)),
            ("commit_micros", read(&self.commit_micros)),
            ("scripts", read(&self.scripts)),
        ]
    }
}
