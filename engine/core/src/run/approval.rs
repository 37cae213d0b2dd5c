//! What people are asked by `approve` steps, and what they answered.

use serde_json::json;

use crate::{
    Json,
    access::Role,
    call::CallOutcome,
    id::StepPath,
    run::{
        entry::TimerKind,
        state::{CallState, RunState, StepState},
    },
    time::Timestamp,
};

/// The one call of an `approve` step.
const FUNCTION: &str = "approve";

/// A question to people.
#[derive(Debug, Clone, PartialEq)]
pub struct Approval {
    /// What is asked.
    pub question: String,
    /// Who may answer; empty: whoever may answer approvals.
    pub by: Vec<Role>,
    /// Since when.
    pub asked: Timestamp,
    /// When it counts as not approved.
    pub due: Option<Timestamp>,
    /// `None`: open.
    pub answer: Option<Answered>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// What was said.
    pub approved: bool,
    /// Who; `None`: nobody did in time.
    pub by: Option<String>,
    /// In their words.
    pub comment: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl Answered {
    /// `{approved, by, at, comment}`: the step's output.
    fn output(&self) -> Json {
        json!({ "approved": self.approved, "by": self.by, "at": self.at, "comment": self.comment })
    }
}

/// A step asks. What is answered is kept as the outcome of its one call, so that no retry asks again.
pub(super) fn asked(state: &mut RunState, path: &StepPath, approval: Approval) -> Result<(), &'static str> {
    let Some(StepState::Active(active)) = state.steps.get_mut(path) else { return Err("the step is not under way") };
    if !active.calls.is_empty() {
        return Err("it has asked already");
    }
    active.calls.push(CallState {
        function: FUNCTION.to_owned(),
        fingerprint: String::new(),
        summary: approval.question.clone(),
        repeatable: true,
        outcome: None,
        asked: approval.asked,
        deferral: None,
    });
    state.approvals.insert(path.clone(), approval);
    Ok(())
}

/// A person answered, or nobody did.
pub(super) fn given(state: &mut RunState, path: &StepPath, answer: Answered) -> Result<(), &'static str> {
    let approval = state.approvals.get_mut(path).filter(|approval| approval.answer.is_none());
    let (Some(approval), Some(StepState::Active(active))) = (approval, state.steps.get_mut(path)) else {
        return Err("nobody is asked");
    };
    let call = active.calls.first_mut().ok_or("nobody is asked")?;
    call.outcome = Some(CallOutcome::Ok(answer.output()));
    approval.answer = Some(answer);
    state.timers.remove(&(path.clone(), TimerKind::Wait(0)));
    Ok(())
}
