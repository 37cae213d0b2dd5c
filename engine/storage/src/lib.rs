//! Durable storage: one trait shaped around the commit, several backends, one contract suite.

mod backup;
mod batch;
mod embedded;
mod log;
pub mod memory;

pub use backup::{BackedUpRecord, Backup, BackupPart};
pub use batch::*;
pub use log::{Options, SledStorage};
pub use memory::MemoryStorage;

use async_trait::async_trait;
use cartwright_core::{
    event::Event,
    id::{EventId, RunId},
    run::{entry::Entry, row::RunRow},
    shard::{Fence, ShardId},
    time::Timestamp,
};

/// Where everything durable lives.
///
/// *Stable storage* means that the data survives a power cut: it was handed to the disk and the disk confirmed it.
/// A method that resolves with an error did nothing, except where [`StorageError::Unavailable`] says it cannot know;
/// then the storage refuses everything until it is opened again.
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// Accepts events: dedupe keys, events and inbox entries in one atomic step, on stable storage when it resolves.
    /// Needs no fence; any node may call it for any shard. Two calls with one key never both get `New`.
    /// One answer for each event, in order.
    async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StorageError>;

    /// Makes a batch true, all of it or nothing, on stable storage when it resolves. Concurrent commits share one
    /// flush. Every run, event, timer, wait and mail in it must belong to `shard`.
    async fn commit(&self, shard: ShardId, fence: Fence, batch: Batch) -> Result<(), CommitError>;

    /// Writes records outside any shard, under the same promise as [`Storage::commit`].
    async fn write_records(&self, records: Vec<RecordWrite>) -> Result<(), CommitError>;

    /// Takes a shard for `owner` until `until` when it is free, its lease is over at `now`, or it is the owner's
    /// already. The fence is higher than any before. `None`: someone else owns it.
    async fn acquire(
        &self,
        shard: ShardId,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Fence>, StorageError>;

    /// Extends a lease; `false`: it is lost.
    async fn renew(&self, shard: ShardId, fence: Fence, until: Timestamp) -> Result<bool, StorageError>;

    /// Gives a shard back; fine when it is lost already.
    async fn release(&self, shard: ShardId, fence: Fence) -> Result<(), StorageError>;

    /// A run's row.
    async fn run(&self, run: &RunId) -> Result<Option<RunRow>, StorageError>;

    /// A run's whole journal, in order; empty when there is none.
    async fn journal(&self, run: &RunId) -> Result<Vec<Entry>, StorageError>;

    /// An event with its matches.
    async fn event(&self, event: &EventId) -> Result<Option<StoredEvent>, StorageError>;

    /// Events of a shard that wait to be matched, oldest first, after `after`.
    async fn inbox(&self, shard: ShardId, after: Option<&EventId>, limit: usize) -> Result<Vec<Event>, StorageError>;

    /// Runs of a shard that are queued or running, oldest first, after `after`: what a new owner goes on with.
    async fn active_runs(
        &self,
        shard: ShardId,
        after: Option<&RunId>,
        limit: usize,
    ) -> Result<Vec<RunRow>, StorageError>;

    /// Timers of a shard due at `now` or before, earliest first.
    async fn due_timers(&self, shard: ShardId, now: Timestamp, limit: usize) -> Result<Vec<Timer>, StorageError>;

    /// When the earliest timer of a shard is due.
    async fn next_timer(&self, shard: ShardId) -> Result<Option<Timestamp>, StorageError>;

    /// Waits of a shard for a topic.
    async fn waits(&self, shard: ShardId, topic: &str) -> Result<Vec<Wait>, StorageError>;

    /// Events of a shard's outbox, oldest first.
    async fn outbox(&self, shard: ShardId, limit: usize) -> Result<Vec<NewEvent>, StorageError>;

    /// Messages of a shard that no run has taken, by run.
    async fn mail(&self, shard: ShardId, after: Option<&MailKey>, limit: usize) -> Result<Vec<Mail>, StorageError>;

    /// Messages to one run.
    async fn mail_of(&self, run: &RunId) -> Result<Vec<Mail>, StorageError>;

    /// One record.
    async fn record(&self, table: Table, key: &str) -> Result<Option<Record>, StorageError>;

    /// Records whose key starts with `prefix`, by key, after `after`.
    async fn records(
        &self,
        table: Table,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Record>, StorageError>;

    /// Runs, newest first. `cursor` comes from the page before.
    async fn query_runs(
        &self,
        filter: &RunFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<RunRow>, StorageError>;

    /// Events, newest first.
    async fn query_events(
        &self,
        filter: &EventFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<StoredEvent>, StorageError>;

    /// How much there is.
    async fn counts(&self) -> Result<Counts, StorageError>;

    /// One bounded step of retention; call again while there is more. Never removes a run that has not ended, nor an
    /// event that is in the inbox or has such a run. What it removes need not be on stable storage when it resolves.
    async fn purge(&self, purge: Purge) -> Result<Purged, StorageError>;

    /// Begins a backup of everything: records of all tables, events, runs with their journals, and all that waits.
    /// Commits go on meanwhile. Its parts, put into an empty storage in order by [`Storage::restore`], make what was
    /// true at one commit between this call and the end of the reading, so everything acknowledged before the call is
    /// in it. What is committed while it is read stays in the log until it ends, or until that is some gigabytes; then
    /// the backup ends with an error. Leases are not part of it.
    async fn backup(&self) -> Result<Box<dyn Backup>, StorageError>;

    /// Puts the next part of a backup into a storage that was empty. On stable storage when it resolves; but before the
    /// last part is in, what is there makes no sense, and nothing else may use it.
    async fn restore(&self, part: BackupPart) -> Result<(), StorageError>;

    /// Writes what is in memory to its final place and stops. The storage answers nothing afterwards.
    async fn close(&self) -> Result<(), StorageError>;
}

/// Why storage could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The disk or the database refused. What was accepted before is safe.
    #[error("storage is not available: {reason}")]
    Unavailable {
        /// In words for people, with what to do.
        reason: String,
        /// What the system said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// What is on disk is not what this engine writes.
    #[error("storage is damaged: {reason}")]
    Corrupt {
        /// What, where, and what to do.
        reason: String,
    },
    /// A cursor or an argument is not valid.
    #[error("{reason}")]
    Invalid {
        /// What is wrong with it.
        reason: String,
    },
}

/// Why a batch did not become true. Nothing of it did.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Something is not as expected: read again and decide again.
    #[error("conflict: {what}")]
    Conflict {
        /// Which expectation did not hold.
        what: String,
    },
    /// The shard has another owner.
    #[error("the shard belongs to another node now")]
    Fenced,
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
