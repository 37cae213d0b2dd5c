//! `cartwright run`: one workflow, one event, here and now, over storage in memory. A dry run reads for real and shows
//! what it would have written.

mod given;
mod lend;
mod plan;

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use cartwright_core::{
    Json,
    event::Source,
    id::{RunId, StoreId},
    run::row::RunStatus,
    workflow::{TriggerKind, Workflow},
};
use cartwright_run::{Engine, Incoming, Loaded, RunDetail, outbound::Outbound};
use cartwright_storage::RunFilter;
use cartwright_woo::{StoreSettings, Vault, transport::Transport};
use serde_json::{json, value::RawValue};

use self::{lend::Wanted, plan::Plan};
use super::{Context, print_findings, runs};
use crate::{
    assembly::{self, Foundation, Mode},
    cli::Run,
    config::Retention,
    failure::{OrFail as _, Result, bug, not_fine, quiet, usage},
    outside,
    plugins::Installed,
    terminal::{Terminal, Tone},
    workflows::{Sources, files_below},
};

/// Between two looks at the run.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Of an event file, in bytes.
const MAX_EVENT_BYTES: u64 = 16 * 1024 * 1024;

pub(super) async fn run(command: Run, context: &Context) -> Result<()> {
    let plugins = Installed::of(&context.config);
    let loaded = find(&command.workflow, &plugins, context)?;
    let EventFile { topic, store, data } = given::event(&command, &loaded.workflow)?;
    let topic = command.topic.clone().or(topic).unwrap_or_else(|| first_topic(&loaded.workflow));
    let data = given::checked(&loaded.workflow, &topic, data)?;
    let store = command.store.clone().or(store);
    let real = outside::outbound(&context.config)?;
    let plan = Arc::new(Plan::new(Arc::clone(&real)));
    let (outbound, stores): (Arc<dyn Outbound>, Arc<dyn Transport>) =
        if command.dry_run { (plan.clone(), plan.clone()) } else { (real.clone(), real) };
    let foundation = Foundation {
        storage: assembly::memory(),
        vault: Vault::in_memory().or_environment("cannot make a key")?,
        outbound,
        stores,
        retention: Retention { days: 1, runs: 1000, audit_days: 1, audit_entries: 1000 },
        limits: context.config.stores.clone(),
        mode: Mode::Work,
        public_url: context.config.http.public_url.clone(),
        telemetry: None,
        plugins: Some(plugins),
    };
    let workflow = loaded.workflow.id.clone();
    let wanted = Wanted::of(&loaded.workflow);
    let engine = assembly::start(foundation, vec![loaded]).await?;
    lend::lend(&engine, &wanted, command.dry_run, context).await?;
    if let Some(store) = store.as_ref().filter(|store| engine.stores().get(store).is_none()) {
        let added = engine.stores().add(store.clone(), &StoreSettings::default(), engine.now(), |_| None).await;
        added.or_environment("cannot set the store up")?;
    }
    let incoming = Incoming { topic, store, source: Source::Manual { workflow }, data, dedupe: None };
    let accepted = engine.accept(incoming).await.or_environment("cannot accept the event")?;
    let filter = RunFilter { event: Some(accepted.id.clone()), ..RunFilter::default() };
    let outcome = follow(&engine, &filter, &accepted.id, &context.terminal).await;
    let planned = plan.made();
    engine.stop(Duration::ZERO).await.or_environment("cannot stop")?;
    report(outcome?, &planned, command.dry_run, &context.terminal)
}

/// A workflow by its id in the workflows folder, or by its file.
fn find(name: &str, plugins: &Installed, context: &Context) -> Result<Loaded> {
    let folder = &context.config.workflows;
    let named = Path::new(name);
    let (root, path): (PathBuf, PathBuf) = if named.is_file() {
        let root =
            if named.starts_with(folder) { folder.clone() } else { named.parent().unwrap_or(Path::new("")).to_owned() };
        (root, named.to_owned())
    } else {
        let candidates = [folder.join(format!("{name}.yaml")), folder.join(format!("{name}.yml"))];
        match candidates.into_iter().find(|path| path.is_file()) {
            Some(path) => (folder.clone(), path),
            None => return Err(unknown(name, folder)),
        }
    };
    let examined = Sources { plugins, sandbox: Some(&assembly::sandbox()) }.read(&root, &path);
    match examined.loaded {
        Some(loaded) => Ok(loaded),
        None => {
            print_findings(examined.finding.as_slice(), &context.terminal);
            Err(not_fine(format!("{} has errors", path.display())))
        }
    }
}

fn unknown(name: &str, folder: &Path) -> crate::failure::Failure {
    let failure = not_fine(format!("there is no workflow `{name}` in {}", folder.display()));
    let names: Vec<String> = files_below(folder)
        .unwrap_or_default()
        .iter()
        .take(20)
        .map(|path| path.strip_prefix(folder).unwrap_or(path).with_extension("").display().to_string())
        .collect();
    if names.is_empty() { failure } else { failure.help(format!("There are: {}.", names.join(", "))) }
}

pub(super) struct EventFile {
    topic: Option<String>,
    store: Option<StoreId>,
    pub(super) data: Arc<RawValue>,
}

/// A whole event (a map with `topic` and `data`), or its data alone.
pub(super) fn read_event(path: &Path) -> Result<EventFile> {
    let shown = path.display();
    let mut text = String::new();
    let mut file: Box<dyn std::io::Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).or_environment(format_args!("cannot read the event {shown}"))?)
    };
    file.by_ref()
        .take(MAX_EVENT_BYTES)
        .read_to_string(&mut text)
        .or_environment(format_args!("cannot read the event {shown}"))?;
    let wrong = |error: &dyn std::fmt::Display| usage(format!("the event {shown} is not valid: {error}"));
    let value: Json = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
    let (Some(topic), Some(data)) = (value.get("topic").and_then(Json::as_str), value.get("data")) else {
        let data = RawValue::from_string(text).map_err(|error| wrong(&error))?;
        return Ok(EventFile { topic: None, store: None, data: data.into() });
    };
    let store = value.get("store").and_then(Json::as_str).map(str::parse).transpose().map_err(|error| wrong(&error))?;
    let data = serde_json::value::to_raw_value(data).map_err(|error| wrong(&error))?;
    Ok(EventFile { topic: Some(topic.to_owned()), store, data: data.into() })
}

fn first_topic(workflow: &Workflow) -> String {
    let topics = workflow.triggers.iter().find_map(|trigger| match &trigger.kind {
        TriggerKind::Woo { topics, .. } | TriggerKind::Event { topics } => topics.first().cloned(),
        _ => None,
    });
    topics.unwrap_or_else(|| "manual".to_owned())
}

/// Waits until the run rests; prints nothing before, so that output is one piece.
async fn follow(
    engine: &Engine,
    filter: &RunFilter,
    event: &cartwright_core::id::EventId,
    terminal: &Terminal,
) -> Result<Outcome> {
    let mut told = false;
    loop {
        let page = engine.runs(filter, None, 1).await.or_environment("cannot read the run")?;
        match page.items.into_iter().next() {
            Some(row) if row.status.is_ended() || row.status == RunStatus::Parked => {
                return detail(engine, &row.id).await;
            }
            Some(row) if row.status == RunStatus::Waiting && !told => {
                told = true;
                terminal.note("the run waits; Ctrl-C ends this");
            }
            Some(_) => {}
            None => {
                let stored = engine.event(event).await.or_environment("cannot read the event")?;
                if let Some(matches) = stored.and_then(|stored| stored.matches).filter(|matches| !has_run(matches)) {
                    return Ok(Outcome::NotStarted(serde_json::to_value(matches).map_err(bug)?));
                }
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn has_run(matches: &[cartwright_core::event::Match]) -> bool {
    matches.iter().any(|one| one.outcome.run().is_some())
}

enum Outcome {
    Ended(Box<RunDetail>),
    /// Why not, as events show it.
    NotStarted(Json),
}

async fn detail(engine: &Engine, run: &RunId) -> Result<Outcome> {
    let detail = engine.run_detail(run).await.or_environment("cannot read the run")?;
    detail.map(|detail| Outcome::Ended(Box::new(detail))).ok_or_else(|| bug("a run that ended is gone"))
}

fn report(outcome: Outcome, planned: &[Json], dry_run: bool, terminal: &Terminal) -> Result<()> {
    let detail = match outcome {
        Outcome::Ended(detail) => detail,
        Outcome::NotStarted(matches) => {
            if terminal.json {
                terminal.data(&json!({ "status": "not_started", "matches": matches }))?;
            }
            let why = matches.get(0).map(|one| {
                format!("{}: {}", super::field(one, "outcome").replace('_', " "), super::field(one, "condition"))
            });
            return Err(not_fine(format!(
                "the workflow does not start for this event ({})",
                why.unwrap_or_else(|| "no trigger matches".into())
            )));
        }
    };
    let status = detail.row.status;
    if terminal.json {
        terminal.data(&json!({ "id": detail.row.id, "workflow": detail.row.workflow, "status": status, "error": detail.row.error, "journal": detail.journal, "planned": planned }))?;
    } else {
        runs::timeline(&detail.journal, terminal);
        if dry_run {
            print_plan(planned, terminal);
        }
    }
    if status == RunStatus::Succeeded { Ok(()) } else { Err(quiet()) }
}

fn print_plan(planned: &[Json], terminal: &Terminal) {
    terminal.line("");
    if planned.is_empty() {
        terminal.line("dry run: nothing would have been written");
        return;
    }
    terminal.line(terminal.paint(Tone::Strong, "dry run: these calls were not made"));
    for call in planned {
        terminal.line(format_args!("  {} {}", super::field(call, "method"), super::field(call, "url")));
        for key in ["query", "body", "form"] {
            if let Some(value) = call.get(key) {
                terminal.fact(key, &crate::terminal::one_line(value));
            }
        }
    }
}
