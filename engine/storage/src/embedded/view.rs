//! What is true now: the changes that the base does not have yet, over the base. Committed changes come in through
//! [`View::apply`]; every read goes through [`View::get`] and [`View::scan`].
//!
//! Ids sort by time, so nearly all keys written belong to runs and events that are younger than anything below the
//! active table. Knowing the youngest id below (the *ceilings*) saves asking the base for what it cannot have, and
//! lets a key that is set and deleted again vanish without a trace.

use std::{
    collections::BTreeMap,
    ops::{Bound, RangeInclusive},
    sync::Arc,
};

use parking_lot::RwLock;

use crate::{
    StorageError,
    embedded::{
        change::{Change, Changes, patch},
        key::{self, Id, Key, Owner, after_prefix},
    },
};

/// Values by key; `None` hides what an older table or the base has.
pub(crate) type Table = BTreeMap<Key, Option<Vec<u8>>>;

/// A key with its value.
pub(crate) type Item = (Key, Vec<u8>);

/// What lies below the tables in memory.
pub(crate) trait Base: Send + Sync + 'static {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError>;
    /// At most `limit` items of a range, from its start or (`reverse`) from its end.
    fn scan(&self, range: &Range, reverse: bool, limit: usize) -> Result<Vec<Item>, StorageError>;
    /// Bytes on disk.
    fn disk_bytes(&self) -> u64;
}

/// A base that has nothing: everything stays in memory.
pub(crate) struct Nothing;

impl Base for Nothing {
    fn get(&self, _key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(None)
    }
    fn scan(&self, _range: &Range, _reverse: bool, _limit: usize) -> Result<Vec<Item>, StorageError> {
        Ok(Vec::new())
    }
    fn disk_bytes(&self) -> u64 {
        0
    }
}

/// Bounds as the standard library's maps take them.
pub(crate) type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// Keys between two bounds.
#[derive(Debug, Clone)]
pub(crate) struct Range {
    pub(crate) from: Bound<Key>,
    pub(crate) to: Bound<Key>,
}

impl Range {
    /// All keys that start with `prefix`.
    pub(crate) fn prefix(prefix: &[u8]) -> Self {
        let to = after_prefix(prefix).map_or(Bound::Unbounded, Bound::Excluded);
        Self { from: Bound::Included(prefix.to_vec()), to }
    }

    /// The same without `key` and what is before it.
    pub(crate) fn after(mut self, key: Key) -> Self {
        self.from = Bound::Excluded(key);
        self
    }

    /// The same with nothing before `key`.
    pub(crate) fn at_least(mut self, key: Key) -> Self {
        self.from = Bound::Included(key);
        self
    }

    /// The same without `key` and what is after it.
    pub(crate) fn before(mut self, key: Key) -> Self {
        self.to = Bound::Excluded(key);
        self
    }

    /// The same with nothing after `key`.
    pub(crate) fn through(mut self, key: Key) -> Self {
        self.to = Bound::Included(key);
        self
    }

    /// As the standard library wants it; `None`: it is empty.
    pub(crate) fn bounds(&self) -> Option<Bounds<'_>> {
        let bounds = (self.from.as_ref().map(Vec::as_slice), self.to.as_ref().map(Vec::as_slice));
        let empty = match bounds {
            (Bound::Excluded(a) | Bound::Included(a), Bound::Excluded(b))
            | (Bound::Excluded(a), Bound::Included(b)) => a >= b,
            (Bound::Included(a), Bound::Included(b)) => a > b,
            _ => false,
        };
        (!empty).then_some(bounds)
    }
}

/// The tables in memory over the base.
pub(crate) struct View {
    tables: RwLock<Tables>,
    base: Box<dyn Base>,
    /// Whether a deleted key must be remembered because something below may have it.
    layered: bool,
}

#[derive(Default)]
struct Tables {
    active: Table,
    /// Bytes of keys and values in `active`, with what a map's entry costs.
    active_bytes: usize,
    frozen: Option<Arc<Table>>,
    /// The youngest ids in the active table.
    youngest: Ceilings,
    /// Nothing below the active table belongs to a younger run or event; `None`: not known yet.
    ceilings: Option<Ceilings>,
}

/// A run's and an event's id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Ceilings {
    run: Id,
    event: Id,
}

impl Ceilings {
    fn max(self, other: Self) -> Self {
        Self { run: self.run.max(other.run), event: self.event.max(other.event) }
    }

    fn of(&mut self, owner: Owner) -> &mut Id {
        match owner {
            Owner::Run => &mut self.run,
            Owner::Event => &mut self.event,
        }
    }
}

/// What an entry of a table costs beside its bytes: two allocations and the tree's share.
const ENTRY_BYTES: usize = 96;

/// How many items a scan takes from one source at a time.
const SCAN_STEP_ITEMS: RangeInclusive<usize> = 16..=1024;

impl View {
    /// Everything in memory.
    pub(crate) fn in_memory() -> Self {
        Self { tables: RwLock::default(), base: Box::new(Nothing), layered: false }
    }

    /// Over a base.
    pub(crate) fn over(base: Box<dyn Base>) -> Self {
        Self { tables: RwLock::default(), base, layered: true }
    }

    /// From now on the ceilings are known: what the base noted, and what the replayed log brought.
    pub(crate) fn settle(&self) -> Result<(), StorageError> {
        let noted = match self.base.get(&key::ceilings())? {
            Some(value) => value
                .split_first_chunk()
                .and_then(|(run, event)| Some(Ceilings { run: *run, event: *event.first_chunk()? })),
            None => Some(Ceilings::default()),
        };
        let noted = noted.ok_or_else(|| key::damaged("the ceilings"))?;
        let mut tables = self.tables.write();
        tables.ceilings = Some(noted.max(tables.youngest));
        Ok(())
    }

    /// Bytes that the base does not have and that are not on their way to it.
    pub(crate) fn active_bytes(&self) -> usize {
        self.tables.read().active_bytes
    }

    /// Bytes on disk below.
    pub(crate) fn disk_bytes(&self) -> u64 {
        self.base.disk_bytes()
    }

    /// Makes changes visible, all at once.
    ///
    /// # Errors
    /// When the base cannot be read; then nothing was applied. Only one thread may call this.
    pub(crate) fn apply(&self, changes: Changes) -> Result<(), StorageError> {
        // What a patch needs from below is read before the lock is taken, so that readers never wait for the disk.
        let mut below = BTreeMap::new();
        {
            let tables = self.tables.read();
            let patched = changes
                .iter()
                .filter(|(key, change)| matches!(change, Change::Patch { .. }) && !tables.active.contains_key(*key));
            below.extend(patched.map(|(key, _)| (key.clone(), None)));
        }
        for (key, value) in &mut below {
            *value = self.get(key)?;
        }
        let mut tables = self.tables.write();
        let tables = &mut *tables;
        for (key, change) in changes {
            match change {
                Change::Put(value) => tables.set(key, Some(value)),
                Change::Delete if self.layered && tables.below_may_have(&key) => tables.set(key, None),
                Change::Delete => tables.remove(&key),
                Change::Patch { head, at, tail } => {
                    if let Some(Some(value)) = tables.active.get_mut(&key) {
                        let before = value.len();
                        patch(value, &head, at, &tail);
                        tables.active_bytes = (tables.active_bytes + value.len()).saturating_sub(before);
                    } else {
                        let mut value = below.remove(&key).flatten().unwrap_or_default();
                        patch(&mut value, &head, at, &tail);
                        tables.set(key, Some(value));
                    }
                }
            }
        }
        Ok(())
    }

    /// Sets the active table aside, to be written to the base; `None`: the last one is not written yet.
    pub(crate) fn freeze(&self) -> Option<Arc<Table>> {
        let mut tables = self.tables.write();
        if tables.frozen.is_some() {
            return None;
        }
        if let Some(ceilings) = tables.ceilings {
            let ceilings = ceilings.max(tables.youngest);
            tables.ceilings = Some(ceilings);
            tables.active.insert(key::ceilings(), Some([ceilings.run, ceilings.event].concat()));
        }
        tables.youngest = Ceilings::default();
        let frozen = Arc::new(std::mem::take(&mut tables.active));
        tables.active_bytes = 0;
        tables.frozen = Some(Arc::clone(&frozen));
        Some(frozen)
    }

    /// Whether a table that was set aside is not in the base yet.
    pub(crate) fn has_frozen(&self) -> bool {
        self.tables.read().frozen.is_some()
    }

    /// Forgets the table that was set aside: the base has it now.
    pub(crate) fn thaw(&self) {
        let frozen = self.tables.write().frozen.take();
        drop(frozen); // outside the lock: freeing a large table takes milliseconds
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        match self.peek(key, |value| value.map(<[u8]>::to_vec)) {
            Some(value) => Ok(value),
            None => self.base.get(key),
        }
    }

    /// Looks at a value where it lies.
    pub(crate) fn with<T>(&self, key: &[u8], mut look: impl FnMut(Option<&[u8]>) -> T) -> Result<T, StorageError> {
        match self.peek(key, &mut look) {
            Some(found) => Ok(found),
            None => Ok(look(self.base.get(key)?.as_deref())),
        }
    }

    fn peek<T>(&self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Option<T> {
        let tables = self.tables.read();
        if let Some(value) = tables.active.get(key) {
            return Some(look(value.as_deref()));
        }
        if !tables.below_may_have(key) {
            return Some(look(None));
        }
        let value = tables.frozen.as_ref()?.get(key)?;
        Some(look(value.as_deref()))
    }

    /// At most `limit` items of a range, from its start or (`reverse`) from its end. Each item was true at some time
    /// during the call.
    pub(crate) fn scan(&self, mut range: Range, reverse: bool, limit: usize) -> Result<Vec<Item>, StorageError> {
        let mut found = Vec::new();
        while found.len() < limit {
            let step = (limit - found.len()).clamp(*SCAN_STEP_ITEMS.start(), *SCAN_STEP_ITEMS.end());
            let (items, last) = self.scan_step(&range, reverse, step)?;
            found.extend(items);
            match last {
                Some(last) if reverse => range = range.before(last),
                Some(last) => range = range.after(last),
                None => break,
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    /// One step: the items and, unless the range is exhausted, the last key that they cover.
    fn scan_step(&self, range: &Range, reverse: bool, step: usize) -> Result<(Vec<Item>, Option<Key>), StorageError> {
        let Some(bounds) = range.bounds() else { return Ok((Vec::new(), None)) };
        let mut merged = Table::new();
        let mut covered: Option<Key> = None;
        let mut cover = |count: usize, last: Option<&Key>| {
            let Some(last) = last.filter(|_| count >= step) else { return };
            let nearer = covered.as_ref().is_none_or(|now| if reverse { last > now } else { last < now });
            if nearer {
                covered = Some(last.clone());
            }
        };
        let mut newer = Vec::new();
        let frozen = {
            let tables = self.tables.read();
            newer.push(take(&tables.active, bounds, reverse, step));
            tables.frozen.clone()
        };
        if let Some(frozen) = frozen {
            newer.push(take(&frozen, bounds, reverse, step));
        }
        if self.layered {
            let items = self.base.scan(range, reverse, step)?;
            cover(items.len(), items.last().map(|(key, _)| key));
            merged.extend(items.into_iter().map(|(key, value)| (key, Some(value))));
        }
        for items in newer.into_iter().rev() {
            cover(items.len(), items.last().map(|(key, _)| key));
            merged.extend(items);
        }
        let within = |key: &Key| covered.as_ref().is_none_or(|last| if reverse { key >= last } else { key <= last });
        let items = merged.into_iter().filter(|(key, _)| within(key)).filter_map(|(key, value)| Some((key, value?)));
        let mut items: Vec<Item> = items.collect();
        if reverse {
            items.reverse();
        }
        Ok((items, covered))
    }
}

type Slot = (Key, Option<Vec<u8>>);

fn take(table: &Table, bounds: Bounds<'_>, reverse: bool, limit: usize) -> Vec<Slot> {
    let range = table.range::<[u8], _>(bounds);
    let copy = |(key, value): (&Key, &Option<Vec<u8>>)| (key.clone(), value.clone());
    if reverse { range.rev().take(limit).map(copy).collect() } else { range.take(limit).map(copy).collect() }
}

impl Tables {
    /// Whether the frozen table or the base may have a key.
    fn below_may_have(&self, key: &[u8]) -> bool {
        match (self.ceilings, key::owner(key)) {
            (Some(mut ceilings), Some((owner, id))) => id <= &ceilings.of(owner)[..],
            _ => true,
        }
    }

    fn set(&mut self, key: Key, value: Option<Vec<u8>>) {
        if let Some((owner, id)) = key::owner(&key) {
            let youngest = self.youngest.of(owner);
            if *id > youngest[..] {
                youngest.copy_from_slice(id);
            }
        }
        let key_bytes = key.len() + ENTRY_BYTES;
        self.active_bytes += value.as_ref().map_or(0, Vec::len);
        match self.active.insert(key, value) {
            Some(old) => self.active_bytes = self.active_bytes.saturating_sub(old.map_or(0, |old| old.len())),
            None => self.active_bytes += key_bytes,
        }
    }

    fn remove(&mut self, key: &[u8]) {
        if let Some(old) = self.active.remove(key) {
            let bytes = key.len() + ENTRY_BYTES + old.map_or(0, |old| old.len());
            self.active_bytes = self.active_bytes.saturating_sub(bytes);
        }
    }
}
