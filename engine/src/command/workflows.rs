//! `cartwright workflows`: what the engine runs and what is wrong with files; while none runs, what ran last.

use cartwright_core::{Json, id::WorkflowId};
use serde_json::json;

use super::{Context, Session, field};
use crate::{
    cli::Workflows,
    failure::{Result, quiet},
    terminal::{Table, Terminal, Tone, shorten},
};

/// More than anybody has.
const MOST: usize = 100_000;
/// Characters of a version that are shown.
const VERSION_CHARS: usize = 12;

/// Workflows with their versions, and files with findings.
pub(super) struct Listed {
    pub(super) items: Vec<Json>,
    pub(super) files: Vec<Json>,
}

pub(super) async fn run(command: &Workflows, context: &Context) -> Result<()> {
    let session = context.look().await?;
    session.recall().await?;
    match command {
        Workflows::Ls => {
            let listed = listed(&session).await;
            list(&session.end(listed).await?, &context.terminal)
        }
        Workflows::Show { workflow } => {
            let shown = shown(&session, workflow).await;
            show(&session.end(shown).await?, &context.terminal)
        }
    }
}

/// Everything there is.
pub(super) async fn listed(session: &Session) -> Result<Listed> {
    let items = session.client.list("/api/v1/workflows", &[], MOST).await?;
    let mut first = session.client.get("/api/v1/workflows?limit=1").await?;
    let files = match first["files"].take() {
        Json::Array(files) => files,
        _ => Vec::new(),
    };
    Ok(Listed { items, files })
}

/// One workflow with its text.
pub(super) async fn shown(session: &Session, id: &WorkflowId) -> Result<Json> {
    session.client.get(&format!("/api/v1/workflows/{id}")).await
}

fn list(listed: &Listed, terminal: &Terminal) -> Result<()> {
    if terminal.json {
        return terminal.data(&json!({ "items": listed.items, "files": listed.files }));
    }
    if listed.items.is_empty() {
        terminal.note("no workflows");
    } else {
        let mut table = Table::new(&["WORKFLOW~", "STARTED BY~", "VERSION", "NAME~"]);
        for item in &listed.items {
            let triggers: Vec<&str> =
                item["triggers"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
            let enabled = item["enabled"].as_bool() != Some(false);
            table.row(vec![
                (if enabled { Tone::Plain } else { Tone::Quiet }, field(item, "id")),
                (Tone::Plain, if enabled { triggers.join("; ") } else { "disabled".to_owned() }),
                (Tone::Quiet, field(item, "version").chars().take(VERSION_CHARS).collect()),
                (Tone::Plain, field(item, "name")),
            ]);
        }
        terminal.lines(table.lines(terminal));
    }
    findings(&listed.files, terminal);
    Ok(())
}

fn show(shown: &Json, terminal: &Terminal) -> Result<()> {
    if terminal.json {
        return terminal.data(shown);
    }
    terminal.line(terminal.paint(Tone::Strong, field(shown, "id")));
    for key in ["name", "version"] {
        terminal.fact(key, &field(shown, key));
    }
    for trigger in shown["triggers"].as_array().into_iter().flatten().filter_map(Json::as_str) {
        terminal.fact("on", trigger);
    }
    if let Some(source) = shown["source"].as_str() {
        terminal.line("");
        source.lines().for_each(|line| terminal.line(line));
    }
    findings(shown["files"].as_array().map_or(&[][..], Vec::as_slice), terminal);
    if shown["broken"].as_bool() == Some(true) {
        terminal.note("the file is broken as it stands; this is the last good version, which runs on");
        return Err(quiet());
    }
    Ok(())
}

/// What is wrong with files, one line each; `check` shows the places.
fn findings(files: &[Json], terminal: &Terminal) {
    for file in files {
        for one in file["diagnostics"].as_array().into_iter().flatten() {
            let error = one["severity"].as_str() != Some("warning");
            let place = format!("{}:{}:{}", field(file, "file"), field(one, "line"), field(one, "column"));
            let line = format!("{place} {} {}", field(one, "code"), field(one, "message"));
            let line = terminal.width().map_or_else(|| line.clone(), |width| shorten(&line, width));
            terminal.line(terminal.paint(if error { Tone::Bad } else { Tone::Wait }, line));
        }
    }
}
