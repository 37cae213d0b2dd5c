//! Which items a fact makes: an accepted event, a committed batch, a store that is away.

use std::collections::HashMap;

use cartwright_core::{
    Json,
    event::{Event, MatchOutcome, Source},
    id::{RunId, StepPath, StoreId},
    run::{
        entry::{Entry, What},
        row::{RunRow, RunStatus},
    },
    time::Timestamp,
};
use cartwright_storage::{Batch, RunWrite};
use parking_lot::Mutex;
use serde_json::json;

use super::{
    Gated,
    files::WorkflowNews,
    health::Change,
    item::{LiveItem, LiveKind},
};

/// Runs whose status is remembered. One more, and all are forgotten: some statuses are then told twice.
const RUNS_SHOWN_MAX: usize = 65_536;

/// The status that each run had when it was last told, so that a commit that changes none tells none.
#[derive(Default)]
pub(super) struct Shown(Mutex<HashMap<RunId, RunStatus>>);

impl Shown {
    /// Nobody listened for a while: what was told is out of date.
    pub(super) fn forget(&self) {
        self.0.lock().clear();
    }

    /// Whether this was not told yet.
    fn is_news(&self, run: &RunId, status: RunStatus) -> bool {
        let mut shown = self.0.lock();
        if status.is_ended() {
            return shown.remove(run) != Some(status);
        }
        if shown.len() >= RUNS_SHOWN_MAX {
            shown.clear();
        }
        shown.insert(run.clone(), status) != Some(status)
    }
}

/// An accepted event, without what it carries.
pub(super) fn of_event(event: &Event) -> LiveItem {
    let mut item = LiveItem::new(LiveKind::Event, event.time, "accepted");
    item.store.clone_from(&event.store);
    item.workflow = event.source.workflow().cloned();
    item.event = Some(event.id.clone());
    item.topic = Some(event.topic.clone());
    let source = match &event.source {
        Source::Woo { .. } => "woo",
        Source::Http { .. } => "http",
        Source::Schedule { .. } => "schedule",
        Source::Emit { .. } => "emit",
        Source::Call { .. } => "call",
        Source::Api => "api",
        Source::Manual { .. } => "manual",
        Source::Replay { .. } => "replay",
    };
    item.data = json!({ "source": source, "hops": event.hops });
    item
}

/// What a gate made of an event; `None`: it let it through.
pub(super) fn of_gate(now: Timestamp, told: &Gated) -> Option<LiveItem> {
    let (status, run, data) = match &told.one.outcome {
        MatchOutcome::Duplicate { of, run, until } => ("duplicate", run.as_ref(), json!({ "of": of, "until": until })),
        MatchOutcome::Merged { run, until } => ("merged", run.as_ref(), json!({ "until": until })),
        MatchOutcome::Collected { run, until } => ("collected", Some(run), json!({ "until": until })),
        MatchOutcome::Delayed { run, until } => ("delayed", Some(run), json!({ "until": until })),
        MatchOutcome::Dropped { gate, reason } => ("dropped", None, json!({ "gate": gate, "reason": reason })),
        _ => return None,
    };
    let mut item = LiveItem::new(LiveKind::Event, now, status);
    item.store.clone_from(&told.store);
    item.workflow = Some(told.one.workflow.clone());
    item.event = Some(told.event.clone());
    item.run = run.cloned();
    item.data = data;
    Some(item)
}

/// A store that went away, or is back.
pub(super) fn of_store(now: Timestamp, store: &StoreId, change: Change) -> LiveItem {
    let (status, data) = match change {
        Change::Back => ("reachable", json!({})),
        Change::Away { code, message } => ("unreachable", json!({ "error": { "code": code, "message": message } })),
    };
    let mut item = LiveItem::new(LiveKind::Store, now, status);
    item.store = Some(store.clone());
    item.data = data;
    item
}

/// What became of a workflow file.
pub(super) fn of_workflow(now: Timestamp, news: WorkflowNews) -> LiveItem {
    let mut item = LiveItem::new(LiveKind::Workflow, now, news.change.as_str());
    item.workflow = news.workflow;
    item.data = json!({ "file": news.file });
    if let Some(version) = news.version {
        item.data["version"] = json!(version);
    }
    if let Some(error) = news.error {
        item.data["error"] = json!({ "message": error });
    }
    item
}

/// What a committed batch says about runs.
pub(super) fn of_batch(batch: &Batch, shown: &Shown) -> Vec<LiveItem> {
    batch.runs.iter().flat_map(|write| of_write(write, shown)).collect()
}

/// A run's beginning, what its steps did, and where it is now, in this order. A run that moves says so before its steps do.
fn of_write(write: &RunWrite, shown: &Shown) -> Vec<LiveItem> {
    let RunWrite { row, append, .. } = write;
    let mut items = Vec::with_capacity(append.len() + 1);
    let begins = matches!(append.first().map(|entry| &entry.what), Some(What::RunStarted { .. }));
    let moves = matches!(row.status, RunStatus::Running);
    let opening = match row.status {
        RunStatus::Queued => RunStatus::Queued,
        _ => RunStatus::Running,
    };
    if begins || moves {
        tell(&mut items, row, opening, begins.then_some(row.started).or_else(|| time(append)), shown);
    }
    items.extend(append.iter().filter_map(|entry| of_entry(row, entry)));
    tell(&mut items, row, row.status, time(append), shown);
    items
}

fn tell(items: &mut Vec<LiveItem>, row: &RunRow, status: RunStatus, at: Option<Timestamp>, shown: &Shown) {
    if shown.is_news(&row.id, status) {
        items.push(of_run(row, status, at.unwrap_or(row.started)));
    }
}

fn time(append: &[Entry]) -> Option<Timestamp> {
    append.last().map(|entry| entry.at)
}

fn of_run(row: &RunRow, status: RunStatus, at: Timestamp) -> LiveItem {
    let mut item = about(row, LiveKind::Run, at, status.as_str());
    let mut data = json!({ "started": row.started, "retries": row.retries });
    if status == row.status {
        if let Some(finished) = row.finished {
            data["finished"] = json!(finished);
        }
        if let Some(error) = &row.error {
            data["error"] = json!(error);
        }
    }
    item.data = data;
    item
}

/// What an entry says about a step, if it does. Outputs, calls and their arguments stay in the journal.
fn of_entry(row: &RunRow, entry: &Entry) -> Option<LiveItem> {
    let step = |path: &StepPath, status, data: Json| {
        let mut item = about(row, LiveKind::Step, entry.at, status);
        item.data = data;
        item.data["step"] = json!(path);
        Some(item)
    };
    match &entry.what {
        What::StepStarted { path, attempt, kind } => step(path, "running", json!({ "type": kind, "attempt": attempt })),
        What::AttemptFailed { path, attempt, error, .. } => step(
            path,
            "waiting",
            json!({ "attempt": attempt, "error": { "code": error.code, "message": error.message } }),
        ),
        What::StepSucceeded { path, .. } => step(path, "succeeded", json!({})),
        What::StepFailed { path, error, handled, .. } => step(
            path,
            "failed",
            json!({ "handled": handled, "error": { "code": error.code, "message": error.message } }),
        ),
        What::StepUnknown { path, message, .. } => {
            step(path, "unknown", json!({ "error": { "code": "unknown", "message": message } }))
        }
        What::ApprovalAsked { path, question, by, due } => {
            step(path, "waiting", json!({ "approval": { "question": question, "by": by, "due": due } }))
        }
        What::ApprovalGiven { path, approved, by, comment } => {
            step(path, "running", json!({ "approval": { "approved": approved, "by": by, "comment": comment } }))
        }
        What::Responded { path, answer } => step(path, "running", json!({ "answered": answer.status })),
        What::StepSkipped { path } => step(path, "skipped", json!({})),
        // As the run's history shows it: it may begin again, unless the run is over.
        What::OutcomeGiven { path, index, happened, .. } => {
            let status = if row.status.is_ended() { "cancelled" } else { "waiting" };
            step(path, status, json!({ "call": index, "happened": happened }))
        }
        _ => None,
    }
}

fn about(row: &RunRow, kind: LiveKind, at: Timestamp, status: &'static str) -> LiveItem {
    let mut item = LiveItem::new(kind, at, status);
    item.store.clone_from(&row.store);
    item.workflow = Some(row.workflow.clone());
    item.run = Some(row.id.clone());
    item.event = Some(row.event.clone());
    item
}
