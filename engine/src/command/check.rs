//! `cartwright check`: every problem of every file at once, pointing at the place.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use cartwright_core::workflow::{Severity, render};
use cartwright_http::FileFindings;
use serde_json::json;

use super::Context;
use crate::{
    cli::{Check, CheckFormat},
    failure::{Result, environment, quiet},
    terminal::{Terminal, Tone},
    workflows::{conflicts, files_below, read_file},
};

pub(super) fn run(command: Check, context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    let paths = if command.paths.is_empty() { vec![context.config.workflows.clone()] } else { command.paths };
    let sandbox = crate::assembly::sandbox();
    let mut findings = Vec::new();
    let mut loaded = BTreeMap::new();
    let mut count = 0;
    for path in &paths {
        for (root, file) in files_of(path, &context.config.workflows)? {
            count += 1;
            let examined = read_file(&root, &file, Some(&sandbox));
            findings.extend(examined.finding);
            loaded.extend(examined.loaded.map(|one| (one.definition.id.clone(), (file, one))));
        }
    }
    let name = |id: &_| loaded.get(id).map(|(file, _): &(PathBuf, _)| file.display().to_string()).unwrap_or_default();
    findings.extend(conflicts(loaded.values().map(|(_, one)| one), name));
    let count_of =
        |severity| findings.iter().flat_map(|one| &one.diagnostics).filter(|one| one.severity == severity).count();
    let (errors, warnings) = (count_of(Severity::Error), count_of(Severity::Warning));
    let as_json = command.format.map_or(terminal.json, |format| format == CheckFormat::Json);
    if as_json {
        let all: Vec<_> =
            findings.iter().flat_map(|one| one.diagnostics.iter().map(|d| d.to_json(&one.file, &one.source))).collect();
        terminal.data(&json!({ "files": count, "errors": errors, "warnings": warnings, "diagnostics": all }))?;
    } else {
        print(&findings, terminal);
    }
    let summary =
        format!("{} checked, {}, {}", plural(count, "file"), plural(errors, "error"), plural(warnings, "warning"));
    if errors > 0 {
        terminal.note(summary);
        return Err(quiet());
    }
    if !as_json {
        terminal.line(terminal.paint(Tone::Good, summary));
    }
    Ok(())
}

/// The workflow files that a path stands for, each with the folder its id is relative to.
fn files_of(path: &Path, workflows: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    if path.is_dir() {
        let root = if path.starts_with(workflows) { workflows } else { path };
        return Ok(files_below(path)?.into_iter().map(|file| (root.to_owned(), file)).collect());
    }
    if !path.is_file() {
        return Err(
            environment(format!("there is no {}", path.display())).help("Name a workflow file or a folder of them.")
        );
    }
    let root = if path.starts_with(workflows) { workflows } else { path.parent().unwrap_or(Path::new("")) };
    Ok(vec![(root.to_owned(), path.to_owned())])
}

/// Prints findings as the compiler of a language would.
pub(crate) fn print(findings: &[FileFindings], terminal: &Terminal) {
    for finding in findings {
        for line in render(&finding.file, &finding.source, &finding.diagnostics).lines() {
            terminal.line(painted(line, terminal));
        }
        terminal.line("");
    }
}

fn painted(line: &str, terminal: &Terminal) -> String {
    let tone = match line.trim_start() {
        text if text.starts_with("error[") => Tone::Bad,
        text if text.starts_with("warning[") => Tone::Wait,
        text if text.starts_with("= ") => Tone::Move,
        text if text.starts_with("| ") && text.trim_end().ends_with('^') => Tone::Bad,
        _ => Tone::Plain,
    };
    terminal.paint(tone, line)
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}
