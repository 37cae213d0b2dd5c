//! Runs that rest with a long journal: what was folded from it is remembered for a while, so that waking again and again (a
//! call that is put off for days) does not read the whole journal each time. Nothing depends on it: storage has
//! everything, what is remembered here may be forgotten at any time, and a commit on top of something outdated is
//! refused by the journal's length.

use std::collections::{BTreeMap, HashMap};

use cartwright_core::{
    id::{RunId, StepPath},
    run::{entry::Entry, row::RunStatus, state::RunState},
};
use cartwright_storage::Wait;
use parking_lot::Mutex;

/// Shorter journals are read quickly.
const LONG_JOURNAL_ENTRIES: u64 = 64;
/// Most runs that are remembered.
const RUNS_MAX: usize = 1024;
/// Most of one run's journal, in bytes of JSON: what is folded from it holds no more.
const RUN_BYTES_MAX: usize = 512 * 1024;
/// Most of all of them.
const BYTES_MAX: usize = 32 * 1024 * 1024;

/// A run as it was when it went to rest.
pub(crate) struct Memory {
    pub(super) state: RunState,
    pub(super) waits: BTreeMap<(StepPath, u32), Wait>,
    pub(super) read: Read,
}

/// The journal as it was when it was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Read {
    entries: u64,
    bytes: usize,
}

impl Read {
    /// `None`: it is short.
    pub(super) fn of(journal: &[Entry]) -> Option<Self> {
        let entries = journal.len() as u64;
        let size = |entry: &Entry| serde_json::to_vec(entry).map_or(RUN_BYTES_MAX, |text| text.len());
        (entries >= LONG_JOURNAL_ENTRIES).then(|| Self { entries, bytes: journal.iter().map(size).sum() })
    }

    /// Whether a run may be remembered with what came since. Once the journal is twice as long it is read again, so that
    /// its size stays known: all readings together cost no more than two of the whole.
    pub(super) fn allows(&self, state: &RunState) -> bool {
        self.bytes <= RUN_BYTES_MAX && state.len < self.entries * 2 && state.status() == RunStatus::Waiting
    }
}

/// What is remembered.
#[derive(Default)]
pub(crate) struct Rested(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    runs: HashMap<RunId, (u64, Memory)>,
    /// By when they went to rest.
    order: BTreeMap<u64, RunId>,
    next: u64,
    bytes: usize,
}

impl Rested {
    /// Remembers a run, and forgets those that rest longest where there are too many.
    pub(super) fn put(&self, run: RunId, memory: Memory) {
        let mut kept = self.0.lock();
        kept.take(&run);
        let number = kept.next;
        kept.next += 1;
        kept.bytes += memory.read.bytes;
        kept.order.insert(number, run.clone());
        kept.runs.insert(run, (number, memory));
        while kept.runs.len() > RUNS_MAX || kept.bytes > BYTES_MAX {
            let Some(oldest) = kept.order.first_key_value().map(|(_, run)| run.clone()) else { break };
            kept.take(&oldest);
        }
    }

    /// What is remembered of a run; it is forgotten.
    pub(super) fn take(&self, run: &RunId) -> Option<Memory> {
        self.0.lock().take(run)
    }
}

impl Kept {
    fn take(&mut self, run: &RunId) -> Option<Memory> {
        let (number, memory) = self.runs.remove(run)?;
        self.order.remove(&number);
        self.bytes -= memory.read.bytes;
        Some(memory)
    }
}

#[cfg(test)]
mod tests {
    use cartwright_core::{run::apply::fold, time::Timestamp};
    use serde_json::json;

    use super::*;

    fn memory(run: &str, bytes: usize) -> Memory {
        let started = json!({"at": Timestamp::from_millis(0), "type": "run_started", "run": run, "workflow": "w",
            "version": "0".repeat(32), "event": "evt_00000000000000000000000001", "store": null, "shard": 0, "hops": 0});
        let entry: Entry = serde_json::from_value(started).expect("an entry");
        let state = fold(&[entry]).expect("a journal").expect("a state");
        Memory { state, waits: BTreeMap::new(), read: Read { entries: 100, bytes } }
    }

    fn id(number: usize) -> RunId {
        format!("run_{number:026}").parse().expect("an id")
    }

    #[test]
    fn those_that_rest_longest_are_forgotten_first() {
        let rested = Rested::default();
        let put = |number: usize, bytes: usize| rested.put(id(number), memory(id(number).as_str(), bytes));
        (0..=RUNS_MAX).for_each(|number| put(number, 10));
        assert!(rested.take(&id(0)).is_none() && rested.take(&id(1)).is_some());
        assert!(rested.take(&id(1)).is_none(), "what is taken is forgotten");
        put(2, BYTES_MAX - 10 * 5);
        assert!(rested.take(&id(RUNS_MAX - 5)).is_none() && rested.take(&id(RUNS_MAX)).is_some());
        assert!(rested.take(&id(2)).is_some());
    }
}
