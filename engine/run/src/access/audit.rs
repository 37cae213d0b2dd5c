//! The audit log: who changed what, when, and how it was before. Append-only; kept in records whose keys sort newest first.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use cartwright_core::{Json, id::StoreId, time::Timestamp};
use cartwright_storage::{CommitError, Expect, Record, RecordWrite, Storage, StorageError, Table};
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
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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

/// Entries looked at or removed in one step of retention.
const PURGE_STEP: usize = 256;

/// How far the newest entries were counted.
#[derive(Debug, Default)]
pub struct AuditPlace {
    last: Option<String>,
    count: u64,
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
    pub async fn add(&self, entry: &AuditEntry) -> Result<(), CommitError> {
        self.storage.write_records(vec![self.write_of(entry)]).await
    }

    /// Removes one step of what is older than `before` or beyond the newest `keep`. `seen` is where the count of the
    /// newest stands between steps. `true`: there is more to do.
    pub async fn purge(&self, before: Timestamp, keep: u64, seen: &mut AuditPlace) -> Result<bool, StorageError> {
        let older = format!("{:016}", Timestamp::MAX.as_millis() - before.as_millis().max(0) + 1);
        let from = match &seen.last {
            // Everything behind this place goes, whatever its age.
            Some(last) if seen.count >= keep => last.clone().min(older),
            _ => older,
        };
        let old = self.storage.records(Table::Audit, "", Some(&from), PURGE_STEP).await?;
        if !old.is_empty() {
            let more = old.len() == PURGE_STEP;
            let gone =
                |record: Record| RecordWrite { table: Table::Audit, key: record.key, expect: Expect::Any, value: None };
            let written = self.storage.write_records(old.into_iter().map(gone).collect()).await;
            written.map_err(|error| match error {
                CommitError::Storage(error) => error,
                other => StorageError::Invalid { reason: other.to_string() },
            })?;
            return Ok(more || seen.count < keep);
        }
        if seen.count >= keep {
            return Ok(false);
        }
        let limit = usize::try_from(keep - seen.count).unwrap_or(usize::MAX).min(PURGE_STEP);
        let next = self.storage.records(Table::Audit, "", seen.last.as_deref(), limit).await?;
        seen.count += next.len() as u64;
        let ended = next.len() < limit;
        seen.last = next.into_iter().next_back().map(|record| record.key).or(seen.last.take());
        Ok(!ended)
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

#[cfg(test)]
mod tests {
    use cartwright_storage::MemoryStorage;

    use super::*;

    async fn kept(before: i64, keep: u64) -> Vec<i64> {
        let log = AuditLog::new(MemoryStorage::new());
        for n in 0..1000 {
            log.add(&AuditEntry::new(Timestamp::from_millis(n * 10), "me", "store.add", "x")).await.expect("added");
        }
        let (mut place, mut steps) = (AuditPlace::default(), 0);
        while log.purge(Timestamp::from_millis(before), keep, &mut place).await.expect("a step") {
            steps += 1;
            assert!(steps < 50, "it ends");
        }
        let page = log.page(None, 5000).await.expect("a page").0;
        page.iter().map(|entry| entry.at.as_millis() / 10).collect()
    }

    #[tokio::test]
    async fn old_entries_and_those_beyond_the_count_go_and_no_others() {
        let newest = |count: i64| (1000 - count..1000).rev().collect::<Vec<_>>();
        for (before, keep, left) in [
            (0, 9999, 1000),
            (3000, 9999, 700),
            (0, 600, 600),
            (3000, 600, 600),
            (6000, 600, 400),
            (20_000, 9999, 0),
            (0, 256, 256),
        ] {
            assert_eq!(kept(before, keep).await, newest(left), "before {before}, at most {keep}");
        }
    }
}
