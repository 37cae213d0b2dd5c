//! What scripts ask for and what calls answer.

use std::{sync::Arc, time::Duration};

use serde_json::{json, value::to_raw_value};

use super::{
    Decider, Effect, ResolvedCall, ScriptEnd, ScriptResult,
    begin::wake_time,
    scope::{Frame, locate},
};
use crate::{
    Json,
    call::{Call, CallError, CallKind, CallOutcome, ErrorClass},
    event::{Event, Source},
    id::{EventId, StepPath},
    run::{
        apply::Illegal,
        entry::{TimerKind, What},
        row::RunError,
        state::{Phase, StepState},
    },
    workflow::Step,
};

/// An event's data that a run emits, at most.
pub const EMIT_BYTES_MAX: usize = 256 * 1024;
/// An event that this many emits led to starts nothing more: a loop.
pub const HOPS_MAX: u32 = 8;

impl<'a> Decider<'a> {
    /// Takes what an execution of a script came to.
    pub(super) fn script_ended(&mut self, path: &StepPath, attempt: u32, result: ScriptResult) -> Result<(), Illegal> {
        let Some((step, frame)) = self.active_step(path, Some(attempt)) else { return Ok(()) };
        for call in result.immediate {
            let ResolvedCall { index, function, fingerprint, outcome } = call;
            self.record(What::CallResolved { path: path.clone(), index, function, fingerprint, outcome })?;
        }
        match result.end {
            ScriptEnd::Done(value) => self.succeed(step, path, value, &frame),
            ScriptEnd::Failed { error, call } => self.attempt_failed(step, path, error, call),
            // Nothing new is begun; the script asks again when the run is taken up. A plugin may have been executing
            // while another branch parked the run.
            ScriptEnd::Call { .. } if self.holds() || matches!(self.state().phase, Phase::Parked { .. }) => Ok(()),
            ScriptEnd::Call { index, call } => self.script_asks(path, index, call),
            ScriptEnd::Nondeterministic { index, recorded, asked } => {
                let message = format!(
                    "the script did something else when it was replayed: call {index} was `{recorded}` and is `{asked}` now. \
                     Its journal cannot be continued with this script"
                );
                let error = RunError { step: Some(path.to_string()), code: "nondeterministic".into(), message };
                self.park(error)
            }
        }
    }

    fn script_asks(&mut self, path: &StepPath, index: u32, call: Call) -> Result<(), Illegal> {
        if self.state().calls(path).len() > index as usize {
            // The intent is in the journal: it was deferred, or a crash hid what came of it and resume found it
            // repeatable.
            return self.ask_again(path, index, call);
        }
        match call.kind {
            CallKind::Sleep => self.script_sleeps(path, index, &call),
            CallKind::Wait => self.script_waits(path, index, call),
            CallKind::Storage if call.function == "events::emit" => {
                let topic = call.args.first().and_then(Json::as_str).unwrap_or_default().to_owned();
                let data = call.args.get(1).cloned().unwrap_or_else(|| json!({}));
                let outcome = match self.raise(path, index, &topic, &data) {
                    Ok(id) => CallOutcome::Ok(json!(id)),
                    Err(error) => CallOutcome::Err(error),
                };
                self.resolve_and_rerun(path, index, &call, outcome)
            }
            // Storage calls have no intent: their effect and their result are one commit.
            CallKind::Storage | CallKind::Immediate => {
                self.effects.push(Effect::Store { path: path.clone(), index, call });
                Ok(())
            }
            CallKind::Outside { .. } if call.function.starts_with("woo::") => {
                match call.args.iter().try_for_each(|arg| self.without_secrets(arg)) {
                    Ok(()) => self.intend(path, index, call),
                    Err(error) => self.resolve_and_rerun(path, index, &call, CallOutcome::Err(error)),
                }
            }
            CallKind::Outside { .. } => self.intend(path, index, call),
        }
    }

    fn script_sleeps(&mut self, path: &StepPath, index: u32, call: &Call) -> Result<(), Illegal> {
        let spec = call.args.first().unwrap_or(&Json::Null);
        let due = match (spec.get("ms").and_then(Json::as_u64), spec.get("until")) {
            (Some(ms), _) => Ok(self.context.now.plus(Duration::from_millis(ms))),
            (None, Some(until)) => wake_time(until, self.context.now),
            (None, None) => wake_time(spec, self.context.now),
        };
        match due {
            Ok(due) => {
                self.record(What::CallIntended {
                    path: path.clone(),
                    index,
                    function: call.function.clone(),
                    fingerprint: call.fingerprint.clone(),
                    summary: call.summary.clone(),
                    repeatable: true,
                })?;
                self.record(What::TimerSet { path: path.clone(), timer: TimerKind::Call(index), due })
            }
            Err(error) => self.resolve_and_rerun(path, index, call, CallOutcome::Err(error)),
        }
    }

    pub(super) fn resolve_and_rerun(
        &mut self,
        path: &StepPath,
        index: u32,
        call: &Call,
        outcome: CallOutcome,
    ) -> Result<(), Illegal> {
        self.record(What::CallResolved {
            path: path.clone(),
            index,
            function: call.function.clone(),
            fingerprint: call.fingerprint.clone(),
            outcome,
        })?;
        self.rerun(path);
        Ok(())
    }

    /// Executes a script again with what is recorded by now. A parked run begins nothing.
    fn rerun(&mut self, path: &StepPath) {
        if self.holds() || matches!(self.state().phase, Phase::Parked { .. }) {
            return;
        }
        let attempt = self.state().steps.get(path).map_or(0, StepState::attempt);
        self.effects.push(Effect::RunScript { path: path.clone(), attempt });
    }

    /// Takes the outcome of a call, unless its step has moved on.
    pub(super) fn call_ended(&mut self, path: &StepPath, index: u32, outcome: CallOutcome) -> Result<(), Illegal> {
        let Some((step, frame)) = self.active_step(path, None) else { return Ok(()) };
        let Some(call) = self.state().calls(path).get(index as usize).cloned() else { return Ok(()) };
        if call.outcome.is_some() {
            return Ok(());
        }
        if let CallOutcome::Err(error) = &outcome
            && error.class == ErrorClass::Deferred
        {
            return self.put_off(step, path, index, error.clone());
        }
        let in_doubt = is_store_write(&call.function) && self.state().doubts.of(path, index).is_some();
        self.record(What::CallResolved {
            path: path.clone(),
            index,
            function: call.function,
            fingerprint: call.fingerprint,
            outcome: outcome.clone(),
        })?;
        let error = match outcome {
            CallOutcome::Ok(output) if !step.kind.is_code() => {
                return self.succeed(step, path, output, &frame);
            }
            CallOutcome::Ok(_) => {
                self.rerun(path);
                return Ok(());
            }
            // This try did nothing, but an earlier one may have.
            CallOutcome::Err(error) if in_doubt && error.class == ErrorClass::Retryable => {
                CallError { class: ErrorClass::Unknown, ..error }
            }
            CallOutcome::Err(error) => error,
        };
        let catchable = matches!(error.class, ErrorClass::Final | ErrorClass::Retryable);
        if catchable && step.kind.is_code() {
            self.rerun(path);
            return Ok(());
        }
        // A script cannot catch what nobody knows, or what only a person can mend.
        self.attempt_failed(step, path, error, Some(index))
    }

    /// Takes the result of a call on the engine's own storage.
    pub(super) fn stored(&mut self, path: &StepPath, call: ResolvedCall) -> Result<(), Illegal> {
        if self.active_step(path, None).is_none() || self.state().calls(path).len() != call.index as usize {
            return Ok(());
        }
        let ResolvedCall { index, function, fingerprint, outcome } = call;
        self.record(What::CallResolved { path: path.clone(), index, function, fingerprint, outcome })?;
        self.rerun(path);
        Ok(())
    }

    /// The step of an input that is not out of date.
    pub(super) fn active_step(&self, path: &StepPath, attempt: Option<u32>) -> Option<(&'a Step, Frame)> {
        let Some(StepState::Active(active)) = self.state().steps.get(path) else { return None };
        if attempt.is_some_and(|attempt| attempt != active.attempt) || matches!(self.state().phase, Phase::Ended { .. })
        {
            return None;
        }
        locate(self.context.workflow, self.state(), path)
    }

    /// Raises an event, in the same commit as the entry that says so.
    pub(super) fn raise(
        &mut self,
        path: &StepPath,
        index: u32,
        topic: &str,
        data: &Json,
    ) -> Result<EventId, CallError> {
        let (context, state) = (self.context, self.state());
        context.workflow.grants.emit(topic).map_err(|missing| CallError::denied(&missing))?;
        let data = to_raw_value(data).map_err(|error| CallError::r#final("invalid", error.to_string()))?;
        if data.get().len() > EMIT_BYTES_MAX {
            return Err(CallError::r#final(
                "too_large",
                format!("an emitted event holds at most {EMIT_BYTES_MAX} bytes"),
            ));
        }
        let cause = [state.run.as_str(), path.as_str(), &index.to_string(), &state.generation.to_string()];
        let id = EventId::derived(context.now, &cause);
        self.emits.push(Event {
            id: id.clone(),
            topic: topic.to_owned(),
            store: state.store.clone(),
            time: context.now,
            source: Source::Emit { run: state.run.clone(), step: path.clone() },
            hops: state.hops + 1,
            data: Arc::from(data),
        });
        Ok(id)
    }
}

/// Whether a call changes a store, so that an earlier try of it matters.
fn is_store_write(function: &str) -> bool {
    matches!(function, "woo::post" | "woo::put" | "woo::delete")
}
