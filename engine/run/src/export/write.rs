//! The way in: checked lines into an engine that has nothing, as history. Nothing that comes in this way moves.

use std::{collections::BTreeMap, sync::Arc};

use cartwright_core::shard::ShardId;
use cartwright_storage::{Accepted, Batch, CommitError, Expect, NewEvent, RecordWrite, RunWrite, StorageError, Table};
use cartwright_woo::StoreSettings;
use futures_util::future::try_join_all;

use super::{
    Line,
    line::{EventLine, RunLine},
};
use crate::{StoreError, inner::Inner};

/// Of a journal that is written in one commit, in entries; longer ones take several.
const ENTRIES_PER_COMMIT: usize = 10_000;

/// Why lines could not be taken in.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A store that cannot be.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An event that is there twice.
    #[error("event {0} is there twice")]
    Twice(cartwright_core::id::EventId),
    /// Storage refused, for instance because a run is there twice.
    #[error(transparent)]
    Storage(#[from] CommitError),
}

impl From<StorageError> for ImportError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error.into())
    }
}

/// What was taken in.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// Stores, whose keys have to be given again.
    pub stores: u64,
    /// Definitions.
    pub definitions: u64,
    /// Keys of workflows' state.
    pub state: u64,
    /// Events.
    pub events: u64,
    /// Of those, events that were not matched when they were exported: they start nothing here either.
    pub unmatched_events: u64,
    /// Runs that had ended.
    pub runs: u64,
    /// Runs that had not: left out.
    pub open_runs: u64,
    /// Secrets' names, tokens, people and audit entries: left out.
    pub for_reading: u64,
}

impl std::ops::AddAssign for Imported {
    fn add_assign(&mut self, more: Self) {
        self.stores += more.stores;
        self.definitions += more.definitions;
        self.state += more.state;
        self.events += more.events;
        self.unmatched_events += more.unmatched_events;
        self.runs += more.runs;
        self.open_runs += more.open_runs;
        self.for_reading += more.for_reading;
    }
}

/// Takes some lines in. On stable storage when it resolves; what is refused may be in it by half.
pub(crate) async fn import(inner: &Arc<Inner>, lines: Vec<Line>) -> Result<Imported, ImportError> {
    let mut counts = Imported::default();
    let (mut records, mut events, mut runs) = (Vec::new(), Vec::new(), Vec::new());
    let record = |table, key, value| RecordWrite { table, key, expect: Expect::Absent, value: Some(value) };
    for line in lines {
        match line {
            Line::Head(_) | Line::End(_) => {}
            Line::ForReading(_) => counts.for_reading += 1,
            Line::OpenRun => counts.open_runs += 1,
            Line::Store(store) => {
                let settings = StoreSettings { url: store.url, tags: store.tags, ..StoreSettings::default() };
                inner.stores.add(store.id, &settings, store.created, |_| None).await?;
                counts.stores += 1;
            }
            Line::Definition(line) => {
                let value = serde_json::to_vec(&line.definition).expect("texts always become JSON");
                records.push(record(Table::Definitions, line.version.to_string(), value));
                counts.definitions += 1;
            }
            Line::State(line) => {
                let key = format!("{}\0{}", line.workflow, line.key);
                records.push(record(Table::State, key, line.value.to_string().into_bytes()));
                counts.state += 1;
            }
            Line::Event(event) => events.push(*event),
            Line::Run(run) => runs.push(*run),
        }
    }
    if !records.is_empty() {
        inner.storage.write_records(records).await?;
    }
    (counts.events, counts.runs) = (events.len() as u64, runs.len() as u64);
    counts.unmatched_events = events.iter().filter(|line| line.matches.is_none()).count() as u64;
    take_events(inner, events).await?;
    take_runs(inner, runs).await?;
    Ok(counts)
}

/// Events go the way that all events go, and are out of the inbox again before anything looks there.
async fn take_events(inner: &Arc<Inner>, lines: Vec<EventLine>) -> Result<(), ImportError> {
    let new: Vec<_> = lines.iter().map(|line| NewEvent { event: line.event.clone(), dedupe: None }).collect();
    let mut matched: BTreeMap<ShardId, Batch> = BTreeMap::new();
    if new.is_empty() {
        return Ok(());
    }
    for (line, accepted) in lines.into_iter().zip(inner.storage.accept(new).await?) {
        if let Accepted::Duplicate(id) = accepted {
            return Err(ImportError::Twice(id));
        }
        let batch = matched.entry(line.event.shard()).or_default();
        batch.matched.push((line.event.id, line.matches.unwrap_or_default()));
    }
    commit(inner, matched).await
}

async fn take_runs(inner: &Arc<Inner>, lines: Vec<RunLine>) -> Result<(), ImportError> {
    let mut short: BTreeMap<ShardId, Batch> = BTreeMap::new();
    for RunLine { run: row, mut journal, .. } in lines {
        let mut expected_len = 0;
        while journal.len() > ENTRIES_PER_COMMIT {
            let rest = journal.split_off(ENTRIES_PER_COMMIT);
            let write = RunWrite { row: row.clone(), expected_len, append: journal };
            commit(inner, [(row.shard, Batch { runs: vec![write], ..Batch::default() })].into()).await?;
            expected_len += ENTRIES_PER_COMMIT as u64;
            journal = rest;
        }
        let batch = short.entry(row.shard).or_default();
        batch.runs.push(RunWrite { row, expected_len, append: journal });
    }
    commit(inner, short).await
}

async fn commit(inner: &Arc<Inner>, batches: BTreeMap<ShardId, Batch>) -> Result<(), ImportError> {
    let commits = batches.into_iter().map(|(shard, batch)| inner.storage.commit(shard, inner.fence(shard), batch));
    try_join_all(commits).await?;
    Ok(())
}
