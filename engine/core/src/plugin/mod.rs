//! Plugins as workflows see them: what a plugin says of itself ([`Manifest`]), and the record by which a workflow is pinned
//! to one version of it ([`PluginRecord`]). The bytes are somewhere else, under their hash.

mod fit;
mod manifest;

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};

pub(crate) use fit::resolve;
pub use fit::{Misfit, misfits};
pub use manifest::{Function, InvalidManifest, Manifest, Needs};

/// What a workflow's reader asks its `files` for, before the plugin's name: `plugin:fraud-score`.
pub const FILE_PREFIX: &str = "plugin:";
/// Longest name of a plugin or a function, in bytes.
pub const MAX_NAME_BYTES: usize = 64;

/// One version of a plugin, without its bytes. As JSON text it is among the files of a workflow's definition, so a run
/// that is pinned to a workflow's version is pinned to its plugins' versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginRecord {
    /// Its name: the file's, without `.wasm`.
    pub name: String,
    /// SHA-256 of the component, 64 hex digits.
    pub hash: String,
    /// The component's size.
    pub bytes: u64,
    /// The version of `cartwright:plugin` that it was built for: `1.0.0`.
    pub wit: String,
    /// The interfaces it imports, without package and version: `http`, `state`.
    pub imports: BTreeSet<String>,
    /// What it says of itself.
    pub manifest: Arc<Manifest>,
}

impl PluginRecord {
    /// From the text that [`PluginRecord::text`] made.
    pub fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| format!("the record of the plugin cannot be read: {error}"))
    }

    /// As JSON, the same for equal records.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("texts and maps always become JSON")
    }

    /// The function that a step means: the named one; without a name the plugin's only one, or the one that is called as
    /// the plugin.
    pub fn function(&self, name: Option<&str>) -> Option<(&str, &Function)> {
        let functions = &self.manifest.functions;
        let found = match name {
            Some(name) => functions.get_key_value(name),
            None if functions.len() == 1 => functions.iter().next(),
            None => functions.get_key_value(&self.name),
        };
        found.map(|(name, function)| (name.as_str(), function))
    }
}

/// Lower-case letters, digits and dashes, beginning with a letter: how plugins and their functions are called.
pub fn is_name(name: &str) -> bool {
    let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    name.len() <= MAX_NAME_BYTES
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && !name.contains("--")
        && name.bytes().all(fine)
}

/// `name` or `name/function`, as a step writes it.
pub fn reference(text: &str) -> Option<(&str, Option<&str>)> {
    let (name, function) = match text.split_once('/') {
        Some((name, function)) => (name, Some(function)),
        None => (text, None),
    };
    (is_name(name) && function.is_none_or(is_name)).then_some((name, function))
}
