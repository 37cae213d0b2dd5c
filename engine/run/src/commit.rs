//! How what was decided becomes true: one commit, tried again while storage is away, measured, and its consequences told.

use std::{sync::Arc, time::Duration};

use cartwright_core::shard::ShardId;
use cartwright_storage::{Batch, CommitError, NewEvent};
use futures_util::future::BoxFuture;

use crate::{inner::Inner, metrics::Metrics};

/// Pause before a commit is tried again while storage is away; doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// Commits a batch. An unavailable storage is asked again until it answers or the engine stops; a conflict or a lost
/// shard is the caller's matter. Timers and emitted events of the batch are seen to.
pub(crate) async fn commit_until_done(inner: &Arc<Inner>, shard: ShardId, batch: Batch) -> Result<(), CommitError> {
    let earliest = batch.timers_set.iter().map(|timer| timer.due).min();
    // One that is moved is handed out again when its new time comes.
    let moved = batch.timers_set.iter().map(|timer| &timer.key);
    let cleared: Vec<_> = batch.timers_clear.iter().chain(moved).cloned().collect();
    let emitted = batch.outbox.clone();
    if !batch.waits_set.is_empty() {
        inner.will_wait(shard);
    }
    let started = tokio::time::Instant::now();
    let mut pause = PAUSE_MIN;
    loop {
        match inner.storage.commit(shard, inner.fence(shard), batch.clone()).await {
            Ok(()) => break,
            Err(CommitError::Storage(error)) if crate::dispatch::may_pass(&error) && !inner.is_stopping() => {
                Metrics::add(&inner.metrics.commit_errors);
                tracing::error!(%error, "a commit failed and is tried again; nothing is done until it succeeds");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            Err(error) => {
                if matches!(error, CommitError::Conflict { .. }) {
                    Metrics::add(&inner.metrics.commit_conflicts);
                }
                return Err(error);
            }
        }
    }
    Metrics::add(&inner.metrics.commits);
    inner.metrics.times.commit.observe(started.elapsed());
    inner.told.committed(inner.clock.now(), &batch);
    inner.callers.committed(&batch);
    inner.timers.handled(shard, &cleared);
    if let Some(earliest) = earliest {
        inner.timers.set(shard, earliest);
    }
    if !emitted.is_empty() {
        tokio::spawn(deliver(Arc::clone(inner), shard, emitted));
    }
    Ok(())
}

/// Delivers outbox records: accepts each event where it belongs, then drops the record. Safe to do twice.
pub(crate) fn deliver(inner: Arc<Inner>, shard: ShardId, events: Vec<NewEvent>) -> BoxFuture<'static, ()> {
    // Boxed by name: delivering ends in a commit, which may deliver.
    Box::pin(async move {
        let mut done = Vec::new();
        for new in events {
            let id = new.event.id.clone();
            let mut pause = PAUSE_MIN;
            loop {
                match inner.accept_event(new.clone()).await {
                    Ok(_) => done.push(id),
                    // Nobody else would deliver it before the next start.
                    Err(error) if !inner.is_stopping() => {
                        tracing::error!(%error, event = %id, "an emitted event waits in the outbox and is tried again");
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(PAUSE_MAX);
                        continue;
                    }
                    Err(error) => {
                        tracing::warn!(%error, event = %id, "an emitted event waits in the outbox for the next start");
                    }
                }
                break;
            }
        }
        let batch = Batch { outbox_done: done, ..Batch::default() };
        if let Err(error) = commit_until_done(&inner, shard, batch).await {
            tracing::warn!(%error, "a delivered event stays in the outbox; it will be recognised as delivered");
        }
    })
}
