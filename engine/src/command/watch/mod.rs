//! `cartwright runs watch`: what runs do, as it happens: a screen that redraws in place on a terminal, a line for each
//! change elsewhere, one JSON item a line with `--json`.

mod board;
mod screen;

use cartwright_core::{Json, id::RunId, run::row::RunStatus};
use tokio::sync::mpsc;

use self::board::Board;
use super::{Context, field};
use crate::{
    cli::Watch,
    failure::{Failure, Result, quiet},
    listen::{Heard, follow},
    terminal::{Terminal, Tone, one_line, tone_of},
};

/// Items between the connection and the screen; more wait at the engine.
const ITEMS_MAX: usize = 1_024;
/// Runs that are looked up when the watch begins, or after a gap.
const RUNS_FIRST: usize = 100;

pub(super) async fn run(watch: Watch, context: &Context) -> Result<()> {
    let target = format!("/api/v1/live?{}", query(&watch));
    let (sender, mut told) = mpsc::channel(ITEMS_MAX);
    let follows = follow(context, &target, &sender);
    let shows = async {
        if context.terminal.is_screen() {
            screen::show(&watch, context, &mut told).await
        } else {
            lines(&watch, context, &mut told).await
        }
    };
    let ended = tokio::select! {
        biased;
        shown = shows => shown,
        followed = follows => followed.map(|()| None),
        () = super::serve::stop_signal() => Ok(None),
    };
    match ended? {
        Some(status) if status != "succeeded" => Err(quiet()),
        _ => Ok(()),
    }
}

fn query(watch: &Watch) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    pairs.append_pair("kind", "run,step");
    let narrow = [
        ("workflow", watch.workflow.as_ref().map(|id| id.as_str())),
        ("store", watch.store.as_ref().map(|id| id.as_str())),
        ("run", watch.run.as_ref().map(RunId::as_str)),
    ];
    for (name, value) in narrow {
        pairs.extend_pairs(value.map(|value| (name, value)));
    }
    pairs.finish()
}

/// One line for each change, until the run that is watched ends: its status.
async fn lines(watch: &Watch, context: &Context, told: &mut mpsc::Receiver<Heard>) -> Result<Option<String>> {
    let terminal = &context.terminal;
    while let Some(heard) = told.recv().await {
        match heard {
            Heard::Lost => terminal.note("the engine is gone; waiting for it"),
            Heard::Open { again } => {
                if again {
                    terminal.note("the engine is back");
                }
                if let Some(status) = ended(watch, context).await? {
                    tell_end(watch, &status, terminal);
                    return Ok(Some(status));
                }
            }
            Heard::Item(item, text) => {
                let gap = field(&item, "kind") == "gap";
                if terminal.json {
                    terminal.line(&text);
                } else if gap {
                    terminal.note("some changes were missed; `cartwright runs ls` shows what is");
                } else if is_wanted(watch, &item) {
                    terminal.line(line(&item, terminal));
                }
                if let Some(status) = end_of(watch, &item) {
                    return Ok(Some(status));
                }
                if let Some(status) = if gap { ended(watch, context).await? } else { None } {
                    tell_end(watch, &status, terminal);
                    return Ok(Some(status));
                }
            }
        }
    }
    Ok(None)
}

/// With `--status` only runs that get there are shown.
fn is_wanted(watch: &Watch, item: &Json) -> bool {
    watch.status.is_none_or(|status| field(item, "kind") == "run" && field(item, "status") == status.as_str())
}

/// The status with which the run that is watched has ended.
fn end_of(watch: &Watch, item: &Json) -> Option<String> {
    let status = field(item, "status");
    let over = RunStatus::ALL.iter().any(|one| one.is_ended() && one.as_str() == status);
    (watch.run.is_some() && field(item, "kind") == "run" && over).then_some(status)
}

/// The same, asked: it may have ended before anybody watched, or while nobody could.
async fn ended(watch: &Watch, context: &Context) -> Result<Option<String>> {
    let Some(run) = &watch.run else { return Ok(None) };
    let row = context.running().await?.get(&format!("/api/v1/runs/{run}")).await?;
    let status = field(&row, "status");
    let over = RunStatus::ALL.iter().any(|one| one.is_ended() && one.as_str() == status);
    Ok(over.then_some(status))
}

/// For a run that ended unseen.
fn tell_end(watch: &Watch, status: &str, terminal: &Terminal) {
    if let (Some(run), false) = (&watch.run, terminal.json) {
        terminal.line(format_args!("{run}  {}", terminal.paint(tone_of(status), status)));
    }
}

/// Runs as they are now.
async fn now(watch: &Watch, context: &Context) -> Result<Vec<Json>, Failure> {
    let client = context.running().await?;
    if let Some(run) = &watch.run {
        return Ok(vec![client.get(&format!("/api/v1/runs/{run}")).await?]);
    }
    let mut query = Vec::new();
    query.extend(watch.workflow.as_ref().map(|id| ("workflow", id.to_string())));
    query.extend(watch.store.as_ref().map(|id| ("store", id.to_string())));
    query.extend(watch.status.map(|status| ("status", status.as_str().to_owned())));
    client.list("/api/v1/runs", &query, RUNS_FIRST).await
}

/// `07:45:12  kiel  order/sync  run_…  running`, with the step's name and what was wrong.
fn line(item: &Json, terminal: &Terminal) -> String {
    let status = field(item, "status");
    let time: String = field(item, "time").chars().skip(11).take(8).collect();
    let data = item.get("data").unwrap_or(&Json::Null);
    let mut words = vec![terminal.paint(Tone::Quiet, time)];
    words.extend(["store", "workflow", "run"].map(|key| field(item, key)).into_iter().filter(|word| !word.is_empty()));
    let step = field(data, "step");
    if !step.is_empty() {
        words.push(format!("step {step}"));
    }
    words.push(terminal.paint(tone_of(&status), &status));
    if let Some(message) = data.pointer("/error/message") {
        words.push(one_line(message));
    }
    words.join("  ")
}
