//! A backup of the whole key space while commits go on: first every key with a value that it had at some time during
//! the reading, then everything that was committed meanwhile, in order. Applying the second to the first gives what was
//! true at the last commit that was read, by the same argument as recovery: changes are absolute, so repeating one over
//! a value that has it already is harmless. Nothing waits for this: the log (or, in memory, a list) keeps what comes.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    Backup, BackupPart, StorageError,
    backup::PART_BYTES,
    embedded::{
        change::{Change, decode, encode_one},
        key::{self, Key, damaged},
        view::{Range, View},
    },
};

/// Items read at once: readers hold the tables' lock for so many copies.
const SCAN_ITEMS: usize = 64;

/// What was committed since a time.
pub(crate) trait Redo: Send {
    /// An error once what it should give is gone, or storage is closed.
    fn check(&self) -> Result<(), StorageError>;
    /// What is committed from here on is not part of it.
    fn end(&mut self) -> Result<(), StorageError>;
    /// The changes of the next group, in the log's form.
    fn next(&mut self) -> Result<Option<Vec<u8>>, StorageError>;
}

/// What a sink gives to whoever copies it. The redo must have begun before.
pub struct CopySource {
    pub(crate) view: Arc<View>,
    pub(crate) redo: Box<dyn Redo>,
}

/// A copy under way.
pub(crate) struct Copying {
    source: CopySource,
    at: At,
}

enum At {
    /// In the keys, behind this one.
    Keys(Option<Key>),
    /// In what was committed meanwhile; these changes are left of a group.
    Redo(std::vec::IntoIter<(Key, Change)>),
    Done,
}

impl Copying {
    pub(crate) fn new(source: CopySource) -> Self {
        Self { source, at: At::Keys(None) }
    }

    fn step(&mut self) -> Result<Option<BackupPart>, StorageError> {
        self.source.redo.check()?;
        let mut part = Vec::new();
        while part.len() < PART_BYTES {
            match &mut self.at {
                At::Keys(after) => {
                    let mut range = Range::prefix(&[]);
                    if let Some(after) = after.take() {
                        range = range.after(after);
                    }
                    let items = self.source.view.scan(range, false, SCAN_ITEMS)?;
                    let last = items.last().map(|(key, _)| key.clone());
                    let more = items.len() == SCAN_ITEMS;
                    for (key, value) in items {
                        if belongs(&key) {
                            encode_one(&key, &Change::Put(value), &mut part);
                        }
                    }
                    if more {
                        self.at = At::Keys(last);
                    } else {
                        self.source.redo.end()?;
                        self.at = At::Redo(Vec::new().into_iter());
                    }
                }
                At::Redo(left) => match left.next() {
                    Some((key, change)) if belongs(&key) => encode_one(&key, &change, &mut part),
                    Some(_) => {}
                    None => match self.source.redo.next()? {
                        Some(group) => {
                            let changes = decode(&group).ok_or_else(|| damaged("the log"))?;
                            self.at = At::Redo(changes.into_iter());
                        }
                        None => self.at = At::Done,
                    },
                },
                At::Done => break,
            }
        }
        Ok((!part.is_empty()).then(|| BackupPart::new(part)))
    }
}

/// What a folder notes about itself (fences, what sled has) stays with it.
fn belongs(key: &[u8]) -> bool {
    key.first() != Some(&key::META) || key == key::counts() || key::is_floor(key)
}

#[async_trait]
impl Backup for Copying {
    async fn next(&mut self) -> Result<Option<BackupPart>, StorageError> {
        self.step()
    }
}
