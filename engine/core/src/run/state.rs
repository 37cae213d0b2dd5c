//! What a run's journal amounts to. Comes only out of [`apply`](super::apply::apply); nothing else changes it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::value::RawValue;

use crate::{
    Json,
    call::{CallError, CallOutcome, idempotency_key},
    evaluate::Prepared,
    id::{EventId, RunId, StepPath, StoreId, Version, WorkflowId},
    run::{
        approval::Approval,
        child::Parent,
        doubt::Doubts,
        entry::TimerKind,
        iteration::FailedIteration,
        row::{RunError, RunRow, RunStatus},
        stage::Stage,
        unanswered::Unanswered,
        undo::Undos,
    },
    shard::ShardId,
    slots::Slot,
    time::Timestamp,
};

/// A run, folded from its journal.
#[derive(Debug)]
pub struct RunState {
    /// Its id.
    pub run: RunId,
    /// What it runs.
    pub workflow: WorkflowId,
    /// Pinned.
    pub version: Version,
    /// What started it.
    pub event: EventId,
    /// All events of a `collect`; empty: the run has one event.
    pub events: Vec<EventId>,
    /// The event's store.
    pub store: Option<StoreId>,
    /// Who owns it.
    pub shard: ShardId,
    /// The event's hop count.
    pub hops: u32,
    /// The run that called it.
    pub parent: Option<Parent>,
    /// The runs that its steps wait for.
    pub children: BTreeMap<StepPath, RunId>,
    /// When it was created.
    pub started: Timestamp,
    /// How many entries the journal has.
    pub len: u64,
    /// Part of the identity of its calls.
    pub generation: u32,
    /// The event's data as a person gave it for this run; `None`: as it came.
    pub input: Option<Arc<RawValue>>,
    /// Calls that may have happened although nobody saw an answer.
    pub unanswered: Unanswered,
    /// The `respond` step that answered a synchronous caller.
    pub responded: Option<StepPath>,
    /// How often a person retried it.
    pub retries: u32,
    /// How often a person retried it after it had failed for good, `on_failure` included.
    pub revivals: u32,
    /// Which failure `on_failure` handles, or handled last: part of the identity of its calls, so that those of a later
    /// failure are not taken for those of an earlier one.
    pub round: u32,
    /// `vars`, once evaluated.
    pub vars: Option<Arc<Prepared>>,
    /// Steps that were begun or skipped, by path; those of an ended iteration are folded into their loop.
    pub steps: BTreeMap<StepPath, StepState>,
    /// Iterations that failed in loops that went on, by path (`each[3]`), as long as one can be retried alone.
    pub failed_iterations: BTreeMap<StepPath, FailedIteration>,
    /// What expressions see of the steps outside loops, by id.
    pub visible: BTreeMap<String, Arc<Prepared>>,
    /// Timers that are set.
    pub timers: BTreeMap<(StepPath, TimerKind), Timestamp>,
    /// Waits for events that are registered.
    pub waits: BTreeSet<(StepPath, u32)>,
    /// What people were asked, and what they answered.
    pub approvals: BTreeMap<StepPath, Approval>,
    /// Calls that may have reached the other side although their answer is not known.
    pub doubts: Doubts,
    /// What can be taken back, and what was.
    pub undos: Undos,
    /// `run` as expressions see it: `{id, workflow, retries, started}`.
    pub view: Arc<Prepared>,
    /// Its slot, where its workflow says how many runs move at once.
    pub slot: Slot,
    /// It asked for a slot before, so it was admitted once.
    pub slot_asked: bool,
    /// Where the run as a whole is.
    pub phase: Phase,
}

/// Where a run as a whole is.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// On its main steps.
    Main,
    /// Waits for a person; `failure` when it was parked after its main steps.
    Parked {
        /// Why.
        error: RunError,
        /// Why it left its main steps.
        failure: Option<RunError>,
        /// The part that it goes on with.
        stage: Stage,
    },
    /// Takes back what its steps did.
    Undoing {
        /// Why.
        error: RunError,
    },
    /// On its `on_failure` steps.
    Failing {
        /// Why.
        error: RunError,
    },
    /// On its `on_cancel` steps.
    Cancelling {
        /// Who ended it.
        error: RunError,
    },
    /// Over.
    Ended {
        /// How.
        status: RunStatus,
        /// When.
        at: Timestamp,
        /// What it gave.
        output: Json,
        /// Why it failed.
        error: Option<RunError>,
    },
}

/// Where a step is; each state carries only what exists in it.
#[derive(Debug)]
pub enum StepState {
    /// Its `if` was false.
    Skipped,
    /// Begun.
    Active(Active),
    /// Waits for its next attempt.
    Retrying {
        /// How many attempts there were.
        attempt: u32,
        /// How many since a person last retried the run.
        tries: u32,
        /// What failed.
        error: CallError,
        /// Resolved calls the next attempt keeps.
        calls: Vec<CallState>,
    },
    /// May begin again: a person retried the run.
    Reopened {
        /// How many attempts there were.
        attempt: u32,
        /// Resolved calls the next attempt keeps.
        calls: Vec<CallState>,
    },
    /// Ended well.
    Succeeded {
        /// How many attempts it took.
        attempt: u32,
        /// `{status, output}` as expressions see it.
        result: Arc<Prepared>,
    },
    /// Ended badly.
    Failed {
        /// How many attempts there were.
        attempt: u32,
        /// Why.
        error: CallError,
        /// Resolved calls a retry keeps.
        calls: Vec<CallState>,
        /// Its `on_error` lets the run go on.
        handled: bool,
    },
    /// Made a call whose outcome cannot be known.
    Unknown {
        /// How many attempts there were.
        attempt: u32,
        /// Which call.
        index: u32,
        /// What is known.
        message: String,
        /// Calls before it.
        calls: Vec<CallState>,
        /// The call itself.
        asked: Option<Box<CallState>>,
    },
}

/// A step that was begun and has not ended.
#[derive(Debug)]
pub struct Active {
    /// From 1.
    pub attempt: u32,
    /// Attempts since a person last retried the run, from 1.
    pub tries: u32,
    /// The calls it made, by index.
    pub calls: Vec<CallState>,
    /// What a container step remembers.
    pub inner: Inner,
    /// When this attempt began.
    pub begun: Timestamp,
}

/// What a container step remembers.
#[derive(Debug)]
pub enum Inner {
    /// Not a container, or not yet entered.
    None,
    /// The branch of a choose.
    Branch(Option<u32>),
    /// A loop.
    Loop {
        /// The list.
        items: Vec<Arc<Prepared>>,
        /// What ended iterations gave, by index.
        outputs: BTreeMap<u32, Json>,
    },
    /// Branches side by side; what they came to is in their steps.
    Parallel,
}

/// A call as the journal knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct CallState {
    /// Host function.
    pub function: String,
    /// Function and arguments, hashed.
    pub fingerprint: String,
    /// One line for people, where there was an intent.
    pub summary: String,
    /// May be repeated when its outcome is hidden.
    pub repeatable: bool,
    /// When it was last asked for.
    pub asked: Timestamp,
    /// `None`: intended or waiting.
    pub outcome: Option<CallOutcome>,
    /// It was put off, and has not been answered since.
    pub deferral: Option<Deferral>,
}

/// How a call was put off.
#[derive(Debug, Clone, PartialEq)]
pub struct Deferral {
    /// The first time in a row.
    pub since: Timestamp,
    /// How often in a row.
    pub times: u32,
    /// It was asked for again, and nothing is known of that yet.
    pub asked: bool,
}

impl CallState {
    /// Whether it waits to be asked for again: it is not under way, and was not made by its last try.
    pub fn is_deferred(&self) -> bool {
        self.outcome.is_none() && self.deferral.as_ref().is_some_and(|deferral| !deferral.asked)
    }
}

impl RunState {
    /// `run` as expressions see it.
    pub(super) fn view_of(run: &RunId, workflow: &WorkflowId, retries: u32, started: Timestamp) -> Arc<Prepared> {
        Arc::new(Prepared::new(serde_json::json!({
            "id": run, "workflow": workflow, "retries": retries, "started": started,
        })))
    }

    /// The idempotency key of one of its calls. The first failure's `on_failure` has none but the step's path to tell it
    /// apart, as in journals of before rounds were counted.
    pub fn call_key(&self, path: &StepPath, index: u32) -> String {
        match path.as_str().strip_prefix("on_failure/") {
            Some(rest) if self.round > 0 => {
                let path = StepPath::new(format!("on_failure#{}/{rest}", self.round));
                idempotency_key(&self.run, &path, index, self.generation)
            }
            _ => idempotency_key(&self.run, path, index, self.generation),
        }
    }

    /// The status people see.
    pub fn status(&self) -> RunStatus {
        match &self.phase {
            Phase::Ended { status, .. } => *status,
            Phase::Parked { .. } => RunStatus::Parked,
            _ if self.slot.is_wanted() => RunStatus::Queued,
            Phase::Main if self.steps.is_empty() => RunStatus::Queued,
            _ if self.is_busy() => RunStatus::Running,
            _ => RunStatus::Waiting,
        }
    }

    /// Whether some step is doing something, rather than waiting for a time or an event.
    fn is_busy(&self) -> bool {
        let (mut waits, stage) = (false, self.phase.stage());
        for (path, step) in self.steps.iter().filter(|(path, _)| Some(Stage::of(path)) == stage) {
            match step {
                StepState::Active(active) if !matches!(active.inner, Inner::None) => {}
                StepState::Active(active) if self.is_waiting(path, active) => waits = true,
                StepState::Active(_) | StepState::Reopened { .. } => return true,
                StepState::Retrying { .. } => waits = true,
                _ => {}
            }
        }
        !waits
    }

    /// Whether some step would do something if it were let: its pause is over, or nothing it waits for is left.
    pub(super) fn can_move(&self) -> bool {
        let stage = self.phase.stage();
        let here = |path: &StepPath| Some(Stage::of(path)) == stage;
        let pauses = |path: &StepPath| self.timers.contains_key(&(path.clone(), TimerKind::Retry));
        self.steps.iter().filter(|(path, _)| here(path)).any(|(path, step)| match step {
            StepState::Active(active) if !matches!(active.inner, Inner::None) => false,
            StepState::Active(active) if active.calls.last().is_some_and(CallState::is_deferred) => !pauses(path),
            StepState::Active(active) => !self.is_waiting(path, active),
            StepState::Retrying { .. } => !pauses(path),
            StepState::Reopened { .. } => true,
            _ => false,
        })
    }

    /// Whether a step below a container is doing something, rather than waiting for a time or an event.
    pub fn is_busy_below(&self, container: &StepPath) -> bool {
        let busy = |(path, step): (&StepPath, &StepState)| match step {
            StepState::Active(active) => matches!(active.inner, Inner::None) && !self.is_waiting(path, active),
            _ => false,
        };
        ["[", "."].into_iter().any(|sign| {
            let prefix = format!("{container}{sign}");
            let below = self.steps.range(StepPath::new(prefix.as_str())..);
            below.take_while(|(path, _)| path.as_str().starts_with(&prefix)).any(busy)
        })
    }

    fn is_waiting(&self, path: &StepPath, active: &Active) -> bool {
        let last = active.calls.len().saturating_sub(1) as u32;
        self.timers.contains_key(&(path.clone(), TimerKind::Sleep))
            || self.timers.contains_key(&(path.clone(), TimerKind::Call(last)))
            || self.waits.contains(&(path.clone(), last))
            || self.asks(path)
            || self.children.contains_key(path)
            || active.calls.last().is_some_and(CallState::is_deferred)
    }

    /// Whether a step waits for a person's answer.
    pub fn asks(&self, path: &StepPath) -> bool {
        self.approvals.get(path).is_some_and(|approval| approval.answer.is_none())
    }

    /// What people are asked and have not answered.
    pub fn open_approvals(&self) -> impl Iterator<Item = (&StepPath, &Approval)> {
        self.approvals.iter().filter(|(_, approval)| approval.answer.is_none())
    }

    /// The steps whose call was put off, of those that may move now.
    pub fn deferred(&self) -> impl Iterator<Item = &StepPath> {
        let stage = self.phase.stage();
        let waits = |step: &StepState| match step {
            StepState::Active(active) => active.calls.last().is_some_and(CallState::is_deferred),
            _ => false,
        };
        let here = move |path: &StepPath| Some(Stage::of(path)) == stage;
        self.steps.iter().filter(move |(path, step)| here(path) && waits(step)).map(|(path, _)| path)
    }

    /// Until when `throttle` holds it back; `None`: it does not.
    pub fn delayed_until(&self) -> Option<Timestamp> {
        let start =
            |((_, kind), due): (&(StepPath, TimerKind), &Timestamp)| (*kind == TimerKind::Start).then_some(*due);
        self.timers.iter().find_map(start)
    }

    /// Its calls whose outcome is unknown, by step and index.
    pub fn unknown_calls(&self) -> Vec<(StepPath, u32)> {
        let unknown = |(path, step): (&StepPath, &StepState)| match step {
            StepState::Unknown { index, .. } => Some((path.clone(), *index)),
            _ => None,
        };
        self.steps.iter().filter_map(unknown).collect()
    }

    /// The row that lists show.
    pub fn row(&self) -> RunRow {
        let (finished, error) = match &self.phase {
            Phase::Ended { at, error, .. } => (Some(*at), error.clone()),
            Phase::Parked { error, .. }
            | Phase::Undoing { error }
            | Phase::Failing { error }
            | Phase::Cancelling { error } => (None, Some(error.clone())),
            Phase::Main => (None, None),
        };
        RunRow {
            id: self.run.clone(),
            workflow: self.workflow.clone(),
            version: self.version.clone(),
            status: self.status(),
            store: self.store.clone(),
            event: self.event.clone(),
            shard: self.shard,
            retries: self.retries,
            started: self.started,
            finished,
            error,
            delayed_until: self.delayed_until(),
        }
    }

    /// The calls of a step, whatever state it is in.
    pub fn calls(&self, path: &StepPath) -> &[CallState] {
        match self.steps.get(path) {
            Some(StepState::Active(active)) => &active.calls,
            Some(
                StepState::Retrying { calls, .. }
                | StepState::Reopened { calls, .. }
                | StepState::Failed { calls, .. }
                | StepState::Unknown { calls, .. },
            ) => calls,
            Some(StepState::Skipped | StepState::Succeeded { .. }) | None => &[],
        }
    }
}

impl StepState {
    /// Whether it moves no more by itself.
    pub fn is_ended(&self) -> bool {
        !matches!(self, Self::Active(_) | Self::Retrying { .. } | Self::Reopened { .. })
    }

    /// How many attempts there were.
    pub fn attempt(&self) -> u32 {
        match self {
            Self::Skipped => 0,
            Self::Active(active) => active.attempt,
            Self::Retrying { attempt, .. }
            | Self::Reopened { attempt, .. }
            | Self::Succeeded { attempt, .. }
            | Self::Failed { attempt, .. }
            | Self::Unknown { attempt, .. } => *attempt,
        }
    }
}
