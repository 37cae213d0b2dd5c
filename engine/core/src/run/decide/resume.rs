//! Takes up again what a crash, a wait or a person interrupted.

use std::collections::BTreeSet;

use super::{Decider, Effect, scope::locate};
use crate::{
    call::{CallError, CallOutcome, ErrorClass},
    id::StepPath,
    run::{
        apply::Illegal,
        entry::{TimerKind, What},
        state::{Active, Inner, Phase, StepState},
    },
    workflow::{Step, StepKind},
};

impl<'a> Decider<'a> {
    /// Drives every step that was begun and does not wait.
    pub(super) fn resume(&mut self, under_way: &BTreeSet<StepPath>) -> Result<(), Illegal> {
        if self.context.hold || matches!(self.state().phase, Phase::Ended { .. } | Phase::Parked { .. }) {
            return Ok(());
        }
        let in_failure = matches!(self.state().phase, Phase::Failing { .. });
        let begun: Vec<StepPath> = self
            .state()
            .steps
            .iter()
            .filter(|(path, step)| {
                matches!(step, StepState::Active(active) if matches!(active.inner, Inner::None))
                    && path.as_str().starts_with("on_failure/") == in_failure
                    && !under_way.contains(*path)
            })
            .map(|(path, _)| path.clone())
            .collect();
        for path in begun {
            self.resume_step(&path)?;
        }
        self.resume_retries(in_failure)
    }

    /// A step that waits for its next attempt without a timer (a person retried the run) begins it now.
    fn resume_retries(&mut self, in_failure: bool) -> Result<(), Illegal> {
        let state = self.state();
        let due: Vec<StepPath> = state
            .steps
            .iter()
            .filter(|(path, step)| {
                matches!(step, StepState::Retrying { .. })
                    && path.as_str().starts_with("on_failure/") == in_failure
                    && !state.timers.contains_key(&((*path).clone(), TimerKind::Retry))
            })
            .map(|(path, _)| path.clone())
            .collect();
        for path in due {
            self.attempt_again(&path)?;
        }
        Ok(())
    }

    /// Begins the next attempt of a step whose pause is over. A parked run begins nothing: its retry will.
    pub(super) fn attempt_again(&mut self, path: &StepPath) -> Result<(), Illegal> {
        let Some(StepState::Retrying { attempt, .. }) = self.state().steps.get(path) else { return Ok(()) };
        let attempt = attempt + 1;
        if self.context.hold || matches!(self.state().phase, Phase::Parked { .. } | Phase::Ended { .. }) {
            return Ok(());
        }
        let Some((step, frame)) = locate(self.context.workflow, self.state(), path) else { return Ok(()) };
        self.record(What::StepStarted { path: path.clone(), attempt, kind: step.kind.word().into() })?;
        // `stop` and `fail` have no second attempt, so the flow they would give cannot come from here.
        self.perform(step, path, &frame).map(|_| ())
    }

    fn resume_step(&mut self, path: &StepPath) -> Result<(), Illegal> {
        let Some((step, frame)) = locate(self.context.workflow, self.state(), path) else { return Ok(()) };
        let Some(StepState::Active(active)) = self.state().steps.get(path) else { return Ok(()) };
        let attempt = active.attempt;
        let resolved = active.calls.last().and_then(|call| call.outcome.clone());
        match (&step.kind, self.open_call(path, active)) {
            (_, Open::Waiting) => Ok(()),
            (_, Open::Hidden(index)) => self.hidden(step, path, index),
            (StepKind::Script(_), Open::Repeatable | Open::None) => {
                self.effects.push(Effect::RunScript { path: path.clone(), attempt });
                Ok(())
            }
            (StepKind::Http(http), Open::Repeatable) => {
                if self.repeat_http(http, path, &frame)? {
                    return Ok(());
                }
                let error = CallError::r#final("expression", "the call cannot be written again");
                self.attempt_failed(step, path, error, Some(0))
            }
            // Written in one commit with what follows from it; only a journal that was cut by hand ends here.
            (StepKind::Http(_), Open::None) if resolved.is_some() => match resolved {
                Some(CallOutcome::Ok(output)) => self.succeed(step, path, output, &frame),
                Some(CallOutcome::Err(error)) => self.attempt_failed(step, path, error, Some(0)),
                None => Ok(()),
            },
            // Begun in the same commit as what it does first; without that, nothing happened yet.
            (_, Open::Repeatable | Open::None) => self.perform(step, path, &frame).map(|_| ()),
        }
    }

    /// A crash hid the outcome of a call that must not be repeated.
    fn hidden(&mut self, step: &Step, path: &StepPath, index: u32) -> Result<(), Illegal> {
        let summary = self.state().calls(path).get(index as usize).map(|call| call.summary.clone()).unwrap_or_default();
        let message = format!(
            "the engine stopped while `{summary}` was under way and cannot know whether it happened. Look at the receiver, \
             then retry or end the run; `idempotent: true` on the step says that repeating is harmless"
        );
        let error = CallError { class: ErrorClass::Unknown, ..CallError::r#final("unknown", message) };
        self.attempt_failed(step, path, error, Some(index))
    }

    fn open_call(&self, path: &StepPath, active: &Active) -> Open {
        let state = self.state();
        let sleeping = state.timers.contains_key(&(path.clone(), TimerKind::Sleep));
        let Some(last) = active.calls.last() else { return if sleeping { Open::Waiting } else { Open::None } };
        let index = u32::try_from(active.calls.len() - 1).unwrap_or(u32::MAX);
        let waits = sleeping
            || state.timers.contains_key(&(path.clone(), TimerKind::Call(index)))
            || state.waits.contains(&(path.clone(), index));
        match (&last.outcome, waits, last.repeatable) {
            (Some(_), ..) => Open::None,
            (None, true, _) => Open::Waiting,
            (None, false, true) => Open::Repeatable,
            (None, false, false) => Open::Hidden(index),
        }
    }
}

/// What a begun step's last call is.
enum Open {
    /// There is none, or it is resolved.
    None,
    /// A timer or an event will end it.
    Waiting,
    /// Its outcome is hidden, and it may be repeated.
    Repeatable,
    /// Its outcome is hidden, and it may not be repeated.
    Hidden(u32),
}
