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

/// Which entries are wanted; what is absent says nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AuditFilter {
    /// Made by exactly this one.
    pub who: Option<String>,
    /// Of exactly this kind.
    pub what: Option<String>,
    /// About exactly this id or name.
    pub target: Option<String>,
    /// Concerning this store.
    pub store: Option<StoreId>,
    /// At that time or later.
    pub since: Option<Timestamp>,
    /// Before that time.
    pub until: Option<Timestamp>,
}

impl AuditFilter {
    /// Whether an entry is wanted.
    pub fn fits(&self, entry: &AuditEntry) -> bool {
        let is = |wanted: &Option<String>, text: &str| wanted.as_ref().is_none_or(|wanted| wanted == text);
        is(&self.who, &entry.who)
            && is(&self.what, &entry.what)
            && is(&self.target, &entry.target)
            && (self.store.is_none() || self.store == entry.store)
            && self.since.is_none_or(|since| entry.at >= since)
            && self.until.is_none_or(|until| entry.at < until)
    }
}

/// What the keys of a millisecond begin with: newest first.
fn place(at: Timestamp) -> String {
    format!("{:016}", Timestamp::MAX.as_millis() - at.as_millis())
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
        let order = u32::MAX - self.count.fetch_add(1, Relaxed);
        let key = format!("{}-{order:010}", place(entry.at));
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

    /// Those of the next `limit` entries that are wanted, newest first, with the cursor of the next page. Only entries
    /// within the filter's times are looked at.
    pub async fn page(
        &self,
        filter: &AuditFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<AuditEntry>, Option<String>), StorageError> {
        // Behind all entries of `until` itself: `~` sorts after the `-` in keys.
        let until = filter.until.map(|until| format!("{}~", place(until)));
        let from = cursor.max(until.as_deref());
        let page = self.storage.records(Table::Audit, "", from, limit).await?;
        let is_over = |key: &str| filter.since.is_some_and(|since| *key > *format!("{}~", place(since)));
        let last = page.last().map(|record| record.key.clone());
        let next = last.filter(|key| page.len() == limit && !is_over(key));
        let read = page.iter().filter_map(|record| serde_json::from_slice(&record.value).ok());
        Ok((read.filter(|entry| filter.fits(entry)).collect(), next))
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
        let page = log.page(&AuditFilter::default(), None, 5000).await.expect("a page").0;
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

    /// The milliseconds of what a filter finds, page by page, and how many pages that took.
    async fn found(log: &AuditLog, filter: &AuditFilter, limit: usize) -> (Vec<i64>, usize) {
        let (mut all, mut cursor, mut pages) = (Vec::new(), None::<String>, 0);
        loop {
            let (entries, next) = log.page(filter, cursor.as_deref(), limit).await.expect("a page");
            all.extend(entries.iter().map(|entry| entry.at.as_millis()));
            (cursor, pages) = (next, pages + 1);
            if cursor.is_none() {
                return (all, pages);
            }
        }
    }

    #[tokio::test]
    async fn filters_find_all_that_they_name_and_look_at_no_other_times() {
        let log = AuditLog::new(MemoryStorage::new());
        let shop: StoreId = "shop".parse().expect("an id");
        for n in 0..100 {
            let (who, what) = (["admin", "user:ada"][n as usize % 2], ["run.retry", "store.add"][n as usize % 4 / 2]);
            let entry = AuditEntry::new(Timestamp::from_millis(n / 2), who, what, &format!("run_{}", n % 5));
            log.add(&entry.of_store((n % 10 == 0).then_some(&shop))).await.expect("added");
        }
        let at = |millis| Some(Timestamp::from_millis(millis));
        let text = |text: &str| Some(text.to_owned());
        let any = AuditFilter::default;
        for (filter, count) in [
            (any(), 100),
            (AuditFilter { who: text("user:ada"), ..any() }, 50),
            (AuditFilter { who: text("ada"), ..any() }, 0),
            (AuditFilter { what: text("run.retry"), ..any() }, 50),
            (AuditFilter { who: text("admin"), what: text("store.add"), ..any() }, 25),
            (AuditFilter { target: text("run_3"), ..any() }, 20),
            (AuditFilter { store: Some(shop), ..any() }, 10),
            (AuditFilter { since: at(40), ..any() }, 20),
            (AuditFilter { until: at(40), ..any() }, 80),
            (AuditFilter { since: at(10), until: at(12), ..any() }, 4),
            (AuditFilter { since: at(49), ..any() }, 2),
            (AuditFilter { until: at(0), ..any() }, 0),
        ] {
            let (whole, one_page) = found(&log, &filter, 1000).await;
            assert_eq!((whole.len(), one_page), (count, 1), "{filter:?}");
            assert!(whole.is_sorted_by(|a, b| a >= b), "{filter:?}: {whole:?}");
            assert_eq!(found(&log, &filter, 3).await.0, whole, "{filter:?}");
        }
        let narrow = AuditFilter { since: at(10), until: at(12), ..any() };
        assert_eq!(found(&log, &narrow, 2).await.1, 3, "two of the span, and one that sees its end");
    }
}
