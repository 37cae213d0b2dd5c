//! What schedules remember across restarts: the last occurrence that was considered, for each that catches up. Kept in storage's
//! table of facts about the engine, `schedule/WORKFLOW/HASH`.

use std::{collections::BTreeMap, sync::Arc};

use cartwright_core::{
    id::Version,
    time::Timestamp,
    workflow::{CatchUp, Schedule, Workflow},
};
use cartwright_storage::{Expect, RecordWrite, Table};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::inner::Inner;

const PREFIX: &str = "schedule/";
/// Records read at once.
const PAGE: usize = 500;

/// What is known of a schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Of the workflow: an edit begins anew.
    pub(super) version: Version,
    /// Occurrences up to here are over.
    pub(super) considered: Timestamp,
    /// How many were skipped the last time that some were.
    #[serde(default)]
    pub(super) skipped: usize,
}

/// Whether a start has a use for what a schedule did last: to catch up, or to go on with an occurrence whose starts are
/// spread.
pub(super) fn is_kept(schedule: &Schedule) -> bool {
    schedule.catch_up != CatchUp::None || !schedule.jitter.is_zero()
}

/// Names a schedule: its workflow, expression, time zone and stores.
pub(super) fn key(workflow: &Workflow, schedule: &Schedule) -> String {
    let stores: Vec<String> = schedule.stores.iter().map(ToString::to_string).collect();
    let mut hash = Sha256::new();
    for part in [schedule.cron.source.as_str(), schedule.timezone.name(), &stores.join(",")] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    format!("{PREFIX}{}/{}", workflow.id, hex::encode(&hash.finalize()[..8]))
}

/// Everything that is known. What cannot be read is not made up for.
pub(super) async fn all(inner: &Inner) -> BTreeMap<String, Kept> {
    let mut found = BTreeMap::new();
    let mut after: Option<String> = None;
    loop {
        let page = match inner.storage.records(Table::Meta, PREFIX, after.as_deref(), PAGE).await {
            Ok(page) => page,
            Err(error) => {
                tracing::error!(%error, "what schedules did last cannot be read; nothing is made up for");
                return found;
            }
        };
        let Some(last) = page.last() else { return found };
        after = Some(last.key.clone());
        for record in page {
            if let Ok(kept) = serde_json::from_slice(&record.value) {
                found.insert(record.key, kept);
            }
        }
    }
}

pub(super) async fn keep(inner: &Arc<Inner>, key: &str, version: &Version, considered: Timestamp, skipped: usize) {
    let kept = Kept { version: version.clone(), considered, skipped };
    match serde_json::to_vec(&kept) {
        Ok(value) => write(inner, key, Some(value)).await,
        Err(error) => tracing::error!(%error, "what a schedule did cannot be written"),
    }
}

/// A schedule that is new, or was edited, begins now.
pub(super) async fn keep_first(
    inner: &Arc<Inner>,
    name: &str,
    workflow: &Workflow,
    schedule: &Schedule,
    now: Timestamp,
) {
    if is_kept(schedule) {
        keep(inner, name, &workflow.version, now, 0).await;
    }
}

pub(super) async fn forget(inner: &Arc<Inner>, key: &str) {
    write(inner, key, None).await;
}

/// A write that fails costs no occurrence: those since the last one that succeeded are raised again at the next start, and
/// recognised.
async fn write(inner: &Arc<Inner>, key: &str, value: Option<Vec<u8>>) {
    let record = RecordWrite { table: Table::Meta, key: key.to_owned(), expect: Expect::Any, value };
    if let Err(error) = inner.storage.write_records(vec![record]).await {
        tracing::warn!(%error, key, "what a schedule did last could not be written");
    }
}
