//! Gates: what stands between a trigger whose conditions hold and the run it starts. `dedupe` lets one event through a
//! key and window, `debounce` waits for silence, `collect` gathers many events for one run, `throttle` spaces starts.
//!
//! Everything here is pure: `(state, policy, event) → (state, verdict)`. A gate's state is one record in storage, named by
//! [`GateId::record`]; `run/gates` reads it, asks this module, and writes it in the commit that takes the event out of
//! the inbox. Spans are counted from when events were accepted, so an event that is looked at late counts as if it had
//! been looked at in time.

mod dedupe;
mod group;
mod key;
mod throttle;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use dedupe::{Passed, is_duplicate};
pub use group::{Arrival, GROUP_BYTES_MAX, Group, Joined, MEMBERS_NAMED_MAX, collect, debounce};
pub use key::{KEY_BYTES_MAX, key_text};
pub use throttle::{Pace, Place, Wake, late_after};

use crate::id::{RunId, StoreId, Version, WorkflowId};

/// The kinds of gate, in the order in which an event passes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum GateKind {
    /// One event per key and window.
    Dedupe,
    /// One run after a burst is over.
    Debounce,
    /// Many events, one run.
    Collect,
    /// At most so many starts a time.
    Throttle,
}

impl GateKind {
    /// The key in the workflow file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dedupe => "dedupe",
            Self::Debounce => "debounce",
            Self::Collect => "collect",
            Self::Throttle => "throttle",
        }
    }
}

impl fmt::Display for GateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which gate: one for each workflow, trigger, kind, store and key. Two stores' order 5 are different orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateId {
    /// Whose.
    pub workflow: WorkflowId,
    /// Which of its triggers: `woo`, or `woo.1` for the second of its kind.
    pub trigger: String,
    /// Which of the trigger's gates.
    pub kind: GateKind,
    /// The store that the events are about, where they are about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreId>,
    /// What `key` gave; `None`: the gate has no `key`, and all events of a store share it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What the names of records that say which run will come of a held group start with.
pub const HELD_PREFIX: &str = "held/";

/// The record that says that this run will come of a held group. It is there as long as the group is held, and events
/// that the group needs are kept as long.
pub fn held_record(run: &RunId) -> String {
    format!("{HELD_PREFIX}{run}")
}

impl GateId {
    /// The name of its record.
    pub fn record(&self) -> String {
        let store = self.store.as_ref().map_or("", StoreId::as_str);
        let keyed: &[u8] = if self.key.is_some() { b"1" } else { b"" };
        let key = self.key.as_deref().unwrap_or_default();
        let hash = Version::of(&[store.as_bytes(), keyed, key.as_bytes()]);
        format!("gate/{}/{}/{}/{hash}", self.workflow, self.trigger, self.kind)
    }
}

/// A gate's record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateRecord {
    /// Which gate.
    #[serde(flatten)]
    pub id: GateId,
    /// Its timer is named by this run; a timer of another one is out of date.
    pub owner: RunId,
    /// What it remembers.
    pub state: GateState,
}

/// What a gate remembers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateState {
    /// Of `dedupe`.
    Passed(Passed),
    /// Of `debounce` and `collect`.
    Group(Group),
    /// Of `throttle`.
    Pace(Pace),
}
