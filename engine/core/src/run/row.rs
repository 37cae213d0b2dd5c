//! What lists of runs show: one row a run, kept in the same commit as the journal entry that changed it.

use serde::{Deserialize, Serialize};

use crate::{
    id::{EventId, RunId, StoreId, Version, WorkflowId},
    shard::ShardId,
    time::Timestamp,
};

/// Where a run is. Folded from its journal and from nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Accepted, not yet begun.
    Queued,
    /// Moving.
    Running,
    /// Waiting for a time or an event; costs no memory.
    Waiting,
    /// Waiting for a person.
    Parked,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
    /// Ended by a person.
    Cancelled,
}

impl RunStatus {
    /// All of them, in the order people expect.
    pub const ALL: [Self; 7] =
        [Self::Queued, Self::Running, Self::Waiting, Self::Parked, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// Whether it can change no more by itself (a failed run may be retried by a person).
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// The word that people and storage use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Parked => "parked",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A run in lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RunRow {
    /// Its id.
    pub id: RunId,
    /// Which workflow.
    pub workflow: WorkflowId,
    /// In which version.
    pub version: Version,
    /// Where it is.
    pub status: RunStatus,
    /// The event's store.
    pub store: Option<StoreId>,
    /// What started it.
    pub event: EventId,
    /// The shard that owns it.
    pub shard: ShardId,
    /// How often a person retried it.
    pub retries: u32,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// Why it failed or is parked.
    pub error: Option<RunError>,
    /// `throttle`: it is queued and begins then, as planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delayed_until: Option<Timestamp>,
}

/// Why a run failed or is parked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RunError {
    /// The step's path, where one is to blame.
    pub step: Option<String>,
    /// A stable word.
    pub code: String,
    /// In words for people.
    pub message: String,
}
