//! Diagnostics for machines: GitHub's workflow commands and SARIF. (JSON is [`super::Diagnostic::to_json`].)

mod github;
mod sarif;

pub use github::github;
pub use sarif::sarif;

use super::Diagnostic;

/// What was found in one file.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// Its path, relative to where the reader of the report stands, or absolute.
    pub file: &'a str,
    /// Its text; empty where it could not be read.
    pub source: &'a str,
    /// The findings.
    pub diagnostics: &'a [Diagnostic],
}

/// Message, suggestion and help as one text.
fn whole(diagnostic: &Diagnostic) -> String {
    let mut text = diagnostic.message.clone();
    if let Some(word) = &diagnostic.did_you_mean {
        text += &format!("\ndid you mean `{word}`?");
    }
    if let Some(help) = &diagnostic.help {
        text += &format!("\nhelp: {help}");
    }
    text
}

/// A path with `/` between its parts and without a leading `./`.
fn portable(file: &str) -> String {
    let file = if std::path::MAIN_SEPARATOR == '\\' { file.replace('\\', "/") } else { file.to_owned() };
    file.strip_prefix("./").map(str::to_owned).unwrap_or(file)
}
