//! `cartwright key`: which master keys there are, and their rotation.

use cartwright_core::Json;
use serde_json::json;

use super::{Context, field};
use crate::{
    cli::Keys,
    failure::Result,
    terminal::{Table, Tone},
};

pub(super) async fn run(command: Keys, context: &Context) -> Result<()> {
    match command {
        Keys::Rotate { data_keys } => rotate(data_keys, context).await,
        Keys::Ls => list(context).await,
    }
}

async fn rotate(data_keys: bool, context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    let session = context.change().await?;
    let body = json!({ "data_keys": data_keys });
    let mut progress = terminal.progress("sealing stores and secrets anew", "records", None);
    let rotated = progress.during(session.client.post_slowly("/api/v1/keys/rotate", &body)).await;
    drop(progress);
    let rotated = session.end(rotated).await?;
    if terminal.json {
        return terminal.data(&rotated);
    }
    let number = |key| rotated.get(key).and_then(Json::as_u64).unwrap_or(0);
    let (stores, secrets) = (number("stores"), number("secrets"));
    terminal.line(format_args!(
        "{stores} stores and {secrets} secrets are sealed anew under key {}",
        field(&rotated, "key")
    ));
    let retired: Vec<&str> = rotated["retired"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    if context.config.vault.source(&context.config.data).is_ours() {
        terminal.note("backups made before open with the old key only, which they contain; make a new one now");
    } else if retired.is_empty() {
        terminal.note(
            "there is no older key: to rotate, put a new key in front of it where it comes from, then run this again",
        );
    } else {
        terminal
            .note(format_args!("nothing needs key {} any more; take it away where it comes from", retired.join(", ")));
    }
    Ok(())
}

async fn list(context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    let session = context.look().await?;
    let keys = session.client.get("/api/v1/keys").await;
    let keys = session.end(keys).await?;
    if terminal.json {
        return terminal.data(&keys);
    }
    let mut table = Table::new(&["KEY", "STATE", "STORES", "SECRETS", "SOURCE"]);
    for key in keys["keys"].as_array().into_iter().flatten() {
        let state = field(key, "state");
        let tone = if state == "missing" { Tone::Bad } else { Tone::Plain };
        let source = if state == "missing" { String::new() } else { field(&keys, "source") };
        let cells = [field(key, "id"), state, field(key, "stores"), field(key, "secrets"), source];
        table.row(cells.map(|text| (tone, text)).to_vec());
    }
    terminal.lines(table.lines(terminal));
    Ok(())
}
