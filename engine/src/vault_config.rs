//! `[vault]` of the configuration and `CARTWRIGHT_MASTER_KEY`: together they say where the master key comes from.

use std::{ffi::OsString, path::Path};

use cartwright_woo::{KeyCommand, KeySource, Secret, key_source::MASTER_KEY_VARIABLE};
use serde::Deserialize;

use crate::failure::{Result, usage};

/// Variables that hold secrets; a key command does not see them.
pub(crate) const PASSPHRASE_VARIABLE: &str = "CARTWRIGHT_BACKUP_PASSPHRASE";

/// `[vault]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VaultFile {
    source: Option<Named>,
    /// A program and its arguments; what it prints are the keys.
    master_key_command: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Named {
    File,
    Environment,
    Command,
}

/// Where the master key comes from. The key of the file is in the data folder, whichever that is.
#[derive(Debug, Clone)]
pub(crate) enum VaultConfig {
    File,
    Environment(Secret),
    Command(KeyCommand),
}

impl VaultConfig {
    /// The variable decides by itself where nothing else is configured. Two sources at once are refused rather than
    /// ranked: sealing under the wrong key is noticed only when it is too late.
    pub(crate) fn new(file: VaultFile, variable: Option<&Secret>) -> Result<Self> {
        let VaultFile { source, master_key_command } = file;
        let source = source.unwrap_or(match (&master_key_command, variable) {
            (Some(_), _) => Named::Command,
            (None, Some(_)) => Named::Environment,
            (None, None) => Named::File,
        });
        if source != Named::Environment && variable.is_some() {
            let name = if source == Named::File { "the file" } else { "a command" };
            return Err(usage(format!(
                "[vault] says that the master key comes from {name}, but {MASTER_KEY_VARIABLE} is set: keep one of them"
            )));
        }
        if source != Named::Command && master_key_command.is_some() {
            return Err(usage("[vault] has a master_key_command, but its source is another: keep one of them"));
        }
        match source {
            Named::File => Ok(Self::File),
            Named::Environment => match variable {
                Some(text) => Ok(Self::Environment(text.clone())),
                None => Err(usage(format!(
                    "[vault] says source = \"environment\", but {MASTER_KEY_VARIABLE} is not set (64 hex digits)"
                ))),
            },
            Named::Command => command(master_key_command).map(Self::Command),
        }
    }

    /// The source, with the data folder that a file is in.
    pub(crate) fn source(&self, data: &Path) -> KeySource {
        match self {
            Self::File => KeySource::File(data.to_owned()),
            Self::Environment(text) => KeySource::Environment(text.clone()),
            Self::Command(command) => KeySource::Command(command.clone()),
        }
    }
}

fn command(words: Option<Vec<String>>) -> Result<KeyCommand> {
    let mut words = words.unwrap_or_default().into_iter().map(OsString::from);
    match words.next() {
        Some(program) if !program.is_empty() => Ok(KeyCommand {
            program,
            arguments: words.collect(),
            hidden_variables: vec![MASTER_KEY_VARIABLE.into(), PASSPHRASE_VARIABLE.into()],
        }),
        _ => Err(usage(
            "[vault] takes the master key from a command but names none: write master_key_command = [\"program\", \"argument\"]",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(text: &str, variable: Option<&str>) -> Result<&'static str> {
        let file = toml::from_str(text).map_err(usage)?;
        let variable = variable.map(Secret::new);
        VaultConfig::new(file, variable.as_ref()).map(|vault| vault.source(Path::new("/data")).name())
    }

    #[test]
    fn the_source_is_what_is_configured_or_what_is_there() {
        for (text, variable, expect) in [
            ("", None, "file"),
            ("", Some("k"), "environment"),
            ("source = \"file\"", None, "file"),
            ("source = \"environment\"", Some("k"), "environment"),
            ("source = \"command\"\nmaster_key_command = [\"kms\", \"get\"]", None, "command"),
            ("master_key_command = [\"kms\"]", None, "command"),
        ] {
            assert_eq!(made(text, variable).expect(text), expect);
        }
    }

    #[test]
    fn what_contradicts_itself_or_is_misspelt_is_refused_without_the_key() {
        for (text, variable) in [
            ("source = \"file\"", Some("hunter2")),
            ("source = \"command\"\nmaster_key_command = [\"kms\"]", Some("hunter2")),
            ("master_key_command = [\"kms\"]", Some("hunter2")),
            ("source = \"environment\"", None),
            ("source = \"environment\"\nmaster_key_command = [\"kms\"]", Some("hunter2")),
            ("source = \"file\"\nmaster_key_command = [\"kms\"]", None),
            ("source = \"command\"", None),
            ("source = \"command\"\nmaster_key_command = []", None),
            ("source = \"command\"\nmaster_key_command = [\"\"]", None),
            ("source = \"command\"\nmaster_key_command = \"kms get\"", None),
            ("source = \"vault\"", None),
            ("sorce = \"file\"", None),
            ("master_key = \"hunter2\"", None),
        ] {
            let error = made(text, variable).expect_err(text).to_string();
            assert!(variable.is_none() || !error.contains("hunter2"), "{error}");
        }
    }
}
