//! Iterations that failed in a loop that went on: what is kept of them, so that a person can retry one alone. Part of
//! [`apply`](super::apply::apply).

use std::{collections::BTreeMap, sync::Arc};

use serde_json::json;

use crate::{
    Json,
    evaluate::Prepared,
    id::StepPath,
    run::{
        apply::is_below,
        entry::What,
        person::reopen,
        row::RunError,
        state::{Active, Inner, RunState, StepState},
    },
    time::Timestamp,
};

/// An iteration that failed in a loop with `on_error: continue`.
#[derive(Debug)]
pub struct FailedIteration {
    /// Why.
    pub error: RunError,
    item: Arc<Prepared>,
    /// Its steps as they were.
    steps: BTreeMap<StepPath, StepState>,
    /// The containers around its loop, as they were.
    around: Vec<(StepPath, Inner)>,
}

/// `each[3]` of a loop's path and an index.
pub(super) fn path_of(each: &StepPath, index: u32) -> StepPath {
    StepPath::new(format!("{each}[{index}]"))
}

/// A loop's path and the index of an iteration's path.
pub fn parts_of(iteration: &StepPath) -> Option<(StepPath, u32)> {
    let (each, index) = iteration.as_str().strip_suffix(']')?.rsplit_once('[')?;
    Some((StepPath::new(each), index.parse().ok()?))
}

/// An iteration failed and its loop goes on: its steps are taken out of the run and kept beside it.
pub(super) fn put_aside(
    state: &mut RunState,
    each: &StepPath,
    index: u32,
    error: &RunError,
) -> Result<(), &'static str> {
    let Some(StepState::Active(Active { inner: Inner::Loop { items, .. }, .. })) = state.steps.get(each) else {
        return Err("the step is no loop");
    };
    let item = items.get(index as usize).cloned().ok_or("the loop has no such item")?;
    let path = path_of(each, index);
    let prefix = format!("{path}/");
    let inside = |path: &StepPath| path.as_str().starts_with(&prefix);
    let paths: Vec<StepPath> =
        state.steps.range(StepPath::new(prefix.as_str())..).map(|(path, _)| path.clone()).take_while(inside).collect();
    let steps = paths.into_iter().filter_map(|path| Some((path.clone(), state.steps.remove(&path)?))).collect();
    let around = around(each)
        .filter_map(|path| match state.steps.get(&path) {
            Some(StepState::Active(Active { inner: Inner::Branch(branch), .. })) => {
                Some((path, Inner::Branch(*branch)))
            }
            Some(StepState::Active(Active { inner: Inner::Parallel, .. })) => Some((path, Inner::Parallel)),
            _ => None,
        })
        .collect();
    state.failed_iterations.insert(path, FailedIteration { error: error.clone(), item, steps, around });
    Ok(())
}

/// The paths of the containers that a step stands in, outermost first: `a` and `a.0/b` of `a.0/b.1/each`.
fn around(path: &StepPath) -> impl Iterator<Item = StepPath> {
    let text = path.as_str().to_owned();
    let ends: Vec<usize> = text.match_indices('/').map(|(end, _)| end).collect();
    ends.into_iter().filter_map(move |end| {
        let (container, _) = text[..end].rsplit_once(['.', '['])?;
        Some(StepPath::new(container))
    })
}

/// Nobody can retry what stood below a path any more.
pub(super) fn forget_below(state: &mut RunState, prefix: &str) {
    state.failed_iterations.retain(|path, _| !is_below(path.as_str(), prefix));
}

/// The failed iterations of a loop as expressions see them: `[{index, step, code, message}]`, by index.
pub(super) fn errors_of(state: &RunState, each: &StepPath) -> Json {
    let mut all: Vec<(u32, Json)> = of(state, each)
        .map(|(index, failed)| {
            let RunError { step, code, message } = &failed.error;
            (index, json!({ "index": index, "step": step, "code": code, "message": message }))
        })
        .collect();
    all.sort_by_key(|(index, _)| *index);
    Json::Array(all.into_iter().map(|(_, error)| error).collect())
}

fn of<'a>(state: &'a RunState, each: &'a StepPath) -> impl Iterator<Item = (u32, &'a FailedIteration)> {
    let all = state.failed_iterations.iter();
    all.filter_map(move |(path, failed)| parts_of(path).filter(|(of, _)| of == each).map(|(_, index)| (index, failed)))
}

/// Why these iterations cannot be retried; `None`: they can.
pub fn why_not_again(state: &RunState, which: &[StepPath]) -> Option<String> {
    let unknown = which.iter().find(|path| !state.failed_iterations.contains_key(*path))?;
    let known: Vec<&str> = state.failed_iterations.keys().take(NAMED_MAX).map(StepPath::as_str).collect();
    Some(match known.as_slice() {
        [] => format!(
            "`{unknown}` is no failed iteration, and this run has none. One can be retried alone when its loop has \
             `on_error: continue` and its outer loop, if there is one, is at the same turn; what stopped a run is begun \
             again by `runs retry RUN`"
        ),
        known => format!("`{unknown}` is no failed iteration of this run; these are: {}", known.join(", ")),
    })
}

/// Iterations that a refusal names at most.
const NAMED_MAX: usize = 10;

/// An iteration begins again at the step that failed. Its loop is open again, and what stands around it; what came after
/// the loop stays as it is.
pub(super) fn begin_again(state: &mut RunState, path: &StepPath, at: Timestamp) -> Result<(), &'static str> {
    let (each, index) = parts_of(path).ok_or("that is no iteration")?;
    let failed = state.failed_iterations.remove(path).ok_or("that iteration did not fail")?;
    for (path, inner) in failed.around {
        open(state, &path, inner, at)?;
    }
    if let Some(StepState::Succeeded { result, .. }) = state.steps.get(&each) {
        let outputs = result.json().get("output").and_then(Json::as_array).cloned().unwrap_or_default();
        let nothing = Arc::new(Prepared::new(Json::Null));
        // What the other iterations were about is not looked at again.
        let mut items = vec![nothing; outputs.len()];
        for (index, other) in of(state, &each) {
            if let Some(item) = items.get_mut(index as usize) {
                *item = Arc::clone(&other.item);
            }
        }
        let outputs = (0..).zip(outputs).collect();
        open(state, &each, Inner::Loop { items, outputs }, at)?;
    }
    let Some(StepState::Active(Active { inner: Inner::Loop { items, outputs }, .. })) = state.steps.get_mut(&each)
    else {
        return Err("the loop is not open");
    };
    outputs.remove(&index);
    *items.get_mut(index as usize).ok_or("the loop has no such item")? = failed.item;
    for (path, mut step) in failed.steps {
        if matches!(step, StepState::Failed { handled: false, .. }) {
            reopen(&mut step);
        }
        state.steps.insert(path, step);
    }
    Ok(())
}

/// A container that ended is under way again.
fn open(state: &mut RunState, path: &StepPath, inner: Inner, at: Timestamp) -> Result<(), &'static str> {
    match state.steps.get(path) {
        Some(StepState::Succeeded { attempt, .. }) => {
            let active = Active { attempt: *attempt, tries: 1, calls: Vec::new(), inner, begun: at };
            state.steps.insert(path.clone(), StepState::Active(active));
            Ok(())
        }
        Some(StepState::Active(_)) => Ok(()),
        _ => Err("what stands around the iteration did not end well"),
    }
}

/// The entry of an iteration's end.
pub(super) fn ended(each: &StepPath, index: u32, output: Json, error: Option<RunError>) -> What {
    What::IterationEnded { path: each.clone(), index, output, error }
}
