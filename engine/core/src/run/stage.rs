//! The parts of a run, one after another: its steps, then what follows a failure or a person's end. A step's path says
//! to which part it belongs.

use crate::{
    id::StepPath,
    run::{row::RunError, state::Phase},
};

/// A part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// `steps`
    Main,
    /// The undos of what succeeded.
    Undo,
    /// `on_failure`
    Failure,
    /// `on_cancel`
    Cancel,
}

impl Stage {
    /// What the paths of its steps begin with. No main step's does: an id has no slash.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Main => "",
            Self::Undo => "undo/",
            Self::Failure => "on_failure/",
            Self::Cancel => "on_cancel/",
        }
    }

    /// Where a step belongs.
    pub fn of(path: &StepPath) -> Self {
        let named = [Self::Undo, Self::Failure, Self::Cancel];
        named.into_iter().find(|stage| path.as_str().starts_with(stage.prefix())).unwrap_or(Self::Main)
    }

    /// The phase of a run that moves in this part; `why` it left its main steps.
    pub(super) fn phase(self, why: Option<RunError>) -> Phase {
        match (self, why) {
            (Self::Main, _) | (_, None) => Phase::Main,
            (Self::Undo, Some(error)) => Phase::Undoing { error },
            (Self::Failure, Some(error)) => Phase::Failing { error },
            (Self::Cancel, Some(error)) => Phase::Cancelling { error },
        }
    }
}

impl Phase {
    /// The part of a run that moves; `None`: it is parked or over.
    pub fn stage(&self) -> Option<Stage> {
        match self {
            Self::Main => Some(Stage::Main),
            Self::Undoing { .. } => Some(Stage::Undo),
            Self::Failing { .. } => Some(Stage::Failure),
            Self::Cancelling { .. } => Some(Stage::Cancel),
            Self::Parked { .. } | Self::Ended { .. } => None,
        }
    }

    /// Why the run left its main steps, where it did and is not over.
    pub fn why(&self) -> Option<&RunError> {
        match self {
            Self::Undoing { error } | Self::Failing { error } | Self::Cancelling { error } => Some(error),
            Self::Parked { failure, .. } => failure.as_ref(),
            Self::Main | Self::Ended { .. } => None,
        }
    }
}
