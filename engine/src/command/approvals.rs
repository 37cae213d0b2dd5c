//! `cartwright approvals`: what runs ask people, and the answers.

use cartwright_core::Json;
use serde_json::json;

use super::{Context, field, segment, time_of};
use crate::{
    cli::{Answering, Approvals},
    failure::Result,
    terminal::{Table, Tone, ago},
};

pub(super) async fn run(command: Approvals, context: &Context) -> Result<()> {
    match command {
        Approvals::Ls { workflow, store, limit } => {
            let mut query = Vec::new();
            query.extend(workflow.map(|id| ("workflow", id.to_string())));
            query.extend(store.map(|id| ("store", id.to_string())));
            let session = context.look().await?;
            let open = session.client.list("/api/v1/approvals", &query, limit as usize).await;
            list(&session.end(open).await?, context)
        }
        Approvals::Approve(answering) => answer(&answering, true, context).await,
        Approvals::Reject(answering) => answer(&answering, false, context).await,
    }
}

fn list(open: &[Json], context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    if terminal.json {
        return terminal.data(&open);
    }
    if open.is_empty() {
        terminal.note("nobody is asked anything");
        return Ok(());
    }
    let mut table = Table::new(&["RUN", "STEP~", "WORKFLOW~", "ASKED", "UNTIL~"]);
    for one in open {
        let when = |key: &str| time_of(one, key);
        let asked = when("asked").map(|time| ago(time, context.now())).unwrap_or_default();
        let until = when("due").map(|time| time.to_string()).unwrap_or_default();
        let cells = [field(one, "run"), field(one, "step"), field(one, "workflow"), asked, until];
        table.row(cells.map(|text| (Tone::Plain, text)).to_vec());
        table.below(Tone::Strong, field(one, "question"));
    }
    terminal.lines(table.lines(terminal));
    Ok(())
}

async fn answer(answering: &Answering, approved: bool, context: &Context) -> Result<()> {
    let Answering { run, step, comment } = answering;
    let terminal = &context.terminal;
    let session = context.look().await?;
    let address = format!("/api/v1/runs/{run}/approvals/{}", segment(step));
    let given = session.client.post(&address, &json!({ "approved": approved, "comment": comment })).await;
    if session.is_own() && given.is_ok() {
        terminal.note("no engine is running; the run goes on when one starts");
    }
    let given = session.end(given).await?;
    if terminal.json {
        return terminal.data(&given);
    }
    let word = if approved { "approved" } else { "rejected" };
    terminal.line(format_args!("{run}: {step} is {word}; the run goes on"));
    Ok(())
}
