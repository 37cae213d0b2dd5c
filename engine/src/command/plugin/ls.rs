//! `plugin ls`: what is installed, and what is wrong with what cannot be used.

use cartwright_core::{Json, plugin::PluginRecord};
use serde_json::json;

use super::super::Context;
use crate::{
    failure::Result,
    plugins::{Installed, Known},
    terminal::{Table, Tone},
};

/// Digits of a hash that people see.
const SHOWN_DIGITS: usize = 12;

pub(super) fn run(context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    let installed = Installed::of(&context.config);
    let all: Vec<_> = installed.names().into_iter().map(|name| (installed.find(&name), name)).collect();
    if terminal.json {
        return terminal.data(&all.iter().map(|(known, name)| shown(name, known)).collect::<Vec<_>>());
    }
    if all.is_empty() {
        terminal.note(format_args!(
            "no plugins in {}; install one with `cartwright plugin add FILE`",
            installed.folder().display()
        ));
        return Ok(());
    }
    let mut table = Table::new(&["PLUGIN~", "VERSION~", "SIZE", "CAN~", "FUNCTIONS~"]);
    for (known, name) in &all {
        match known {
            Ok(Known { record, signed_by }) => {
                let functions: Vec<&str> = record.manifest.functions.keys().map(String::as_str).collect();
                let can: Vec<&str> = record.imports.iter().map(String::as_str).collect();
                let size = format!("{} KB", record.bytes.div_ceil(1024));
                let cells = [name.clone(), version(record), size, can.join(", "), functions.join(", ")];
                table.row(cells.map(|text| (Tone::Plain, text)).to_vec());
                if let Some(key) = signed_by {
                    table.below(Tone::Quiet, format!("signed by {key}"));
                }
            }
            Err(why) => {
                table.row(vec![(Tone::Bad, name.clone())]);
                table.below(Tone::Bad, why.clone());
            }
        }
    }
    terminal.lines(table.lines(terminal));
    Ok(())
}

/// Its author's version and the beginning of its hash.
pub(super) fn version(record: &PluginRecord) -> String {
    let hash: String = record.hash.chars().take(SHOWN_DIGITS).collect();
    format!("{} {hash}", record.manifest.version).trim_start().to_owned()
}

/// What a workflow has to grant, in one line.
pub(super) fn grants(record: &PluginRecord) -> String {
    let lists = record.manifest.needs.lists().into_iter().filter(|(_, list)| !list.is_empty());
    let lists: Vec<String> = lists.map(|(key, list)| format!("{key}: [{}]", list.join(", "))).collect();
    lists.join("  ")
}

/// For scripts.
pub(super) fn shown(name: &str, known: &std::result::Result<Known, String>) -> Json {
    match known {
        Ok(Known { record, signed_by }) => json!({
            "name": name,
            "version": record.manifest.version,
            "hash": record.hash,
            "bytes": record.bytes,
            "wit": record.wit,
            "imports": record.imports,
            "functions": record.manifest.functions,
            "needs": record.manifest.needs,
            "signed_by": signed_by,
            "error": null,
        }),
        Err(why) => json!({ "name": name, "error": why }),
    }
}
