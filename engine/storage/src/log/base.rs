//! sled as the base: what the log's segments said, in its final place. Only the checkpointer writes to it.
//!
//! sled 0.34 flushes with `sync_file_range`, which does not reach through a disk's cache and does not cover the file's
//! metadata. So [`SledBase::make_durable`] syncs sled's file itself, and only after that may log segments go. See
//! `engine/docs/decisions/0001-storage-log-and-sled.md`.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    StorageError,
    embedded::{
        key::{Key, META},
        view::{Base, Item, Range, Table},
    },
};

/// sled's cache. sled's default is 1 GB.
const CACHE_BYTES: u64 = 24 * 1024 * 1024;

/// Keys that are written before asking whether to go on.
const PART_KEYS: usize = 256;

/// How long to wait for sled to let go of its file after it was closed in this process.
const REOPEN_TRIES: u32 = 200;
const REOPEN_PAUSE: Duration = Duration::from_millis(10);

/// sled with its files.
#[derive(Clone)]
pub(crate) struct SledBase {
    db: sled::Db,
    folder: PathBuf,
}

fn refused(source: sled::Error) -> StorageError {
    match source {
        sled::Error::Corruption { .. } => StorageError::Corrupt {
            reason: "the sled folder does not read; check the disk and restore the data folder from a backup"
                .to_owned(),
        },
        source => StorageError::Unavailable {
            reason: format!(
                "the data folder cannot be read or written ({source}); check disk space and permissions, then restart"
            ),
            source: Some(Box::new(source)),
        },
    }
}

impl SledBase {
    /// Opens or creates it. The folder's lock is held already, so nobody else has it open.
    pub(crate) fn open(folder: &Path) -> Result<Self, StorageError> {
        let config = sled::Config::new().path(folder).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        for _ in 0..REOPEN_TRIES {
            match config.open() {
                // sled closes its file on a thread of its own some time after the last handle is gone.
                Err(sled::Error::Io(error))
                    if error.kind() == io::ErrorKind::WouldBlock || error.to_string().contains("lock") =>
                {
                    std::thread::sleep(REOPEN_PAUSE);
                }
                opened => return opened.map(|db| Self { db, folder: folder.to_owned() }).map_err(refused),
            }
        }
        config.open().map(|db| Self { db, folder: folder.to_owned() }).map_err(refused)
    }

    /// The last segment whose changes are all here; `None`: this is new.
    pub(crate) fn applied(&self) -> Result<Option<u64>, StorageError> {
        let value = self.db.get(applied_key()).map_err(refused)?;
        Ok(value.and_then(|value| value.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))))
    }

    /// Puts a table's values in their place, a part at a time while `go_on` says so; `false`: it was told to stop.
    /// A part of a table here is harmless: the log is replayed over it.
    pub(crate) fn fill(&self, table: &Table, go_on: impl Fn() -> bool) -> Result<bool, StorageError> {
        for (n, (key, value)) in table.iter().enumerate() {
            if n % PART_KEYS == 0 && !go_on() {
                return Ok(false);
            }
            // One by one, in order: sled's batches lose the order, and neighbours share pages.
            match value {
                Some(value) => self.db.insert(key, &value[..]),
                None => self.db.remove(key),
            }
            .map_err(refused)?;
        }
        Ok(true)
    }

    /// Notes that everything through this segment is here.
    pub(crate) fn set_applied(&self, segment: u64) -> Result<(), StorageError> {
        self.db.insert(applied_key(), &segment.to_le_bytes()).map(drop).map_err(refused)
    }

    /// Returns once everything written is on stable storage.
    pub(crate) fn make_durable(&self) -> Result<(), StorageError> {
        self.db.flush().map_err(refused)?;
        self.sync_files().map_err(|error| refused(sled::Error::Io(error)))
    }

    fn sync_files(&self) -> io::Result<()> {
        let blobs = self.folder.join("blobs");
        if blobs.is_dir() {
            // sled writes what does not fit into a quarter of its segment to a file of its own, and never syncs it.
            for blob in fs::read_dir(&blobs)? {
                match File::open(blob?.path()) {
                    Ok(file) => file.sync_data()?,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {} // collected meanwhile
                    Err(error) => return Err(error),
                }
            }
            File::open(&blobs)?.sync_all()?;
        }
        File::open(self.folder.join("db"))?.sync_data()?;
        File::open(&self.folder)?.sync_all()
    }
}

fn applied_key() -> Key {
    vec![META, b'a']
}

impl Base for SledBase {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.db.get(key).map_err(refused)?.map(|value| value.to_vec()))
    }

    fn scan(&self, range: &Range, reverse: bool, limit: usize) -> Result<Vec<Item>, StorageError> {
        let Some(bounds) = range.bounds() else { return Ok(Vec::new()) };
        let items = self.db.range::<&[u8], _>(bounds);
        let read = |item: sled::Result<(sled::IVec, sled::IVec)>| {
            let (key, value) = item.map_err(refused)?;
            Ok((key.to_vec(), value.to_vec()))
        };
        if reverse { items.rev().take(limit).map(read).collect() } else { items.take(limit).map(read).collect() }
    }

    fn disk_bytes(&self) -> u64 {
        folder_bytes(&self.folder)
    }
}

/// Bytes of the files in a folder and its folders.
pub(crate) fn folder_bytes(folder: &Path) -> u64 {
    let Ok(files) = fs::read_dir(folder) else { return 0 };
    let bytes = files.flatten().map(|file| match file.metadata() {
        Ok(data) if data.is_dir() => folder_bytes(&file.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    });
    bytes.sum()
}
