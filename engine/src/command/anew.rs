//! `cartwright runs retry RUN --input FILE`: one run begins anew with other input. Shows which writes would be made again,
//! asks, then says so to the engine.

use std::path::Path;

use cartwright_core::Json;
use serde_json::json;

use super::{Context, bulk, run::read_event};
use crate::{
    cli::Selection,
    failure::{Result, not_fine, usage},
    terminal::{Terminal, Tone, shorten},
};

pub(super) async fn run(which: &Selection, file: &Path, context: &Context) -> Result<()> {
    let [run] = which.runs.as_slice() else {
        return Err(usage("--input goes with one run").help("Each run has an event of its own: name one run."));
    };
    let terminal = &context.terminal;
    let input = read_event(file)?.data;
    let session = context.look().await?;
    let path = format!("/api/v1/runs/{run}/retry");
    let preview = session.client.post(&path, &json!({ "input": input, "preview": true })).await;
    let preview = match preview {
        Ok(preview) => preview,
        failed => return session.end(failed).await.map(drop),
    };
    if which.preview || !which.yes && terminal.json {
        session.end(Ok(())).await?;
        return if terminal.json { terminal.data(&preview) } else { show(&preview, terminal) };
    }
    // What would be refused is not asked about.
    if !which.yes && preview["refused"].is_null() {
        show(&preview, terminal)?;
        if !bulk::confirm(&format!("begin {run} anew?"))? {
            return session.end(Ok(())).await;
        }
    }
    let answer = session.client.post(&path, &json!({ "input": input })).await;
    if session.is_own() && answer.is_ok() {
        terminal.note("no engine is running; the run begins anew when one starts");
    }
    let answer = session.end(answer).await?;
    if terminal.json {
        return terminal.data(&answer);
    }
    terminal.line(format_args!("{run} begins anew with other input"));
    Ok(())
}

/// Which writes would be made again; an error where the run refuses.
fn show(preview: &Json, terminal: &Terminal) -> Result<()> {
    if let Some(refused) = preview["refused"].as_str() {
        return Err(not_fine(refused.to_owned()));
    }
    let lines = bulk::writes(preview);
    if lines.is_empty() {
        terminal.line("the run wrote nothing so far; all its steps begin again");
        return Ok(());
    }
    terminal.line("all steps begin again, and with them these writes, under new identities:");
    lines.iter().for_each(|line| terminal.line(terminal.paint(Tone::Quiet, fitted(&format!("  {line}"), terminal))));
    Ok(())
}

/// A line that does not wrap where a person looks at it.
pub(super) fn fitted(line: &str, terminal: &Terminal) -> String {
    terminal.width().map_or_else(|| line.to_owned(), |width| shorten(line, width))
}
