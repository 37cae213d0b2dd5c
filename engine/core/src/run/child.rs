//! Runs that runs start: who called whom, and what the caller is told in the end.

use serde::{Deserialize, Serialize};

use crate::{
    call::{CallError, CallOutcome},
    id::{RunId, StepPath, WorkflowId},
    run::{
        row::RunStatus,
        state::{Phase, RunState},
    },
};

/// The function that a `call` step's call is written as.
pub const CALL_FUNCTION: &str = "workflow::call";

/// The run that started another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = ParentRun))]
pub struct Parent {
    /// The caller.
    pub run: RunId,
    /// Its step.
    pub step: StepPath,
    /// Whether it waits for the end.
    pub awaited: bool,
    /// The workflows of all callers, the outermost first.
    pub chain: Vec<WorkflowId>,
}

impl RunState {
    /// What the run that waits for this one is told; `None`: it is not over, or nobody waits.
    pub fn told_to_parent(&self) -> Option<(&Parent, CallOutcome)> {
        let parent = self.parent.as_ref().filter(|parent| parent.awaited)?;
        let Phase::Ended { status, output, error, .. } = &self.phase else { return None };
        if *status == RunStatus::Succeeded {
            return Some((parent, CallOutcome::Ok(output.clone())));
        }
        let (code, verb) = match status {
            RunStatus::Cancelled => ("call_cancelled", "was cancelled"),
            _ => ("call_failed", "failed"),
        };
        let why = error.as_ref().map(|error| match &error.step {
            Some(step) => format!(" at `{step}`: {} ({})", error.message, error.code),
            None => format!(": {} ({})", error.message, error.code),
        });
        let message = format!("{} of `{}` {verb}{}", self.run, self.workflow, why.unwrap_or_default());
        Some((parent, CallOutcome::Err(CallError::r#final(code, message))))
    }
}
