//! Takes up again what a crash, a wait or a person interrupted.

use std::collections::BTreeSet;

use super::{Decider, Effect, scope::locate};
use crate::{
    call::{CallError, CallOutcome, ErrorClass},
    id::StepPath,
    run::{
        apply::Illegal,
        entry::{TimerKind, What},
        stage::Stage,
        state::{Active, Inner, Phase, StepState},
    },
    workflow::{Step, StepKind},
};

impl<'a> Decider<'a> {
    /// Drives every step that was begun and does not wait.
    pub(super) fn resume(&mut self, under_way: &BTreeSet<StepPath>) -> Result<(), Illegal> {
        let Some(stage) = self.state().phase.stage().filter(|_| !self.holds()) else { return Ok(()) };
        let begun: Vec<StepPath> = self
            .state()
            .steps
            .iter()
            .filter(|(path, step)| {
                matches!(step, StepState::Active(active) if matches!(active.inner, Inner::None))
                    && Stage::of(path) == stage
                    && !under_way.contains(*path)
            })
            .map(|(path, _)| path.clone())
            .collect();
        for path in begun {
            self.resume_step(&path)?;
        }
        self.resume_retries(stage)
    }

    /// A step that waits for its next attempt without a timer (a person retried the run) begins it now.
    fn resume_retries(&mut self, stage: Stage) -> Result<(), Illegal> {
        let state = self.state();
        let due: Vec<StepPath> = state
            .steps
            .iter()
            .filter(|(path, step)| {
                matches!(step, StepState::Retrying { .. })
                    && Stage::of(path) == stage
                    && !state.timers.contains_key(&((*path).clone(), TimerKind::Retry))
            })
            .map(|(path, _)| path.clone())
            .collect();
        for path in due {
            self.attempt_again(&path)?;
        }
        Ok(())
    }

    /// Begins the next attempt of a step whose pause is over, or asks for its deferred call again. A parked run begins nothing: its retry will.
    pub(super) fn attempt_again(&mut self, path: &StepPath) -> Result<(), Illegal> {
        if self.holds() || matches!(self.state().phase, Phase::Parked { .. } | Phase::Ended { .. }) {
            return Ok(());
        }
        if self.is_deferred(path) {
            return self.ask_deferred(path);
        }
        let Some(StepState::Retrying { attempt, .. }) = self.state().steps.get(path) else { return Ok(()) };
        let attempt = attempt + 1;
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
            (StepKind::Script(_) | StepKind::Plugin(_), Open::Repeatable | Open::None) => {
                self.effects.push(Effect::RunScript { path: path.clone(), attempt });
                Ok(())
            }
            (StepKind::Http(_) | StepKind::Woo(_), Open::Repeatable) => self.repeat_call(step, path, &frame),
            // Written in one commit with what follows from it; only a journal that was cut by hand ends here.
            (
                StepKind::Http(_) | StepKind::Woo(_) | StepKind::WaitFor(_) | StepKind::Approve(_) | StepKind::Call(_),
                Open::None,
            ) if resolved.is_some() => match resolved {
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
        let call = self.state().calls(path).get(index as usize);
        let summary = call.map(|call| call.summary.as_str()).unwrap_or_default();
        let advice = match call.is_some_and(|call| call.function.starts_with("woo::")) {
            true => "Look at the store, then retry or end the run",
            false => {
                "Look at the receiver, then retry or end the run; `idempotent: true` on the step says that repeating is \
                 harmless"
            }
        };
        let message =
            format!("the engine stopped while `{summary}` was under way and cannot know whether it happened. {advice}");
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
            || state.waits.contains(&(path.clone(), index))
            || state.asks(path)
            || state.children.contains_key(path);
        // A deferred call was not made; it is due when its pause is over.
        let deferred = last.is_deferred();
        let waits = waits || deferred && state.timers.contains_key(&(path.clone(), TimerKind::Retry));
        match (&last.outcome, waits, last.repeatable || deferred) {
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
    /// It was deferred and is due, or its outcome is hidden and it may be asked for again.
    Repeatable,
    /// Its outcome is hidden, and it may not be repeated.
    Hidden(u32),
}
