//! What a person's word changes in a run's state: to go on, and what an unknown call did. Part of
//! [`apply`](super::apply::apply).

use std::sync::Arc;

use serde_json::value::to_raw_value;

use crate::{
    Json,
    call::CallOutcome,
    id::StepPath,
    run::{
        apply::drop_below,
        doubt::Doubts,
        entry::TimerKind,
        row::RunStatus,
        stage::Stage,
        state::{CallState, Inner, Phase, RunState, StepState},
        undo::Undos,
    },
};

/// A person said that an unknown call happened and gave `result`, or (`None`) that it did not happen. The step may begin
/// again, and finds the call answered in the first case.
pub(super) fn give_outcome(
    state: &mut RunState,
    path: &StepPath,
    index: u32,
    result: Option<&Json>,
) -> Result<(), &'static str> {
    let Some(StepState::Unknown { attempt, index: of, calls, asked, .. }) = state.steps.get_mut(path) else {
        return Err("the step's outcome is not unknown");
    };
    if *of != index || calls.len() != index as usize {
        return Err("it is not the call that is unknown");
    }
    let (attempt, mut calls) = (*attempt, std::mem::take(calls));
    if let Some(result) = result {
        let asked = asked.as_deref().ok_or("the call was not made")?;
        calls.push(CallState { outcome: Some(CallOutcome::Ok(result.clone())), deferral: None, ..asked.clone() });
    }
    state.steps.insert(path.clone(), StepState::Reopened { attempt, calls });
    state.doubts.settle(path, index);
    let key = state.call_key(path, index);
    state.unanswered.settled(&key);
    Ok(())
}

/// A person's word to go on: steps that failed, or whose outcome is unknown, may begin again.
/// With `iterations` of loops to begin again, of a run that succeeded too.
pub(super) fn retry(
    state: &mut RunState,
    generation: u32,
    repeat_unknown: bool,
    iterations: bool,
) -> Result<(), &'static str> {
    if state.phase.stage().is_some() {
        return wait_no_longer(state);
    }
    let (stage, phase) = match &state.phase {
        Phase::Parked { failure, stage, .. } => (*stage, stage.phase(failure.clone())),
        Phase::Ended { status: RunStatus::Failed, .. } if state.has_undone() => {
            return from_the_start(state, generation);
        }
        Phase::Ended { status: RunStatus::Succeeded, .. } if !iterations => return Err("the run succeeded"),
        Phase::Ended { status: RunStatus::Failed | RunStatus::Succeeded, .. } => {
            drop_below(state, Stage::Failure.prefix());
            drop_below(state, Stage::Undo.prefix());
            state.undos.put_off();
            state.revivals += 1;
            (Stage::Main, Phase::Main)
        }
        _ => return Err("the run is neither parked nor failed"),
    };
    // A parked run kept its timers: what waits goes on waiting. A failed run was stopped everywhere.
    let was_stopped = matches!(state.phase, Phase::Ended { status: RunStatus::Failed, .. });
    state.phase = phase;
    if state.generation != generation {
        state.doubts = Doubts::default();
    }
    state.generation = generation;
    state.retries += 1;
    state.view = RunState::view_of(&state.run, &state.workflow, state.retries, state.started);
    state.timers.remove(&(StepPath::new(""), TimerKind::ParkExpiry));
    for (path, step) in &mut state.steps {
        if Stage::of(path) != stage {
            continue;
        }
        let again = match step {
            StepState::Unknown { index, .. } => {
                if repeat_unknown {
                    state.doubts.settle(path, *index);
                }
                true
            }
            StepState::Failed { handled, .. } => !*handled,
            StepState::Active(active) => was_stopped && matches!(active.inner, Inner::None),
            StepState::Retrying { .. } => was_stopped,
            StepState::Skipped | StepState::Succeeded { .. } | StepState::Reopened { .. } => false,
        };
        if again {
            reopen(step);
        }
    }
    // What was put off is asked for now.
    let _ = wait_no_longer(state);
    Ok(())
}

/// A person's word to begin anew with other input, under a new identity of every call. Nothing may be left that could
/// still happen, or may have happened unseen.
pub(super) fn anew(state: &mut RunState, generation: u32, input: &Json) -> Result<(), &'static str> {
    state.input = Some(Arc::from(to_raw_value(input).map_err(|_| "the input cannot be written")?));
    from_the_start(state, generation)
}

/// The run begins again under new identities: nothing of it is left but what it is about.
fn from_the_start(state: &mut RunState, generation: u32) -> Result<(), &'static str> {
    let was_failed = match &state.phase {
        Phase::Parked { .. } => false,
        Phase::Ended { status: RunStatus::Failed, .. } => true,
        _ => return Err("the run is neither parked nor failed"),
    };
    if generation <= state.generation {
        return Err("a run that begins anew needs a new generation");
    }
    if state.unanswered.first().is_some() || !state.unknown_calls().is_empty() {
        return Err("a call may have happened");
    }
    state.generation = generation;
    state.retries += 1;
    state.revivals += u32::from(was_failed);
    state.view = RunState::view_of(&state.run, &state.workflow, state.retries, state.started);
    state.responded = None;
    state.vars = None;
    state.steps.clear();
    state.failed_iterations.clear();
    state.visible.clear();
    state.timers.clear();
    state.waits.clear();
    state.approvals.clear();
    state.children.clear();
    state.doubts = Doubts::default();
    state.undos = Undos::default();
    state.phase = Phase::Main;
    Ok(())
}

/// A person does not want to wait until deferred calls are asked for again.
fn wait_no_longer(state: &mut RunState) -> Result<(), &'static str> {
    let waiting: Vec<StepPath> = state.deferred().cloned().collect();
    for path in &waiting {
        state.timers.remove(&(path.clone(), TimerKind::Retry));
    }
    if waiting.is_empty() { Err("the run is neither parked nor failed, and no call was put off") } else { Ok(()) }
}

pub(super) fn reopen(step: &mut StepState) {
    let (attempt, calls) = match step {
        StepState::Active(active) => (active.attempt, std::mem::take(&mut active.calls)),
        StepState::Retrying { attempt, calls, .. }
        | StepState::Failed { attempt, calls, .. }
        | StepState::Unknown { attempt, calls, .. } => (*attempt, std::mem::take(calls)),
        StepState::Skipped | StepState::Succeeded { .. } | StepState::Reopened { .. } => return,
    };
    *step = StepState::Reopened { attempt, calls: calls.into_iter().take_while(|c| c.outcome.is_some()).collect() };
}
