//! Calls that could not be made now although nothing is wrong with them: the store cannot be reached, is in
//! maintenance, asked for patience, or an earlier try may still be running there. They stay open and are asked for
//! again after a pause. No attempt is spent, and no script sees anything of it.

use std::time::Duration;

use super::{Decider, Effect, scope::locate};
use crate::{
    call::CallError,
    id::StepPath,
    retry,
    run::{
        apply::Illegal,
        entry::{TimerKind, What},
        state::{CallState, StepState},
    },
    workflow::{Step, StepKind, format_duration},
};

impl Decider<'_> {
    /// A call was put off by whoever makes it: it waits, or after too long a person is asked.
    pub(super) fn put_off(
        &mut self,
        step: &Step,
        path: &StepPath,
        index: u32,
        error: CallError,
    ) -> Result<(), Illegal> {
        self.record(What::CallDeferred { path: path.clone(), index, error: error.clone() })?;
        let calls = self.state().calls(path);
        let Some(deferral) = calls.get(index as usize).and_then(|call| call.deferral.clone()) else { return Ok(()) };
        if self.context.now.since(deferral.since) >= retry::DEFERRAL_MAX {
            let message = format!(
                "put off since {} and given up after {}: {}",
                deferral.since,
                format_duration(retry::DEFERRAL_MAX),
                error.message
            );
            return self.fail_step(step, path, CallError { message, ..error }, Some(index));
        }
        let asked = error.retry_after_ms.map(Duration::from_millis);
        let pause = retry::deferral_pause(deferral.times, self.jitter(path, index), asked);
        let due = self.context.now.plus(pause);
        self.record(What::TimerSet { path: path.clone(), timer: TimerKind::Retry, due })
    }

    /// Asks for a deferred call again. A script asks by itself when it is executed with what is recorded.
    pub(super) fn ask_deferred(&mut self, path: &StepPath) -> Result<(), Illegal> {
        let Some(StepState::Active(active)) = self.state().steps.get(path) else { return Ok(()) };
        let attempt = active.attempt;
        let Some((step, frame)) = locate(self.context.workflow, self.state(), path) else { return Ok(()) };
        match &step.kind {
            StepKind::Script(_) | StepKind::Plugin(_) => {
                self.effects.push(Effect::RunScript { path: path.clone(), attempt });
                Ok(())
            }
            _ => self.repeat_call(step, path, &frame),
        }
    }

    /// A person does not want to wait: every deferred call is asked for now.
    pub(super) fn ask_all_deferred(&mut self) -> Result<(), Illegal> {
        for path in self.state().deferred().cloned().collect::<Vec<_>>() {
            self.attempt_again(&path)?;
        }
        Ok(())
    }

    /// Whether a step's last call is deferred.
    pub(super) fn is_deferred(&self, path: &StepPath) -> bool {
        self.state().calls(path).last().is_some_and(CallState::is_deferred)
    }
}
