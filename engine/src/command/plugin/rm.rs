//! `plugin rm`: takes a plugin out of the folder. Its versions stay in the data folder for runs that are pinned to them.

use std::fs;

use cartwright_core::plugin::FILE_PREFIX;
use serde_json::json;

use super::super::Context;
use crate::{
    failure::{OrFail as _, Result, not_fine},
    plugins::{Installed, signature_file},
    workflows::Folder,
};

pub(super) fn run(name: &str, force: bool, context: &Context) -> Result<()> {
    let installed = Installed::of(&context.config);
    let file = installed.file(name);
    if !installed.names().iter().any(|known| known == name) {
        let folder = installed.folder().display();
        return Err(
            not_fine(format!("there is no plugin `{name}` in {folder}")).help("`cartwright plugin ls` lists them.")
        );
    }
    let users = users(name, &installed, context)?;
    if !users.is_empty() && !force {
        let failure = not_fine(format!("workflows use `{name}`: {}", users.join(", ")));
        return Err(failure.help("Change them first, or remove it all the same with --force."));
    }
    let cannot = format!("cannot remove {}", file.display());
    fs::remove_file(&file).or_environment(&cannot)?;
    let signature = signature_file(&file);
    if signature.exists() {
        fs::remove_file(&signature).or_environment(&cannot)?;
    }
    if context.terminal.json {
        return context.terminal.data(&json!({ "name": name, "removed": true }));
    }
    context.terminal.line(format_args!("{name} is removed; runs that are under way keep their version"));
    Ok(())
}

/// The workflows of the folder that have steps of the plugin.
fn users(name: &str, installed: &Installed, context: &Context) -> Result<Vec<String>> {
    let root = context.config.workflows.clone();
    if !root.is_dir() {
        return Ok(Vec::new());
    }
    let key = format!("{FILE_PREFIX}{name}");
    let reading = Folder::new(root, installed.clone()).read(None)?;
    let uses = reading.loaded.iter().filter(|loaded| loaded.definition.files.contains_key(&key));
    Ok(uses.map(|loaded| loaded.definition.id.to_string()).collect())
}
