//! Replaces the master key while the engine goes on working: storage's sealed records come in under the old key and go
//! back under the new one, page by page, each with compare-and-set.
//!
//! Cut off anywhere, nothing is lost: the key source has both keys until the last record is done, a record is under the
//! one or the other, and the next rotation goes on where this one stopped.

use std::{collections::BTreeMap, sync::Arc};

use cartwright_storage::{CommitError, Expect, Record, RecordWrite, Storage, StorageError, Table};
use cartwright_woo::{InvalidSecret, InvalidStore, NamedSecret, Rotation, Store, Vault, VaultError};

use crate::inner::Inner;

/// Records that are wrapped anew in one commit.
const PAGE: usize = 100;
/// Times that one page is tried again because somebody else wrote a record of it.
const TRIES: usize = 20;
/// Records that are named when they do not open; there may be more.
const NAMED_MAX: usize = 20;

/// Why keys could not be replaced.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key source failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Storage refused.
    #[error("{0}. Every secret still opens; run `cartwright key rotate` again to finish")]
    Storage(#[from] StorageError),
    /// Two at once.
    #[error("a rotation is under way already")]
    UnderWay,
    /// Somebody else writes the same records all the time.
    #[error("the records change faster than they can be wrapped anew; run `cartwright key rotate` again to finish")]
    Restless,
    /// Some records open with none of the keys.
    #[error("{count} records do not open, so the old keys are kept: {}. Set those again (or remove them), then run `cartwright key rotate` again to finish", .named.join("; "))]
    Unreadable {
        /// How many.
        count: usize,
        /// The first of them, each with the reason.
        named: Vec<String>,
    },
}

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The keys.
    pub keys: Rotation,
    /// Stores whose record was written anew.
    pub stores: usize,
    /// Named secrets whose record was written anew.
    pub secrets: usize,
}

/// Master keys and what they wrap. Never a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyList {
    /// `file`, `environment`, `command` or `memory`.
    pub source: &'static str,
    /// Keys there are, the current one first.
    pub keys: Vec<String>,
    /// How many stores and how many secrets each key wraps; also of keys that are not there.
    pub wraps: BTreeMap<String, (usize, usize)>,
}

/// A sealed record as a rotation sees it.
trait Wrapped: Sized {
    fn read(bytes: &[u8]) -> Result<Self, String>;
    fn master(&self) -> &str;
    fn renew(&mut self, vault: &Vault, data_keys: bool) -> Result<bool, VaultError>;
    fn bytes(&self) -> Vec<u8>;
}

impl Wrapped for Store {
    fn read(bytes: &[u8]) -> Result<Self, String> {
        Self::from_bytes(bytes).map_err(|error: InvalidStore| error.to_string())
    }
    fn master(&self) -> &str {
        self.master()
    }
    fn renew(&mut self, vault: &Vault, data_keys: bool) -> Result<bool, VaultError> {
        if data_keys { self.reseal(vault).map(|()| true) } else { self.rewrap(vault) }
    }
    fn bytes(&self) -> Vec<u8> {
        self.to_bytes()
    }
}

impl Wrapped for NamedSecret {
    fn read(bytes: &[u8]) -> Result<Self, String> {
        Self::from_bytes(bytes).map_err(|error: InvalidSecret| error.to_string())
    }
    fn master(&self) -> &str {
        self.master()
    }
    fn renew(&mut self, vault: &Vault, data_keys: bool) -> Result<bool, VaultError> {
        if data_keys { self.reseal(vault).map(|()| true) } else { self.rewrap(vault) }
    }
    fn bytes(&self) -> Vec<u8> {
        self.to_bytes()
    }
}

impl Inner {
    /// Replaces the master key, and with `data_keys` the keys it wraps as well.
    pub(crate) async fn rotate_keys(&self, data_keys: bool) -> Result<Rotated, KeyError> {
        let Ok(_only) = self.rotating.try_lock() else { return Err(KeyError::UnderWay) };
        let keys = self.vault.begin_rotation().await?;
        tracing::info!(key = keys.current, made = keys.made, "a rotation of the master key began");
        let mut renewal = Renewal { inner: self, data_keys, unreadable: Vec::new() };
        let stores = renewal.table::<Store>(Table::Stores, |store| self.stores.refresh(store)).await?;
        let secrets = renewal.table::<NamedSecret>(Table::Secrets, |_| {}).await?;
        let Renewal { unreadable, .. } = renewal;
        if !unreadable.is_empty() {
            let count = unreadable.len();
            return Err(KeyError::Unreadable { count, named: unreadable.into_iter().take(NAMED_MAX).collect() });
        }
        self.vault.end_rotation().await?;
        tracing::info!(key = keys.current, stores, secrets, "the master key is rotated");
        Ok(Rotated { keys, stores, secrets })
    }

    /// Which key wraps how much.
    pub(crate) async fn key_list(&self) -> Result<KeyList, StorageError> {
        let mut wraps: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for id in key_ids::<Store>(&self.storage, Table::Stores).await? {
            wraps.entry(id).or_default().0 += 1;
        }
        for id in key_ids::<NamedSecret>(&self.storage, Table::Secrets).await? {
            wraps.entry(id).or_default().1 += 1;
        }
        Ok(KeyList { source: self.vault.source().name(), keys: self.vault.key_ids(), wraps })
    }
}

struct Renewal<'a> {
    inner: &'a Inner,
    data_keys: bool,
    /// Records that do not open, with the reason.
    unreadable: Vec<String>,
}

impl Renewal<'_> {
    /// Renews all records of a table; gives how many it wrote.
    async fn table<T: Wrapped>(&mut self, table: Table, refresh: impl Fn(T)) -> Result<usize, KeyError> {
        let (mut written, mut after) = (0, None::<String>);
        loop {
            // Whoever seals something holds this lock until it is written. So all that was sealed under the old key
            // before the rotation began is in storage by now, and this page or a later one has it.
            let _sealing = self.inner.sealing.lock().await;
            let page = self.inner.storage.records(table, "", after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(written) };
            after = Some(last.key.clone());
            written += self.page(table, page, &refresh).await?;
        }
    }

    async fn page<T: Wrapped>(
        &mut self,
        table: Table,
        mut page: Vec<Record>,
        refresh: &impl Fn(T),
    ) -> Result<usize, KeyError> {
        for _ in 0..TRIES {
            let found = self.unreadable.len();
            let renewed: Vec<(Record, T)> = page.iter().filter_map(|record| self.renew(record)).collect();
            let write = |(record, renewed): &(Record, T)| RecordWrite {
                table,
                key: record.key.clone(),
                expect: Expect::Version(record.version),
                value: Some(renewed.bytes()),
            };
            let writes: Vec<_> = renewed.iter().map(write).collect();
            let written = writes.len();
            if written == 0 {
                return Ok(0);
            }
            match self.inner.storage.write_records(writes).await {
                Ok(()) => {
                    renewed.into_iter().for_each(|(_, renewed)| refresh(renewed));
                    return Ok(written);
                }
                Err(CommitError::Conflict { .. }) => {
                    self.unreadable.truncate(found);
                    page = read_again(&self.inner.storage, table, &page).await?;
                }
                Err(CommitError::Storage(error)) => return Err(error.into()),
                Err(CommitError::Fenced) => return Err(KeyError::Restless),
            }
        }
        Err(KeyError::Restless)
    }

    /// `None`: nothing is to be written.
    fn renew<T: Wrapped>(&mut self, record: &Record) -> Option<(Record, T)> {
        let renewed = T::read(&record.value).and_then(|mut sealed| {
            let changed = sealed.renew(&self.inner.vault, self.data_keys).map_err(|error| error.to_string())?;
            Ok(changed.then_some(sealed))
        });
        match renewed {
            Ok(renewed) => Some((record.clone(), renewed?)),
            Err(reason) => {
                self.unreadable.push(format!("{}: {reason}", record.key));
                None
            }
        }
    }
}

async fn read_again(storage: &Arc<dyn Storage>, table: Table, page: &[Record]) -> Result<Vec<Record>, StorageError> {
    let mut again = Vec::with_capacity(page.len());
    for record in page {
        again.extend(storage.record(table, &record.key).await?);
    }
    Ok(again)
}

/// The master key of each record of a table that can be read.
async fn key_ids<T: Wrapped>(storage: &Arc<dyn Storage>, table: Table) -> Result<Vec<String>, StorageError> {
    let (mut ids, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = storage.records(table, "", after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(ids) };
        after = Some(last.key.clone());
        ids.extend(page.iter().filter_map(|record| Some(T::read(&record.value).ok()?.master().to_owned())));
    }
}

/// A master key that something in storage needs; `None`: nothing is sealed there.
pub async fn needed_key(storage: &Arc<dyn Storage>) -> Result<Option<String>, StorageError> {
    let stores = storage.records(Table::Stores, "", None, 1).await?;
    if let Some(store) = stores.first().and_then(|record| Store::from_bytes(&record.value).ok()) {
        return Ok(Some(store.master().to_owned()));
    }
    let secrets = storage.records(Table::Secrets, "", None, 1).await?;
    let secret = secrets.first().and_then(|record| NamedSecret::from_bytes(&record.value).ok());
    Ok(secret.map(|secret| secret.master().to_owned()))
}
