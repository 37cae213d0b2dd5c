//! A disk for the simulator: [`MemoryStorage`] behind virtual latency. What survives a crash is what reached the inner
//! storage; a crash during the wait before a write loses it, a crash during the wait after it loses only the answer.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cartwright_core::{
    event::Event,
    id::{EventId, RunId},
    run::{entry::Entry, row::RunRow},
    shard::{Fence, ShardId},
    time::Timestamp,
};
use cartwright_storage::{
    Accepted, Backup, BackupPart, Batch, CommitError, Counts, EventFilter, Mail, MailKey, MemoryStorage, NewEvent,
    Page, Purge, Purged, Record, RecordWrite, RunFilter, Storage, StorageError, StoredEvent, Table, Timer, Wait,
};
use cartwright_tests::random::Random;
use parking_lot::Mutex;

/// No write takes longer than this, before and after it happens.
const SLOWEST_WRITE: Duration = Duration::from_millis(4);

/// A slow disk. It belongs to one life of the engine; the memory below it outlives the engine.
pub(crate) struct SlowStorage {
    inner: Arc<MemoryStorage>,
    random: Mutex<Random>,
}

impl SlowStorage {
    pub(crate) fn new(inner: Arc<MemoryStorage>, seed: u64) -> Self {
        Self { inner, random: Mutex::new(Random::new(seed)) }
    }

    async fn slowly(&self) {
        let wait = self.random.lock().between(Duration::ZERO, SLOWEST_WRITE);
        tokio::time::sleep(wait).await;
    }

    /// Now and then the disk refuses and says so.
    fn refuses(&self) -> Result<(), StorageError> {
        if self.random.lock().below(400) > 0 {
            return Ok(());
        }
        Err(StorageError::Unavailable { reason: "the simulated disk is full".into(), source: None })
    }
}

#[async_trait]
impl Storage for SlowStorage {
    async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StorageError> {
        self.slowly().await;
        self.refuses()?;
        let accepted = self.inner.accept(events).await;
        self.slowly().await;
        accepted
    }

    async fn commit(&self, shard: ShardId, fence: Fence, batch: Batch) -> Result<(), CommitError> {
        self.slowly().await;
        let committed = self.inner.commit(shard, fence, batch).await;
        self.slowly().await;
        committed
    }

    async fn write_records(&self, records: Vec<RecordWrite>) -> Result<(), CommitError> {
        self.inner.write_records(records).await
    }

    async fn acquire(
        &self,
        shard: ShardId,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Fence>, StorageError> {
        self.inner.acquire(shard, owner, now, until).await
    }

    async fn renew(&self, shard: ShardId, fence: Fence, until: Timestamp) -> Result<bool, StorageError> {
        self.inner.renew(shard, fence, until).await
    }

    async fn release(&self, shard: ShardId, fence: Fence) -> Result<(), StorageError> {
        self.inner.release(shard, fence).await
    }

    async fn run(&self, run: &RunId) -> Result<Option<RunRow>, StorageError> {
        self.inner.run(run).await
    }

    async fn journal(&self, run: &RunId) -> Result<Vec<Entry>, StorageError> {
        self.inner.journal(run).await
    }

    async fn event(&self, event: &EventId) -> Result<Option<StoredEvent>, StorageError> {
        self.inner.event(event).await
    }

    async fn inbox(&self, shard: ShardId, after: Option<&EventId>, limit: usize) -> Result<Vec<Event>, StorageError> {
        self.inner.inbox(shard, after, limit).await
    }

    async fn active_runs(
        &self,
        shard: ShardId,
        after: Option<&RunId>,
        limit: usize,
    ) -> Result<Vec<RunRow>, StorageError> {
        self.inner.active_runs(shard, after, limit).await
    }

    async fn due_timers(&self, shard: ShardId, now: Timestamp, limit: usize) -> Result<Vec<Timer>, StorageError> {
        self.inner.due_timers(shard, now, limit).await
    }

    async fn next_timer(&self, shard: ShardId) -> Result<Option<Timestamp>, StorageError> {
        self.inner.next_timer(shard).await
    }

    async fn waits(&self, shard: ShardId, topic: &str) -> Result<Vec<Wait>, StorageError> {
        self.inner.waits(shard, topic).await
    }

    async fn outbox(&self, shard: ShardId, limit: usize) -> Result<Vec<NewEvent>, StorageError> {
        self.inner.outbox(shard, limit).await
    }

    async fn mail(&self, shard: ShardId, after: Option<&MailKey>, limit: usize) -> Result<Vec<Mail>, StorageError> {
        self.inner.mail(shard, after, limit).await
    }

    async fn mail_of(&self, run: &RunId) -> Result<Vec<Mail>, StorageError> {
        self.inner.mail_of(run).await
    }

    async fn record(&self, table: Table, key: &str) -> Result<Option<Record>, StorageError> {
        self.inner.record(table, key).await
    }

    async fn records(
        &self,
        table: Table,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Record>, StorageError> {
        self.inner.records(table, prefix, after, limit).await
    }

    async fn query_runs(
        &self,
        filter: &RunFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<RunRow>, StorageError> {
        self.inner.query_runs(filter, cursor, limit).await
    }

    async fn query_events(
        &self,
        filter: &EventFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<StoredEvent>, StorageError> {
        self.inner.query_events(filter, cursor, limit).await
    }

    async fn counts(&self) -> Result<Counts, StorageError> {
        self.inner.counts().await
    }

    async fn purge(&self, purge: Purge) -> Result<Purged, StorageError> {
        self.inner.purge(purge).await
    }

    async fn backup(&self) -> Result<Box<dyn Backup>, StorageError> {
        self.inner.backup().await
    }

    async fn restore(&self, part: BackupPart) -> Result<(), StorageError> {
        self.inner.restore(part).await
    }

    async fn close(&self) -> Result<(), StorageError> {
        Ok(())
    }
}
