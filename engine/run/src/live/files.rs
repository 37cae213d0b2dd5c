//! What became of workflow files while the engine runs, as whoever watches them tells it.

use cartwright_core::id::{Version, WorkflowId};

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileChange {
    /// A workflow that was not there before.
    Added,
    /// Another version, which new runs have from now on.
    Changed,
    /// The file is gone: no new runs; those that run go on.
    Removed,
    /// It cannot be used as it stands; its last good version runs on, if there was one.
    Broken,
    /// It can be used again.
    Repaired,
}

impl FileChange {
    /// The word for people and filters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Broken => "broken",
            Self::Repaired => "repaired",
        }
    }
}

/// One change of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowNews {
    /// What happened.
    pub change: FileChange,
    /// Whose file; `None` where its name is no id.
    pub workflow: Option<WorkflowId>,
    /// As people name it.
    pub file: String,
    /// The version that runs from now on; `None` where none does.
    pub version: Option<Version>,
    /// What is wrong: one line for each error.
    pub error: Option<String>,
}
