//! Lists of runs and events by what people ask for: which lists something is in, and how lists are kept.
//!
//! A list is named by a hash of what it lists. Ids that stay in a list are appended to *blocks*, one for each quarter
//! of a second in which something of the list began: under load one key serves hundreds of ids, which is what makes
//! lists affordable. Runs that will leave a list (they are not ended, the list is by status) have a key each, which
//! mostly lives and dies in memory. Readers check every row against the filter, so a hash collision costs time only.

use cartwright_core::{
    event::Event,
    id::{StoreId, WorkflowId},
    run::row::RunStatus,
};

use crate::{
    StorageError,
    embedded::{
        group::Group,
        key::{self, BLOCK, Id, Key, OPEN},
    },
};

/// Names a list.
pub(crate) type ListId = u64;

/// A block holds the ids of `1 << BLOCK_BITS` milliseconds.
const BLOCK_BITS: u32 = 8;

/// FNV-1a, 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>): it must never change, since it is on disk.
fn hash(parts: &[&[u8]]) -> ListId {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        for &byte in part.iter().chain(&[0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

/// What decides a run's lists, for its whole life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunLists {
    pub(crate) workflow: ListId,
    /// 0: none.
    pub(crate) store: ListId,
}

impl RunLists {
    /// Of a run of this workflow and store.
    pub(crate) fn of(workflow: &WorkflowId, store: Option<&StoreId>) -> Self {
        Self { workflow: by_workflow(workflow), store: store.map_or(0, by_store) }
    }

    /// Lists that it is in from begin to end.
    fn lasting(self) -> impl Iterator<Item = ListId> {
        let with_store = [self.store, pair(self.workflow, self.store)];
        std::iter::once(self.workflow).chain(with_store.into_iter().filter(move |_| self.store != 0))
    }

    /// Lists that it is in while it has this status.
    fn passing(self, status: RunStatus) -> impl Iterator<Item = ListId> {
        let status = by_status(status);
        let with_store = Some(pair(self.store, status)).filter(|_| self.store != 0);
        [status, pair(self.workflow, status)].into_iter().chain(with_store)
    }
}

/// Runs of a workflow.
pub(crate) fn by_workflow(workflow: &WorkflowId) -> ListId {
    hash(&[b"w", workflow.as_str().as_bytes()])
}

/// Runs of a store.
pub(crate) fn by_store(store: &StoreId) -> ListId {
    hash(&[b"s", store.as_str().as_bytes()]).max(1)
}

/// Runs with a status.
pub(crate) fn by_status(status: RunStatus) -> ListId {
    hash(&[b"t", status.as_str().as_bytes()])
}

/// Runs that are in two lists: workflow, store, status, in this order.
pub(crate) fn pair(one: ListId, other: ListId) -> ListId {
    hash(&[b"p", &one.to_be_bytes(), &other.to_be_bytes()])
}

/// Runs of an event that was not kept when they began.
fn by_event(event: &Id) -> ListId {
    hash(&[b"e", event])
}

/// Events of a store, of a topic, or of both; `None`: all events, which need no list.
pub(crate) fn of_events(store: Option<&StoreId>, topic: Option<&str>) -> Option<ListId> {
    match (store, topic) {
        (None, None) => None,
        (Some(store), None) => Some(hash(&[b"es", store.as_str().as_bytes()])),
        (None, Some(topic)) => Some(hash(&[b"et", topic.as_bytes()])),
        (Some(store), Some(topic)) => Some(hash(&[b"est", store.as_str().as_bytes(), topic.as_bytes()])),
    }
}

/// All lists that an event is in.
pub(crate) fn lists_of_event(event: &Event) -> impl Iterator<Item = ListId> {
    let topic = Some(event.topic.as_str());
    let store = event.store.as_ref();
    let with_store = store.map(|store| [of_events(Some(store), None), of_events(Some(store), topic)]);
    std::iter::once(of_events(None, topic)).chain(with_store.into_iter().flatten()).flatten()
}

/// The block of a list that holds an id.
pub(crate) fn block(list: ListId, id: &Id) -> Key {
    block_at(list, block_number(id))
}

/// A block by its number.
pub(crate) fn block_at(list: ListId, number: u64) -> Key {
    [&[BLOCK][..], &list.to_be_bytes(), &number.to_be_bytes()].concat()
}

/// Which block of a list holds an id.
pub(crate) fn block_number(id: &Id) -> u64 {
    key::millis(id) >> BLOCK_BITS
}

/// The first millisecond of a block, by its key.
pub(crate) fn block_begin(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(*key.last_chunk::<8>()?) << BLOCK_BITS)
}

/// What all blocks of a list start with.
pub(crate) fn block_prefix(list: ListId) -> Key {
    [&[BLOCK][..], &list.to_be_bytes()].concat()
}

/// A run in a list that it will leave.
pub(crate) fn open(list: ListId, id: &Id) -> Key {
    [&[OPEN][..], &list.to_be_bytes(), id].concat()
}

/// What all of a list's runs that will leave it start with.
pub(crate) fn open_prefix(list: ListId) -> Key {
    [&[OPEN][..], &list.to_be_bytes()].concat()
}

/// What all runs start with that an unkept event started.
pub(crate) fn event_prefix(event: &Id) -> Key {
    open_prefix(by_event(event))
}

/// The ids in a block's tail.
pub(crate) fn ids(tail: &[u8]) -> impl Iterator<Item = Id> {
    tail.as_chunks::<16>().0.iter().copied()
}

/// Puts a new run into its lists.
pub(crate) fn begin(group: &mut Group<'_>, id: &Id, lists: RunLists, status: RunStatus) -> Result<(), StorageError> {
    for list in lists.lasting() {
        group.append(block(list, id), id)?;
    }
    enter(group, id, lists, status)
}

/// Moves a run from the lists of one status to those of another.
pub(crate) fn step(
    group: &mut Group<'_>,
    id: &Id,
    lists: RunLists,
    from: RunStatus,
    to: RunStatus,
) -> Result<(), StorageError> {
    for list in lists.passing(from) {
        if from.is_ended() { drop_from(group, block(list, id), &[*id])? } else { group.delete(open(list, id)) }
    }
    enter(group, id, lists, to)
}

fn enter(group: &mut Group<'_>, id: &Id, lists: RunLists, status: RunStatus) -> Result<(), StorageError> {
    for list in lists.passing(status) {
        if status.is_ended() { group.append(block(list, id), id)? } else { group.put(open(list, id), Vec::new()) }
    }
    Ok(())
}

/// Lists a run by its event.
pub(crate) fn begin_by_event(group: &mut Group<'_>, id: &Id, event: &Id) {
    group.put(open(by_event(event), id), Vec::new());
}

/// Forgets that a run was listed by its event.
pub(crate) fn end_by_event(group: &mut Group<'_>, id: &Id, event: &Id) {
    group.delete(open(by_event(event), id));
}

/// The blocks that hold an ended run.
pub(crate) fn blocks_of_ended(id: &Id, lists: RunLists, status: RunStatus) -> impl Iterator<Item = Key> {
    lists.lasting().chain(lists.passing(status)).map(|list| block(list, id))
}

/// Takes ids out of a block.
pub(crate) fn drop_from(group: &mut Group<'_>, block: Key, gone: &[Id]) -> Result<(), StorageError> {
    let Some(value) = group.get(&block)? else { return Ok(()) };
    let (_, tail) = super::change::parts(&value)?;
    let left: Vec<u8> = ids(tail).filter(|id| !gone.contains(id)).flatten().collect();
    if left.is_empty() {
        group.delete(block);
    } else {
        group.put(block, super::change::value(&[], &left));
    }
    Ok(())
}
