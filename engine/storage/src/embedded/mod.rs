//! The embedded backends: the storage trait over one ordered key space. `memory` and `log` differ only in what a
//! [`Sink`] does to make a group of commits durable.
//!
//! A call's way: [`prepare`] turns it into bytes → the sink orders it → [`stage`] checks it and adds it to a
//! [`group`] → the sink makes the group durable → [`view`] shows it. Reads ([`read`], [`query`]) look at the view only,
//! so nothing is seen that could still be lost.

pub(crate) mod change;
pub(crate) mod copy;
pub(crate) mod group;
pub(crate) mod head;
pub(crate) mod key;
pub(crate) mod list;
mod pack;
pub(crate) mod prepare;
pub(crate) mod purge;
pub(crate) mod query;
pub(crate) mod read;
pub(crate) mod stage;
pub(crate) mod view;

use async_trait::async_trait;
use cartwright_core::{
    event::Event,
    id::{EventId, RunId},
    run::{entry::Entry, row::RunRow},
    shard::{Fence, ShardId},
    time::Timestamp,
};

use self::{
    key::damaged,
    purge::{MAX_PER_REQUEST, Progress},
    stage::{Answer, Request},
    view::{Range, View},
};
use crate::{
    Accepted, Backup, BackupPart, Batch, CommitError, Counts, EventFilter, Mail, MailKey, NewEvent, Page, Purge,
    Purged, Record, RecordWrite, RunFilter, Storage, StorageError, StoredEvent, Table, Timer, Wait,
};

/// What makes groups of commits durable.
#[async_trait]
pub trait Sink: Send + Sync + 'static {
    /// What is true now; an error once the storage is closed or cannot know what is true.
    #[doc(hidden)]
    fn seen(&self) -> Result<Seen<'_>, StorageError>;
    /// Orders a request and resolves when what it changed is durable.
    #[doc(hidden)]
    async fn submit(&self, asked: Asked) -> Result<Told, CommitError>;
    /// How much there is.
    #[doc(hidden)]
    fn counts(&self) -> Counts;
    /// Bytes of the log.
    #[doc(hidden)]
    fn log_bytes(&self) -> u64 {
        0
    }
    /// Begins a copy of everything.
    #[doc(hidden)]
    fn copy(&self) -> Result<copy::CopySource, StorageError>;
    /// Stops.
    #[doc(hidden)]
    async fn close(&self) -> Result<(), StorageError>;
}

/// Keeps the view's type out of the crate's interface.
#[doc(hidden)]
pub struct Seen<'a>(pub(crate) &'a View);

/// Keeps the request's type out of the crate's interface.
#[doc(hidden)]
pub struct Asked(pub(crate) Request);

/// Keeps the answer's type out of the crate's interface.
#[doc(hidden)]
pub struct Told(pub(crate) Answer);

/// Storage inside this process.
pub struct Embedded<S> {
    pub(crate) sink: S,
    progress: Progress,
}

impl<S: Sink> Embedded<S> {
    pub(crate) fn over(sink: S) -> Self {
        Self { sink, progress: Progress::default() }
    }

    pub(crate) fn view(&self) -> Result<&View, StorageError> {
        self.sink.seen().map(|seen| seen.0)
    }

    async fn ask(&self, request: Request) -> Result<Answer, CommitError> {
        Ok(self.sink.submit(Asked(request)).await?.0)
    }

    async fn ask_plain(&self, request: Request) -> Result<Answer, StorageError> {
        self.ask(request).await.map_err(|error| match error {
            CommitError::Storage(error) => error,
            error => StorageError::Invalid { reason: error.to_string() },
        })
    }

    async fn purge_ids(
        &self,
        purged: &mut Purged,
        ids: &[key::Id],
        of: impl Fn(Vec<key::Id>) -> Request,
    ) -> Result<(), StorageError> {
        for part in ids.chunks(MAX_PER_REQUEST) {
            if let Answer::Purged(step) = self.ask_plain(of(part.to_vec())).await? {
                purged.runs += step.runs;
                purged.events += step.events;
                purged.dedupe_keys += step.dedupe_keys;
            }
        }
        Ok(())
    }
}

fn wrong_answer() -> StorageError {
    StorageError::Invalid {
        reason: "storage gave the answer to another question; this is a bug in the engine".to_owned(),
    }
}

#[async_trait]
impl<S: Sink> Storage for Embedded<S> {
    async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StorageError> {
        match self.ask_plain(Request::Accept(prepare::events(&events)?)).await? {
            Answer::Accepted(accepted) => Ok(accepted),
            _ => Err(wrong_answer()),
        }
    }

    async fn commit(&self, shard: ShardId, fence: Fence, batch: Batch) -> Result<(), CommitError> {
        let batch = Box::new(prepare::batch(shard, batch)?);
        self.ask(Request::Commit { shard, fence, batch }).await.map(drop)
    }

    async fn write_records(&self, records: Vec<RecordWrite>) -> Result<(), CommitError> {
        self.ask(Request::Records(prepare::records(records)?)).await.map(drop)
    }

    async fn acquire(
        &self,
        shard: ShardId,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Fence>, StorageError> {
        match self.ask_plain(Request::Acquire { shard, owner: owner.to_owned(), now, until }).await? {
            Answer::Acquired(fence) => Ok(fence),
            _ => Err(wrong_answer()),
        }
    }

    async fn renew(&self, shard: ShardId, fence: Fence, until: Timestamp) -> Result<bool, StorageError> {
        match self.ask_plain(Request::Renew { shard, fence, until }).await? {
            Answer::Renewed(owns) => Ok(owns),
            _ => Err(wrong_answer()),
        }
    }

    async fn release(&self, shard: ShardId, fence: Fence) -> Result<(), StorageError> {
        self.ask_plain(Request::Release { shard, fence }).await.map(drop)
    }

    async fn run(&self, run: &RunId) -> Result<Option<RunRow>, StorageError> {
        let view = self.view()?;
        key::run_id(run).map_or(Ok(None), |id| read::row(view, &id))
    }

    async fn journal(&self, run: &RunId) -> Result<Vec<Entry>, StorageError> {
        let view = self.view()?;
        key::run_id(run).map_or(Ok(Vec::new()), |id| read::journal(view, &id))
    }

    async fn event(&self, event: &EventId) -> Result<Option<StoredEvent>, StorageError> {
        let view = self.view()?;
        let Some(id) = key::event_id(event) else { return Ok(None) };
        Ok(read::event(view, &id)?.map(|parts| parts.stored))
    }

    async fn inbox(&self, shard: ShardId, after: Option<&EventId>, limit: usize) -> Result<Vec<Event>, StorageError> {
        let view = self.view()?;
        let mut range = Range::prefix(&key::shard_prefix(key::INBOX, shard));
        if let Some(id) = after.and_then(key::event_id) {
            range = range.after(key::in_shard(key::INBOX, shard, &id));
        }
        let mut events = Vec::new();
        for (key, _) in view.scan(range, false, limit)? {
            // One that was purged or matched since the scan is no longer in the inbox.
            events.extend(read::event(view, &key::trailing_id(&key)?)?.map(|parts| parts.stored.event));
        }
        Ok(events)
    }

    async fn active_runs(
        &self,
        shard: ShardId,
        after: Option<&RunId>,
        limit: usize,
    ) -> Result<Vec<RunRow>, StorageError> {
        let view = self.view()?;
        let mut range = Range::prefix(&key::shard_prefix(key::ACTIVE, shard));
        if let Some(id) = after.and_then(key::run_id) {
            range = range.after(key::in_shard(key::ACTIVE, shard, &id));
        }
        let mut rows = Vec::new();
        for (key, _) in view.scan(range, false, limit)? {
            rows.extend(read::row(view, &key::trailing_id(&key)?)?);
        }
        Ok(rows)
    }

    async fn due_timers(&self, shard: ShardId, now: Timestamp, limit: usize) -> Result<Vec<Timer>, StorageError> {
        let mut through = key::shard_prefix(key::TIMER, shard);
        let range = Range::prefix(&through);
        through.extend_from_slice(&key::time_bytes(now));
        let range = match key::after_prefix(&through) {
            Some(end) => range.before(end),
            None => range,
        };
        let timers = self.view()?.scan(range, false, limit)?.into_iter();
        timers.map(|(key, _)| key::timer_of_key(&key).ok_or_else(|| damaged("a timer"))).collect()
    }

    async fn next_timer(&self, shard: ShardId) -> Result<Option<Timestamp>, StorageError> {
        let first = self.view()?.scan(Range::prefix(&key::shard_prefix(key::TIMER, shard)), false, 1)?;
        first.first().map(|(key, _)| key::timer_due(key).ok_or_else(|| damaged("a timer"))).transpose()
    }

    async fn waits(&self, shard: ShardId, topic: &str) -> Result<Vec<Wait>, StorageError> {
        let prefix = key::wait_prefix(shard, topic);
        let waits = self.view()?.scan(Range::prefix(&prefix), false, usize::MAX)?.into_iter();
        let read = |(key, value): (key::Key, Vec<u8>)| {
            let key = key::wait_of_key(key.get(prefix.len()..)?, topic)?;
            let prepare::WaitValue { since, condition, scope } = serde_json::from_slice(&value).ok()?;
            Some(Wait { key, since, condition, scope })
        };
        waits.map(|item| read(item).ok_or_else(|| damaged("a wait"))).collect()
    }

    async fn outbox(&self, shard: ShardId, limit: usize) -> Result<Vec<NewEvent>, StorageError> {
        let items = self.view()?.scan(Range::prefix(&key::shard_prefix(key::OUTBOX, shard)), false, limit)?.into_iter();
        let read = |value: Vec<u8>| {
            let prepare::OutboxValue { event, dedupe } = serde_json::from_slice(&value).ok()?;
            Some(NewEvent { event, dedupe })
        };
        items.map(|(_, value)| read(value).ok_or_else(|| damaged("an outbox record"))).collect()
    }

    async fn mail(&self, shard: ShardId, after: Option<&MailKey>, limit: usize) -> Result<Vec<Mail>, StorageError> {
        let view = self.view()?;
        let prefix = key::shard_prefix(key::MAIL_SHARD, shard);
        let mut range = Range::prefix(&prefix);
        if let Some((id, after)) = after.and_then(|after| Some((key::run_id(&after.run)?, after))) {
            range = range.after(key::mail_in_shard(shard, &id, after));
        }
        let mut mails = Vec::new();
        for (key, _) in view.scan(range, false, limit)? {
            let rest = key.get(prefix.len()..).unwrap_or_default();
            let by_run = [&[key::MAIL][..], rest].concat();
            if let Some(body) = view.get(&by_run)? {
                mails.push(mail_of(rest, &body).ok_or_else(|| damaged("a message"))?);
            }
        }
        Ok(mails)
    }

    async fn mail_of(&self, run: &RunId) -> Result<Vec<Mail>, StorageError> {
        let view = self.view()?;
        let Some(id) = key::run_id(run) else { return Ok(Vec::new()) };
        let items = view.scan(Range::prefix(&key::with_id(key::MAIL, &id)), false, usize::MAX)?.into_iter();
        items
            .map(|(key, body)| mail_of(key.get(1..).unwrap_or_default(), &body).ok_or_else(|| damaged("a message")))
            .collect()
    }

    async fn record(&self, table: Table, key: &str) -> Result<Option<Record>, StorageError> {
        let value = self.view()?.get(&key::record(table, key))?;
        value.map(|value| record_of(key.to_owned(), value)).transpose()
    }

    async fn records(
        &self,
        table: Table,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Record>, StorageError> {
        let mut range = Range::prefix(&key::record(table, prefix));
        if let Some(after) = after.filter(|after| *after >= prefix) {
            range = range.after(key::record(table, after));
        }
        let items = self.view()?.scan(range, false, limit)?.into_iter();
        let read = |(key, value): (key::Key, Vec<u8>)| {
            let key =
                String::from_utf8(key.get(2..).unwrap_or_default().to_vec()).map_err(|_| damaged("a record's key"))?;
            record_of(key, value)
        };
        items.map(read).collect()
    }

    async fn query_runs(
        &self,
        filter: &RunFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<RunRow>, StorageError> {
        query::runs(self.view()?, filter, cursor, limit)
    }

    async fn query_events(
        &self,
        filter: &EventFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<StoredEvent>, StorageError> {
        query::events(self.view()?, filter, cursor, limit)
    }

    async fn counts(&self) -> Result<Counts, StorageError> {
        let view = self.view()?;
        Ok(Counts { disk_bytes: view.disk_bytes() + self.sink.log_bytes(), ..self.sink.counts() })
    }

    async fn purge(&self, purge: Purge) -> Result<Purged, StorageError> {
        let view = self.view()?;
        let budget = purge.budget.max(1);
        let mut purged = Purged::default();
        let found = purge::find_runs(view, &self.progress, Some(purge.before), budget)?;
        let before = Some(purge.before);
        self.purge_ids(&mut purged, &found.ids, |runs| Request::PurgeRuns { runs, before }).await?;
        purged.more = found.more;
        let left = budget.saturating_sub(found.looked.max(found.ids.len()));
        let over = purge::excess(self.sink.counts().runs.iter().sum(), &purge);
        if over > 0 && left > 0 && !found.more {
            let found = purge::oldest_ended(view, over.min(left))?;
            let removed = purged.runs;
            self.purge_ids(&mut purged, &found, |runs| Request::PurgeRuns { runs, before: None }).await?;
            purged.more |= over > found.len() && purged.runs > removed;
        }
        let left = left.saturating_sub(purged.runs as usize).max(1);
        if !purged.more || left > 1 {
            let found = purge::find_events(view, &self.progress, purge.before, left)?;
            let before = purge.before;
            self.purge_ids(&mut purged, &found.ids, |events| Request::PurgeEvents { events, before }).await?;
            purged.more |= found.more;
        }
        Ok(purged)
    }

    async fn backup(&self) -> Result<Box<dyn Backup>, StorageError> {
        Ok(Box::new(copy::Copying::new(self.sink.copy()?)))
    }

    async fn restore(&self, part: BackupPart) -> Result<(), StorageError> {
        self.ask_plain(Request::Restore(part.changes()?)).await.map(drop)
    }

    async fn close(&self) -> Result<(), StorageError> {
        self.sink.close().await
    }
}

fn mail_of(rest: &[u8], body: &[u8]) -> Option<Mail> {
    Some(Mail { key: key::mail_of_key(rest)?, body: serde_json::from_slice(body).ok()? })
}

fn record_of(key: String, mut value: Vec<u8>) -> Result<Record, StorageError> {
    let version = stage::record_version(&value)?;
    value.drain(..8);
    Ok(Record { key, version, value })
}
