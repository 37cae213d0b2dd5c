//! `call`, `undo` and `on_cancel`: a child starts once and ends before its caller goes on, what was done is undone once
//! and in reverse, and what a cancelled run has to clean up it does once.

use std::collections::BTreeSet;

use cartwright_core::{
    id::StepPath,
    run::{
        apply::fold,
        entry::{Entry, What},
        row::{RunRow, RunStatus},
    },
};

use super::{effect, number_of, runs_of};
use crate::life::History;

pub(super) const TEXTS: &[(&str, &str)] = &[
    (
        "caller",
        r#"
on: { event: [call.go] }
undo_on_failure: true
grants: { http: ["sink.example.com"] }
retry: { attempts: 40, initial: 100ms, factor: 2, max: 5s }
steps:
  - id: each
    for_each: "[1, 2]"
    parallel: 2
    steps:
      - id: hold
        http: POST http://sink.example.com/
        body: { effect: "hold${{ item }}-${{ event.data.n }}" }
        IDEMPOTENT
        undo:
          http: POST http://sink.example.com/
          body: { effect: "unhold${{ item }}-${{ event.data.n }}" }
          retry: { attempts: 40, initial: 100ms, factor: 2, max: 5s }
          UNDOES
  - id: third
    http: POST http://sink.example.com/
    body: { effect: "hold3-${{ event.data.n }}" }
    IDEMPOTENT
    undo:
      script: |
        http::post("http://sink.example.com/", #{ effect: "unhold3-" + event.data.n }OPTIONS)
      retry: { attempts: 40, initial: 100ms, factor: 2, max: 5s }
  - id: loose
    call: part
    await: false
    with: { n: "${{ event.data.n + 100 }}", fails: false }
  - id: own
    call: part
    with: { n: "${{ event.data.n }}", fails: "${{ event.data.fails }}" }
    timeout: 1h
on_failure:
  - http: POST http://sink.example.com/
    body: { effect: "callfailed-${{ event.data.n }}" }
    IDEMPOTENT
on_cancel:
  - http: POST http://sink.example.com/
    body: { effect: "callcancel-${{ event.data.n }}" }
    IDEMPOTENT
"#,
    ),
    (
        "part",
        r#"
on: { manual: { inputs: { n: { type: integer, required: true }, fails: { type: boolean, default: false } } } }
concurrency: { limit: 2, scope: workflow }
grants: { http: ["sink.example.com"] }
retry: { attempts: 40, initial: 100ms, factor: 2, max: 5s }
steps:
  - http: POST http://sink.example.com/
    body: { effect: "child-${{ inputs.n }}" }
    IDEMPOTENT
  - sleep: 2s
  - if: inputs.fails
    fail: as wanted
output: inputs.n
on_cancel:
  - http: POST http://sink.example.com/
    body: { effect: "childcancel-${{ inputs.n }}" }
    IDEMPOTENT
"#,
    ),
];

/// Codes with which runs fail that nobody gave up.
pub(super) fn may_fail(history: &History, row: &RunRow, code: &str) -> bool {
    match row.workflow.as_str() {
        "caller" => {
            let child_fails = number_of(history, row).is_some_and(|number| number.is_multiple_of(3));
            // A person may have retried it since, and then it succeeded.
            let ended_badly = |entry: &Entry| match &entry.what {
                What::RunFinished { status, .. } => *status != RunStatus::Succeeded,
                _ => false,
            };
            let child_may = runs_of(history, "part")
                .any(|(_, journal)| parent(journal) == Some(row.id.as_str()) && journal.iter().any(ended_badly));
            (code == "call_failed" && (child_fails || child_may))
                || ["call_cancelled", "timeout", "step_timeout"].contains(&code)
        }
        // As its caller wanted, or for want of its caller.
        "part" => code == "fail" || code == "failed",
        _ => false,
    }
}

fn parent(journal: &[Entry]) -> Option<&str> {
    match &journal.first()?.what {
        What::RunStarted { parent, .. } => parent.as_ref().map(|parent| parent.run.as_str()),
        _ => None,
    }
}

pub(super) fn check(history: &History) -> Vec<String> {
    let mut wrong = Vec::new();
    for (row, journal) in runs_of(history, "caller") {
        wrong.extend(children_are_there(history, row, journal));
        wrong.extend(undone_in_reverse(row, journal));
        wrong.extend(nothing_is_left_undone(row, journal));
        wrong.extend(effects_fit(history, row, journal));
    }
    wrong.extend(children_do_their_part(history));
    wrong
}

fn children_are_there(history: &History, row: &RunRow, journal: &[Entry]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for entry in journal {
        let What::ChildStarted { run, awaited, path, .. } = &entry.what else { continue };
        if !seen.insert(run) {
            wrong.push(format!("{}: {run} was started twice", row.id));
        }
        let child = history.runs.iter().find(|(child, _)| child.id == *run).map(|(child, _)| child);
        let Some(child) = child else {
            wrong.push(format!("{}: {run} of `{path}` is not there", row.id));
            continue;
        };
        if *awaited && row.status.is_ended() && child.retries == 0 && !child.status.is_ended() {
            wrong.push(format!("{} ended, and {run}, for which it waited, is {:?}", row.id, child.status));
        }
        let before = child.finished.zip(row.finished).is_some_and(|(child, parent)| child <= parent);
        let last = journal.iter().rev().find_map(|entry| match &entry.what {
            What::ChildStarted { run, awaited: true, .. } => Some(run),
            _ => None,
        });
        let needed = *awaited && row.status == RunStatus::Succeeded && last == Some(run);
        if needed && (!before || child.status != RunStatus::Succeeded) {
            wrong.push(format!("{} succeeded before {run}, which is {:?}", row.id, child.status));
        }
    }
    wrong
}

/// Within a generation, what is undone was done, and what was done later is undone earlier; nothing is undone twice.
fn undone_in_reverse(row: &RunRow, journal: &[Entry]) -> Vec<String> {
    let (mut wrong, mut done, mut generation): (_, Vec<StepPath>, _) = (Vec::new(), Vec::new(), 0);
    for entry in journal {
        match &entry.what {
            What::RunRetried { generation: now, .. } if *now != generation => {
                done.clear();
                generation = *now;
            }
            What::StepSucceeded { path, undo: true, .. } => done.push(path.clone()),
            What::StepSucceeded { path, .. } => {
                let Some(step) = path.as_str().strip_prefix("undo/") else { continue };
                match done.iter().rposition(|one| one.as_str() == step) {
                    // What was done after it can be undone no more.
                    Some(at) => done.truncate(at),
                    None => wrong.push(format!("{}: `{step}` is undone twice or out of turn", row.id)),
                }
            }
            _ => {}
        }
    }
    wrong
}

fn nothing_is_left_undone(row: &RunRow, journal: &[Entry]) -> Option<String> {
    let given_up = journal.iter().any(|entry| matches!(entry.what, What::FailRequested { .. }));
    if row.status != RunStatus::Failed || given_up {
        return None;
    }
    let state = fold(journal).ok().flatten()?;
    let left: Vec<_> = state.undos.left().collect();
    (!left.is_empty()).then(|| format!("{} failed and did not undo {left:?}", row.id))
}

fn effects_fit(history: &History, row: &RunRow, journal: &[Entry]) -> Vec<String> {
    let Some(number) = number_of(history, row) else { return Vec::new() };
    let count = |wanted: fn(&What) -> bool| journal.iter().filter(|entry| wanted(&entry.what)).count();
    let generations = 1 + journal.iter().filter_map(|entry| generation(&entry.what)).max().unwrap_or(0) as usize;
    let mut wrong = Vec::new();
    let mut at_most = |label: String, most: usize| {
        let (times, keys) = effect(history, &label);
        if times != keys as u64 || keys > most {
            wrong.push(format!("{label} happened {times} times under {keys} keys, of {most}"));
        }
        times > 0
    };
    let mut all = true;
    for name in ["hold1", "hold2", "hold3"] {
        all &= at_most(format!("{name}-{number}"), generations);
        let undone = at_most(format!("un{name}-{number}"), generations);
        let fine = !undone || count(|what| matches!(what, What::UndoHandling { .. })) > 0;
        if !fine {
            all = false;
        }
    }
    at_most(format!("callfailed-{number}"), count(|what| matches!(what, What::FailureHandling { .. })));
    at_most(format!("callcancel-{number}"), count(|what| matches!(what, What::CancelHandling { .. })));
    if row.status == RunStatus::Succeeded && !all {
        wrong.push(format!("{} succeeded without its effects, or undid some without failing", row.id));
    }
    wrong
}

fn generation(what: &What) -> Option<u32> {
    if let What::RunRetried { generation, .. } = what { Some(*generation) } else { None }
}

/// The number that a child was called with is in the name of its effect.
fn children_do_their_part(history: &History) -> Vec<String> {
    let mut wrong = Vec::new();
    for (_, number) in history.parts.accepted.keys().filter(|(topic, _)| *topic == "call.go") {
        for called in [*number, number + 100] {
            let mut most = 0;
            for (row, journal) in runs_of(history, "part") {
                let data = history.events.iter().find(|stored| stored.event.id == row.event);
                let data =
                    data.and_then(|stored| serde_json::from_str::<serde_json::Value>(stored.event.data.get()).ok());
                if data.is_some_and(|data| data["n"] == called) {
                    most += 1 + journal.iter().filter_map(|entry| generation(&entry.what)).max().unwrap_or(0) as usize;
                }
            }
            for name in ["child", "childcancel"] {
                let (times, keys) = effect(history, &format!("{name}-{called}"));
                if times != keys as u64 || keys > most {
                    wrong.push(format!("{name}-{called} happened {times} times under {keys} keys, of {most}"));
                }
            }
        }
    }
    wrong
}
