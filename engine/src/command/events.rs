//! `cartwright events`: what was accepted, and what came of it.

use cartwright_core::Json;

use super::{Context, field, replay_events, time_of};
use crate::{
    cli::Events,
    failure::Result,
    terminal::{Table, Terminal, Tone, ago, one_line},
};

pub(super) async fn run(command: Events, context: &Context) -> Result<()> {
    match command {
        Events::Ls { topic, store, since, until, limit } => {
            let mut query = Vec::new();
            query.extend(topic.map(|topic| ("topic", topic)));
            query.extend(store.map(|store| ("store", store.to_string())));
            query.extend(since.map(|when| ("since", when.resolve(context.now()).to_string())));
            query.extend(until.map(|when| ("until", when.resolve(context.now()).to_string())));
            let session = context.look().await?;
            let events = session.client.list("/api/v1/events", &query, limit as usize).await;
            list(&session.end(events).await?, context)
        }
        Events::Replay(which) => replay_events::replay(which, context).await,
        Events::Export { event, output, redact } => {
            replay_events::export(&event, output.as_deref(), redact, context).await
        }
        Events::Show { event, workflow } => {
            let session = context.look().await?;
            let mut pairs = url::form_urlencoded::Serializer::new(String::new());
            pairs.extend_pairs(workflow.map(|id| ("workflow", id.to_string())));
            let shown = session.client.get(&format!("/api/v1/events/{event}?{}", pairs.finish())).await;
            let shown = session.end(shown).await?;
            if context.terminal.json {
                return context.terminal.data(&shown);
            }
            show(&shown, context);
            Ok(())
        }
    }
}

fn list(events: &[Json], context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    if terminal.json {
        return terminal.data(&events);
    }
    if events.is_empty() {
        terminal.note("no events");
        return Ok(());
    }
    let now = context.now();
    let mut table = Table::new(&["EVENT", "TOPIC~", "STORE~", "ACCEPTED", "RUNS"]);
    for event in events {
        let is_start = |one: &&Json| field(one, "outcome") == "started";
        let started = matches(event).map(|matches| matches.iter().filter(is_start).count());
        let runs = started.map_or_else(|| "waits".to_owned(), |count| count.to_string());
        let accepted = time_of(event, "time").map(|time| ago(time, now)).unwrap_or_default();
        let cells = [field(event, "id"), field(event, "topic"), field(event, "store"), accepted, runs];
        table.row(cells.map(|text| (Tone::Plain, text)).to_vec());
    }
    terminal.lines(table.lines(terminal));
    Ok(())
}

fn matches(event: &Json) -> Option<&Vec<Json>> {
    event.get("matches")?.as_array()
}

fn show(event: &Json, context: &Context) {
    let terminal = &context.terminal;
    terminal.line(format_args!("{}  {}", terminal.paint(Tone::Strong, field(event, "id")), field(event, "topic")));
    terminal.fact("store", &field(event, "store"));
    if let Some(time) = time_of(event, "time") {
        terminal.fact("accepted", &format!("{time} ({})", ago(time, context.now())));
    }
    terminal.fact("source", &event.get("source").map(one_line).unwrap_or_default());
    terminal.fact("data", &event.get("data").map(one_line).unwrap_or_default());
    terminal.line("");
    match matches(event) {
        None => terminal.line("It waits to be matched."),
        Some(matches) if matches.is_empty() => terminal.line("No workflow listened to it."),
        Some(matches) => considered(matches, terminal),
    }
    not_considered(&event["now"], terminal);
}

/// Workflows that one screen explains; `--workflow` and `--json` tell more.
const EXPLAINED_MAX: usize = 10;

/// Why other workflows did not start, as far as the workflows as they are now tell.
fn not_considered(now: &Json, terminal: &Terminal) {
    let items = now["items"].as_array().map_or(&[][..], Vec::as_slice);
    if items.is_empty() {
        return;
    }
    terminal.line("");
    let total: u64 = now["reasons"].as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum();
    terminal.line(terminal.paint(Tone::Quiet, format_args!("Not considered ({total}), as the workflows are now:")));
    let mut table = Table::new(&["WORKFLOW~", "WHY~"]);
    for item in items.iter().take(EXPLAINED_MAX) {
        let name = if item["workflow"].is_null() { field(item, "file") } else { field(item, "workflow") };
        table.row(vec![(Tone::Plain, name), (Tone::Quiet, field(item, "message"))]);
    }
    terminal.lines(table.lines(terminal));
    if total > EXPLAINED_MAX as u64 {
        terminal.note("more with --json; --workflow ID explains one");
    }
}

/// `run_… at 2026-…`: the run that has it, or will.
fn until(one: &Json) -> String {
    match field(one, "run") {
        run if run.is_empty() => format!("until {}", field(one, "until")),
        run => format!("{run} at {}", field(one, "until")),
    }
}

fn duplicate(one: &Json) -> String {
    format!("of {} until {}", field(one, "of"), field(one, "until"))
}

fn dropped(one: &Json) -> String {
    let why = match field(one, "reason").as_str() {
        "disabled" => "switched off",
        _ => "gone",
    };
    format!("held by {}; the workflow was {why} when the time came", field(one, "gate"))
}

fn considered(matches: &[Json], terminal: &Terminal) {
    let mut table = Table::new(&["WORKFLOW~", "OUTCOME", "RUN OR REASON~"]);
    for one in matches {
        let outcome = field(one, "outcome");
        let (tone, reason) = match outcome.as_str() {
            "started" => (Tone::Good, field(one, "run")),
            "condition_false" => (Tone::Quiet, field(one, "condition")),
            "condition_failed" => (Tone::Bad, format!("{}: {}", field(one, "condition"), field(one, "error"))),
            "duplicate" => (Tone::Quiet, duplicate(one)),
            "merged" | "collected" | "delayed" => (Tone::Wait, until(one)),
            "key_failed" => (Tone::Bad, format!("`key` of {}: {}", field(one, "gate"), field(one, "error"))),
            "dropped" => (Tone::Bad, dropped(one)),
            "loop_cut" => (Tone::Bad, "too many hops: a loop was cut".into()),
            _ => (Tone::Plain, String::new()),
        };
        let row = vec![(Tone::Plain, field(one, "workflow")), (tone, outcome.replace('_', " ")), (Tone::Plain, reason)];
        table.row(row);
    }
    terminal.lines(table.lines(terminal));
}
