//! `cartwright check`: every problem of every file at once, pointing at the place.
//!
//! Exit codes: 0 where nothing is wrong, 1 with errors (or warnings, with `--deny warnings`), 2 for a wrong command
//! line, 3 where a path cannot be read.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use cartwright_core::{
    Json,
    workflow::{
        Known, Severity,
        render::{COLUMNS, Part, lines},
        report::{Report, github, sarif},
    },
};
use cartwright_http::FileFindings;
use serde_json::json;

use super::{Context, check_known};
use crate::{
    cli::{Check, CheckFormat, Denied},
    config::Config,
    failure::{Result, environment, quiet},
    plugins::Installed,
    terminal::{Terminal, Tone},
    workflows::{Sources, conflicts, files_below, has_file},
};

/// Lines of diagnostics are no wider, however wide the terminal is.
const MAX_COLUMNS: usize = 120;

pub(super) async fn run(command: &Check, context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    let paths = if command.paths.is_empty() { vec![context.config.workflows.clone()] } else { command.paths.clone() };
    let known = check_known::known(context).await?;
    let checked = examined(&paths, &context.config, known.as_ref())?;
    let format = command.format.unwrap_or(if terminal.json { CheckFormat::Json } else { CheckFormat::Text });
    checked.print(format, terminal)?;
    let denied = command.deny == Some(Denied::Warnings) && checked.count(Severity::Warning) > 0;
    let failed = denied || checked.count(Severity::Error) > 0;
    match (failed, format) {
        (true, _) => terminal.note(checked.summary()),
        (false, CheckFormat::Text) => terminal.line(terminal.paint(Tone::Good, checked.summary())),
        (false, _) => {}
    }
    if failed { Err(quiet()) } else { Ok(()) }
}

/// What a check found.
struct Checked {
    files: usize,
    /// One entry a file, in order of path.
    findings: Vec<FileFindings>,
}

fn examined(paths: &[PathBuf], config: &Config, known: Option<&Known>) -> Result<Checked> {
    let (sandbox, plugins) = (crate::assembly::sandbox(), Installed::of(config));
    let sources = Sources { plugins: &plugins, sandbox: Some(&sandbox) };
    let workflows = config.workflows.as_path();
    let mut findings = Vec::new();
    let mut loaded = BTreeMap::new();
    let mut roots = BTreeSet::from([workflows.to_owned()]);
    let mut files = 0;
    for path in paths {
        for (root, file) in files_of(path, workflows)? {
            files += 1;
            roots.insert(root.clone());
            let examined = sources.read(&root, &file);
            findings.extend(examined.finding);
            loaded.extend(examined.loaded.map(|one| (one.definition.id.clone(), (file, one))));
        }
    }
    let name = |id: &_| loaded.get(id).map(|(file, _): &(PathBuf, _)| file.display().to_string()).unwrap_or_default();
    if let Some(known) = known {
        findings.extend(loaded.values().map(|(file, one)| FileFindings {
            workflow: Some(one.definition.id.clone()),
            file: file.display().to_string(),
            source: one.definition.source.clone(),
            diagnostics: known.missing(&one.workflow),
        }));
        findings.retain(|one| !one.diagnostics.is_empty());
    }
    let has_file = |id: &str| roots.iter().any(|root| has_file(root, id));
    findings.extend(conflicts(loaded.values().map(|(_, one)| one), name, has_file));
    Ok(Checked { files, findings: merged(findings) })
}

/// One entry for each file, its findings in order of place.
fn merged(findings: Vec<FileFindings>) -> Vec<FileFindings> {
    let mut files: BTreeMap<String, FileFindings> = BTreeMap::new();
    for one in findings {
        match files.get_mut(&one.file) {
            None => drop(files.insert(one.file.clone(), one)),
            Some(file) => {
                if file.source.is_empty() {
                    file.source = one.source;
                }
                file.diagnostics.extend(one.diagnostics);
                file.diagnostics.sort_by_key(|found| (found.span.start, found.span.end, found.code));
                file.diagnostics.dedup();
            }
        }
    }
    files.into_values().collect()
}

impl Checked {
    fn count(&self, severity: Severity) -> usize {
        self.findings.iter().flat_map(|one| &one.diagnostics).filter(|one| one.severity == severity).count()
    }

    fn summary(&self) -> String {
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        format!("{} checked, {}, {}", plural(self.files, "file"), plural(errors, "error"), plural(warnings, "warning"))
    }

    fn print(&self, format: CheckFormat, terminal: &Terminal) -> Result<()> {
        let reports: Vec<Report<'_>> = self.findings.iter().map(report).collect();
        match format {
            CheckFormat::Text => print(&self.findings, terminal),
            CheckFormat::Json => terminal.data(&self.json())?,
            CheckFormat::Sarif => terminal.data(&sarif(&reports, env!("CARGO_PKG_VERSION")))?,
            CheckFormat::Github => github(&reports).lines().for_each(|line| terminal.line(line)),
        }
        Ok(())
    }

    /// As `engine/docs/check.md` describes it.
    fn json(&self) -> Json {
        let of_file = |one: &FileFindings| -> Vec<Json> {
            one.diagnostics.iter().map(|found| found.to_json(&one.file, &one.source)).collect()
        };
        json!({
            "files": self.files,
            "errors": self.count(Severity::Error),
            "warnings": self.count(Severity::Warning),
            "diagnostics": self.findings.iter().flat_map(of_file).collect::<Vec<_>>(),
        })
    }
}

fn report(one: &FileFindings) -> Report<'_> {
    Report { file: &one.file, source: &one.source, diagnostics: &one.diagnostics }
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
    let columns = terminal.width().unwrap_or(COLUMNS).min(MAX_COLUMNS);
    for finding in findings {
        for (part, line) in lines(&finding.file, &finding.source, &finding.diagnostics, columns) {
            terminal.line(terminal.paint(tone(part), line));
        }
        terminal.line("");
    }
}

fn tone(part: Part) -> Tone {
    match part {
        Part::Headline(Severity::Error) | Part::Underline(Severity::Error) => Tone::Bad,
        Part::Headline(Severity::Warning) | Part::Underline(Severity::Warning) => Tone::Wait,
        Part::Help => Tone::Move,
        Part::Place => Tone::Quiet,
        Part::Source | Part::Blank => Tone::Plain,
    }
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}
