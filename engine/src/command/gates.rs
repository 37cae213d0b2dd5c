//! `cartwright gates`: what waits together for a run to come.

use super::{Context, field, time_of};
use crate::{
    cli::Gates,
    failure::Result,
    terminal::{Table, Tone, ago},
};

pub(super) async fn run(command: Gates, context: &Context) -> Result<()> {
    let Gates::Ls { workflow, limit } = command;
    let terminal = &context.terminal;
    let query: Vec<_> = workflow.map(|id| ("workflow", id.to_string())).into_iter().collect();
    let session = context.look().await?;
    let groups = session.client.list("/api/v1/gates", &query, limit as usize).await;
    let groups = session.end(groups).await?;
    if terminal.json {
        return terminal.data(&groups);
    }
    if groups.is_empty() {
        terminal
            .note("nothing is held; runs that `throttle` delays are listed by `cartwright runs ls --status queued`");
        return Ok(());
    }
    let mut table = Table::new(&["WORKFLOW~", "GATE", "KEY~", "EVENTS", "SINCE", "FIRES~"]);
    for group in &groups {
        let since = time_of(group, "since").map(|time| ago(time, context.now())).unwrap_or_default();
        let key = match (field(group, "store"), field(group, "key")) {
            (store, key) if store.is_empty() => key,
            (store, key) => format!("{store} {key}"),
        };
        let cells =
            [field(group, "workflow"), field(group, "kind"), key, field(group, "count"), since, field(group, "fires")];
        table.row(cells.map(|text| (Tone::Plain, text)).to_vec());
        table.below(Tone::Quiet, field(group, "run"));
    }
    terminal.lines(table.lines(terminal));
    Ok(())
}
