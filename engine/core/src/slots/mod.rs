//! Slots: how many runs of a workflow may move at once (`concurrency` in a workflow file).
//!
//! A *group* is a workflow, perhaps one of its stores, and a key. Runs of a group hold slots or stand in its queue. The
//! functions here are pure and look at no more than the group's counters and the first of its queue, so that a queue of
//! a hundred thousand runs costs as much as one of two. What they say becomes records of storage, in the same commit as
//! the entries of the run they are about.

mod place;
mod rule;

pub use place::{Lane, Place};
pub use rule::{Answer, Ask, First, Refusal, ask, next_to_wake};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::id::{RunId, StoreId, WorkflowId};

/// The longest key of a group, in bytes.
pub const KEY_BYTES_MAX: usize = 1_000;
/// The highest `limit`.
pub const LIMIT_MAX: u32 = 10_000;

/// Which runs share slots.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Group {
    /// Their workflow.
    pub workflow: WorkflowId,
    /// Their store, where slots are counted per store and the runs have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreId>,
    /// What `key` gave; empty: there is no key.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
}

impl Group {
    /// Names the group in storage: 32 hex digits.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for part in [self.workflow.as_str(), self.store.as_ref().map_or("", StoreId::as_str), &self.key] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hex::encode(&hash.finalize()[..16])
    }
}

impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.workflow)?;
        if let Some(store) = &self.store {
            write!(f, " @ {store}")?;
        }
        if !self.key.is_empty() {
            write!(f, " [{}]", self.key)?;
        }
        Ok(())
    }
}

/// A group's counters. Every change of the group writes them, so their version says whether the group changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Which group.
    #[serde(flatten)]
    pub group: Group,
    /// Slots that are held.
    pub held: u32,
    /// Runs in the queue.
    pub waiting: u64,
}

impl Head {
    /// A group that nobody uses.
    pub fn new(group: Group) -> Self {
        Self { group, held: 0, waiting: 0 }
    }

    /// Whether nobody uses it, so that nothing of it need be kept.
    pub fn is_idle(&self) -> bool {
        self.held == 0 && self.waiting == 0
    }

    /// The counters after a run went from one position to another.
    pub fn moved(&self, from: Position<'_>, to: Position<'_>) -> Self {
        let mut after = self.clone();
        match from {
            Position::Held => after.held = after.held.saturating_sub(1),
            Position::Queued(_) => after.waiting = after.waiting.saturating_sub(1),
            Position::Out => {}
        }
        match to {
            Position::Held => after.held = after.held.saturating_add(1),
            Position::Queued(_) => after.waiting = after.waiting.saturating_add(1),
            Position::Out => {}
        }
        after
    }
}

/// Where a run stands in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position<'a> {
    /// It neither holds a slot nor waits for one.
    Out,
    /// It waits for one.
    Queued(&'a Place),
    /// It holds one.
    Held,
}

/// What storage knows of a holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Since when.
    pub since: crate::time::Timestamp,
}

/// What storage knows of a run in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiter {
    /// Which run.
    pub run: RunId,
    /// The `limit` of the version it is pinned to.
    pub limit: u32,
}

/// What a run's journal says about its slot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Slot {
    /// It has none and asked for none.
    #[default]
    None,
    /// It wants one and has no answer yet.
    Asked(Standing),
    /// It stands in the queue.
    Queued(Standing),
    /// It holds one.
    Held(Standing),
    /// It gave its slot back while it waits, and asks again before it goes on.
    Lent(Standing),
}

/// A run's place in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Which group.
    pub group: Group,
    /// Its place in the queue.
    pub place: Place,
}

impl Slot {
    /// The group it stands in, and where; `None`: in none.
    pub fn position(&self) -> Option<(&Group, Position<'_>)> {
        match self {
            Self::Queued(standing) => Some((&standing.group, Position::Queued(&standing.place))),
            Self::Held(standing) => Some((&standing.group, Position::Held)),
            Self::None | Self::Asked(_) | Self::Lent(_) => None,
        }
    }

    /// Whether it holds a slot.
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Held(_))
    }

    /// Whether it wants a slot and does not have it.
    pub fn is_wanted(&self) -> bool {
        matches!(self, Self::Asked(_) | Self::Queued(_))
    }

    /// The place it wants or has a slot by.
    pub fn standing(&self) -> Option<&Standing> {
        match self {
            Self::None => None,
            Self::Asked(standing) | Self::Queued(standing) | Self::Held(standing) | Self::Lent(standing) => {
                Some(standing)
            }
        }
    }
}
