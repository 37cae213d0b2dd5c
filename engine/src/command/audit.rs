//! `cartwright audit`: who changed what, newest first. The engine filters; nothing is left out here.

use cartwright_core::Json;

use super::{Context, field, time_of};
use crate::{
    cli::{Audit, AuditLs},
    failure::Result,
    terminal::{Table, Tone, ago, one_line},
};

pub(super) async fn run(command: Audit, context: &Context) -> Result<()> {
    let Audit::Ls(wanted) = command;
    let terminal = &context.terminal;
    let session = context.look().await?;
    let entries = session.client.list("/api/v1/audit", &query(&wanted, context), wanted.limit as usize).await;
    let entries = session.end(entries).await?;
    if terminal.json {
        return terminal.data(&entries);
    }
    if entries.is_empty() {
        terminal.note("no changes");
        return Ok(());
    }
    let mut table = Table::new(&["WHEN", "WHO~", "WHAT", "TARGET~", "FROM"]);
    for entry in &entries {
        let when = time_of(entry, "at").map(|time| ago(time, context.now())).unwrap_or_default();
        let cells = [when, field(entry, "who"), field(entry, "what"), field(entry, "target"), field(entry, "from")];
        table.row(cells.map(|text| (Tone::Plain, text)).to_vec());
        let change = change(entry);
        if !change.is_empty() {
            table.below(Tone::Quiet, change);
        }
    }
    terminal.lines(table.lines(terminal));
    Ok(())
}

fn query(wanted: &AuditLs, context: &Context) -> Vec<(&'static str, String)> {
    let filters = [
        ("who", wanted.who.clone()),
        ("what", wanted.what.clone()),
        ("store", wanted.store.as_ref().map(ToString::to_string)),
        ("since", wanted.since.map(|since| since.resolve(context.now()).to_string())),
    ];
    filters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// `before → after`, what there is of them.
fn change(entry: &Json) -> String {
    let side = |key: &str| entry.get(key).filter(|value| !value.is_null()).map(one_line);
    match (side("before"), side("after")) {
        (Some(before), Some(after)) => format!("{before} → {after}"),
        (Some(before), None) => format!("was {before}"),
        (None, Some(after)) => after,
        (None, None) => String::new(),
    }
}
