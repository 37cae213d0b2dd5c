//! A step's attempts and their calls as a journal tells of them. Part of [`apply`](super::apply::apply).

use crate::{
    call::CallOutcome,
    id::StepPath,
    run::{
        doubt::doubt_open,
        state::{Active, CallState, Inner, RunState, StepState},
    },
    time::Timestamp,
    workflow::PARALLEL,
};

pub(super) fn start(
    state: &mut RunState,
    path: &StepPath,
    attempt: u32,
    kind: &str,
    at: Timestamp,
) -> Result<(), &'static str> {
    let (before, tries, calls) = match state.steps.remove(path) {
        None => (0, 0, Vec::new()),
        Some(StepState::Retrying { attempt, tries, calls, .. }) => (attempt, tries, calls),
        Some(StepState::Reopened { attempt, calls }) => (attempt, 0, calls),
        Some(_) => return Err("the step is under way or over"),
    };
    if attempt != before + 1 {
        return Err("attempts count up by one");
    }
    // Branches side by side are all begun with their step: nothing more needs to be written.
    let inner = if kind == PARALLEL { Inner::Parallel } else { Inner::None };
    let active = Active { attempt, tries: tries + 1, calls, inner, begun: at };
    state.steps.insert(path.clone(), StepState::Active(active));
    Ok(())
}

pub(super) fn active<'a>(state: &'a mut RunState, path: &StepPath) -> Result<&'a mut Active, &'static str> {
    match state.steps.get_mut(path) {
        Some(StepState::Active(active)) => Ok(active),
        _ => Err("the step is not under way"),
    }
}

pub(super) fn add_call(active: &mut Active, index: u32, call: CallState) -> Result<(), &'static str> {
    if index as usize != active.calls.len() {
        return Err("calls come in order");
    }
    active.calls.push(call);
    Ok(())
}

pub(super) fn resolve(
    active: &mut Active,
    index: u32,
    function: &str,
    fingerprint: &str,
    outcome: &CallOutcome,
    at: Timestamp,
) -> Result<(), &'static str> {
    match active.calls.get_mut(index as usize) {
        Some(call) if call.outcome.is_some() => Err("the call is resolved"),
        Some(call) if call.fingerprint != fingerprint => Err("it is not the call that was intended"),
        Some(call) => {
            call.outcome = Some(outcome.clone());
            call.deferral = None;
            Ok(())
        }
        None => {
            let call = CallState {
                function: function.to_owned(),
                fingerprint: fingerprint.to_owned(),
                summary: String::new(),
                repeatable: true,
                asked: at,
                outcome: Some(outcome.clone()),
                deferral: None,
            };
            add_call(active, index, call)
        }
    }
}

/// A call that was asked for and has no answer.
pub(super) fn open_call(active: &mut Active, index: u32) -> Result<&mut CallState, &'static str> {
    let call = active.calls.get_mut(index as usize).ok_or("the call was not intended")?;
    if call.outcome.is_some() { Err("the call is resolved") } else { Ok(call) }
}

/// Takes an active step apart; `drop` is the call a next attempt repeats, with all after it.
pub(super) fn end_attempt(
    state: &mut RunState,
    path: &StepPath,
    drop: Option<u32>,
    at: Timestamp,
) -> Result<(u32, u32, Vec<CallState>), &'static str> {
    let active = active(state, path)?;
    let (attempt, tries, mut calls) = (active.attempt, active.tries, std::mem::take(&mut active.calls));
    doubt_open(&mut state.doubts, path, &calls, at);
    if let Some(index) = drop {
        calls.truncate(index as usize);
    }
    // A call that never resolved cannot be handed back to a next attempt.
    let resolved = calls.iter().take_while(|call| call.outcome.is_some()).count();
    calls.truncate(resolved);
    Ok((attempt, tries, calls))
}
