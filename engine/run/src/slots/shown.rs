//! Slots as people see them: groups in use, and where one run stands.

use cartwright_core::{
    id::{RunId, WorkflowId},
    run::{
        apply::fold,
        entry::{Entry, What},
    },
    slots::{Group, Slot},
    time::Timestamp,
};
use cartwright_storage::{Page, Storage, StorageError};
use serde::Serialize;

use super::{groups, holders, queue};

/// Holders and waiting runs that are named of a group.
const NAMED: usize = 10;
/// Runs in front of one in a queue that are counted.
const AHEAD_MAX: usize = 1_000;

/// A group of `concurrency` that is in use.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SlotGroup {
    /// Which runs share its slots.
    #[serde(flatten)]
    pub group: Group,
    /// Slots that are held.
    pub held: u32,
    /// Runs that wait for one.
    pub waiting: u64,
    /// Who holds them: at most ten, in the order of their events.
    pub holders: Vec<SlotHolder>,
    /// Whose turn is next: at most ten.
    pub next: Vec<RunId>,
}

/// A run that holds a slot.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SlotHolder {
    /// Which.
    pub run: RunId,
    /// Since when.
    pub since: Timestamp,
}

/// Where a run stands.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RunSlot {
    /// Which group.
    pub group: Group,
    /// Whether it holds a slot, waits for one, or gave it back while it waits for something else.
    pub state: SlotState,
    /// Runs in front of it, where it waits; 1000: so many or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ahead: Option<u64>,
    /// Who holds the slots it waits for: at most ten.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<SlotHolder>,
}

/// What a run has to do with slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SlotState {
    /// It asks for one right now.
    Asked,
    /// It waits for one.
    Queued,
    /// It holds one.
    Held,
    /// It gave its slot back while it waits for a time, an event, a person or a store.
    Freed,
}

/// Groups in use, by workflow. `cursor` comes from the page before.
pub(crate) async fn list(
    storage: &dyn Storage,
    workflow: Option<&WorkflowId>,
    cursor: Option<&str>,
    limit: usize,
) -> Result<Page<SlotGroup>, StorageError> {
    // Keys hold a byte that no address should carry.
    let after = cursor.map(|cursor| format!("g/{}", cursor.replacen(':', "\0", 1)));
    let found = groups(storage, workflow, after.as_deref(), limit).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|(key, _)| key[2..].replace('\0', ":"));
    let mut items = Vec::with_capacity(found.len());
    for (_, head) in found {
        items.push(SlotGroup {
            held: head.held,
            waiting: head.waiting,
            holders: named(storage, &head.group).await?,
            next: queue(storage, &head.group, NAMED).await?.into_iter().map(|waiter| waiter.run).collect(),
            group: head.group,
        });
    }
    Ok(Page { items, next })
}

async fn named(storage: &dyn Storage, group: &Group) -> Result<Vec<SlotHolder>, StorageError> {
    let found = holders(storage, group, NAMED).await?;
    Ok(found.into_iter().map(|(run, holder)| SlotHolder { run, since: holder.since }).collect())
}

/// Where a run stands, by its journal. `None`: it has nothing to do with slots now.
pub(crate) async fn of_run(storage: &dyn Storage, journal: &[Entry]) -> Result<Option<RunSlot>, StorageError> {
    if !journal.iter().any(|entry| matches!(entry.what, What::SlotAsked { .. })) {
        return Ok(None);
    }
    // A journal that cannot be folded is shown all the same.
    let Ok(Some(run)) = fold(journal) else { return Ok(None) };
    let (state, standing) = match run.slot {
        Slot::None => return Ok(None),
        Slot::Asked(standing) => (SlotState::Asked, standing),
        Slot::Queued(standing) => (SlotState::Queued, standing),
        Slot::Held(standing) => (SlotState::Held, standing),
        Slot::Lent(standing) => (SlotState::Freed, standing),
    };
    let (mut ahead, mut holders) = (None, Vec::new());
    if state == SlotState::Queued {
        let front = queue(storage, &standing.group, AHEAD_MAX).await?;
        let before = front.iter().take_while(|waiter| waiter.place < standing.place).count();
        ahead = u64::try_from(before).ok();
        holders = named(storage, &standing.group).await?;
    }
    Ok(Some(RunSlot { group: standing.group, state, ahead, holders }))
}
