//! The types a workflow file becomes. A value of [`Workflow`] is valid: every key was understood, every id is unique.

mod code;
mod trigger;
mod granted;
mod step;

use std::{ops::Range, time::Duration};

use crate::id::{Version, WorkflowId};

pub use code::*;
pub use granted::*;
pub use step::*;
pub use trigger::*;

/// Bytes of the workflow file, for diagnostics.
pub type Span = Range<usize>;

/// One version of one workflow.
#[derive(Debug, Clone)]
pub struct Workflow {
    /// Its path below the workflows folder.
    pub id: WorkflowId,
    /// The hash of the file and of every script file it names.
    pub version: Version,
    /// `name`
    pub name: Option<String>,
    /// `description`
    pub description: Option<String>,
    /// `enabled`, true when absent: a disabled workflow starts no runs, those that run go on.
    pub enabled: bool,
    /// `on`
    pub triggers: Vec<Trigger>,
    /// `if`, for all triggers
    pub condition: Option<Expression>,
    /// `inputs`, or those of `manual`; `None`: it declares none.
    pub inputs: Option<Vec<crate::workflow::InputSpec>>,
    /// `vars`: a map, evaluated once when the run starts, with `event`, `store` and `run` in scope
    pub vars: Template,
    /// `grants`
    pub grants: Grants,
    /// Where each of them stands.
    pub grant_places: Vec<GrantPlace>,
    /// `concurrency`
    pub concurrency: Option<Concurrency>,
    /// `retry` for steps that have none
    pub retry: Option<RetryPolicy>,
    /// `timeout` of the whole run's main steps
    pub timeout: Option<Duration>,
    /// `on_unknown` for steps that have none
    pub on_unknown: OnUnknown,
    /// `steps`
    pub steps: Block,
    /// `on_failure`
    pub on_failure: Block,
    /// `on_cancel`: before a run that a person ended is over
    pub on_cancel: Block,
    /// `undo_on_failure`: what succeeded is undone before `on_failure`
    pub undo_on_failure: bool,
    /// `output`: what the run gives
    pub output: Option<Expression>,
}

/// How many runs move at once.
#[derive(Debug, Clone)]
pub struct Concurrency {
    /// Runs with the same key share slots; `None`: all runs of the workflow.
    pub key: Option<Template>,
    /// How many hold a slot at once.
    pub limit: u32,
    /// What a run does that finds no free slot.
    pub on_limit: OnLimit,
    /// How many may wait; `None`: any number.
    pub queue_max: Option<u32>,
    /// Who shares slots.
    pub scope: SlotScope,
    /// Whether a run keeps its slot while it waits for a time, an event, a person or a store.
    pub hold_while_waiting: bool,
}

/// What a run does that finds no free slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnLimit {
    /// It waits for its turn.
    Queue,
    /// It ends as cancelled.
    Skip,
    /// It cancels those before it and waits until they are over.
    Replace,
    /// It ends as failed.
    Fail,
}

/// Who shares slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotScope {
    /// Runs of one store.
    Store,
    /// All runs of the workflow.
    Workflow,
}

/// Steps run one after another.
pub type Block = Vec<Step>;
