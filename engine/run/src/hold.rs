//! A restored engine is held: what it has is older than what it did. Runs that were open when the backup was made may
//! have gone on since, and driving them again could repeat that. So until somebody says so, it accepts events and shows
//! everything, but matches nothing, starts nothing and continues nothing. `engine/docs/decisions/0007-backup-and-held-engines.md`

use std::sync::Arc;

use cartwright_core::time::Timestamp;
use cartwright_storage::{CommitError, Expect, RecordWrite, Storage, StorageError, Table};
use serde::{Deserialize, Serialize};

use crate::{
    dispatch::dispatch, inner::Inner, recover::recover, retention::run_retention, schedule::run_schedules,
    timers::run_timers,
};

/// Where storage says that it was restored.
const KEY: &str = "restored";

/// Why an engine is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Hold {
    /// When the backup was made.
    pub backup: Timestamp,
    /// When it was restored.
    pub restored: Timestamp,
}

/// Notes that what is in a storage was restored. Durable when it resolves.
pub async fn hold(storage: &Arc<dyn Storage>, hold: &Hold) -> Result<(), CommitError> {
    let value = serde_json::to_vec(hold).expect("two times become JSON");
    let write = RecordWrite { table: Table::Meta, key: KEY.into(), expect: Expect::Any, value: Some(value) };
    storage.write_records(vec![write]).await
}

/// Why an engine over this storage is held; `None`: it is not.
pub(crate) async fn held(storage: &dyn Storage) -> Result<Option<Hold>, StorageError> {
    let Some(record) = storage.record(Table::Meta, KEY).await? else { return Ok(None) };
    let reason = "the note of a restore cannot be read; restore the data folder from a backup";
    serde_json::from_slice(&record.value).map(Some).map_err(|_| StorageError::Corrupt { reason: reason.to_owned() })
}

/// Ends the hold; durable, and under way, when it resolves. `None`: there was none.
pub(crate) async fn release(inner: &Inner) -> Result<Option<Hold>, StorageError> {
    let found = held(inner.storage.as_ref()).await?;
    if found.is_some() {
        let write = RecordWrite { table: Table::Meta, key: KEY.into(), expect: Expect::Any, value: None };
        inner.storage.write_records(vec![write]).await.map_err(|error| match error {
            CommitError::Storage(error) => error,
            other => StorageError::Invalid { reason: other.to_string() },
        })?;
    }
    inner.held.send_replace(false);
    Ok(found)
}

/// Begins everything that moves runs, once nothing holds it.
pub(crate) async fn begin(inner: Arc<Inner>) {
    let (mut held, mut stopping) = (inner.held.subscribe(), inner.stopping.subscribe());
    tokio::select! {
        biased;
        ended = held.wait_for(|held| !*held) => if ended.is_err() { return },
        _ = stopping.wait_for(|stop| *stop) => return,
    }
    tokio::spawn(dispatch(Arc::clone(&inner)));
    tokio::spawn(run_timers(Arc::clone(&inner)));
    if inner.options.stand_in.is_none() {
        tokio::spawn(run_schedules(Arc::clone(&inner)));
        tokio::spawn(run_retention(Arc::clone(&inner)));
    }
    tokio::spawn(recover(inner));
}
