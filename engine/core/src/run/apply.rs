//! The one transition function: `(state, entry) → state`, or why the entry cannot follow.
//!
//! Live commits, crash recovery, `cartwright replay` and the simulator's oracle all use it, so they cannot disagree.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::json;

use crate::{
    Json,
    call::{Again, CallOutcome, ErrorClass, UNDECIDED},
    evaluate::Prepared,
    id::StepPath,
    run::{
        approval::{Answered, Approval, asked, given},
        attempt::{active, add_call, end_attempt, open_call, resolve, start},
        child::CALL_FUNCTION,
        decide::failed_view,
        doubt::Doubts,
        entry::{Entry, TimerKind, What},
        iteration,
        person::{anew, give_outcome, retry},
        row::RunStatus,
        stage::Stage,
        state::{Active, CallState, Deferral, Inner, Phase, RunState, StepState},
        unanswered::Unanswered,
        undo::Undos,
        writes::writes_outside,
    },
    slots::{Slot, Standing},
    time::Timestamp,
};

/// An entry that cannot follow the ones before it: a damaged journal, or a bug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("journal entry {position} ({entry}) cannot follow: {reason}")]
pub struct Illegal {
    /// Its index in the journal.
    pub position: u64,
    /// Its type.
    pub entry: String,
    /// Why.
    pub reason: &'static str,
}

/// Folds a whole journal; `None` when it is empty.
pub fn fold<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<Option<RunState>, Illegal> {
    let mut state = None;
    for entry in entries {
        state = Some(apply(state, entry)?);
    }
    Ok(state)
}

/// The state after `entry`.
pub fn apply(state: Option<RunState>, entry: &Entry) -> Result<RunState, Illegal> {
    let position = state.as_ref().map_or(0, |state| state.len);
    let illegal = |reason| Illegal { position, entry: format!("{:?}", entry.what).chars().take(60).collect(), reason };
    let mut state = match (state, &entry.what) {
        (None, What::RunStarted { run, workflow, version, event, store, shard, hops, events, parent }) => {
            return Ok(RunState {
                run: run.clone(),
                workflow: workflow.clone(),
                version: version.clone(),
                event: event.clone(),
                events: events.clone(),
                store: store.clone(),
                shard: *shard,
                hops: *hops,
                parent: parent.clone(),
                children: BTreeMap::new(),
                started: entry.at,
                len: 1,
                generation: 0,
                input: None,
                unanswered: Unanswered::default(),
                responded: None,
                retries: 0,
                revivals: 0,
                round: 0,
                vars: None,
                steps: BTreeMap::new(),
                failed_iterations: BTreeMap::new(),
                visible: BTreeMap::new(),
                timers: BTreeMap::new(),
                waits: BTreeSet::new(),
                approvals: BTreeMap::new(),
                doubts: Doubts::default(),
                undos: Undos::default(),
                view: RunState::view_of(run, workflow, 0, entry.at),
                slot: Slot::None,
                slot_asked: false,
                phase: Phase::Main,
            });
        }
        (None, _) => return Err(illegal("a journal begins with run_started")),
        (Some(_), What::RunStarted { .. }) => return Err(illegal("a run starts once")),
        (Some(state), _) => state,
    };
    transition(&mut state, &entry.what, entry.at).map_err(illegal)?;
    state.len += 1;
    Ok(state)
}

fn transition(state: &mut RunState, what: &What, at: Timestamp) -> Result<(), &'static str> {
    match (&state.phase, what) {
        (Phase::Ended { .. }, What::RunRetried { .. })
        | (Phase::Ended { status: RunStatus::Failed, .. }, What::OutcomeGiven { .. }) => {}
        (Phase::Ended { .. }, _) => return Err("the run is over"),
        _ => {}
    }
    match what {
        What::RunStarted { .. } => Err("a run starts once"),
        What::SlotAsked { group, place } => {
            if !matches!(state.slot, Slot::None | Slot::Lent(_)) || matches!(state.phase, Phase::Parked { .. }) {
                return Err("it has a slot, or waits for one, or needs none");
            }
            state.slot = Slot::Asked(Standing { group: group.clone(), place: place.clone() });
            state.slot_asked = true;
            Ok(())
        }
        What::SlotQueued { .. } => move_slot(state, |slot| match slot {
            Slot::Asked(standing) => Ok(Slot::Queued(standing)),
            _ => Err("it did not ask for a slot"),
        }),
        What::SlotTaken {} => move_slot(state, |slot| match slot {
            Slot::Asked(standing) | Slot::Queued(standing) => Ok(Slot::Held(standing)),
            _ => Err("it did not ask for a slot"),
        }),
        What::SlotFreed {} => move_slot(state, |slot| match slot {
            Slot::Held(standing) => Ok(Slot::Lent(standing)),
            _ => Err("it holds no slot"),
        }),
        What::VarsSet { vars } => {
            state.vars = Some(Arc::new(Prepared::new(vars.clone())));
            Ok(())
        }
        What::StepSkipped { path } => {
            if state.steps.insert(path.clone(), StepState::Skipped).is_some() {
                return Err("the step was begun");
            }
            if Stage::of(path) == Stage::Undo {
                return state.undos.over(path, false);
            }
            show(state, path, json!({"status": "skipped", "output": null}));
            Ok(())
        }
        What::StepStarted { path, attempt, kind } => start(state, path, *attempt, kind, at),
        What::BranchTaken { path, branch } => {
            active(state, path)?.inner = Inner::Branch(*branch);
            Ok(())
        }
        What::LoopStarted { path, items } => {
            let items = items.iter().map(|item| Arc::new(Prepared::new(item.clone()))).collect();
            active(state, path)?.inner = Inner::Loop { items, outputs: BTreeMap::new() };
            Ok(())
        }
        What::IterationEnded { path, index, output, error } => {
            let prefix = format!("{path}[{index}]/");
            iteration::forget_below(state, &prefix);
            match error {
                // What is not known of its calls is asked when a person retries it.
                Some(error) => iteration::put_aside(state, path, *index, error)?,
                None => state.doubts.forget(&format!("{path}[{index}]")),
            }
            drop_below(state, &prefix);
            match &mut active(state, path)?.inner {
                Inner::Loop { outputs, .. } => outputs.insert(*index, output.clone()),
                Inner::None | Inner::Branch(_) | Inner::Parallel => return Err("the step is no loop"),
            };
            Ok(())
        }
        What::CallIntended { path, index, function, fingerprint, summary, repeatable } => {
            let call = CallState {
                function: function.clone(),
                fingerprint: fingerprint.clone(),
                summary: summary.clone(),
                repeatable: *repeatable,
                outcome: None,
                asked: at,
                deferral: None,
            };
            add_call(active(state, path)?, *index, call)?;
            if writes_outside(function) {
                let key = state.call_key(path, *index);
                state.unanswered.asked(key, path, *index, summary);
            }
            if *repeatable {
                state.doubts.inherit(path, *index);
            }
            Ok(())
        }
        What::WaitSet { path, index, function, fingerprint, .. } => {
            let call = CallState {
                function: function.clone(),
                fingerprint: fingerprint.clone(),
                summary: String::new(),
                repeatable: true,
                outcome: None,
                asked: at,
                deferral: None,
            };
            add_call(active(state, path)?, *index, call)?;
            state.waits.insert((path.clone(), *index));
            Ok(())
        }
        What::ChildStarted { path, run, workflow, event, awaited } => {
            let call = CallState {
                function: CALL_FUNCTION.to_owned(),
                fingerprint: event.to_string(),
                summary: format!("call {workflow}"),
                repeatable: true,
                outcome: (!awaited).then(|| CallOutcome::Ok(Json::from(run.as_str()))),
                asked: at,
                deferral: None,
            };
            add_call(active(state, path)?, 0, call)?;
            if *awaited {
                state.children.insert(path.clone(), run.clone());
            }
            Ok(())
        }
        What::CallResolved { path, index, function, fingerprint, outcome } => {
            state.children.remove(path);
            state.waits.remove(&(path.clone(), *index));
            state.timers.retain(|(of, kind), _| {
                of != path || (*kind != TimerKind::Call(*index) && *kind != TimerKind::Wait(*index))
            });
            resolve(active(state, path)?, *index, function, fingerprint, outcome, at)?;
            if !state.unanswered.is_empty() {
                let key = state.call_key(path, *index);
                let repeatable = state.calls(path).get(*index as usize).is_some_and(|call| call.repeatable);
                state.unanswered.answered(&key, outcome, repeatable);
            }
            match outcome {
                CallOutcome::Ok(_) => state.doubts.settle(path, *index),
                CallOutcome::Err(error) => {
                    let asked = state.calls(path).get(*index as usize).filter(|call| call.repeatable);
                    let asked = asked
                        .map(|call| call.asked)
                        .filter(|_| error.class == ErrorClass::Unknown && error.code != UNDECIDED);
                    if let Some(since) = asked {
                        state.doubts.raise(path, *index, Again { since, until: at });
                    }
                }
            }
            Ok(())
        }
        What::CallDeferred { path, index, .. } => {
            let call = open_call(active(state, path)?, *index)?;
            let (since, times) = call.deferral.as_ref().map_or((at, 0), |before| (before.since, before.times));
            call.deferral = Some(Deferral { since, times: times.saturating_add(1), asked: false });
            let key = state.call_key(path, *index);
            state.unanswered.put_off(&key);
            Ok(())
        }
        What::CallRepeated { path, index, again } => {
            let call = open_call(active(state, path)?, *index)?;
            if let Some(deferral) = &mut call.deferral {
                deferral.asked = true;
            }
            let before = std::mem::replace(&mut call.asked, at);
            let (function, summary) = (call.function.clone(), call.summary.clone());
            if writes_outside(&function) {
                let key = state.call_key(path, *index);
                state.unanswered.asked(key, path, *index, &summary);
            }
            state.timers.remove(&(path.clone(), TimerKind::Retry));
            if let Some(until) = again {
                state.doubts.raise(path, *index, Again { since: before, until: *until });
            }
            Ok(())
        }
        What::StartDelayed { path, until } => {
            if !state.steps.is_empty() {
                return Err("the run has begun");
            }
            state.timers.insert((path.clone(), TimerKind::Start), *until);
            Ok(())
        }
        What::ApprovalAsked { path, question, by, due } => {
            let (question, by) = (question.clone(), by.clone());
            asked(state, path, Approval { question, by, asked: at, due: *due, answer: None })
        }
        What::ApprovalGiven { path, approved, by, comment } => {
            let (by, comment) = (by.clone(), comment.clone());
            given(state, path, Answered { approved: *approved, by, comment, at })
        }
        What::TimerSet { path, timer, due } => {
            state.timers.insert((path.clone(), *timer), *due);
            Ok(())
        }
        What::TimerFired { path, timer } => {
            state.timers.remove(&(path.clone(), *timer)).map(|_| ()).ok_or("the timer is not set")
        }
        What::Responded { path, .. } => {
            active(state, path)?;
            match state.responded.replace(path.clone()) {
                None => Ok(()),
                Some(_) => Err("the caller was answered"),
            }
        }
        What::StepSucceeded { path, output, undo } => {
            let active = active(state, path)?;
            let (attempt, is_loop) = (active.attempt, matches!(active.inner, Inner::Loop { .. }));
            match is_loop {
                true => drop_below(state, path.as_str()),
                false => clear_timers(state, path.as_str()),
            }
            state.doubts.forget(path.as_str());
            if Stage::of(path) == Stage::Undo {
                // Told apart from the step by nothing but its place: nobody sees it in `steps`.
                state.steps.remove(path);
                return state.undos.over(path, true);
            }
            if *undo {
                state.arm(path, output);
            }
            let mut view = Json::from_iter([("status", Json::from("succeeded")), ("output", output.clone())]);
            if is_loop {
                view["errors"] = iteration::errors_of(state, path);
            }
            let result = show(state, path, view);
            state.steps.insert(path.clone(), StepState::Succeeded { attempt, result });
            Ok(())
        }
        What::AttemptFailed { path, error, call, .. } => {
            let (attempt, tries, calls) = end_attempt(state, path, *call, at)?;
            // The step's own timeout covers the pause and the attempts to come.
            state.timers.retain(|(of, kind), _| of != path || *kind == TimerKind::StepTimeout);
            state.waits.retain(|(of, _)| of != path);
            state.children.remove(path);
            state.steps.insert(path.clone(), StepState::Retrying { attempt, tries, error: error.clone(), calls });
            Ok(())
        }
        What::StepFailed { path, error, call, handled } => {
            let Active { inner, begun, .. } = active(state, path)?;
            let (is_container, begun) = (!matches!(inner, Inner::None), *begun);
            let (attempt, _, calls) = end_attempt(state, path, *call, at)?;
            drop_below(state, path.as_str());
            if is_container {
                iteration::forget_below(state, path.as_str());
            }
            if is_container && !handled {
                state.doubts.redo(path, Again { since: begun, until: at });
            }
            show(state, path, failed_view(error));
            state
                .steps
                .insert(path.clone(), StepState::Failed { attempt, error: error.clone(), calls, handled: *handled });
            match Stage::of(path) {
                Stage::Undo if *handled => state.undos.over(path, false),
                _ => Ok(()),
            }
        }
        What::StepUnknown { path, index, message } => {
            let asked = active(state, path)?.calls.get(*index as usize).cloned().map(Box::new);
            let (attempt, _, calls) = end_attempt(state, path, Some(*index), at)?;
            clear_timers(state, path.as_str());
            let unknown = StepState::Unknown { attempt, index: *index, message: message.clone(), calls, asked };
            state.steps.insert(path.clone(), unknown);
            Ok(())
        }
        What::RunParked { error } => {
            let stage = state.phase.stage().ok_or("the run is not moving")?;
            state.phase = Phase::Parked { error: error.clone(), failure: state.phase.why().cloned(), stage };
            state.slot = Slot::None;
            Ok(())
        }
        What::RunRetried { generation, input: Some(input), .. } => anew(state, *generation, input),
        What::RunRetried { generation, repeat_unknown, iterations, .. } => {
            retry(state, *generation, *repeat_unknown, !iterations.is_empty())?;
            iterations.iter().try_for_each(|path| iteration::begin_again(state, path, at))
        }
        What::OutcomeGiven { path, index, happened, result, .. } => {
            give_outcome(state, path, *index, happened.then_some(result))
        }
        What::CancelRequested { .. } | What::FailRequested { .. } => Ok(()),
        What::CancelHandling { error } => {
            if matches!(state.phase, Phase::Cancelling { .. } | Phase::Parked { stage: Stage::Cancel, .. }) {
                return Err("the end is handled already");
            }
            quiet(state, at);
            state.phase = Phase::Cancelling { error: error.clone() };
            Ok(())
        }
        What::UndoHandling { error } => {
            if !matches!(state.phase, Phase::Main | Phase::Parked { stage: Stage::Main, .. }) {
                return Err("a failure is handled already");
            }
            quiet(state, at);
            state.undos.begin();
            state.phase = Phase::Undoing { error: error.clone() };
            Ok(())
        }
        What::FailureHandling { error, round } => {
            if !matches!(state.phase, Phase::Main | Phase::Undoing { .. } | Phase::Parked { .. }) {
                return Err("a failure is handled already");
            }
            quiet(state, at);
            if state.round != *round {
                // Other calls than those of the failure before, under keys of their own.
                state.doubts.forget("on_failure");
                state.round = *round;
            }
            state.phase = Phase::Failing { error: error.clone() };
            Ok(())
        }
        What::RunFinished { status, output, error } => {
            if !status.is_ended() {
                return Err("that is no end");
            }
            quiet(state, at);
            // However a run ends, its slot or its place in the queue is free: no entry of its own can be forgotten.
            state.slot = Slot::None;
            state.phase = Phase::Ended { status: *status, at, output: output.clone(), error: error.clone() };
            Ok(())
        }
    }
}

fn move_slot(state: &mut RunState, to: impl FnOnce(Slot) -> Result<Slot, &'static str>) -> Result<(), &'static str> {
    state.slot = to(std::mem::take(&mut state.slot))?;
    Ok(())
}

/// Forgets what stands below a path: the steps of a branch or an iteration, and their timers and waits.
pub(super) fn drop_below(state: &mut RunState, prefix: &str) {
    let below = |path: &StepPath| is_below(path.as_str(), prefix);
    state.steps.retain(|path, _| !below(path));
    clear_timers(state, prefix);
}

fn clear_timers(state: &mut RunState, prefix: &str) {
    let gone = |path: &StepPath| path.as_str() == prefix || is_below(path.as_str(), prefix);
    state.timers.retain(|(path, _), _| !gone(path));
    state.waits.retain(|(path, _)| !gone(path));
    state.approvals.retain(|path, approval| !gone(path) || approval.answer.is_some());
    state.children.retain(|path, _| !gone(path));
}

pub(super) fn is_below(path: &str, prefix: &str) -> bool {
    match path.strip_prefix(prefix) {
        Some(rest) if prefix.ends_with('/') => !rest.is_empty(),
        Some(rest) => rest.starts_with(['.', '[']),
        None => false,
    }
}

/// Steps that still move stop where they are; no timer or wait is left.
fn quiet(state: &mut RunState, at: Timestamp) {
    state.doubt_what_is_under_way(at);
    state.timers.clear();
    state.waits.clear();
    state.approvals.retain(|_, approval| approval.answer.is_some());
    state.children.clear();
}

/// What expressions see of a step; steps outside loops are found by id at once.
fn show(state: &mut RunState, path: &StepPath, view: Json) -> Arc<Prepared> {
    let view = Arc::new(Prepared::new(view));
    let text = path.as_str();
    // An undo's path ends like its step's.
    if !text.contains('[') && Stage::of(path) != Stage::Undo {
        let id = text.rsplit('/').next().unwrap_or(text);
        state.visible.insert(id.to_owned(), Arc::clone(&view));
    }
    view
}
