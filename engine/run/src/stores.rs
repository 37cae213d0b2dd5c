//! Connected stores at run time: added by people, asked at every webhook.

use std::{collections::BTreeMap, sync::Arc};

use cartwright_core::{id::StoreId, time::Timestamp};
use cartwright_storage::{CommitError, Expect, RecordWrite, Storage, StorageError, Table};
use cartwright_woo::{InvalidStore, Secret, Store, StoreSettings, Vault, client};
use parking_lot::RwLock;
use tokio::sync::Mutex;

/// Why a store could not be added, changed or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// What was asked for is not valid, or the seal does not open.
    #[error(transparent)]
    Invalid(#[from] InvalidStore),
    /// There is one already.
    #[error(
        "there is a store `{0}` already. Remove it first, or give a new webhook secret with --webhook-secret to rotate"
    )]
    Exists(StoreId),
    /// Storage refused.
    #[error(transparent)]
    Storage(#[from] CommitError),
}

impl From<StorageError> for StoreError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error.into())
    }
}

/// A store with its secrets opened. A change makes a new one, and the old one's secrets go with it.
pub struct OpenStore {
    /// The store.
    pub store: Store,
    /// Any of these may have signed a webhook.
    pub webhook_secrets: Vec<Secret>,
    /// Its tags as a list, for trigger matching.
    pub tags: Vec<String>,
    /// What calls to it need; `None`: its address or its REST keys are not known.
    pub connection: Option<client::Connection>,
}

/// The stores of a storage, held in memory: a webhook costs no read.
pub struct Stores {
    storage: Arc<dyn Storage>,
    vault: Arc<Vault>,
    client: Arc<client::Client>,
    open: RwLock<BTreeMap<StoreId, Arc<OpenStore>>>,
    /// Held from sealing to writing, so that a rotation of the master key misses nothing and nobody remembers a record
    /// that is older than the one in storage.
    sealing: Arc<Mutex<()>>,
}

impl Stores {
    /// Loads all stores. `client` is told when one is changed or removed.
    pub async fn load(
        storage: Arc<dyn Storage>,
        vault: Arc<Vault>,
        client: Arc<client::Client>,
        sealing: Arc<Mutex<()>>,
    ) -> Result<Self, StoreError> {
        let mut open = BTreeMap::new();
        let mut after: Option<String> = None;
        loop {
            let page = storage.records(Table::Stores, "", after.as_deref(), 200).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            for record in page {
                let store = Store::from_bytes(&record.value)?;
                open.insert(store.id.clone(), Arc::new(open_store(&vault, store)?));
            }
        }
        Ok(Self { storage, vault, client, open: RwLock::new(open), sealing })
    }

    /// Adds a store. On stable storage when it resolves, in one commit with what `audit` makes of it: either both are
    /// there or neither is.
    pub async fn add(
        &self,
        id: StoreId,
        settings: &StoreSettings,
        now: Timestamp,
        audit: impl FnOnce(&OpenStore) -> Option<RecordWrite>,
    ) -> Result<Arc<OpenStore>, StoreError> {
        let _sealing = self.sealing.lock().await;
        let store = open_store(&self.vault, Store::new(&self.vault, id.clone(), settings, now)?)?;
        match self.write(&id, Expect::Absent, Some(store.store.to_bytes()), audit(&store)).await {
            Ok(()) => Ok(self.remember(store)),
            Err(CommitError::Conflict { .. }) => Err(StoreError::Exists(id)),
            Err(error) => Err(error.into()),
        }
    }

    /// Adds webhook secrets beside those that are valid; `None`: no such store. On stable storage when it resolves, all
    /// of them in one commit with what `audit` makes of the store before and after.
    pub async fn add_webhook_secrets(
        &self,
        id: &StoreId,
        secrets: &[Secret],
        audit: impl FnOnce(&OpenStore, &OpenStore) -> Option<RecordWrite>,
    ) -> Result<Option<Arc<OpenStore>>, StoreError> {
        let _sealing = self.sealing.lock().await;
        let Some(record) = self.storage.record(Table::Stores, id.as_str()).await? else { return Ok(None) };
        let before = open_store(&self.vault, Store::from_bytes(&record.value)?)?;
        let mut store = before.store.clone();
        for secret in secrets {
            store.add_webhook_secret(&self.vault, secret)?;
        }
        let after = open_store(&self.vault, store)?;
        let (expect, entry) = (Expect::Version(record.version), audit(&before, &after));
        self.write(id, expect, Some(after.store.to_bytes()), entry).await?;
        Ok(Some(self.remember(after)))
    }

    /// Removes a store; `false`: there was none. Its events and runs stay. On stable storage when it resolves, in one
    /// commit with what `audit` makes of the store as it was.
    pub async fn remove(
        &self,
        id: &StoreId,
        audit: impl FnOnce(&OpenStore) -> Option<RecordWrite>,
    ) -> Result<bool, StoreError> {
        let _sealing = self.sealing.lock().await;
        let Some(there) = self.get(id) else { return Ok(false) };
        self.write(id, Expect::Any, None, audit(&there)).await?;
        self.open.write().remove(id);
        self.client.forget(id);
        Ok(true)
    }

    async fn write(
        &self,
        id: &StoreId,
        expect: Expect,
        value: Option<Vec<u8>>,
        entry: Option<RecordWrite>,
    ) -> Result<(), CommitError> {
        let write = RecordWrite { table: Table::Stores, key: id.to_string(), expect, value };
        self.storage.write_records([write].into_iter().chain(entry).collect()).await
    }

    /// A rotation has written this store anew: only its wrapping differs.
    pub(crate) fn refresh(&self, store: Store) {
        let mut open = self.open.write();
        if let Some(there) = open.get_mut(&store.id) {
            let (webhook_secrets, tags) = (there.webhook_secrets.clone(), there.tags.clone());
            let connection = there.connection.clone();
            *there = Arc::new(OpenStore { store, webhook_secrets, tags, connection });
        }
    }

    fn remember(&self, store: OpenStore) -> Arc<OpenStore> {
        let (id, store) = (store.store.id.clone(), Arc::new(store));
        self.client.forget(&id);
        self.open.write().insert(id, Arc::clone(&store));
        store
    }

    /// One store.
    pub fn get(&self, id: &StoreId) -> Option<Arc<OpenStore>> {
        self.open.read().get(id).cloned()
    }

    /// All stores by id.
    pub fn list(&self) -> Vec<Arc<OpenStore>> {
        self.open.read().values().cloned().collect()
    }
}

fn open_store(vault: &Vault, store: Store) -> Result<OpenStore, InvalidStore> {
    let webhook_secrets = store.webhook_secrets(vault)?;
    let tags = store.tags.iter().cloned().collect();
    let connection = store.connection(vault)?;
    Ok(OpenStore { store, webhook_secrets, tags, connection })
}
