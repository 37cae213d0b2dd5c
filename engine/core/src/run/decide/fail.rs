//! What follows a failure: another attempt, a failed step, a parked run.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{Decider, Effect, scope::locate};
use crate::{
    Json,
    call::{CallError, CallOutcome, ErrorClass, UNDECIDED},
    evaluate::EvaluateError,
    id::StepPath,
    retry,
    run::{
        apply::Illegal,
        entry::{TimerKind, What},
        row::RunError,
        state::StepState,
    },
    workflow::{OnError, OnUnknown, Step, StepKind},
};

/// An expression in a step could not be evaluated; `part` is the key it stands under.
pub(super) fn expression_error(part: &str, error: &EvaluateError) -> CallError {
    CallError::r#final("expression", format!("`{part}`: {error}"))
}

impl Decider<'_> {
    /// An attempt failed: by the error's class it is tried again, fails the step, or leaves it unknown.
    pub(super) fn attempt_failed(
        &mut self,
        step: &Step,
        path: &StepPath,
        error: CallError,
        call: Option<u32>,
    ) -> Result<(), Illegal> {
        match error.class {
            ErrorClass::Final | ErrorClass::Park => self.fail_step(step, path, error, call),
            // A call that is put off does not come here.
            ErrorClass::Retryable | ErrorClass::Deferred => match self.pause(step, path, &error) {
                Some(pause) => self.try_again(path, error, call, pause),
                None => self.fail_step(step, path, error, call),
            },
            ErrorClass::Unknown => self.outcome_unknown(step, path, error, call),
        }
    }

    /// Nobody knows whether a call happened. What can be found out is tried again; else it is `on_unknown`'s matter.
    fn outcome_unknown(
        &mut self,
        step: &Step,
        path: &StepPath,
        error: CallError,
        call: Option<u32>,
    ) -> Result<(), Illegal> {
        let on_unknown = step.on_unknown.unwrap_or(self.context.workflow.on_unknown);
        let can_be_asked = call.is_some_and(|index| self.state().doubts.of(path, index).is_some());
        let is_worth_a_look = can_be_asked && error.code != UNDECIDED;
        if (is_worth_a_look || on_unknown == OnUnknown::Retry)
            && let Some(pause) = self.pause(step, path, &error)
        {
            return self.try_again(path, error, call, pause);
        }
        match (on_unknown, call) {
            (OnUnknown::Park, Some(index)) => {
                let hint = if can_be_asked { "; a retry of the run finds out first whether it happened" } else { "" };
                let message = format!("{}{hint}", error.message);
                self.record(What::StepUnknown { path: path.clone(), index, message })
            }
            (OnUnknown::Fail | OnUnknown::Retry, _) | (OnUnknown::Park, None) => {
                self.fail_step(step, path, error, call)
            }
        }
    }

    /// How long to wait before the next attempt; `None` when none is left.
    fn pause(&self, step: &Step, path: &StepPath, error: &CallError) -> Option<Duration> {
        let Some(StepState::Active(active)) = self.state().steps.get(path) else { return None };
        let policy = retry::policy(self.context.workflow, step);
        let asked = error.retry_after_ms.map(Duration::from_millis);
        retry::delay(&policy, active.tries, self.jitter(path, active.attempt), asked)
    }

    fn try_again(
        &mut self,
        path: &StepPath,
        error: CallError,
        call: Option<u32>,
        pause: Duration,
    ) -> Result<(), Illegal> {
        let attempt = self.state().steps.get(path).map_or(0, StepState::attempt);
        self.record(What::AttemptFailed { path: path.clone(), attempt, error, call })?;
        let due = self.context.now.plus(pause);
        self.record(What::TimerSet { path: path.clone(), timer: TimerKind::Retry, due })
    }

    /// The same pause whenever this attempt's failure is decided.
    pub(super) fn jitter(&self, path: &StepPath, attempt: u32) -> u64 {
        let mut hash = Sha256::new();
        hash.update(self.state().run.as_str());
        hash.update(path.as_str());
        hash.update(attempt.to_be_bytes());
        let digest = hash.finalize();
        u64::from_be_bytes(digest[..8].try_into().expect("a SHA-256 has 32 bytes"))
    }

    /// A step fails for good; whether the run goes on is its `on_error`'s matter.
    pub(super) fn fail_step(
        &mut self,
        step: &Step,
        path: &StepPath,
        error: CallError,
        call: Option<u32>,
    ) -> Result<(), Illegal> {
        let handled =
            matches!(step.on_error, Some(OnError::Continue | OnError::Goto(_))) && error.class != ErrorClass::Park;
        self.record(What::StepFailed { path: path.clone(), error, call, handled })
    }

    /// A timer's time has come; one that is not set any more is out of date.
    pub(super) fn timer_fired(&mut self, path: &StepPath, kind: TimerKind) -> Result<(), Illegal> {
        if !self.state().timers.contains_key(&(path.clone(), kind)) {
            return Ok(());
        }
        self.record(What::TimerFired { path: path.clone(), timer: kind })?;
        match kind {
            TimerKind::Sleep => self.sleep_over(path),
            TimerKind::Wait(0) if self.nobody_answered(path)? => Ok(()),
            TimerKind::Call(index) | TimerKind::Wait(index) => {
                self.call_ended(path, index, CallOutcome::Ok(Json::Null))
            }
            TimerKind::Retry => self.attempt_again(path),
            TimerKind::StepTimeout => self.step_timed_out(path),
            TimerKind::RunTimeout => self.fail_run(timed_out(None, "the run took longer than its `timeout`")),
            TimerKind::ParkExpiry => self.give_up("parked for too long"),
            // What follows any input carries the run on; a gate's timer is no run's.
            TimerKind::Start | TimerKind::Gate => Ok(()),
        }
    }

    /// A `sleep` step is over; with `recheck` the run ends well when the workflow's `if` holds no longer.
    fn sleep_over(&mut self, path: &StepPath) -> Result<(), Illegal> {
        let Some((step, frame)) = locate(self.context.workflow, self.state(), path) else { return Ok(()) };
        let recheck = matches!(step.kind, StepKind::Sleep { recheck: true, .. });
        let holds = match &self.context.workflow.condition {
            Some(condition) if recheck => self.condition(condition, &frame),
            _ => Ok(true),
        };
        match holds {
            Ok(true) => self.succeed(step, path, Json::Null, &frame),
            Ok(false) => {
                self.record(What::StepSucceeded { path: path.clone(), output: Json::Null, undo: false })?;
                self.end_early_enough(Json::String("the workflow's `if` holds no longer".into()))
            }
            Err(error) => self.fail_step(step, path, expression_error("if", &error), None),
        }
    }

    fn step_timed_out(&mut self, path: &StepPath) -> Result<(), Illegal> {
        let Some((step, _)) = locate(self.context.workflow, self.state(), path) else { return Ok(()) };
        self.effects.push(Effect::Abort { path: path.clone() });
        if let Some(StepState::Retrying { attempt, .. }) = self.state().steps.get(path) {
            let attempt = attempt + 1;
            self.record(What::StepStarted { path: path.clone(), attempt, kind: step.kind.word().into() })?;
        }
        let open = self.state().calls(path).iter().any(|call| call.outcome.is_none() && !call.repeatable);
        let message = if open {
            "the step took longer than its `timeout`; whether its last call happened is not known"
        } else {
            "the step took longer than its `timeout`"
        };
        self.fail_step(step, path, CallError::r#final("timeout", message), None)
    }
}

fn timed_out(step: Option<String>, message: &str) -> RunError {
    RunError { step, code: "timeout".into(), message: message.into() }
}
