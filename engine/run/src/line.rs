//! Who waits, and since when: events that were accepted and not matched, runs that have no room in memory yet. For
//! operators; nothing decides by it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use cartwright_core::time::Timestamp;
use cartwright_storage::StorageError;
use parking_lot::Mutex;
use tokio::sync::OwnedSemaphorePermit;

use crate::{engine::Engine, inner::Inner};

/// Runs that wait for room in memory.
#[derive(Debug, Default)]
pub(crate) struct Line {
    since: Mutex<BTreeMap<u64, Timestamp>>,
    next: AtomicU64,
}

/// A place in the line, given up when it is dropped.
struct Place<'a> {
    line: &'a Line,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.line.since.lock().remove(&self.number);
    }
}

impl Line {
    fn join(&self, now: Timestamp) -> Place<'_> {
        let number = self.next.fetch_add(1, Relaxed);
        self.since.lock().insert(number, now);
        Place { line: self, number }
    }

    /// How many wait, and since when the one that joined first.
    fn look(&self) -> (usize, Option<Timestamp>) {
        let since = self.since.lock();
        (since.len(), since.first_key_value().map(|(_, since)| *since))
    }
}

impl Inner {
    /// Room in memory for a run, in the order of asking. `None`: the engine is gone.
    pub(crate) async fn room(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() {
            return Some(permit);
        }
        let _place = self.line.join(self.clock.now());
        Arc::clone(&self.slots).acquire_owned().await.ok()
    }
}

/// What waits for its turn in the engine itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Since when the oldest event in the inbox is there.
    pub oldest_event: Option<Timestamp>,
    /// Runs that are to move and wait for room in memory.
    pub runs: usize,
    /// Since when the first of them waits.
    pub oldest_run: Option<Timestamp>,
}

impl Engine {
    /// What waits. Reads at most the first inbox entry of each shard that is behind; no lists.
    pub async fn backlog(&self) -> Result<Backlog, StorageError> {
        let inner = self.inner();
        let (mut oldest_event, behind) = inner.queue.oldest();
        for shard in behind {
            let first = inner.storage.inbox(shard, None, 1).await?;
            let time = first.first().map(|event| event.time);
            oldest_event = [oldest_event, time].into_iter().flatten().min();
        }
        let (runs, oldest_run) = inner.line.look();
        Ok(Backlog { oldest_event, runs, oldest_run })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_knows_its_first() {
        let line = Line::default();
        let at = Timestamp::from_millis;
        let (first, second) = (line.join(at(5)), line.join(at(7)));
        assert_eq!(line.look(), (2, Some(at(5))));
        drop(first);
        assert_eq!(line.look(), (1, Some(at(7))));
        drop(second);
        assert_eq!(line.look(), (0, None));
    }
}
