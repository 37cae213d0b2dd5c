//! The records that a backup consists of: read from storage page by page for a backup, put into an empty one by a
//! restore.

use std::{fmt, str::FromStr, sync::Arc};

use cartwright_storage::{CommitError, Expect, RecordWrite, Storage, StorageError, Table};
use cartwright_woo::{NamedSecret, Store, Vault};

/// What is in a backup so far, in the order it is written.
const TABLES: [(Table, &str); 2] = [(Table::Stores, "stores"), (Table::Secrets, "secrets")];

/// A record as a backup has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupRecord {
    /// Its table by name.
    pub table: String,
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: Vec<u8>,
}

/// Where a page of records ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupPlace {
    table: usize,
    /// `None`: the table begins.
    after: Option<String>,
}

impl fmt::Display for BackupPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", TABLES[self.table].1, self.after.as_deref().unwrap_or_default())
    }
}

impl FromStr for BackupPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, after) = text.split_once('/').ok_or("the cursor is not one of this list")?;
        let table = TABLES.iter().position(|(_, known)| *known == name).ok_or("the cursor names no table")?;
        Ok(Self { table, after: (!after.is_empty()).then(|| after.to_owned()) })
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
    /// Storage refused.
    #[error(transparent)]
    Storage(#[from] CommitError),
}

impl From<StorageError> for RestoreError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error.into())
    }
}

/// One page of records and where the next begins.
pub(crate) async fn backup_page(
    storage: &Arc<dyn Storage>,
    after: Option<&BackupPlace>,
    limit: usize,
) -> Result<(Vec<BackupRecord>, Option<BackupPlace>), StorageError> {
    let begin = BackupPlace { table: 0, after: None };
    let place = after.unwrap_or(&begin);
    let (table, name) = TABLES[place.table];
    let page = storage.records(table, "", place.after.as_deref(), limit).await?;
    let next = match page.last() {
        Some(last) if page.len() == limit => Some(BackupPlace { table: place.table, after: Some(last.key.clone()) }),
        _ if place.table + 1 < TABLES.len() => Some(BackupPlace { table: place.table + 1, after: None }),
        _ => None,
    };
    let records =
        page.into_iter().map(|record| BackupRecord { table: name.to_owned(), key: record.key, value: record.value });
    Ok((records.collect(), next))
}

/// Opens everything sealed in a record, as a check. Nothing of it is kept.
pub fn check_record(vault: &Vault, record: &BackupRecord) -> Result<(), RestoreError> {
    let wrong = |reason: String| RestoreError::Record(format!("{} `{}`: {reason}", record.table, record.key));
    let key = match table(&record.table)? {
        Table::Stores => {
            let store = Store::from_bytes(&record.value).map_err(|error| wrong(error.to_string()))?;
            store.webhook_secrets(vault).map_err(|error| wrong(error.to_string()))?;
            store.rest_keys(vault).map_err(|error| wrong(error.to_string()))?;
            store.id.to_string()
        }
        _ => {
            let secret = NamedSecret::from_bytes(&record.value).map_err(|error| wrong(error.to_string()))?;
            secret.open(vault).map_err(|error| wrong(error.to_string()))?;
            secret.name
        }
    };
    if key == record.key { Ok(()) } else { Err(wrong(format!("it belongs to `{key}`"))) }
}

fn table(name: &str) -> Result<Table, RestoreError> {
    let found = TABLES.iter().find(|(_, known)| *known == name);
    found.map(|(table, _)| *table).ok_or_else(|| RestoreError::Table(name.chars().take(40).collect()))
}

/// Refuses a storage that has anything in it.
pub async fn check_empty(storage: &Arc<dyn Storage>) -> Result<(), RestoreError> {
    for (table, name) in TABLES {
        if !storage.records(table, "", None, 1).await?.is_empty() {
            return Err(RestoreError::NotEmpty(name.to_owned()));
        }
    }
    let counts = storage.counts().await?;
    match (counts.runs.iter().sum::<u64>(), counts.events) {
        (0, 0) => Ok(()),
        (runs, events) => Err(RestoreError::NotEmpty(format!("{runs} runs and {events} events"))),
    }
}

/// Puts records into a storage that is empty so far. On stable storage when it resolves.
pub async fn restore_records(storage: &Arc<dyn Storage>, records: Vec<BackupRecord>) -> Result<(), RestoreError> {
    let mut writes = Vec::with_capacity(records.len());
    for BackupRecord { table: name, key, value } in records {
        writes.push(RecordWrite { table: table(&name)?, key, expect: Expect::Absent, value: Some(value) });
    }
    Ok(storage.write_records(writes).await?)
}

#[cfg(test)]
mod tests {
    use cartwright_storage::MemoryStorage;

    use super::*;

    fn write(table: Table, key: &str) -> RecordWrite {
        RecordWrite { table, key: key.into(), expect: Expect::Absent, value: Some(key.into()) }
    }

    #[tokio::test]
    async fn pages_of_every_size_give_every_record_once() {
        let storage: Arc<dyn Storage> = MemoryStorage::new();
        let keys = ["a", "b/c", "d"];
        let writes = keys.iter().flat_map(|key| [write(Table::Stores, key), write(Table::Secrets, key)]);
        storage.write_records(writes.collect()).await.expect("written");
        for limit in 1..5 {
            let (mut all, mut place): (Vec<BackupRecord>, Option<BackupPlace>) = (Vec::new(), None);
            loop {
                let (page, next) = backup_page(&storage, place.as_ref(), limit).await.expect("read");
                all.extend(page);
                let Some(next) = next else { break };
                place = Some(next.to_string().parse().expect("what was given is understood"));
            }
            let names: Vec<_> = all.iter().map(|one| (one.table.as_str(), one.key.as_str())).collect();
            let expect: Vec<_> = TABLES.iter().flat_map(|(_, name)| keys.map(|key| (*name, key))).collect();
            assert_eq!(names, expect, "{limit}");
        }
        for text in ["", "stores", "runs/a", "/"] {
            assert!(text.parse::<BackupPlace>().is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn records_go_into_an_empty_storage_only() {
        let storage: Arc<dyn Storage> = MemoryStorage::new();
        check_empty(&storage).await.expect("empty");
        let record = |table: &str| BackupRecord { table: table.into(), key: "a".into(), value: b"x".to_vec() };
        assert!(matches!(restore_records(&storage, vec![record("runs")]).await, Err(RestoreError::Table(_))));
        restore_records(&storage, vec![record("stores")]).await.expect("written");
        assert!(matches!(check_empty(&storage).await, Err(RestoreError::NotEmpty(_))));
        assert!(restore_records(&storage, vec![record("stores")]).await.is_err(), "nothing is replaced");
    }
}
