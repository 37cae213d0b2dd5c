//! What comes next in a run: `(state, input) → entries + effects`. Pure: time, event and evaluator are handed in.
//!
//! Entries are applied as they are decided, so that one input can carry a run over many steps; the runner commits them
//! together. Effects become real only after their entries are durable.

mod approve;
mod begin;
mod outside;
mod call;
mod calls;
mod deferral;
mod fail;
mod input;
mod links;
mod person;
mod respond;
mod resume;
mod scope;
mod sides;
mod undo;
mod wait;
mod slot;
mod walk;

pub use begin::LOOP_ITEMS_MAX;
pub use call::CALL_TOPIC;
pub use calls::{EMIT_BYTES_MAX, HOPS_MAX};
pub use input::{Input, ResolvedCall, Said, ScriptEnd, ScriptResult, Which};
pub use person::why_not_anew;
pub(crate) use scope::failed_view;
pub use scope::{Frame, locate, scope_at};
pub use slot::{SlotAnswer, wanted_slot};
pub use wait::WAIT_SCOPE_BYTES_MAX;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    Json,
    call::{Again, Call},
    evaluate::{Evaluate, Prepared},
    event::Event,
    id::{RunId, StepPath},
    run::{
        apply::{Illegal, apply},
        approval::Approval,
        entry::{Entry, TimerKind, What},
        state::RunState,
    },
    secret::SecretMarks,
    time::Timestamp,
    workflow::{Workflow, WorkflowSet},
};

/// A parked run fails by itself after this long.
pub const PARK_EXPIRY: Duration = Duration::from_secs(30 * 24 * 3600);

/// What decisions may look at besides the state.
pub struct Context<'a> {
    /// The version the run is pinned to.
    pub workflow: &'a Workflow,
    /// The event as expressions see it.
    pub event: &'a Prepared,
    /// `events` as expressions see them, where `collect` gave the run several; else it is the list of the one event.
    pub events: Option<&'a Prepared>,
    /// `store` as expressions see it, where the event has one.
    pub store: Option<&'a Prepared>,
    /// `inputs` as expressions see it, where the workflow declares inputs; what is wrong with what was given, else.
    pub inputs: Result<Option<&'a Prepared>, &'a str>,
    /// The workflows that can be called; `None`: whatever is named.
    pub workflows: Option<&'a WorkflowSet>,
    /// The expression language.
    pub evaluate: &'a dyn Evaluate,
    /// How secrets are marked in what is about to be sent.
    pub marks: &'a SecretMarks,
    /// The time of this decision.
    pub now: Timestamp,
    /// The engine is stopping: what ended is written down, nothing new is begun.
    pub hold: bool,
}

/// What the runner must do once the entries are durable.
#[derive(Debug)]
pub enum Effect {
    /// Ask for the slot of [`wanted_slot`]; answer with [`Input::Slot`], in the same commit as the group's change.
    Slot,
    /// Execute a script with the calls the state has recorded; answer with [`Input::Script`].
    RunScript {
        /// Its step.
        path: StepPath,
        /// For the answer.
        attempt: u32,
    },
    /// Make a call; answer with [`Input::Call`].
    Call {
        /// The calling step.
        path: StepPath,
        /// Which call.
        index: u32,
        /// What to do.
        call: Call,
        /// Its idempotency key.
        key: String,
        /// An earlier try under this key may have reached the other side. `None`: the first try.
        again: Option<Again>,
    },
    /// Make a call on the engine's own storage; answer with [`Input::Stored`], its effect in the same commit.
    Store {
        /// The calling step.
        path: StepPath,
        /// Which call.
        index: u32,
        /// What to do.
        call: Call,
    },
    /// Register a wait and look back: events of `topic` accepted since `since` may end it at once.
    Wait {
        /// The waiting step.
        path: StepPath,
        /// Which call.
        index: u32,
        /// What it waits for.
        topic: String,
        /// An expression over `incoming`, `event` and the scope.
        condition: Option<String>,
        /// What else the condition mentions, by name.
        scope: Option<Json>,
        /// How far back to look.
        since: Timestamp,
    },
    /// Commit now: somebody may wait for the answer that was just decided.
    Answer,
    /// Stop whatever is under way at or below this path; its answers are not wanted. Empty: everything.
    Abort {
        /// A step's path, or empty.
        path: StepPath,
    },
}

/// A decision.
#[derive(Debug)]
pub struct Decision {
    /// The state with the entries applied.
    pub state: RunState,
    /// What to append to the journal.
    pub entries: Vec<Entry>,
    /// What to do once they are durable.
    pub effects: Vec<Effect>,
    /// Events to raise, in the same commit.
    pub emits: Vec<Event>,
    /// Timers set or moved.
    pub timers_set: Vec<(StepPath, TimerKind, Timestamp)>,
    /// Timers that are gone.
    pub timers_clear: Vec<(StepPath, TimerKind)>,
    /// Waits that are gone.
    pub waits_clear: Vec<(StepPath, u32)>,
    /// Questions to people that are new, with what is asked.
    pub approvals_set: Vec<(StepPath, Approval)>,
    /// Questions to people that are answered or gone.
    pub approvals_clear: Vec<StepPath>,
    /// Runs that nobody waits for any more: they are ended.
    pub cancels: Vec<RunId>,
}

/// Why an input was not taken. Nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// A bug, or a damaged journal.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// A person asked for something that cannot be done to this run now.
    #[error("{reason}")]
    Refused {
        /// Why, and what can be done instead.
        reason: String,
        /// The state as it was.
        state: Box<RunState>,
    },
}

/// Why an input was not taken, inside a decision.
enum Stop {
    Illegal(Illegal),
    Refused(String),
}

impl From<Illegal> for Stop {
    fn from(illegal: Illegal) -> Self {
        Self::Illegal(illegal)
    }
}

/// Decides what comes of one input. An input that is out of date (its step or call has ended) changes nothing.
pub fn decide(state: RunState, context: &Context<'_>, input: Input) -> Result<Decision, DecideError> {
    let (timers, waits) = (state.timers.clone(), state.waits.clone());
    let (children, approvals) = (state.children.clone(), asked(&state));
    let mut decider = Decider::new(state, context);
    let taken = decider.take(input);
    let Decider { state, entries, effects, emits, .. } = decider;
    match (taken, state) {
        (Ok(()), Some(state)) => {
            let before = Before { timers, waits, children, approvals };
            Ok(finish(state, entries, effects, emits, before))
        }
        (Err(Stop::Refused(reason)), Some(state)) => Err(DecideError::Refused { reason, state: Box::new(state) }),
        (Err(Stop::Illegal(illegal)), _) => Err(illegal.into()),
        (_, None) => unreachable!("only an illegal entry takes the state away"),
    }
}

/// What a run waited for before a decision.
struct Before {
    timers: BTreeMap<(StepPath, TimerKind), Timestamp>,
    waits: BTreeSet<(StepPath, u32)>,
    children: BTreeMap<StepPath, RunId>,
    approvals: BTreeMap<StepPath, Approval>,
}

fn finish(state: RunState, entries: Vec<Entry>, effects: Vec<Effect>, emits: Vec<Event>, before: Before) -> Decision {
    let asks = asked(&state);
    let answered = |path: &StepPath| {
        entries.iter().any(|entry| matches!(&entry.what, What::CallResolved { path: of, .. } if of == path))
    };
    let left = |(path, run): &(StepPath, RunId)| state.children.get(path) != Some(run) && !answered(path);
    Decision {
        cancels: before.children.into_iter().filter(left).map(|(_, run)| run).collect(),
        timers_set: changed(&before.timers, &state.timers),
        timers_clear: before.timers.into_keys().filter(|key| !state.timers.contains_key(key)).collect(),
        approvals_clear: before.approvals.keys().filter(|path| !asks.contains_key(*path)).cloned().collect(),
        approvals_set: asks.into_iter().filter(|(path, new)| before.approvals.get(path) != Some(new)).collect(),
        waits_clear: before.waits.into_iter().filter(|key| !state.waits.contains(key)).collect(),
        effects: effects.into_iter().filter(|effect| is_wanted(&state, effect)).collect(),
        state,
        entries,
        emits,
    }
}

/// A wait that began and ended in one decision is not registered: nothing would drop it.
fn is_wanted(state: &RunState, effect: &Effect) -> bool {
    match effect {
        Effect::Wait { path, index, .. } => state.waits.contains(&(path.clone(), *index)),
        _ => true,
    }
}

/// What people are asked.
fn asked(state: &RunState) -> BTreeMap<StepPath, Approval> {
    state.open_approvals().map(|(path, approval)| (path.clone(), approval.clone())).collect()
}

fn changed(
    before: &BTreeMap<(StepPath, TimerKind), Timestamp>,
    after: &BTreeMap<(StepPath, TimerKind), Timestamp>,
) -> Vec<(StepPath, TimerKind, Timestamp)> {
    let new = after.iter().filter(|(key, due)| before.get(key) != Some(due));
    new.map(|((path, kind), due)| (path.clone(), *kind, *due)).collect()
}

/// A decision in the making.
struct Decider<'a> {
    /// `None` only while an entry is being applied.
    state: Option<RunState>,
    context: &'a Context<'a>,
    entries: Vec<Entry>,
    effects: Vec<Effect>,
    emits: Vec<Event>,
    /// Looks at what there is and begins no step: a branch beside this one failed.
    begins_nothing: bool,
}

impl<'a> Decider<'a> {
    fn new(state: RunState, context: &'a Context<'a>) -> Self {
        Self {
            state: Some(state),
            context,
            entries: Vec::new(),
            effects: Vec::new(),
            emits: Vec::new(),
            begins_nothing: false,
        }
    }

    fn state(&self) -> &RunState {
        self.state.as_ref().expect("a decider has its state between transitions")
    }

    /// Appends an entry and applies it.
    fn record(&mut self, what: What) -> Result<(), Illegal> {
        let entry = Entry { at: self.context.now, what };
        self.state = Some(apply(self.state.take(), &entry)?);
        self.entries.push(entry);
        Ok(())
    }

    fn take(&mut self, input: Input) -> Result<(), Stop> {
        match input {
            Input::Resume { under_way } => self.resume(&under_way)?,
            Input::Script { path, attempt, result } => self.script_ended(&path, attempt, result)?,
            Input::Call { path, index, outcome } => self.call_ended(&path, index, outcome)?,
            Input::Stored { path, call } => self.stored(&path, call)?,
            Input::Child { path, child, outcome } => self.child_ended(&path, &child, outcome)?,
            Input::Timer { path, kind } => self.timer_fired(&path, kind)?,
            Input::Slot { answer, under_way } => return Ok(self.slot_answered(answer, &under_way)?),
            Input::Replace { by } => return self.replace(&by),
            Input::Cancel { by } => return self.cancel(by),
            Input::Retry { by, repeat_unknown } => return self.retry(by, repeat_unknown),
            Input::RetryIterations { by, iterations } => return self.retry_iterations(by, iterations),
            Input::Anew { by, input } => return self.anew(by, input),
            Input::Resolve { by, which, said } => return self.resolve(by, &which, said),
            Input::Approve { path, approved, by, comment } => {
                return self.person_answers(&path, approved, by, comment);
            }
            Input::Fail { by, reason } => return self.fail_by_hand(by, reason),
        }
        Ok(self.advance()?)
    }
}
