//! Backups: read from a running engine part by part, checked, and put into an empty storage by a restore.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use cartwright_storage::{Backup, BackupPart, CommitError, Counts, Expect, RecordWrite, Storage, StorageError, Table};
use cartwright_woo::{NamedSecret, Store, Vault};
use tokio::time::Instant;

use crate::inner::Inner;

/// A backup that nobody reads for so long is over: what it keeps of the log can go.
const IDLE: Duration = Duration::from_secs(60);
/// Backups read at the same time; another one ends the one that was not read for the longest time.
const BACKUPS_MAX: usize = 3;

/// Backups that are read at the moment.
#[derive(Default)]
pub(crate) struct Backups {
    open: tokio::sync::Mutex<BTreeMap<String, Reading>>,
}

struct Reading {
    backup: Box<dyn Backup>,
    /// The number of the next part.
    next: u64,
    last: Instant,
}

/// The next part of a backup; see [`crate::Engine::backup_part`].
pub(crate) async fn next_part(
    inner: &Arc<Inner>,
    cursor: Option<&str>,
) -> Result<(Option<BackupPart>, Option<String>), StorageError> {
    let now = Instant::now();
    let over = || StorageError::Invalid {
        reason: "this backup is over (it ended, or nobody read it for a minute); begin a new one without a cursor"
            .to_owned(),
    };
    let mut open = inner.backups.open.lock().await;
    let (id, number) = match cursor {
        Some(cursor) => {
            let (id, number) = cursor.split_once('.').ok_or_else(over)?;
            (id.to_owned(), number.parse().map_err(|_| over())?)
        }
        None => {
            if open.len() >= BACKUPS_MAX {
                let oldest = open.iter().min_by_key(|(_, reading)| reading.last).map(|(id, _)| id.clone());
                oldest.and_then(|id| open.remove(&id));
            }
            let mut random = [0; 8];
            inner.entropy.fill(&mut random);
            let id = hex::encode(random);
            let reading = Reading { backup: inner.storage.backup().await?, next: 0, last: now };
            open.insert(id.clone(), reading);
            tokio::spawn(end_when_idle(Arc::clone(inner), id.clone()));
            (id, 0)
        }
    };
    let reading = open.get_mut(&id).filter(|reading| reading.next == number).ok_or_else(over)?;
    let read = reading.backup.next().await;
    (reading.next, reading.last) = (number + 1, now);
    match read {
        Ok(Some(part)) => Ok((Some(part), Some(format!("{id}.{}", number + 1)))),
        ended => {
            open.remove(&id);
            ended.map(|_| (None, None))
        }
    }
}

async fn end_when_idle(inner: Arc<Inner>, id: String) {
    loop {
        tokio::time::sleep(IDLE).await;
        let mut open = inner.backups.open.lock().await;
        match open.get(&id) {
            Some(reading) if reading.last.elapsed() < IDLE && !inner.is_stopping() => {}
            _ => {
                open.remove(&id);
                return;
            }
        }
    }
}

/// Why records cannot be put into a storage.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is something already.
    #[error(
        "the storage is not empty: it has {0}. A backup is restored into an empty one; nothing is merged or replaced"
    )]
    NotEmpty(String),
    /// Not a table of ours.
    #[error(
        "the backup has records of a table that this version of cartwright does not know (`{0}`). Restore it with the version that made it, or a newer one"
    )]
    Table(String),
    /// A record that does not open.
    #[error("the backup has a record that does not open: {0}")]
    Record(String),
    /// A part that does not read.
    #[error("the backup has a part that is not understood: {0}")]
    Part(String),
    /// Storage refused.
    #[error(transparent)]
    Storage(#[from] CommitError),
}

impl From<StorageError> for RestoreError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error.into())
    }
}

/// What a backup holds, as far as it must be known before it is believed: what is sealed, and how much there is. The
/// rest goes by without being kept.
#[derive(Debug, Default)]
pub struct Contents {
    sealed: BTreeMap<(Table, String), Vec<u8>>,
    /// How much there is.
    pub counts: Counts,
}

impl Contents {
    /// Looks at the next part.
    pub fn see(&mut self, part: &BackupPart) -> Result<(), RestoreError> {
        let wrong = |error: StorageError| RestoreError::Part(error.to_string());
        for (table, key, value) in part.records().map_err(wrong)? {
            self.see_record(table, key, value);
        }
        if let Some(counts) = part.counts().map_err(wrong)? {
            self.counts = counts;
        }
        Ok(())
    }

    /// Looks at a record of a backup of the first format.
    pub fn see_named(&mut self, table_name: &str, key: String, value: Vec<u8>) -> Result<(), RestoreError> {
        self.see_record(table(table_name)?, key, Some(value));
        Ok(())
    }

    fn see_record(&mut self, table: Table, key: String, value: Option<Vec<u8>>) {
        if matches!(table, Table::Stores | Table::Secrets) {
            match value {
                Some(value) => drop(self.sealed.insert((table, key), value)),
                None => drop(self.sealed.remove(&(table, key))),
            }
        }
    }

    /// How many stores and how many secrets there are.
    pub fn sealed(&self) -> (usize, usize) {
        let stores = self.sealed.keys().filter(|(table, _)| *table == Table::Stores).count();
        (stores, self.sealed.len() - stores)
    }

    /// Opens everything sealed, as a check. Nothing of it is kept.
    pub fn check(&self, vault: &Vault) -> Result<(), RestoreError> {
        self.sealed.iter().try_for_each(|((table, key), value)| check_record(vault, *table, key, value))
    }
}

fn check_record(vault: &Vault, table: Table, key: &str, value: &[u8]) -> Result<(), RestoreError> {
    let name = if table == Table::Stores { "store" } else { "secret" };
    let wrong = |reason: String| RestoreError::Record(format!("{name} `{key}`: {reason}"));
    let found = if table == Table::Stores {
        let store = Store::from_bytes(value).map_err(|error| wrong(error.to_string()))?;
        store.webhook_secrets(vault).map_err(|error| wrong(error.to_string()))?;
        store.rest_keys(vault).map_err(|error| wrong(error.to_string()))?;
        store.id.to_string()
    } else {
        let secret = NamedSecret::from_bytes(value).map_err(|error| wrong(error.to_string()))?;
        secret.open(vault).map_err(|error| wrong(error.to_string()))?;
        secret.name
    };
    if found == key { Ok(()) } else { Err(wrong(format!("it belongs to `{found}`"))) }
}

/// The tables of a backup of the first format.
fn table(name: &str) -> Result<Table, RestoreError> {
    match name {
        "stores" => Ok(Table::Stores),
        "secrets" => Ok(Table::Secrets),
        _ => Err(RestoreError::Table(name.chars().take(40).collect())),
    }
}

/// Refuses a storage that has anything in it.
pub async fn check_empty(storage: &Arc<dyn Storage>) -> Result<(), RestoreError> {
    for table in Table::ALL {
        if !storage.records(table, "", None, 1).await?.is_empty() {
            return Err(RestoreError::NotEmpty(format!("records ({table:?})")));
        }
    }
    let counts = storage.counts().await?;
    match (counts.runs.iter().sum::<u64>(), counts.events) {
        (0, 0) => Ok(()),
        (runs, events) => Err(RestoreError::NotEmpty(format!("{runs} runs and {events} events"))),
    }
}

/// Puts a record of a backup of the first format into a storage that is empty so far. On stable storage when it
/// resolves.
pub async fn restore_record(
    storage: &Arc<dyn Storage>,
    table_name: &str,
    key: String,
    value: Vec<u8>,
) -> Result<(), RestoreError> {
    let write = RecordWrite { table: table(table_name)?, key, expect: Expect::Absent, value: Some(value) };
    Ok(storage.write_records(vec![write]).await?)
}

#[cfg(test)]
mod tests {
    use cartwright_storage::MemoryStorage;

    use super::*;

    #[tokio::test]
    async fn records_go_into_an_empty_storage_only() {
        let storage: Arc<dyn Storage> = MemoryStorage::new();
        check_empty(&storage).await.expect("empty");
        let write = async |table: &str| restore_record(&storage, table, "a".into(), b"x".to_vec()).await;
        assert!(matches!(write("runs").await, Err(RestoreError::Table(_))));
        write("stores").await.expect("written");
        assert!(matches!(check_empty(&storage).await, Err(RestoreError::NotEmpty(_))));
        assert!(write("stores").await.is_err(), "nothing is replaced");
    }

    #[tokio::test]
    async fn what_is_sealed_is_what_the_last_part_says() {
        let storage: Arc<dyn Storage> = MemoryStorage::new();
        let mut contents = Contents::default();
        restore_record(&storage, "stores", "a".into(), b"x".to_vec()).await.expect("written");
        restore_record(&storage, "secrets", "b".into(), b"y".to_vec()).await.expect("written");
        let mut backup = storage.backup().await.expect("begun");
        let gone = RecordWrite { table: Table::Stores, key: "a".into(), expect: Expect::Any, value: None };
        storage.write_records(vec![gone]).await.expect("written");
        while let Some(part) = backup.next().await.expect("a part") {
            contents.see(&part).expect("understood");
        }
        assert_eq!(contents.sealed(), (0, 1));
        let vault = Vault::in_memory().expect("a vault");
        assert!(matches!(contents.check(&vault), Err(RestoreError::Record(_))), "it is no sealed secret");
    }
}
