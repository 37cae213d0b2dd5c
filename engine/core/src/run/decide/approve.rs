//! `approve` steps: a person is asked, and the run waits until they answer or the step's `timeout` is over.

use super::{Decider, Stop, fail::expression_error, scope::Frame};
use crate::{
    call::CallOutcome,
    id::StepPath,
    run::{
        apply::Illegal,
        approval::Answered,
        entry::{TimerKind, What},
        state::Phase,
    },
    workflow::{Approve, Step, StepKind, format_duration},
};

/// Of a question, in characters; what is more is cut off.
const QUESTION_CHARS_MAX: usize = 2_000;

impl Decider<'_> {
    /// Asks, unless a person has answered before (the step's `output:` failed and the run was retried).
    pub(super) fn ask_person(
        &mut self,
        step: &Step,
        approve: &Approve,
        path: &StepPath,
        frame: &Frame,
    ) -> Result<(), Illegal> {
        if let Some(Some(CallOutcome::Ok(answer))) = self.state().calls(path).first().map(|call| call.outcome.clone()) {
            return self.succeed(step, path, answer, frame);
        }
        let question = match self.render(&approve.question, frame) {
            Ok(question) => question.as_str().map_or_else(|| question.to_string(), str::to_owned),
            Err(error) => return self.fail_step(step, path, expression_error("approve", &error), None),
        };
        let question = question.chars().take(QUESTION_CHARS_MAX).collect();
        let due = step.timeout.map(|timeout| self.context.now.plus(timeout));
        self.record(What::ApprovalAsked { path: path.clone(), question, by: approve.by.clone(), due })?;
        if let Some(due) = due {
            self.record(What::TimerSet { path: path.clone(), timer: TimerKind::Wait(0), due })?;
        }
        Ok(())
    }

    /// A person answered. The same answer again changes nothing; another one is refused.
    pub(super) fn person_answers(
        &mut self,
        path: &StepPath,
        approved: bool,
        by: String,
        comment: Option<String>,
    ) -> Result<(), Stop> {
        let Some(approval) = self.state().approvals.get(path) else {
            return Err(Stop::Refused(format!("the step `{path}` of this run asks for no approval now")));
        };
        match &approval.answer {
            Some(answer) if answer.approved == approved && answer.by.is_some() => return Ok(()),
            Some(answer) => return Err(Stop::Refused(already(path, answer))),
            None => {}
        }
        self.answer(path, approved, Some(by), comment)?;
        if self.context.hold || matches!(self.state().phase, Phase::Ended { .. }) {
            return Ok(());
        }
        Ok(self.advance()?)
    }

    /// Nobody answered in time; `true`: the timer was an approval's.
    pub(super) fn nobody_answered(&mut self, path: &StepPath) -> Result<bool, Illegal> {
        let Some((step, _)) = self.active_step(path, None) else { return Ok(false) };
        if !matches!(step.kind, StepKind::Approve(_)) {
            return Ok(false);
        }
        let within = step.timeout.map(|timeout| format!(" within {}", format_duration(timeout))).unwrap_or_default();
        self.answer(path, false, None, Some(format!("nobody answered{within}")))?;
        Ok(true)
    }

    fn answer(
        &mut self,
        path: &StepPath,
        approved: bool,
        by: Option<String>,
        comment: Option<String>,
    ) -> Result<(), Illegal> {
        self.record(What::ApprovalGiven { path: path.clone(), approved, by, comment })?;
        let Some((step, frame)) = self.active_step(path, None) else { return Ok(()) };
        match self.state().calls(path).first().and_then(|call| call.outcome.clone()) {
            Some(CallOutcome::Ok(answer)) => self.succeed(step, path, answer, &frame),
            _ => Ok(()),
        }
    }
}

fn already(path: &StepPath, answer: &Answered) -> String {
    let what = if answer.approved { "approved" } else { "rejected" };
    match &answer.by {
        Some(by) => format!("`{path}` was {what} already, by {by} at {}", answer.at),
        None => format!("`{path}` counts as rejected since {}: nobody answered in time", answer.at),
    }
}
