//! What can happen to a run.

use std::collections::BTreeSet;

use super::SlotAnswer;
use crate::{
    Json,
    call::{Call, CallError, CallOutcome},
    id::{RunId, StepPath},
    run::entry::TimerKind,
};

/// What happened, as the runner tells it.
#[derive(Debug)]
pub enum Input {
    /// Go on: a new run, one loaded after a crash, or one whose commit was a conflict.
    Resume {
        /// Steps with a call that is being made right now; nothing else is under way.
        under_way: BTreeSet<StepPath>,
    },
    /// A script was executed, or executed again.
    Script {
        /// Its step.
        path: StepPath,
        /// The attempt it belonged to.
        attempt: u32,
        /// What came of it.
        result: ScriptResult,
    },
    /// A call ended.
    Call {
        /// The calling step.
        path: StepPath,
        /// Which call.
        index: u32,
        /// What came of it.
        outcome: CallOutcome,
    },
    /// A call on the engine's own storage ended; it has no intent, its effect is in the same commit.
    Stored {
        /// The calling step.
        path: StepPath,
        /// The call with its result.
        call: ResolvedCall,
    },
    /// What came of asking for a slot; the answer to [`Effect::Slot`].
    Slot {
        /// What the group says.
        answer: SlotAnswer,
        /// Steps with a call that is being made right now.
        under_way: BTreeSet<StepPath>,
    },
    /// A later run of its group takes its place: it ends as cancelled.
    Replace {
        /// That run.
        by: RunId,
    },
    /// A timer's time has come.
    Timer {
        /// Its step.
        path: StepPath,
        /// What it is for.
        kind: TimerKind,
    },
    /// A run that a `call` step waits for is over.
    Child {
        /// The calling step.
        path: StepPath,
        /// The run.
        child: RunId,
        /// What it gave.
        outcome: CallOutcome,
    },
    /// A person asked to end the run.
    Cancel {
        /// Who.
        by: String,
    },
    /// A person says: go on from where it is parked or failed.
    Retry {
        /// Who.
        by: String,
        /// Repeat calls whose outcome is unknown without finding out first, accepting that they may happen twice.
        repeat_unknown: bool,
    },
    /// A person says: begin these failed iterations again, such as `each[3]`, each at the step that failed.
    RetryIterations {
        /// Who.
        by: String,
        /// Which.
        iterations: Vec<StepPath>,
    },
    /// A person says: begin a parked or failed run anew, with this as the event's data. What the context of this
    /// decision has is not looked at; an [`Input::Resume`] with the new data follows.
    Anew {
        /// Who.
        by: String,
        /// The data.
        input: Json,
    },
    /// A person says what a call did whose outcome is unknown.
    Resolve {
        /// Who.
        by: String,
        /// Which call; either part may be left out where the rest names one.
        which: Which,
        /// What it did.
        said: Said,
    },
    /// A person answers an `approve` step.
    Approve {
        /// Its step.
        path: StepPath,
        /// The answer.
        approved: bool,
        /// Who.
        by: String,
        /// In their words.
        comment: Option<String>,
    },
    /// A person gives a parked run up.
    Fail {
        /// Who.
        by: String,
        /// Why, in their words.
        reason: Option<String>,
    },
}

/// Which of a run's unknown calls a person means.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// The calling step.
    pub step: Option<StepPath>,
    /// From 0 in order of calling.
    pub call: Option<u32>,
}

/// What a person says that an unknown call did.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// It happened and gave this; `null` where nobody knows what.
    Done(Json),
    /// It did not happen.
    NotDone,
}

/// What came of executing a script once.
#[derive(Debug)]
pub struct ScriptResult {
    /// Immediate calls it made after the recorded ones, in order.
    pub immediate: Vec<ResolvedCall>,
    /// How the execution ended.
    pub end: ScriptEnd,
}

/// A call without outside effect, with its result.
#[derive(Debug)]
pub struct ResolvedCall {
    /// From 0 in order of calling.
    pub index: u32,
    /// Host function.
    pub function: String,
    /// Function and arguments, hashed.
    pub fingerprint: String,
    /// The result.
    pub outcome: CallOutcome,
}

/// How a script's execution ended.
#[derive(Debug)]
pub enum ScriptEnd {
    /// It gave a value.
    Done(Json),
    /// It asks for a call that is not resolved.
    Call {
        /// From 0 in order of calling.
        index: u32,
        /// The call.
        call: Call,
    },
    /// It failed.
    Failed {
        /// Why.
        error: CallError,
        /// The call whose uncaught failure this is.
        call: Option<u32>,
    },
    /// It asked for something else than it did before.
    Nondeterministic {
        /// Where.
        index: u32,
        /// What the journal has.
        recorded: String,
        /// What it asks now.
        asked: String,
    },
}
