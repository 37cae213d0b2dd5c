//! `cartwright runs`: history, and what people may do about it.

use cartwright_core::{Json, id::RunId, run::entry::Entry};
use serde_json::json;

use super::{Context, anew, bulk, field, operate, time_of};
use crate::{
    cli::{Runs, Selection},
    failure::{Result, bug, not_fine, quiet},
    terminal::{Table, Terminal, Timeline, Tone, ago, one_line, shorten, span, tone_of},
};

pub(super) async fn run(command: Runs, context: &Context) -> Result<()> {
    match command {
        Runs::Ls { workflow, status, store, event, since, until, limit } => {
            let mut query = Vec::new();
            let mut narrow = |key: &'static str, value: Option<String>| query.extend(value.map(|value| (key, value)));
            narrow("workflow", workflow.map(|id| id.to_string()));
            narrow("status", status.map(|status| status.as_str().to_owned()));
            narrow("store", store.map(|id| id.to_string()));
            narrow("event", event.map(|id| id.to_string()));
            narrow("since", since.map(|when| when.resolve(context.now()).to_string()));
            narrow("until", until.map(|when| when.resolve(context.now()).to_string()));
            let session = context.look().await?;
            let runs = session.client.list("/api/v1/runs", &query, limit as usize).await;
            list(&session.end(runs).await?, limit as usize, context)
        }
        Runs::Watch(watch) => super::watch::run(watch, context).await,
        Runs::Show { run } => {
            let shown = fetch(&run, context).await?;
            if context.terminal.json { context.terminal.data(&shown) } else { show(&shown, context) }
        }
        Runs::Retry { which, input: Some(file), .. } => anew::run(&which, &file, context).await,
        Runs::Retry { which, iteration, .. } if !iteration.is_empty() => {
            each(&which.runs, "retry", &json!({ "iterations": iteration }), "goes on", context).await
        }
        Runs::Retry { which, repeat_unknown, .. } => {
            some(which, "retry", &json!({ "repeat_unknown": repeat_unknown }), "goes on", context).await
        }
        Runs::Resolve(resolve) => operate::resolve(resolve, context).await,
        Runs::Fail { which, reason } => some(which, "fail", &json!({ "reason": reason }), "is given up", context).await,
        Runs::Cancel(which) => some(which, "cancel", &json!({}), "is ended", context).await,
    }
}

/// `cartwright replay`: the journal folded entry by entry, as recovery does.
pub(super) async fn replay(run: &RunId, context: &Context) -> Result<()> {
    let shown = fetch(run, context).await?;
    let journal = journal_of(&shown)?;
    if journal.is_empty() {
        return Err(not_fine(format!("{run} has no journal")));
    }
    super::replay::fold(&journal, &field(&shown, "status"), &context.terminal)
}

async fn fetch(run: &RunId, context: &Context) -> Result<Json> {
    let session = context.look().await?;
    let shown = session.client.get(&format!("/api/v1/runs/{run}")).await;
    session.end(shown).await
}

fn list(runs: &[Json], limit: usize, context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    if terminal.json {
        return terminal.data(&runs);
    }
    if runs.is_empty() {
        terminal.note("no runs");
        return Ok(());
    }
    let now = context.now();
    let mut table = Table::new(&["RUN", "WORKFLOW~", "STATUS", "STORE~", "STARTED", "TOOK"]);
    for run in runs {
        let status = field(run, "status");
        table.row(vec![
            (Tone::Plain, field(run, "id")),
            (Tone::Plain, field(run, "workflow")),
            (tone_of(&status), status),
            (Tone::Plain, field(run, "store")),
            (Tone::Plain, time_of(run, "started").map(|time| ago(time, now)).unwrap_or_default()),
            (Tone::Plain, took(run)),
        ]);
        if let Some(why) = error_of(run).or_else(|| delayed(run)) {
            table.below(Tone::Quiet, why);
        }
    }
    terminal.lines(table.lines(terminal));
    if runs.len() == limit {
        terminal.note(format_args!("the newest {limit}; --limit shows more"));
    }
    Ok(())
}

fn delayed(run: &Json) -> Option<String> {
    let until = Some(field(run, "delayed_until")).filter(|until| !until.is_empty())?;
    Some(format!("throttled until {until}"))
}

fn took(run: &Json) -> String {
    match (time_of(run, "started"), time_of(run, "finished")) {
        (Some(started), Some(finished)) => span(finished.since(started)),
        _ => String::new(),
    }
}

/// `tell: shop.example answered 503 (status)`
fn error_of(value: &Json) -> Option<String> {
    match value.get("error")? {
        Json::Null => None,
        Json::Object(error) => {
            let text = |key: &str| error.get(key).and_then(Json::as_str);
            let step = text("step").map(|step| format!("{step}: ")).unwrap_or_default();
            let said = format!("{step}{} ({})", text("message").unwrap_or_default(), text("code").unwrap_or_default());
            Some(one_line(&Json::String(said)))
        }
        other => Some(one_line(other)),
    }
}

fn show(run: &Json, context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    let status = field(run, "status");
    let (id, painted) = (terminal.paint(Tone::Strong, field(run, "id")), terminal.paint(tone_of(&status), &status));
    terminal.line(format_args!("{id}  {}  {painted}", field(run, "workflow")));
    facts(run, context);
    let steps = run.get("steps").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    if !steps.is_empty() {
        terminal.line("");
        terminal.lines(steps_table(steps).lines(terminal));
    }
    let journal = journal_of(run)?;
    if !journal.is_empty() {
        terminal.line("");
        timeline(&journal, terminal);
    }
    Ok(())
}

/// Outputs are shown whole with `--json`.
const MAX_OUTPUT_CHARS: usize = 200;

fn facts(run: &Json, context: &Context) {
    let terminal = &context.terminal;
    terminal.fact("event", &field(run, "event"));
    terminal.fact("store", &field(run, "store"));
    terminal.fact("version", &field(run, "version"));
    if let Some(started) = time_of(run, "started") {
        let took = Some(took(run)).filter(|took| !took.is_empty()).map(|took| format!(", took {took}"));
        terminal.fact("started", &format!("{started} ({}){}", ago(started, context.now()), took.unwrap_or_default()));
    }
    if let Some(until) = delayed(run) {
        terminal.fact("waits", &until);
    }
    terminal.fact("slot", &slot_of(run));
    let retries = field(run, "retries");
    terminal.fact("retries", if retries == "0" { "" } else { &retries });
    if let Some(why) = error_of(run) {
        terminal.error_fact("error", &why);
    }
    if let Some(parent) = run.get("parent") {
        terminal.fact("caller", &format!("{} at {}", field(parent, "run"), field(parent, "step")));
    }
    for child in run.get("children").and_then(Json::as_array).into_iter().flatten() {
        let waits =
            child["awaited"] == true && !matches!(child["status"].as_str(), Some("succeeded" | "failed" | "cancelled"));
        let status = child["status"].as_str().unwrap_or("not there yet");
        let waits = if waits { ", waited for" } else { "" };
        let (step, workflow, id) = (field(child, "step"), field(child, "workflow"), field(child, "run"));
        terminal.fact("calls", &format!("{id} {workflow} ({status}{waits}) at {step}"));
    }
    for (name, key) in [("undone", "done"), ("remains", "left")] {
        let paths = run.get("undo").and_then(|undo| undo.get(key)).and_then(Json::as_array);
        let paths: Vec<&str> = paths.into_iter().flatten().filter_map(Json::as_str).collect();
        terminal.fact(name, &shorten(&paths.join(", "), MAX_OUTPUT_CHARS));
    }
    let output = run.get("output").filter(|output| !output.is_null()).map(one_line).unwrap_or_default();
    terminal.fact("output", &shorten(&output, MAX_OUTPUT_CHARS));
}

/// Why a run that is queued does not begin: its place, and who holds what it waits for.
fn slot_of(run: &Json) -> String {
    let Some(slot) = run.get("slot") else { return String::new() };
    let key = slot.pointer("/group/key").and_then(Json::as_str).map(|key| format!(" [{key}]")).unwrap_or_default();
    match field(slot, "state").as_str() {
        "queued" => {
            let holders = slot.get("holders").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
            let holders: Vec<String> = holders.iter().map(|holder| field(holder, "run")).collect();
            let held = if holders.is_empty() { String::new() } else { format!("; held by {}", holders.join(", ")) };
            format!("waits for one{key}, {} in front of it{held}", field(slot, "ahead"))
        }
        "freed" => format!("given back{key} while it waits"),
        state => format!("{state}{key}"),
    }
}

fn steps_table(steps: &[Json]) -> Table {
    let mut table = Table::new(&["STEP~", "KIND", "STATUS", "TRIES", "OUTPUT~"]);
    for step in steps {
        let status = field(step, "status");
        let output = match error_of(step) {
            Some(error) => error,
            None => step.get("output").filter(|output| !output.is_null()).map(one_line).unwrap_or_default(),
        };
        let name = if step.get("path").is_some() { field(step, "path") } else { field(step, "id") };
        let cells =
            [name, field(step, "kind"), status.clone(), field(step, "attempts"), shorten(&output, MAX_OUTPUT_CHARS)];
        let mut row = cells.map(|text| (Tone::Plain, text)).to_vec();
        row[2].0 = tone_of(&status);
        table.row(row);
    }
    table
}

/// The journal's entries of a shown run.
fn journal_of(run: &Json) -> Result<Vec<Entry>> {
    let journal = run.get("journal").cloned().unwrap_or(Json::Array(Vec::new()));
    let unknown = |error| bug(format!("the journal holds an entry this version does not know: {error}"));
    serde_json::from_value(journal).map_err(unknown)
}

/// Prints a journal.
pub(super) fn timeline(journal: &[Entry], terminal: &Terminal) {
    let mut timeline = Timeline::of(journal);
    journal.iter().for_each(|entry| terminal.line(timeline.line(entry, terminal)));
}

/// Does one thing to runs that are named, or to all of a filter.
async fn some(which: Selection, action: &str, body: &Json, done: &str, context: &Context) -> Result<()> {
    match which.runs.is_empty() || which.preview {
        true => bulk::run(which, action, body, context).await,
        false => each(&which.runs, action, body, done, context).await,
    }
}

/// Does one thing to several runs; goes on after one that refuses.
async fn each(runs: &[RunId], action: &str, body: &Json, done: &str, context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    let session = context.look().await?;
    let mut answers = Vec::new();
    let mut refused = None;
    for run in runs {
        match session.client.post(&format!("/api/v1/runs/{run}/{action}"), body).await {
            Ok(_) => {
                if !terminal.json {
                    terminal.line(format_args!("{run} {done}"));
                }
                answers.push(json!({ "id": run, "ok": true }));
            }
            Err(failure) => {
                let why = failure.to_string();
                answers.push(json!({ "id": run, "ok": false, "error": why }));
                if runs.len() > 1 {
                    terminal.note(format_args!("{run}: {why}"));
                }
                refused = Some(failure);
            }
        }
    }
    if session.is_own() && answers.iter().any(|answer| answer["ok"] == true) {
        terminal.note("no engine is running; this takes effect when one starts");
    }
    session.end(Ok(())).await?;
    if terminal.json {
        terminal.data(&answers)?;
    }
    match refused {
        Some(failure) if runs.len() == 1 => Err(failure),
        Some(_) => Err(quiet()),
        None => Ok(()),
    }
}
