//! `cartwright slots`: which groups of `concurrency` are in use, who holds their slots and who waits.

use cartwright_core::Json;

use super::{Context, field, time_of};
use crate::{
    cli::Slots,
    failure::Result,
    terminal::{Table, Tone, ago},
};

const MAX_LISTED: usize = 1_000;

pub(super) async fn run(command: Slots, context: &Context) -> Result<()> {
    let Slots::Ls { workflow } = command;
    let session = context.look().await?;
    let query: Vec<(&str, String)> = workflow.map(|workflow| ("workflow", workflow)).into_iter().collect();
    let groups = session.client.list("/api/v1/slots", &query, MAX_LISTED).await;
    list(&session.end(groups).await?, context)
}

fn list(groups: &[Json], context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    if terminal.json {
        return terminal.data(&groups);
    }
    if groups.is_empty() {
        terminal.note("no run holds a slot or waits for one (`concurrency` in a workflow file makes slots)");
        return Ok(());
    }
    let mut table = Table::new(&["WORKFLOW~", "STORE~", "KEY~", "HELD", "WAITING", "HOLDER", "SINCE"]);
    for group in groups {
        let first = group.pointer("/holders/0").cloned().unwrap_or_default();
        let since = time_of(&first, "since").map(|since| ago(since, context.now())).unwrap_or_default();
        let cells = [
            field(group, "workflow"),
            field(group, "store"),
            field(group, "key"),
            field(group, "held"),
            field(group, "waiting"),
            field(&first, "run"),
            since,
        ];
        table.row(cells.map(|text| (Tone::Plain, text)).to_vec());
    }
    terminal.lines(table.lines(terminal));
    Ok(())
}
