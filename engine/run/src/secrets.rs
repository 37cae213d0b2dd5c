//! Named secrets at run time: set by people, opened at the moment of sending, never shown again.

use std::{collections::BTreeMap, sync::Arc};

use cartwright_core::time::Timestamp;
use cartwright_storage::{CommitError, Expect, RecordWrite, Storage, StorageError, Table};
use cartwright_woo::{InvalidSecret, NamedSecret, Secret, Vault};
use parking_lot::RwLock;
use tokio::sync::Mutex;

/// Why a secret could not be set or read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The name or the value is not valid, or the seal does not open.
    #[error(transparent)]
    Invalid(#[from] InvalidSecret),
    /// Storage refused.
    #[error(transparent)]
    Storage(#[from] CommitError),
}

impl From<StorageError> for SecretError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error.into())
    }
}

/// A secret in lists: never its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretInfo {
    /// How workflows call it.
    pub name: String,
    /// Which value of the name, from 1.
    pub version: u64,
    /// When this value was set.
    pub set: Timestamp,
}

/// The named secrets of a storage.
pub struct Secrets {
    storage: Arc<dyn Storage>,
    vault: Arc<Vault>,
    opened: RwLock<BTreeMap<String, Arc<Secret>>>,
    /// Held from sealing to writing, so that a rotation of the master key misses nothing.
    sealing: Arc<Mutex<()>>,
}

impl Secrets {
    /// Over a storage and the vault that seals what is in it.
    pub fn new(storage: Arc<dyn Storage>, vault: Arc<Vault>, sealing: Arc<Mutex<()>>) -> Self {
        Self { storage, vault, opened: RwLock::default(), sealing }
    }

    /// Sets a value. On stable storage when it resolves, in one commit with what `audit` makes of it; runs use it from
    /// their next call on.
    pub async fn set(
        &self,
        name: &str,
        value: &Secret,
        now: Timestamp,
        audit: impl FnOnce(&SecretInfo) -> Option<RecordWrite>,
    ) -> Result<SecretInfo, SecretError> {
        let _sealing = self.sealing.lock().await;
        let before = self.storage.record(Table::Secrets, name).await?;
        let version = match &before {
            Some(record) => NamedSecret::from_bytes(&record.value)?.version() + 1,
            None => 1,
        };
        let secret = NamedSecret::new(&self.vault, name, value, version, now)?;
        let expect = before.map_or(Expect::Absent, |record| Expect::Version(record.version));
        let info = SecretInfo { name: name.to_owned(), version, set: now };
        self.write(name, expect, Some(secret.to_bytes()), audit(&info)).await?;
        self.opened.write().remove(name);
        Ok(info)
    }

    /// Removes a secret; `false`: there was none. On stable storage when it resolves, in one commit with `entry`.
    pub async fn remove(&self, name: &str, entry: Option<RecordWrite>) -> Result<bool, SecretError> {
        let _sealing = self.sealing.lock().await;
        let there = self.storage.record(Table::Secrets, name).await?.is_some();
        if there {
            self.write(name, Expect::Any, None, entry).await?;
        }
        self.opened.write().remove(name);
        Ok(there)
    }

    async fn write(
        &self,
        name: &str,
        expect: Expect,
        value: Option<Vec<u8>>,
        entry: Option<RecordWrite>,
    ) -> Result<(), CommitError> {
        let write = RecordWrite { table: Table::Secrets, key: name.to_owned(), expect, value };
        self.storage.write_records([write].into_iter().chain(entry).collect()).await
    }

    /// All of them by name, without values.
    pub async fn list(&self) -> Result<Vec<SecretInfo>, SecretError> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.storage.records(Table::Secrets, "", after.as_deref(), 200).await?;
            let Some(last) = page.last() else { return Ok(all) };
            after = Some(last.key.clone());
            for record in page {
                let secret = NamedSecret::from_bytes(&record.value)?;
                all.push(SecretInfo { name: secret.name.clone(), version: secret.version(), set: secret.set });
            }
        }
    }

    /// The plaintext of a secret; `None`: it is not set.
    pub async fn open(&self, name: &str) -> Result<Option<Arc<Secret>>, SecretError> {
        if let Some(secret) = self.opened.read().get(name) {
            return Ok(Some(Arc::clone(secret)));
        }
        let Some(record) = self.storage.record(Table::Secrets, name).await? else { return Ok(None) };
        let sealed = NamedSecret::from_bytes(&record.value)?;
        let secret = Arc::new(sealed.open(&self.vault).map_err(InvalidSecret::from)?);
        self.opened.write().insert(name.to_owned(), Arc::clone(&secret));
        Ok(Some(secret))
    }
}
