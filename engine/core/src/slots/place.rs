//! Places in a group's queue. Their texts sort in the order in which runs get their turn.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    id::{RunId, sortable_for},
    time::Timestamp,
};

/// A place in a queue: the lane, then a time, then something of the run so that no two are the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Place(Arc<str>);

/// Who goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Runs that gave their slot back while they waited: in front of all that have not begun.
    Returning,
    /// Runs that begin, and those that a person retried.
    Beginning,
}

impl Place {
    /// The place of a run that asks for its first slot: runs stand in the order in which their events were accepted,
    /// whichever was matched first.
    pub fn first(run: &RunId) -> Self {
        Self(format!("1{}", run.as_str().trim_start_matches("run_")).into())
    }

    /// The place of a run that asks again, by the time at which it asks.
    pub fn again(lane: Lane, run: &RunId, at: Timestamp) -> Self {
        let lane = match lane {
            Lane::Returning => "0",
            Lane::Beginning => "1",
        };
        Self(sortable_for(lane, at, run.as_str()))
    }

    /// A place from its text, as storage has it.
    pub fn parse(text: &str) -> Option<Self> {
        let valid = text.len() == 27 && text.is_ascii() && text.starts_with(['0', '1']);
        valid.then(|| Self(text.into()))
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
