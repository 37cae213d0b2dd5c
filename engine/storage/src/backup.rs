//! What a backup is made of: parts that [`Storage::backup`](crate::Storage::backup) gives and
//! [`Storage::restore`](crate::Storage::restore) takes, in the same order. Whoever keeps them does not look inside,
//! except for what must be checked with keys that storage does not have ([`BackupPart::records`]).

use async_trait::async_trait;

use crate::{
    Counts, StorageError, Table,
    embedded::{
        change::{Change, decode},
        key::{Key, counts, damaged, record_of_key},
        stage::record_version,
    },
};

/// A part holds about so many bytes; more where one value is longer.
pub(crate) const PART_BYTES: usize = 512 * 1024;

/// A record in a part: table, key, and value (`None`: it is gone).
pub type BackedUpRecord = (Table, String, Option<Vec<u8>>);

/// A backup that is being read. Dropping it ends it.
#[async_trait]
pub trait Backup: Send {
    /// The next part; `None`: that was all. An error: what was read so far is not a backup.
    async fn next(&mut self) -> Result<Option<BackupPart>, StorageError>;
}

/// A part of a backup, as bytes that later versions still read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupPart(Vec<u8>);

impl BackupPart {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// A part from what [`BackupPart::as_bytes`] gave.
    ///
    /// # Errors
    /// `Corrupt` when it is something else.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, StorageError> {
        match decode(&bytes) {
            Some(_) => Ok(Self(bytes)),
            None => Err(damaged("a part of the backup")),
        }
    }

    /// As bytes, to be kept.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn changes(&self) -> Result<Vec<(Key, Change)>, StorageError> {
        decode(&self.0).ok_or_else(|| damaged("a part of the backup"))
    }

    /// The counters in this part, if it has them; the last ones of a backup count.
    pub fn counts(&self) -> Result<Option<Counts>, StorageError> {
        let mut changes = self.changes()?.into_iter().rev();
        let found = changes.find_map(|(key, change)| match change {
            Change::Put(value) if key == counts() => Some(value),
            _ => None,
        });
        found.map(|value| serde_json::from_slice(&value).map_err(|_| damaged("the counters of the backup"))).transpose()
    }

    /// Records in this part. A record may come again in a later part; the
    /// last one counts.
    pub fn records(&self) -> Result<Vec<BackedUpRecord>, StorageError> {
        let mut records = Vec::new();
        for (key, change) in self.changes()? {
            let Some((table, name)) = record_of_key(&key) else { continue };
            let value = match change {
                Change::Put(mut value) => {
                    record_version(&value)?;
                    value.drain(..8);
                    Some(value)
                }
                Change::Delete => None,
                Change::Patch { .. } => return Err(damaged("a part of the backup")),
            };
            records.push((table, name, value));
        }
        Ok(records)
    }
}
