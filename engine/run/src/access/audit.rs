//! The audit log: who changed what, when, and how it was before. Append-only; kept in records whose keys sort newest first.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use cartwright_core::{Json, id::StoreId, time::Timestamp};
use cartwright_storage::{Expect, RecordWrite, Storage, StorageError, Table};
use serde::{Deserialize, Serialize};

/// Who asks for a change, and from where.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// As [`cartwright_core::access::Principal::name`].
    pub name: &'a str,
    /// The address, where it came over the network.
    pub from: Option<&'a str>,
}

impl<'a> From<&'a str> for By<'a> {
    fn from(name: &'a str) -> Self {
        Self { name, from: None }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who, as [`cartwright_core::access::Principal::name`].
    pub who: String,
    /// What, as `area.verb`: `store.add`, `run.retry`, `token.revoke`, `session.open`.
    pub what: String,
    /// To what: an id or a name.
    pub target: String,
    /// The store it concerns, for people who see only some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreId>,
    /// How it was, without secrets.
    #[serde(default)]
    pub before: Json,
    /// How it is now, without secrets.
    #[serde(default)]
    pub after: Json,
    /// From which address, where it came over the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

impl AuditEntry {
    /// An entry that says only who did what to what.
    pub fn new(at: Timestamp, who: &str, what: &str, target: &str) -> Self {
        let (who, what, target) = (who.to_owned(), what.to_owned(), target.to_owned());
        Self { at, who, what, target, store: None, before: Json::Null, after: Json::Null, from: None }
    }

    /// The same for somebody who may have come over the network.
    pub fn by(at: Timestamp, by: By<'_>, what: &str, target: &str) -> Self {
        Self { from: by.from.map(str::to_owned), ..Self::new(at, by.name, what, target) }
    }

    /// With how it was.
    #[must_use]
    pub fn before(self, before: Json) -> Self {
        Self { before, ..self }
    }

    /// With how it is now.
    #[must_use]
    pub fn after(self, after: Json) -> Self {
        Self { after, ..self }
    }

    /// With the store it concerns, where there is one.
    #[must_use]
    pub fn of_store(self, store: Option<&StoreId>) -> Self {
        Self { store: store.cloned(), ..self }
    }

    /// With where it came from.
    #[must_use]
    pub fn from(self, address: &impl ToString) -> Self {
        Self { from: Some(address.to_string()), ..self }
    }
}

/// The log.
pub struct AuditLog {
    storage: Arc<dyn Storage>,
    /// Keeps entries of one millisecond apart and in order.
    count: AtomicU32,
}

impl AuditLog {
    pub(super) fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage, count: AtomicU32::new(0) }
    }

    /// The write that adds an entry, for the commit of the change it is about.
    pub fn write_of(&self, entry: &AuditEntry) -> RecordWrite {
        let newest_first = Timestamp::MAX.as_millis() - entry.at.as_millis();
        let order = u32::MAX - self.count.fetch_add(1, Relaxed);
        let key = format!("{newest_first:016}-{order:010}");
        let value = serde_json::to_vec(entry).expect("texts and JSON always become JSON");
        RecordWrite { table: Table::Audit, key, expect: Expect::Any, value: Some(value) }
    }

    /// Adds an entry by itself. On stable storage when it resolves.
    pub async fn add(&self, entry: &AuditEntry) -> Result<(), cartwright_storage::CommitError> {
        self.storage.write_records(vec![self.write_of(entry)]).await
    }

    /// Entries, newest first, with the cursor of the next page.
    pub async fn page(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<AuditEntry>, Option<String>), StorageError> {
        let page = self.storage.records(Table::Audit, "", cursor, limit).await?;
        let next = (page.len() == limit).then(|| page.last().map(|record| record.key.clone())).flatten();
        let read = |bytes: &[u8]| serde_json::from_slice(bytes).ok();
        Ok((page.iter().filter_map(|record| read(&record.value)).collect(), next))
    }
}
