//! `cartwright secret`: what workflows use and nobody reads back.

use std::io::{self, IsTerminal as _, Read as _};

use serde_json::json;

use super::{Context, field, segment, time_of};
use crate::{
    cli::Secrets,
    failure::{OrFail as _, Result, usage},
    terminal::{Table, Terminal, Tone, ago},
};

/// More than any secret may have, in bytes; the vault has its own limit.
const MAX_INPUT_BYTES: u64 = 128 * 1024;
const MAX_LISTED: usize = 100_000;

pub(super) async fn run(command: Secrets, context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    match command {
        Secrets::Set { name } => {
            let value = read_value(terminal)?;
            let session = context.change().await?;
            let set = session.client.put(&target(&name), &json!({ "value": value })).await;
            let set = session.end(set).await?;
            if terminal.json {
                return terminal.data(&set);
            }
            terminal.line(format_args!("secret {name} is set"));
        }
        Secrets::Ls => {
            let session = context.look().await?;
            let secrets = session.client.list("/api/v1/secrets", &[], MAX_LISTED).await;
            let secrets = session.end(secrets).await?;
            if terminal.json {
                return terminal.data(&secrets);
            }
            if secrets.is_empty() {
                terminal.note("no secrets; set one with `cartwright secret set NAME`");
                return Ok(());
            }
            let mut table = Table::new(&["SECRET", "VERSION", "SET"]);
            for secret in &secrets {
                let set = time_of(secret, "set").map(|time| ago(time, context.now())).unwrap_or_default();
                let cells = [field(secret, "name"), field(secret, "version"), set];
                table.row(cells.map(|text| (Tone::Plain, text)).to_vec());
            }
            terminal.lines(table.lines(terminal));
        }
        Secrets::Rm { name } => {
            let session = context.look().await?;
            let removed = session.client.delete(&target(&name)).await;
            session.end(removed).await?;
            if terminal.json {
                return terminal.data(&json!({ "name": name, "removed": true }));
            }
            terminal.line(format_args!("secret {name} is removed"));
        }
    }
    Ok(())
}

fn target(name: &str) -> String {
    format!("/api/v1/secrets/{}", segment(name))
}

/// The value from standard input without its last line break: arguments would show in process lists and shell history.
fn read_value(terminal: &Terminal) -> Result<String> {
    if io::stdin().is_terminal() {
        terminal.note("Type the value, then Enter and Ctrl-D:");
    }
    let mut value = String::new();
    io::stdin()
        .take(MAX_INPUT_BYTES)
        .read_to_string(&mut value)
        .or_environment("cannot read the value from standard input")?;
    let value = value.strip_suffix('\n').unwrap_or(&value);
    let value = value.strip_suffix('\r').unwrap_or(value);
    if value.is_empty() {
        return Err(usage("the value is empty; pipe it in: printf %s \"$VALUE\" | cartwright secret set NAME"));
    }
    Ok(value.to_owned())
}
