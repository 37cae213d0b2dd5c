//! The durable side of `concurrency`: what storage knows of a group, and what a commit writes of it.
//!
//! A group in use has three kinds of records in [`Table::Slots`]: `g/WORKFLOW/GROUP`, its counters; `h/GROUP/RUN`, one
//! for each holder; `q/GROUP/PLACE`, one for each run in its queue, in the order of their turns. Every change writes the
//! counters with the version that was read, so two changes never go by each other; and none looks at more than the
//! first two of the queue. A group that nobody uses has no record.

mod answer;
mod check;
mod shown;

pub(crate) use answer::{answer, replace_older};
pub use check::check_slots;
pub use shown::{RunSlot, SlotGroup, SlotHolder, SlotState};
pub(crate) use shown::{list, of_run};

use cartwright_core::{
    id::{RunId, WorkflowId},
    slots::{First, Group, Head, Holder, Place, Position, Waiter},
    time::Timestamp,
};
use cartwright_storage::{Expect, Record, RecordWrite, Storage, StorageError, Table};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::{Mutex, MutexGuard};

use crate::inner::Inner;

/// Locks that keep the runs of this process from fighting over one group.
const LOCKS: usize = 512;
/// Records read at once.
const PAGE: usize = 256;

/// Keeps the changes of one group one after another within this process.
pub(crate) struct Locks(Vec<Mutex<()>>);

impl Default for Locks {
    fn default() -> Self {
        Self((0..LOCKS).map(|_| Mutex::default()).collect())
    }
}

impl Locks {
    /// Held from reading a group to the commit that changes it.
    pub(crate) async fn of(&self, group: &Group) -> MutexGuard<'_, ()> {
        let digest = group.digest();
        let number = usize::from_str_radix(&digest[..4], 16).unwrap_or_default();
        self.0[number % LOCKS].lock().await
    }
}

/// A group as it was read.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Its counters.
    pub(crate) head: Head,
    /// The version of their record; `None`: there is none.
    version: Option<u64>,
    /// The first two of its queue.
    line: Vec<First>,
}

/// What a change of a group comes to.
#[derive(Debug)]
pub(crate) struct Change {
    /// What the commit writes.
    pub(crate) writes: Vec<RecordWrite>,
    /// The counters afterwards.
    pub(crate) head: Head,
    /// The first of the queue afterwards.
    pub(crate) first: Option<First>,
}

/// Reads a group.
pub(crate) async fn read(storage: &dyn Storage, group: &Group) -> Result<Seen, StorageError> {
    let digest = group.digest();
    let record = storage.record(Table::Slots, &head_key(group, &digest)).await?;
    let (head, version) = match &record {
        Some(record) => (parse::<Head>(record)?, Some(record.version)),
        None => (Head::new(group.clone()), None),
    };
    let line = match head.waiting {
        0 => Vec::new(),
        _ => {
            let queue = storage.records(Table::Slots, &queue_prefix(&digest), None, 2).await?;
            queue.iter().map(first).collect::<Result<_, _>>()?
        }
    };
    Ok(Seen { head, version, line })
}

impl Seen {
    /// The first of the queue.
    pub(crate) fn first(&self) -> Option<&First> {
        self.line.first()
    }

    /// Whether storage has another state of the group by now.
    pub(crate) async fn is_outdated(&self, storage: &dyn Storage) -> Result<bool, StorageError> {
        let group = &self.head.group;
        let now = storage.record(Table::Slots, &head_key(group, &group.digest())).await?;
        Ok(now.map(|record| record.version) != self.version)
    }

    /// A run goes from one position to another.
    pub(crate) fn change(
        &self,
        run: &RunId,
        (from, to): (Position<'_>, Position<'_>),
        limit: u32,
        now: Timestamp,
    ) -> Change {
        let digest = self.head.group.digest();
        let head = self.head.moved(from, to);
        let mut writes = vec![self.head_write(&head, &digest)];
        let mut line: Vec<First> = self.line.clone();
        match from {
            Position::Held => writes.push(delete(holder_key(&digest, run))),
            Position::Queued(place) => {
                writes.push(delete(queue_key(&digest, place)));
                line.retain(|waiter| waiter.place != *place);
            }
            Position::Out => {}
        }
        match to {
            Position::Held => writes.push(create(holder_key(&digest, run), &Holder { since: now })),
            Position::Queued(place) => {
                writes.push(create(queue_key(&digest, place), &Waiter { run: run.clone(), limit }));
                line.push(First { place: place.clone(), run: run.clone(), limit });
                line.sort_by(|a, b| a.place.cmp(&b.place));
            }
            Position::Out => {}
        }
        Change { writes, head, first: line.into_iter().next() }
    }

    fn head_write(&self, head: &Head, digest: &str) -> RecordWrite {
        let expect = self.version.map_or(Expect::Absent, Expect::Version);
        let value = (!head.is_idle()).then(|| bytes(head));
        RecordWrite { table: Table::Slots, key: head_key(&head.group, digest), expect, value }
    }
}

/// A group in use with how many hold a slot and wait.
pub(crate) async fn groups(
    storage: &dyn Storage,
    workflow: Option<&WorkflowId>,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, Head)>, StorageError> {
    let prefix = workflow.map_or_else(|| "g/".to_owned(), |workflow| format!("g/{workflow}\0"));
    let records = storage.records(Table::Slots, &prefix, after, limit).await?;
    records.iter().map(|record| Ok((record.key.clone(), parse(record)?))).collect()
}

/// Counts what is held and queued when an engine opens; from then on each commit counts.
pub(crate) async fn count(inner: &Inner) -> Result<(), StorageError> {
    let mut after = None::<String>;
    loop {
        let page = groups(inner.storage.as_ref(), None, after.as_deref(), PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = Some(last.clone());
        page.iter().for_each(|(_, head)| inner.metrics.slots.found(head));
    }
}

/// Who holds slots of a group, and since when: at most `limit`, in the order of their ids.
pub(crate) async fn holders(
    storage: &dyn Storage,
    group: &Group,
    limit: usize,
) -> Result<Vec<(RunId, Holder)>, StorageError> {
    let prefix = format!("h/{}/", group.digest());
    let (mut found, mut after) = (Vec::new(), None::<String>);
    while found.len() < limit {
        let page = storage.records(Table::Slots, &prefix, after.as_deref(), PAGE.min(limit - found.len())).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        for record in &page {
            let run = record.key[prefix.len()..].parse().map_err(|_| damaged(&record.key))?;
            found.push((run, parse(record)?));
        }
    }
    Ok(found)
}

/// Whether a run holds a slot of a group.
async fn is_holder(storage: &dyn Storage, group: &Group, run: &RunId) -> Result<bool, StorageError> {
    Ok(storage.record(Table::Slots, &holder_key(&group.digest(), run)).await?.is_some())
}

/// The queue of a group from its front: at most `limit`.
pub(crate) async fn queue(storage: &dyn Storage, group: &Group, limit: usize) -> Result<Vec<First>, StorageError> {
    let prefix = queue_prefix(&group.digest());
    let (mut found, mut after) = (Vec::new(), None::<String>);
    while found.len() < limit {
        let page = storage.records(Table::Slots, &prefix, after.as_deref(), PAGE.min(limit - found.len())).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        for record in &page {
            found.push(first(record)?);
        }
    }
    Ok(found)
}

fn first(record: &Record) -> Result<First, StorageError> {
    let place = record.key.rsplit('/').next().and_then(Place::parse).ok_or_else(|| damaged(&record.key))?;
    let Waiter { run, limit } = parse(record)?;
    Ok(First { place, run, limit })
}

fn head_key(group: &Group, digest: &str) -> String {
    format!("g/{}\0{digest}", group.workflow)
}

fn holder_key(digest: &str, run: &RunId) -> String {
    format!("h/{digest}/{run}")
}

fn queue_prefix(digest: &str) -> String {
    format!("q/{digest}/")
}

fn queue_key(digest: &str, place: &Place) -> String {
    format!("q/{digest}/{place}")
}

fn create(key: String, value: &impl Serialize) -> RecordWrite {
    RecordWrite { table: Table::Slots, key, expect: Expect::Absent, value: Some(bytes(value)) }
}

fn delete(key: String) -> RecordWrite {
    RecordWrite { table: Table::Slots, key, expect: Expect::Any, value: None }
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("ids and numbers become JSON")
}

fn parse<T: DeserializeOwned>(record: &Record) -> Result<T, StorageError> {
    serde_json::from_slice(&record.value).map_err(|_| damaged(&record.key))
}

fn damaged(key: &str) -> StorageError {
    let key = key.replace('\0', "/");
    StorageError::Corrupt {
        reason: format!("record `{key}` of slots cannot be read; restore the data folder from a backup"),
    }
}
