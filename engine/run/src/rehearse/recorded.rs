//! Replays of recorded runs: the recorded event and the recorded outcomes of calls, with the workflow as it was and as it
//! would be. Both are played in the same way, so that what differs comes from the workflow alone.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use cartwright_core::{
    call::{CallError, CallOutcome, ErrorClass},
    event::{Event, Source},
    id::{EventId, RunId, StepPath, WorkflowId},
    run::{
        child::CALL_FUNCTION,
        entry::{Entry, What},
        row::RunRow,
        steps::steps,
    },
    testing::{Difference, MadeCall, Outcome, Request, changes},
};
use parking_lot::Mutex;

use super::{
    called::called_in,
    look::outcome,
    play::{Means, PlayError, play},
    scene::{Happens, Scene},
    stand_in::{Asked, Child, Given, Stands},
};
use crate::definition::Loaded;

/// The code of the failure of a call that the recorded run did not make.
const NOT_RECORDED: &str = "not_recorded";

/// A recorded run with everything it was made of.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Its row.
    pub row: RunRow,
    /// Its journal.
    pub journal: Vec<Entry>,
    /// What started it.
    pub event: Event,
    /// The workflow as it was.
    pub workflow: Loaded,
    /// The tags of the event's store.
    pub tags: Vec<String>,
}

/// What a replay showed.
#[derive(Debug)]
pub struct Replayed {
    /// With the workflow as it was.
    pub before: Outcome,
    /// With the changed one.
    pub after: Outcome,
    /// What differs; `expected` is before, `actual` after.
    pub changes: Vec<Difference>,
}

/// Why a recorded run says nothing about a changed workflow.
#[derive(Debug, thiserror::Error)]
pub enum Unplayable {
    /// It moves still.
    #[error("it has not ended; replay it when it has")]
    Open,
    /// The engine did not play.
    #[error(transparent)]
    Play(#[from] PlayError),
    /// The unchanged workflow did something else.
    #[error("with the workflow as it was it does not go as it went: {0}")]
    Unfaithful(String),
}

/// Plays a recorded run with the workflow as it was and with a changed one. Nothing is sent. Not in a runtime. `others`:
/// the workflows that stand beside the changed one; called ones do not run, what came of them is recorded.
pub fn replay(
    recording: &Recording,
    changed: &Loaded,
    others: &BTreeMap<WorkflowId, Loaded>,
    means: &Means,
) -> Result<Replayed, Unplayable> {
    if !recording.row.status.is_ended() && recording.row.status != cartwright_core::run::row::RunStatus::Parked {
        return Err(Unplayable::Open);
    }
    let once = |workflow: &Loaded, others: &BTreeMap<WorkflowId, Loaded>| {
        let answers = Recorded::of(recording);
        let played = play(scene(recording, workflow, others), means, answers.clone())?;
        Ok::<_, PlayError>(outcome(&played, &workflow.workflow, answers.made()))
    };
    let before = once(&recording.workflow, &BTreeMap::new())?;
    faithful(recording, &before).map_err(Unplayable::Unfaithful)?;
    let after = once(changed, others)?;
    let changes = changes(&before, &after);
    Ok(Replayed { before, after, changes })
}

/// Whether a replay with the workflow as it was went as the run did.
fn faithful(recording: &Recording, before: &Outcome) -> Result<(), String> {
    let [run] = &before.runs[..] else {
        let why =
            if before.not_started.is_empty() { "nothing listens to its event" } else { &before.not_started.join("; ") };
        return Err(format!("it does not start ({why})"));
    };
    if run.status != recording.row.status {
        let why = run.failure.as_ref().map(|failure| format!(": {} ({})", failure.message, failure.code));
        let (is, was) = (run.status.as_str(), recording.row.status.as_str());
        return Err(format!("it was {was} and is {is}{}", why.unwrap_or_default()));
    }
    let was: BTreeSet<(String, &str)> =
        steps(&recording.journal).iter().map(|step| (step.id.to_string(), step.status.as_str())).collect();
    let is: BTreeSet<(String, &str)> = run.steps.iter().map(|step| (step.path.clone(), step.status.as_str())).collect();
    match was.symmetric_difference(&is).next() {
        None => Ok(()),
        Some((path, status)) => Err(format!("the step {path} ({status}) went another way")),
    }
}

fn scene(recording: &Recording, workflow: &Loaded, others: &BTreeMap<WorkflowId, Loaded>) -> Scene {
    let begins = recording.event.time;
    let mut happens = vec![(Duration::ZERO, Happens::Recorded(Box::new(recording.event.clone())))];
    for entry in &recording.journal {
        let what = match &entry.what {
            What::CancelRequested { .. } => Happens::Cancel,
            What::RunRetried { iterations, .. } if !iterations.is_empty() => {
                Happens::RetryIterations(iterations.clone())
            }
            What::RunRetried { .. } => Happens::Retry,
            What::ApprovalGiven { path, approved, by: Some(by), comment } => Happens::Approve {
                step: path.to_string(),
                approved: *approved,
                by: by.clone(),
                comment: comment.clone(),
                must: false,
            },
            What::CallResolved { function, outcome: CallOutcome::Ok(value), .. } if function.contains("wait_for") => {
                // The event that ended a wait is accepted when it was.
                match serde_json::from_value::<Event>(value.clone()) {
                    Ok(event) => Happens::Recorded(Box::new(event)),
                    Err(_) => continue,
                }
            }
            _ => continue,
        };
        happens.push((entry.at.since(begins), what));
    }
    happens.sort_by_key(|(after, _)| *after);
    let names = |loaded: &Loaded| loaded.workflow.grants.secrets.clone();
    let secrets: BTreeSet<String> = names(workflow).into_iter().chain(names(&recording.workflow)).collect();
    let mut workflows = vec![workflow.clone()];
    workflows.extend(called_in(&recording.journal, &recording.row.workflow, others));
    let stores = recording.event.store.iter().map(|store| (store.clone(), recording.tags.clone()));
    Scene {
        begins,
        workflows,
        tested: recording.row.workflow.clone(),
        stores: stores.collect(),
        secrets: secrets.into_iter().map(|name| (name.clone(), format!("test-{name}"))).collect(),
        state: Vec::new(),
        happens,
        brings: Vec::new(),
    }
}

/// Answers calls with what they came to.
struct Recorded {
    /// What started the run; where that was a call, it is not one of the run's own.
    event: EventId,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    calls: BTreeMap<(StepPath, u32), Call>,
    /// Steps that called a workflow.
    called: BTreeSet<StepPath>,
    made: Vec<MadeCall>,
}

struct Call {
    function: String,
    fingerprint: String,
    /// Of each try, in order; the last stays.
    outcomes: VecDeque<CallOutcome>,
}

impl Recorded {
    fn of(recording: &Recording) -> Arc<Self> {
        let mut memory = Memory::default();
        for entry in &recording.journal {
            match &entry.what {
                What::CallIntended { path, index, function, fingerprint, .. } => {
                    memory.call(path, *index, function, fingerprint);
                }
                What::CallResolved { path, index, function, fingerprint, outcome } => {
                    memory.call(path, *index, function, fingerprint).outcomes.push_back(outcome.clone());
                }
                What::CallDeferred { path, index, error } => {
                    if let Some(call) = memory.calls.get_mut(&(path.clone(), *index)) {
                        call.outcomes.push_back(CallOutcome::Err(error.clone()));
                    }
                }
                What::ChildStarted { path, .. } => drop(memory.called.insert(path.clone())),
                _ => {}
            }
        }
        Arc::new(Self { event: recording.event.id.clone(), memory: Mutex::new(memory) })
    }

    fn made(&self) -> Vec<MadeCall> {
        self.memory.lock().made.clone()
    }
}

impl Memory {
    fn call(&mut self, path: &StepPath, index: u32, function: &str, fingerprint: &str) -> &mut Call {
        let fresh = || Call { function: function.to_owned(), fingerprint: String::new(), outcomes: VecDeque::new() };
        let call = self.calls.entry((path.clone(), index)).or_insert_with(fresh);
        fingerprint.clone_into(&mut call.fingerprint);
        call
    }

    /// The outcome of the same call: at the same place, else with the same fingerprint elsewhere.
    fn outcome(&mut self, path: &StepPath, index: u32, function: &str, fingerprint: &str) -> Option<CallOutcome> {
        let place = (path.clone(), index);
        let fits = |call: &Call| call.function == function || call.fingerprint == fingerprint;
        let key = if self.calls.get(&place).is_some_and(fits) {
            place
        } else {
            let mut same = self.calls.iter().filter(|(_, call)| call.fingerprint == fingerprint);
            same.next().map(|(key, _)| key.clone())?
        };
        let outcomes = &mut self.calls.get_mut(&key)?.outcomes;
        if outcomes.len() > 1 { outcomes.pop_front() } else { outcomes.front().cloned() }
    }
}

#[async_trait]
impl Stands for Recorded {
    async fn answer(&self, asked: Asked) -> Given {
        let mut memory = self.memory.lock();
        let found = memory.outcome(&asked.path, asked.index, &asked.function, &asked.fingerprint);
        memory.made.push(MadeCall {
            step: asked.path.to_string(),
            store: asked.store.as_ref().map(ToString::to_string),
            request: asked.request.clone(),
            unstubbed: false,
        });
        Given::Outcome(found.unwrap_or_else(|| {
            let message = format!("the recorded run did not make this call: {}", asked.request.line());
            CallOutcome::Err(CallError { class: ErrorClass::Park, ..CallError::r#final(NOT_RECORDED, message) })
        }))
    }

    async fn child(&self, event: &Event) -> Child {
        let Source::Call { step, workflow, .. } = &event.source else { return Child::Runs };
        if event.id == self.event {
            return Child::Runs;
        }
        let request = Request::workflow(workflow.as_str(), serde_json::from_str(event.data.get()).unwrap_or_default());
        let mut memory = self.memory.lock();
        let outcome = memory.outcome(step, 0, CALL_FUNCTION, "");
        let message = format!("the recorded run did not call `{}`", request.target);
        memory.made.push(MadeCall { step: step.to_string(), store: None, request, unstubbed: false });
        match outcome {
            Some(outcome) => Child::Ended(outcome),
            // Nothing came of it before the run ended in another way.
            None if memory.called.contains(step) => Child::Silent,
            None => {
                let error = CallError { class: ErrorClass::Park, ..CallError::r#final(NOT_RECORDED, message) };
                Child::Ended(CallOutcome::Err(error))
            }
        }
    }

    fn stored(&self, _run: &RunId, path: &StepPath, index: u32, fingerprint: &str) -> Option<CallOutcome> {
        let mut memory = self.memory.lock();
        let call = memory.calls.get(&(path.clone(), index)).filter(|call| call.function.starts_with("state::"))?;
        let function = call.function.clone();
        memory.outcome(path, index, &function, fingerprint)
    }
}
