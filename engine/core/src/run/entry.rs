//! The journal's entries: what happened in a run, in order. They are the only truth about it.
//!
//! Entries are kept as JSON so that a later version can add fields (with defaults) and people can read them.

use serde::{Deserialize, Serialize};

use crate::{
    Json,
    access::Role,
    call::{CallError, CallOutcome},
    id::{EventId, RunId, StepPath, StoreId, Version, WorkflowId},
    run::{
        answer::HttpAnswer,
        child::Parent,
        row::{RunError, RunStatus},
    },
    shard::ShardId,
    slots::{Group, Place},
    time::Timestamp,
};

/// One entry with its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Entry {
    /// When the engine decided it.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum What {
    /// Always the first entry, and only there.
    RunStarted {
        /// This run.
        run: RunId,
        /// What it runs.
        workflow: WorkflowId,
        /// Pinned.
        version: Version,
        /// What started it.
        event: EventId,
        /// The event's store.
        store: Option<StoreId>,
        /// Who owns it.
        shard: ShardId,
        /// The event's hop count.
        hops: u32,
        /// All events of a `collect`, the last one included; empty: the run has one event.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        events: Vec<EventId>,
        /// The run that called it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<Parent>,
    },
    /// `throttle`: the run begins later; a [`TimerKind::Start`] is set.
    StartDelayed {
        /// The timer's path: which gate, and which place of its time table.
        path: StepPath,
        /// When it begins, as planned; later when the engine is stopped then.
        until: Timestamp,
    },
    /// The run wants a slot of its `concurrency` group. Until it has one, nothing of it is begun.
    SlotAsked {
        /// Which group.
        group: Group,
        /// Its place in the group's queue, should it have to wait.
        #[cfg_attr(feature = "schema", schema(value_type = String))]
        place: Place,
    },
    /// No slot is free: it stands in the queue.
    SlotQueued {
        /// How many stood there before it.
        #[serde(default)]
        ahead: u64,
    },
    /// It has its slot, until it ends, is parked, or gives it back.
    SlotTaken {},
    /// It gave its slot back while it waits (`hold_while_waiting: false`).
    SlotFreed {},
    /// `vars`, evaluated once.
    VarsSet {
        /// A map.
        vars: Json,
    },
    /// A step's `if` was false.
    StepSkipped {
        /// Which.
        path: StepPath,
    },
    /// An attempt of a step begins.
    StepStarted {
        /// Which.
        path: StepPath,
        /// From 1.
        attempt: u32,
        /// The step's kind, as its key in the workflow file.
        kind: String,
    },
    /// A choose took this branch; `None`: no branch held.
    BranchTaken {
        /// Which step.
        path: StepPath,
        /// Index of the branch.
        branch: Option<u32>,
    },
    /// A for_each has its list.
    LoopStarted {
        /// Which step.
        path: StepPath,
        /// The list.
        items: Vec<Json>,
    },
    /// An iteration ended; what its inner steps left is folded into `output`.
    IterationEnded {
        /// Which step.
        path: StepPath,
        /// Which item.
        index: u32,
        /// The last step's output, `null` when the iteration failed and the loop goes on.
        output: Json,
        /// Why it failed; the loop goes on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<RunError>,
    },
    /// A call with outside effect is about to be made. On disk before it is.
    CallIntended {
        /// The calling step.
        path: StepPath,
        /// From 0 in order of calling.
        index: u32,
        /// Host function.
        function: String,
        /// See [`crate::call::Call::fingerprint`].
        fingerprint: String,
        /// One line for people.
        summary: String,
        /// Whether the call may be repeated when a crash hides its outcome.
        repeatable: bool,
    },
    /// A call could not be made now although nothing is wrong with it. It stays open and is asked for again later.
    CallDeferred {
        /// The calling step.
        path: StepPath,
        /// From 0 in order of calling.
        index: u32,
        /// Why not.
        error: CallError,
    },
    /// An open call is asked for again: it was deferred, or a crash hid what came of it. On disk before it is made.
    CallRepeated {
        /// The calling step.
        path: StepPath,
        /// From 0 in order of calling.
        index: u32,
        /// The last moment at which an earlier try may have been sent; `None`: no try was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again: Option<Timestamp>,
    },
    /// What came of a call. Calls without outside effect have no intent before it.
    CallResolved {
        /// The calling step.
        path: StepPath,
        /// From 0 in order of calling.
        index: u32,
        /// Host function.
        function: String,
        /// As intended.
        fingerprint: String,
        /// The result.
        outcome: CallOutcome,
    },
    /// A `call` step starts another run. The event that does goes out in the same commit.
    ChildStarted {
        /// The calling step.
        path: StepPath,
        /// The run to be.
        run: RunId,
        /// What it runs.
        workflow: WorkflowId,
        /// What starts it.
        event: EventId,
        /// Whether the step waits for its end.
        awaited: bool,
    },
    /// A wait for a point in time began: a `sleep`, a retry's pause, a timeout.
    TimerSet {
        /// Which step.
        path: StepPath,
        /// What it is for.
        timer: TimerKind,
        /// When.
        due: Timestamp,
    },
    /// The timer's time has come.
    TimerFired {
        /// Which step.
        path: StepPath,
        /// What it was for.
        timer: TimerKind,
    },
    /// A `wait_for` step or a script (`events::wait_for`) waits for an event.
    WaitSet {
        /// Which step.
        path: StepPath,
        /// The call that waits.
        index: u32,
        /// Host function.
        function: String,
        /// As in the call.
        fingerprint: String,
        /// The topic it waits for.
        topic: String,
        /// An expression over `incoming` and `event` that must hold.
        condition: Option<String>,
        /// When it gives up.
        timeout: Option<Timestamp>,
        /// Events accepted before this do not end it; journals of before do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
        /// What the condition mentions besides `incoming` and `event`, as it was when the wait began.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<Json>,
    },
    /// An `approve` step asks a person.
    ApprovalAsked {
        /// Which step.
        path: StepPath,
        /// What it asks.
        question: String,
        /// Who may answer; empty: whoever may answer approvals.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        by: Vec<Role>,
        /// When it counts as not approved.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<Timestamp>,
    },
    /// A person answered, or nobody did in time.
    ApprovalGiven {
        /// Which step.
        path: StepPath,
        /// The answer.
        approved: bool,
        /// Who; `None`: nobody.
        by: Option<String>,
        /// In their words.
        comment: Option<String>,
    },
    /// A `respond` step says what a synchronous caller is told. Only the first of a run is one.
    Responded {
        /// Which step.
        path: StepPath,
        /// What it says.
        answer: HttpAnswer,
    },
    /// A step ended well.
    StepSucceeded {
        /// Which.
        path: StepPath,
        /// What it gave, after `output:`.
        output: Json,
        /// It is undone when the run fails.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        undo: bool,
    },
    /// An attempt failed; the step is tried again after a pause.
    AttemptFailed {
        /// Which.
        path: StepPath,
        /// Which attempt.
        attempt: u32,
        /// Why.
        error: CallError,
        /// The script call whose failure ended it: repeated by the next attempt.
        call: Option<u32>,
    },
    /// A step failed for good and its `on_error` says what follows.
    StepFailed {
        /// Which.
        path: StepPath,
        /// Why.
        error: CallError,
        /// The script call whose failure ended it: repeated when a person retries.
        call: Option<u32>,
        /// Its `on_error` lets the run go on; otherwise a person's retry begins it again.
        handled: bool,
    },
    /// A call's outcome cannot be known.
    StepUnknown {
        /// Which.
        path: StepPath,
        /// Which call.
        index: u32,
        /// What is known, in words for people.
        message: String,
    },
    /// The run waits for a person.
    RunParked {
        /// Why.
        error: RunError,
    },
    /// A person said to go on; of a run that moves: to make its deferred calls now.
    RunRetried {
        /// Who.
        by: String,
        /// Raised when calls must not keep their old identity.
        generation: u32,
        /// Calls whose outcome is unknown are made without finding out first.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        repeat_unknown: bool,
        /// From here on the event's data is this, and the run begins anew under the raised generation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<Json>,
        /// Failed iterations of loops that went on, such as `each[3]`: they begin again at the step that failed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        iterations: Vec<StepPath>,
    },
    /// A person said what a call did whose outcome was unknown. Also of a failed run, before it is retried.
    OutcomeGiven {
        /// The calling step.
        path: StepPath,
        /// Which call.
        index: u32,
        /// Who.
        by: String,
        /// It happened; otherwise it did not, and may be made under the same identity.
        happened: bool,
        /// What it gave, where it happened and the person said.
        #[serde(default, skip_serializing_if = "Json::is_null")]
        result: Json,
    },
    /// A person gave a parked run up: it fails.
    FailRequested {
        /// Who.
        by: String,
        /// Why, in their words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A person asked to end it.
    CancelRequested {
        /// Who.
        by: String,
    },
    /// A person's end of the run is answered: `on_cancel` runs.
    CancelHandling {
        /// Why.
        error: RunError,
    },
    /// Main steps are over, badly: what succeeded is undone, the last first.
    UndoHandling {
        /// Why.
        error: RunError,
    },
    /// Main steps and undos are over, badly; `on_failure` runs.
    FailureHandling {
        /// Why.
        error: RunError,
        /// Which failure of the run this is: 0 before a person first retried it after such an end.
        #[serde(default, skip_serializing_if = "is_zero")]
        round: u32,
    },
    /// The end. Only `OutcomeGiven` and `RunRetried` may follow, and only after a failure.
    RunFinished {
        /// How.
        status: RunStatus,
        /// `output` of the workflow, or the last step's.
        output: Json,
        /// Why, where it failed.
        error: Option<RunError>,
    },
}

/// For fields that journals of before do not have.
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What a timer is for; with run and path it names the timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TimerKind {
    /// A `sleep` step.
    Sleep,
    /// `clock::sleep` in a script: the call's index.
    Call(u32),
    /// `events::wait_for` gives up: the call's index.
    Wait(u32),
    /// The pause before the next attempt, or before a deferred call is asked for again.
    Retry,
    /// A step's `timeout`.
    StepTimeout,
    /// The run's `timeout`; the path is empty.
    RunTimeout,
    /// A parked run fails by itself; the path is empty.
    ParkExpiry,
    /// A gate's moment: a held group starts its run (the one that the timer names), or what a gate remembers is over. It
    /// is the gate's, not a run's. The path is the name of the gate's record.
    Gate,
    /// A throttled run begins.
    Start,
}
