//! What is held now, for people: read from the records that say which runs are to come.

use cartwright_core::{
    gate::{GateKind, GateState, HELD_PREFIX},
    id::{EventId, RunId, StoreId, WorkflowId},
    time::Timestamp,
};
use cartwright_storage::{Page, StorageError, Table};
use serde::Serialize;

use super::desk::read;
use crate::inner::Inner;

/// Events of a group that a list names.
const EVENTS_SHOWN: usize = 100;

/// Events that wait together for a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct HeldGroup {
    /// The run that will come of it; where `collect` follows `debounce`, another one may.
    pub run: RunId,
    /// Whose.
    pub workflow: WorkflowId,
    /// Which of its triggers: `woo`, or `woo.1` for the second of its kind.
    pub trigger: String,
    /// `debounce` or `collect`.
    pub kind: GateKind,
    /// The events' store.
    pub store: Option<StoreId>,
    /// What `key` gave; absent where the gate has none.
    pub key: Option<String>,
    /// How many events there are.
    pub count: u64,
    /// The first hundred of them, in order.
    pub events: Vec<EventId>,
    /// When the first was accepted.
    pub since: Timestamp,
    /// When it starts its run, unless more events come.
    pub fires: Timestamp,
}

/// What is held now, after `cursor`; of one workflow where one is named.
pub(crate) async fn held(
    inner: &Inner,
    workflow: Option<&WorkflowId>,
    cursor: Option<&str>,
    limit: usize,
) -> Result<Page<HeldGroup>, StorageError> {
    let mut items = Vec::new();
    let mut after = cursor.map(|cursor| format!("{HELD_PREFIX}{cursor}"));
    loop {
        let page = inner.storage.records(Table::Gates, HELD_PREFIX, after.as_deref(), limit.max(1)).await?;
        let full = page.len() == limit.max(1);
        for record in page {
            after = Some(record.key.clone());
            let name = String::from_utf8_lossy(&record.value).into_owned();
            // It may have started its run since.
            let Some(found) = inner.storage.record(Table::Gates, &name).await? else { continue };
            let found = read(&found.value, &name)?;
            let GateState::Group(group) = found.state else { continue };
            if workflow.is_some_and(|workflow| *workflow != found.id.workflow)
                || !record.key.ends_with(group.run.as_str())
            {
                continue;
            }
            items.push(HeldGroup {
                run: group.run,
                workflow: found.id.workflow,
                trigger: found.id.trigger,
                kind: found.id.kind,
                store: found.id.store,
                key: found.id.key,
                count: group.count,
                events: group.events.into_iter().take(EVENTS_SHOWN).collect(),
                since: group.since,
                fires: group.due,
            });
            if items.len() == limit {
                let next = after.and_then(|key| key.strip_prefix(HELD_PREFIX).map(str::to_owned));
                return Ok(Page { items, next });
            }
        }
        if !full {
            return Ok(Page { items, next: None });
        }
    }
}
