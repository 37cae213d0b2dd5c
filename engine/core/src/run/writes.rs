//! What a run did outside, and what of it would be done again when the run is retried: read off its journal and its state,
//! for people who are about to say so.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    call::{CallOutcome, ErrorClass},
    id::StepPath,
    run::{
        apply::{Illegal, fold},
        entry::{Entry, What},
        stage::Stage,
        state::{Inner, Phase, RunState, StepState},
        steps::acts_outside,
    },
    time::Timestamp,
};

/// A call with outside effect that a run made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Write {
    /// The calling step.
    pub step: StepPath,
    /// From 0 in order of calling.
    pub call: u32,
    /// Host function.
    pub function: String,
    /// One line for people.
    pub summary: String,
    /// When it was first asked for.
    pub at: Timestamp,
    /// What a retry does with it.
    pub retry: Retried,
}

/// What a retry does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Retried {
    /// It is not made again: it was answered, or its step failed and the run went on past it.
    Kept,
    /// It did not do what it was to do: it is made again.
    Repeated,
    /// Nobody knows whether it happened: asked about first where that can be done, else a person must say.
    InDoubt,
}

/// What is known of a call by the journal alone.
struct Seen {
    write: Write,
    answered: bool,
    may_have_arrived: bool,
}

/// The writes of a journal, in the order in which they were first asked for.
pub fn writes(journal: &[Entry]) -> Result<Vec<Write>, Illegal> {
    let mut seen: BTreeMap<(StepPath, u32), Seen> = BTreeMap::new();
    let mut past = Vec::new();
    let mut last = 0;
    for entry in journal {
        if let What::RunRetried { generation, .. } = &entry.what
            && std::mem::replace(&mut last, *generation) != *generation
        {
            // A new generation: nothing of the old one is asked for again under its identity.
            past.extend(std::mem::take(&mut seen).into_values().filter(|seen| seen.answered).map(|seen| seen.write));
        }
        take(&mut seen, entry);
    }
    let state = fold(journal)?;
    let anew = state.as_ref().is_some_and(|state| matches!(state.phase, Phase::Ended { .. }) && state.has_undone());
    let fate = |Seen { mut write, answered, may_have_arrived }| {
        let is_known = answered && state.as_ref().is_none_or(|state| is_kept(state, &write.step, write.call));
        let step = state.as_ref().and_then(|state| state.steps.get(&write.step));
        let passed = matches!(step, Some(StepState::Failed { handled: true, .. }));
        write.retry = match (is_known, may_have_arrived) {
            // What was undone is done again, and what undid it is over.
            (true, _) if anew && Stage::of(&write.step) == Stage::Main => Retried::Repeated,
            (true, _) => Retried::Kept,
            (false, false) if passed => Retried::Kept,
            // Made by a container that begins again as a whole: it happened, and is done again.
            (false, _) if answered => Retried::Repeated,
            (false, true) => Retried::InDoubt,
            (false, false) => Retried::Repeated,
        };
        write
    };
    let mut all: Vec<Write> = past;
    all.extend(seen.into_values().map(fate));
    all.sort_by_key(|write| write.at);
    Ok(all)
}

/// The same where the run begins anew with other input: what happened is done again, as far as its steps are reached.
pub fn writes_anew(journal: &[Entry]) -> Result<Vec<Write>, Illegal> {
    let mut all = writes(journal)?;
    for write in &mut all {
        if write.retry == Retried::Kept {
            write.retry = Retried::Repeated;
        }
    }
    Ok(all)
}

fn take(seen: &mut BTreeMap<(StepPath, u32), Seen>, entry: &Entry) {
    match &entry.what {
        What::CallIntended { path, index, function, summary, .. } if writes_outside(function) => {
            let write = Write {
                step: path.clone(),
                call: *index,
                function: function.clone(),
                summary: summary.clone(),
                at: entry.at,
                retry: Retried::Kept,
            };
            // Asked for again by a later attempt: what was unknown stays so until there is an answer.
            let known =
                seen.entry((path.clone(), *index)).or_insert(Seen { write, answered: false, may_have_arrived: false });
            known.answered = false;
            known.may_have_arrived = true;
        }
        What::CallDeferred { path, index, .. } => {
            if let Some(known) = seen.get_mut(&(path.clone(), *index)) {
                known.may_have_arrived = false;
            }
        }
        What::CallRepeated { path, index, .. } => {
            if let Some(known) = seen.get_mut(&(path.clone(), *index)) {
                known.may_have_arrived = true;
            }
        }
        What::CallResolved { path, index, outcome, .. } => {
            if let Some(known) = seen.get_mut(&(path.clone(), *index)) {
                known.answered = matches!(outcome, CallOutcome::Ok(_));
                known.may_have_arrived =
                    matches!(outcome, CallOutcome::Err(error) if error.class == ErrorClass::Unknown);
            }
        }
        What::OutcomeGiven { path, index, happened, .. } => {
            if let Some(known) = seen.get_mut(&(path.clone(), *index)) {
                known.answered = *happened;
                known.may_have_arrived = false;
            }
        }
        _ => {}
    }
}

pub(super) fn writes_outside(function: &str) -> bool {
    acts_outside(function) && !matches!(function, "http::get" | "http::head" | "http::options")
}

/// Whether an answered call is handed back, rather than made again, when the run goes on.
fn is_kept(state: &RunState, path: &StepPath, index: u32) -> bool {
    let stage = Stage::of(path);
    if stage != Stage::Main && matches!(state.phase, Phase::Ended { .. }) {
        // A retry begins with the main steps; another failure would be handled by other calls.
        return true;
    }
    if stage == Stage::Undo && !state.steps.contains_key(path) {
        return true;
    }
    match state.steps.get(path) {
        Some(StepState::Succeeded { .. } | StepState::Skipped) => true,
        Some(_) => state.calls(path).get(index as usize).is_some_and(|call| call.outcome.is_some()),
        // What an ended iteration or container did is folded into it; of one that failed as a whole nothing is left.
        None => above(path).find_map(|container| state.steps.get(&container)).is_some_and(|step| match step {
            StepState::Succeeded { .. } => true,
            StepState::Active(active) => matches!(active.inner, Inner::Loop { .. }),
            StepState::Failed { handled, .. } => *handled,
            _ => false,
        }),
    }
}

/// The containers of a step, the nearest first: `each[1]/a.0/note` is in `each[1]/a` and in `each`.
fn above(path: &StepPath) -> impl Iterator<Item = StepPath> {
    let text = path.as_str();
    let ends = text.match_indices('/').map(|(at, _)| at).collect::<Vec<_>>().into_iter().rev();
    let container = |end: usize| text[..end].rfind(['[', '.']).map(|from| StepPath::new(&text[..from]));
    ends.filter_map(container).collect::<Vec<_>>().into_iter()
}
