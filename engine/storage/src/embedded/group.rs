//! The changes of the commits that will share one flush, over what is true now. `stage` checks each commit against
//! it and adds to it; when the group is durable it becomes true as a whole.

use std::sync::Arc;

use cartwright_core::{
    run::row::RunStatus,
    shard::{Fence, SHARD_COUNT, ShardId},
    time::Timestamp,
};

use crate::{
    Counts, StorageError,
    embedded::{
        change::{Change, Changes, parts, value},
        key::{self, Id, Key},
        view::View,
    },
};

/// Who owns a shard.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lease {
    pub(crate) owner: String,
    /// 0: never owned.
    pub(crate) fence: u64,
    /// `None`: given back.
    pub(crate) until: Option<Timestamp>,
}

/// What is kept in memory beside the view.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) counts: Counts,
    /// By shard number; shared until one changes.
    pub(crate) leases: Arc<Vec<Lease>>,
    /// The last fence given out.
    pub(crate) fence: u64,
}

impl Standing {
    /// With these counts; fences are given out above `fence`.
    pub(crate) fn new(counts: Counts, fence: u64) -> Self {
        Self { counts, leases: Arc::new(vec![Lease::default(); usize::from(SHARD_COUNT)]), fence }
    }

    /// A shard's lease, to change it.
    pub(crate) fn lease_mut(&mut self, shard: ShardId) -> &mut Lease {
        &mut Arc::make_mut(&mut self.leases)[usize::from(shard.number())]
    }

    /// Whether this fence is the owner's.
    pub(crate) fn owns(&self, shard: ShardId, fence: Fence) -> bool {
        let lease = &self.leases[usize::from(shard.number())];
        lease.until.is_some() && lease.fence == fence.0
    }
}

/// The changes of a group.
pub(crate) struct Group<'a> {
    pub(crate) view: &'a View,
    pub(crate) changes: Changes,
    /// Becomes the standing when the group is durable.
    pub(crate) standing: Standing,
    /// Bytes of keys and values added, roughly.
    pub(crate) bytes: usize,
}

/// A long value kept in pieces: the first with its head under one key, the rest in chunks.
pub(crate) struct Stream {
    /// Tag of the key of head and first piece.
    pub(crate) tag: u8,
    /// Tag of the keys of further chunks.
    pub(crate) rest: u8,
    /// Bytes in the first piece.
    pub(crate) first_bytes: usize,
}

/// A run: its row and the begin of its journal.
pub(crate) const RUN: Stream = Stream { tag: key::RUN, rest: key::JOURNAL, first_bytes: 16 * 1024 };

/// An event, its matches and its runs.
pub(crate) const EVENT: Stream = Stream { tag: key::EVENT, rest: key::EVENT_REST, first_bytes: 32 * 1024 };

/// Bytes in a further chunk.
pub(crate) const CHUNK_BYTES: usize = 32 * 1024;

impl Stream {
    /// How many chunks follow the first piece of a stream of this length.
    pub(crate) fn chunks(&self, length: u64) -> u32 {
        let rest = usize::try_from(length).unwrap_or(usize::MAX).saturating_sub(self.first_bytes);
        u32::try_from(rest.div_ceil(CHUNK_BYTES)).unwrap_or(u32::MAX)
    }
}

impl<'a> Group<'a> {
    /// An empty group.
    pub(crate) fn new(view: &'a View, standing: &Standing) -> Self {
        Self { view, changes: Changes::new(), standing: standing.clone(), bytes: 0 }
    }

    /// Sets a key.
    pub(crate) fn put(&mut self, key: Key, value: Vec<u8>) {
        self.add(key, Change::Put(value));
    }

    /// Removes a key.
    pub(crate) fn delete(&mut self, key: Key) {
        self.add(key, Change::Delete);
    }

    /// Adds a change as it is.
    pub(crate) fn add(&mut self, key: Key, change: Change) {
        self.bytes += key.len()
            + match &change {
                Change::Put(value) => value.len(),
                Change::Patch { head, tail, .. } => head.len() + tail.len(),
                Change::Delete => 0,
            };
        match self.changes.get_mut(&key) {
            Some(now) => now.then(change),
            None => _ = self.changes.insert(key, change),
        }
    }

    /// Whether a key has a value.
    pub(crate) fn has(&self, key: &[u8]) -> Result<bool, StorageError> {
        match self.changes.get(key) {
            Some(change) => Ok(!matches!(change, Change::Delete)),
            None => self.view.with(key, |value| value.is_some()),
        }
    }

    /// A key's whole value.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        match self.changes.get(key) {
            Some(Change::Put(value)) => Ok(Some(value.clone())),
            Some(Change::Delete) => Ok(None),
            Some(Change::Patch { head, at, tail }) => {
                let mut value = self.view.get(key)?.unwrap_or_default();
                crate::embedded::change::patch(&mut value, head, *at, tail);
                Ok(Some(value))
            }
            None => self.view.get(key),
        }
    }

    /// A value's head.
    pub(crate) fn head(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        let head = |value: &[u8]| parts(value).map(|(head, _)| head.to_vec());
        match self.changes.get(key) {
            Some(Change::Put(value)) => head(value).map(Some),
            Some(Change::Delete) => Ok(None),
            Some(Change::Patch { head, .. }) => Ok(Some(head.clone())),
            None => self.view.with(key, |value| value.map(head).transpose())?,
        }
    }

    /// The length of a value's tail; `None`: there is no value.
    fn tail_len(&self, key: &[u8]) -> Result<Option<usize>, StorageError> {
        let length = |value: &[u8]| parts(value).map(|(_, tail)| tail.len());
        match self.changes.get(key) {
            Some(Change::Put(value)) => length(value).map(Some),
            Some(Change::Delete) => Ok(None),
            Some(Change::Patch { at, tail, .. }) => Ok(Some(*at as usize + tail.len())),
            None => self.view.with(key, |value| value.map(length).transpose())?,
        }
    }

    /// Adds bytes to the tail of a headless value.
    pub(crate) fn append(&mut self, key: Key, bytes: &[u8]) -> Result<(), StorageError> {
        match self.tail_len(&key)? {
            None => self.put(key, value(&[], bytes)),
            Some(length) => self.patch_at(key, &[], length, bytes),
        }
        Ok(())
    }

    fn patch_at(&mut self, key: Key, head: &[u8], at: usize, tail: &[u8]) {
        let at = u32::try_from(at).unwrap_or(u32::MAX); // chunks are far smaller
        self.add(key, Change::Patch { head: head.to_vec(), at, tail: tail.to_vec() });
    }

    /// Sets a stream's head and adds bytes at its end. `length` is what it has now; `None`: it is new.
    pub(crate) fn extend(&mut self, stream: &Stream, id: &Id, head: &[u8], length: Option<u64>, bytes: &[u8]) {
        let mut at = usize::try_from(length.unwrap_or(0)).unwrap_or(usize::MAX);
        let (first, mut rest) = bytes.split_at(bytes.len().min(stream.first_bytes.saturating_sub(at)));
        let key = key::with_id(stream.tag, id);
        match length {
            None => self.put(key, value(head, first)),
            Some(_) => self.patch_at(key, head, at.min(stream.first_bytes), first),
        }
        at += first.len();
        while !rest.is_empty() {
            let place = at - stream.first_bytes;
            let (number, offset) = (place / CHUNK_BYTES, place % CHUNK_BYTES);
            let (piece, later) = rest.split_at(rest.len().min(CHUNK_BYTES - offset));
            let key = key::chunk(stream.rest, id, u32::try_from(number).unwrap_or(u32::MAX));
            if offset == 0 {
                self.put(key, value(&[], piece));
            } else {
                self.patch_at(key, &[], offset, piece);
            }
            at += piece.len();
            rest = later;
        }
    }

    /// Removes a stream of this length.
    pub(crate) fn remove(&mut self, stream: &Stream, id: &Id, length: u64) {
        self.delete(key::with_id(stream.tag, id));
        for number in 0..stream.chunks(length) {
            self.delete(key::chunk(stream.rest, id, number));
        }
    }

    /// The counter of runs with a status.
    pub(crate) fn count_of(&mut self, status: RunStatus) -> &mut u64 {
        &mut self.standing.counts.runs[status as usize]
    }
}
