//! Wakes runs whose time has come. Timers are in storage; memory holds only when each shard's earliest is due, so a
//! million of them cost nothing while nothing is due.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use cartwright_core::{run::entry::TimerKind, shard::ShardId, time::Timestamp};
use cartwright_storage::{StorageError, TimerKey};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{
    gates,
    inner::{Inner, Message},
};

/// Timers read at once.
const PAGE: usize = 256;
/// Due timers of one shard handed to runs that have not committed yet.
const HANDED_OUT_MAX: usize = 2_048;
/// Pause before a storage that did not answer is asked again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// When each shard's earliest timer is due.
#[derive(Default)]
pub(crate) struct Timers {
    next: Mutex<BTreeMap<ShardId, Timestamp>>,
    /// Timers handed to their runs, which storage has until the runs' commits.
    handed_out: Mutex<BTreeMap<ShardId, BTreeSet<TimerKey>>>,
    /// Shards with so many timers handed out that no more are read for now.
    stalled: Mutex<BTreeSet<ShardId>>,
    wake: Notify,
}

impl Timers {
    /// A timer was set in a shard.
    pub(crate) fn set(&self, shard: ShardId, due: Timestamp) {
        let mut next = self.next.lock();
        let earliest = next.values().min().copied();
        let entry = next.entry(shard).or_insert(due);
        *entry = due.min(*entry);
        drop(next);
        if earliest.is_none_or(|earliest| due < earliest) {
            self.wake.notify_one();
        }
    }

    /// A timer that was handed out is still in storage, and is to be looked at again then.
    pub(crate) fn again(&self, shard: ShardId, key: &TimerKey, at: Timestamp) {
        self.handled(shard, std::slice::from_ref(key));
        self.set(shard, at);
    }

    /// Timers are gone from storage, or moved.
    pub(crate) fn handled(&self, shard: ShardId, cleared: &[TimerKey]) {
        if cleared.is_empty() {
            return;
        }
        let mut handed_out = self.handed_out.lock();
        let Some(keys) = handed_out.get_mut(&shard) else { return };
        for key in cleared {
            keys.remove(key);
        }
        let left = keys.len();
        if left == 0 {
            handed_out.remove(&shard);
        }
        drop(handed_out);
        if left < HANDED_OUT_MAX / 2 && self.stalled.lock().remove(&shard) {
            self.set(shard, Timestamp::default());
        }
    }
}

/// Wakes runs until the engine stops.
pub(crate) async fn run_timers(inner: Arc<Inner>) {
    let mut stopping = inner.stopping.subscribe();
    loop {
        let earliest = inner.timers.next.lock().iter().map(|(shard, due)| (*due, *shard)).min();
        let now = inner.clock.now();
        match earliest {
            Some((due, shard)) if due <= now => {
                if let Err(error) = fire(&inner, shard, now).await {
                    tracing::error!(%error, shard = shard.number(), "due timers cannot be read; they are late, not lost");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
            Some((due, _)) => tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => return,
                () = inner.timers.wake.notified() => {}
                () = tokio::time::sleep(due.since(now)) => {}
            },
            None => tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => return,
                () = inner.timers.wake.notified() => {}
            },
        }
        if inner.is_stopping() {
            return;
        }
    }
}

/// Hands out what is due in one shard and notes when to look again.
async fn fire(inner: &Arc<Inner>, shard: ShardId, now: Timestamp) -> Result<(), StorageError> {
    // What is set from here on counts again, whatever this look finds.
    inner.timers.next.lock().remove(&shard);
    let known = inner.timers.handed_out.lock().get(&shard).map_or(0, BTreeSet::len);
    if known >= HANDED_OUT_MAX {
        inner.timers.stalled.lock().insert(shard);
        return Ok(());
    }
    let limit = known + PAGE;
    let found = match inner.storage.due_timers(shard, Timestamp::MAX, limit).await {
        Ok(found) => found,
        Err(error) => {
            inner.timers.set(shard, now);
            return Err(error);
        }
    };
    let full = found.len() == limit;
    for timer in found {
        if timer.due > now {
            inner.timers.set(shard, timer.due);
            return Ok(());
        }
        let new = inner.timers.handed_out.lock().entry(shard).or_default().insert(timer.key.clone());
        if new {
            inner.metrics.times.timer_lateness.observe(now.since(timer.due));
            if matches!(timer.key.kind, TimerKind::Gate | TimerKind::Start) {
                gates::fired(inner, shard, timer);
                continue;
            }
            inner.tell(&timer.key.run, Message::Timer { path: timer.key.path, kind: timer.key.kind });
        }
    }
    if full {
        inner.timers.set(shard, now);
    }
    Ok(())
}
