//! A run's steps as people see them, read off its journal in the order they began.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Json,
    call::{CallError, CallOutcome, ErrorClass},
    id::StepPath,
    run::{
        child::CALL_FUNCTION,
        entry::{Entry, TimerKind, What},
    },
    time::Timestamp,
};

/// A step in a run's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StepView {
    /// Its path.
    pub id: StepPath,
    /// `script`, `http`, … as in the workflow file.
    pub kind: String,
    /// Where it is.
    pub status: StepStatus,
    /// How many attempts there were.
    pub attempts: u32,
    /// What it gave.
    pub output: Json,
    /// Why it failed, or why its last attempt did.
    pub error: Option<CallError>,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// When it goes on, where it waits for a time.
    pub waits_until: Option<Timestamp>,
    /// The calls it made.
    pub calls: Vec<CallView>,
}

/// A call in a step's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CallView {
    /// Host function.
    pub function: String,
    /// One line for people, where there was an intent.
    pub summary: String,
    /// `intended`, `deferred`, `ok` or `failed`.
    pub status: String,
}

/// Where a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum StepStatus {
    Running,
    Waiting,
    Succeeded,
    Failed,
    Skipped,
    Unknown,
    Cancelled,
}

impl StepStatus {
    /// The word that people and storage use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Unknown => "unknown",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The steps of a journal.
pub fn steps(journal: &[Entry]) -> Vec<StepView> {
    let mut all = Steps::default();
    for entry in journal {
        all.take(&entry.what, entry.at);
    }
    all.list
}

#[derive(Default)]
struct Steps {
    list: Vec<StepView>,
    by_path: BTreeMap<StepPath, usize>,
    /// The run ended and was not retried since.
    over: bool,
    generation: u32,
}

impl Steps {
    fn take(&mut self, what: &What, at: Timestamp) {
        match what {
            What::StepStarted { path, attempt, kind } => {
                let step = self.open(path, at);
                kind.clone_into(&mut step.kind);
                step.attempts = *attempt;
                step.status = StepStatus::Running;
                step.waits_until = None;
                step.finished = None;
            }
            What::StepSkipped { path } => self.end(path, at, StepStatus::Skipped),
            What::StepSucceeded { path, output, .. } => {
                self.end(path, at, StepStatus::Succeeded);
                let step = self.open(path, at);
                step.output = output.clone();
                step.error = None;
            }
            What::StepFailed { path, error, .. } => {
                self.end(path, at, StepStatus::Failed);
                self.open(path, at).error = Some(error.clone());
            }
            What::StepUnknown { path, message, .. } => {
                self.end(path, at, StepStatus::Unknown);
                self.open(path, at).error = Some(CallError::r#final("unknown", message.clone()));
            }
            What::AttemptFailed { path, error, .. } => {
                let step = self.open(path, at);
                step.error = Some(error.clone());
                step.status = StepStatus::Waiting;
            }
            What::TimerSet { path, timer, due } if self.by_path.contains_key(path) && !is_deadline(*timer) => {
                let step = self.open(path, at);
                step.status = StepStatus::Waiting;
                step.waits_until = Some(*due);
            }
            What::TimerFired { path, timer } if self.by_path.contains_key(path) && !is_deadline(*timer) => {
                let step = self.open(path, at);
                step.status = StepStatus::Running;
                step.waits_until = None;
            }
            What::CallIntended { path, index, function, summary, .. } => {
                self.call(path, at, *index, function, summary, "intended");
            }
            What::ChildStarted { path, run, workflow, awaited, .. } => {
                let status = if *awaited { "intended" } else { "ok" };
                self.call(path, at, 0, CALL_FUNCTION, &format!("call {workflow}: {run}"), status);
                self.open(path, at).status = StepStatus::Waiting;
            }
            What::WaitSet { path, index, function, topic, .. } => {
                self.call(path, at, *index, function, topic, "intended");
                self.open(path, at).status = StepStatus::Waiting;
            }
            What::ApprovalAsked { path, question, .. } => {
                self.call(path, at, 0, "approve", question, "intended");
                self.open(path, at).status = StepStatus::Waiting;
            }
            What::ApprovalGiven { path, .. } => self.call(path, at, 0, "approve", "", "ok"),
            What::CallDeferred { path, index, error } => {
                let step = self.open(path, at);
                step.error = Some(error.clone());
                step.status = StepStatus::Waiting;
                step.mark(*index, "deferred");
            }
            What::CallRepeated { path, index, .. } => {
                let step = self.open(path, at);
                step.status = StepStatus::Running;
                step.waits_until = None;
                step.mark(*index, "intended");
            }
            What::CallResolved { path, index, function, outcome, .. } => {
                let status = if matches!(outcome, CallOutcome::Ok(_)) { "ok" } else { "failed" };
                self.call(path, at, *index, function, "", status);
                let step = self.open(path, at);
                step.status = StepStatus::Running;
                step.waits_until = None;
                step.error.take_if(|error| error.class == ErrorClass::Deferred);
            }
            What::OutcomeGiven { path, index, happened, .. } => {
                let status = if self.over { StepStatus::Cancelled } else { StepStatus::Waiting };
                let step = self.open(path, at);
                step.status = status;
                step.error = None;
                step.mark(*index, if *happened { "ok" } else { "failed" });
            }
            // It begins anew; what was before stays in the journal.
            What::RunRetried { generation, .. } if *generation != self.generation => {
                *self = Self { generation: *generation, ..Self::default() };
            }
            What::RunRetried { .. } => self.over = false,
            // What was under way was stopped.
            What::CancelHandling { .. } | What::UndoHandling { .. } | What::FailureHandling { .. } => {
                self.close_all(at);
            }
            What::RunFinished { .. } => {
                self.over = true;
                self.close_all(at);
            }
            _ => {}
        }
    }

    fn open(&mut self, path: &StepPath, at: Timestamp) -> &mut StepView {
        let index = *self.by_path.entry(path.clone()).or_insert_with(|| {
            self.list.push(StepView {
                id: path.clone(),
                kind: String::new(),
                status: StepStatus::Running,
                attempts: 0,
                output: Json::Null,
                error: None,
                started: at,
                finished: None,
                waits_until: None,
                calls: Vec::new(),
            });
            self.list.len() - 1
        });
        &mut self.list[index]
    }

    fn end(&mut self, path: &StepPath, at: Timestamp, status: StepStatus) {
        let step = self.open(path, at);
        step.status = status;
        step.finished = Some(at);
        step.waits_until = None;
    }

    fn call(&mut self, path: &StepPath, at: Timestamp, index: u32, function: &str, summary: &str, status: &str) {
        let calls = &mut self.open(path, at).calls;
        let index = index as usize;
        match calls.get_mut(index) {
            Some(call) if call.function == function => status.clone_into(&mut call.status),
            _ => {
                // A repeated call takes the place of the one that failed.
                calls.truncate(index);
                let (function, summary, status) = (function.to_owned(), summary.to_owned(), status.to_owned());
                calls.push(CallView { function, summary, status });
            }
        }
    }

    /// A run that ended left these where they were; a call without an outcome may have happened.
    fn close_all(&mut self, at: Timestamp) {
        for step in &mut self.list {
            if matches!(step.status, StepStatus::Running | StepStatus::Waiting) {
                let open = step.calls.iter().any(|call| call.status == "intended" && acts_outside(&call.function));
                step.status = if open { StepStatus::Unknown } else { StepStatus::Cancelled };
                step.finished = Some(at);
            }
        }
    }
}

impl StepView {
    fn mark(&mut self, index: u32, status: &str) {
        if let Some(call) = self.calls.get_mut(index as usize) {
            status.clone_into(&mut call.status);
        }
    }
}

/// Whether a call that was asked for and not answered leaves a doubt.
pub(super) fn acts_outside(function: &str) -> bool {
    function.starts_with("http::") || function.starts_with("woo::") && !matches!(function, "woo::get" | "woo::all")
}

fn is_deadline(timer: TimerKind) -> bool {
    matches!(timer, TimerKind::StepTimeout | TimerKind::RunTimeout | TimerKind::ParkExpiry | TimerKind::Start)
}
