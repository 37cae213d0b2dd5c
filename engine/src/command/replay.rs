//! Folds a journal entry by entry with the same function that live commits and recovery use, and shows each change.

use cartwright_core::run::{apply::apply, entry::Entry, state::RunState};
use serde_json::json;

use crate::{
    failure::{Result, bug},
    terminal::{Terminal, Timeline, Tone, describe, tone_of},
};

/// `stored` is the status that lists show for this run.
pub(super) fn fold(journal: &[Entry], stored: &str, terminal: &Terminal) -> Result<()> {
    let mut timeline = Timeline::of(journal);
    let mut state: Option<RunState> = None;
    let mut shown = Vec::new();
    let mut before = "";
    for (index, entry) in journal.iter().enumerate() {
        let next =
            apply(state.take(), entry).map_err(|illegal| bug(format!("entry {index} cannot follow: {illegal}")))?;
        let status = next.status().as_str();
        if terminal.json {
            let line = describe(&entry.what);
            shown.push(
                json!({ "index": index, "at": entry.at, "step": line.step, "text": line.text, "status": status }),
            );
        } else {
            let change = if status == before {
                String::new()
            } else {
                format!("  [{}]", terminal.paint(tone_of(status), status))
            };
            terminal.line(format_args!("{}{change}", timeline.line_beside(entry, terminal, status.len() + 4)));
        }
        before = status;
        state = Some(next);
    }
    if terminal.json {
        terminal.data(&json!({ "entries": shown, "status": before, "stored": stored }))?;
    }
    if before != stored {
        return Err(bug(format!("the journal folds to `{before}`, but the run is listed as `{stored}`")));
    }
    if !terminal.json {
        let count = journal.len();
        terminal
            .line(terminal.paint(Tone::Quiet, format_args!("{count} entries fold to {before}, as the run is listed")));
    }
    Ok(())
}
