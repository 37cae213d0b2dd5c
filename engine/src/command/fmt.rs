//! `cartwright fmt`: workflow files in one form. A file that is not YAML is left alone and its problems are printed.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use cartwright_core::workflow::{FileKind, Unformatted, format, parse::diagnostic_of_bytes, render};
use serde_json::json;

use super::Context;
use crate::{
    cli::Fmt,
    failure::{OrFail as _, Result, environment, quiet, usage},
    terminal::{Terminal, Tone, unified},
    workflows::{is_test, with_tests_below},
};

/// Of standard input, in bytes.
const MAX_INPUT_BYTES: u64 = 1024 * 1024;

/// What became of the files.
#[derive(Default)]
struct Outcome {
    files: usize,
    changed: Vec<String>,
    unusual: Vec<String>,
    broken: Vec<String>,
}

pub(super) fn run(command: &Fmt, context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    if command.stdin {
        return standard_input(command, terminal);
    }
    let own = [context.config.workflows.clone()];
    let paths = if command.paths.is_empty() { &own[..] } else { &command.paths };
    let mut outcome = Outcome::default();
    for path in paths {
        for file in files_of(path)? {
            one(&file, command, terminal, &mut outcome)?;
        }
    }
    tell(&outcome, command, terminal)
}

fn standard_input(command: &Fmt, terminal: &Terminal) -> Result<()> {
    let name = match &command.paths[..] {
        [] => Path::new("standard input"),
        [name] => name,
        _ => return Err(usage("--stdin takes one text; name at most one path, which says what the text is called")),
    };
    let mut source = String::new();
    io::stdin().take(MAX_INPUT_BYTES).read_to_string(&mut source).or_environment("cannot read standard input")?;
    match format(&source, kind_of(name)) {
        Ok(text) => io::stdout().write_all(text.as_bytes()).or_environment("cannot write standard output"),
        // An editor puts back what it gets: never nothing.
        Err(why) => {
            complain(&name.display().to_string(), &source, &why, terminal);
            io::stdout().write_all(source.as_bytes()).or_environment("cannot write standard output")?;
            Err(quiet())
        }
    }
}

fn kind_of(path: &Path) -> FileKind {
    if is_test(path) { FileKind::Test } else { FileKind::Workflow }
}

fn files_of(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_dir() {
        return with_tests_below(path);
    }
    if !path.is_file() {
        let failure = environment(std::format!("there is no {}", path.display()));
        return Err(failure.help("Name a workflow file or a folder of them."));
    }
    Ok(vec![path.to_owned()])
}

fn one(file: &Path, command: &Fmt, terminal: &Terminal, outcome: &mut Outcome) -> Result<()> {
    let name = file.display().to_string();
    outcome.files += 1;
    let bytes = fs::read(file).or_environment(format_args!("cannot read {name}"))?;
    let source = match String::from_utf8(bytes) {
        Ok(source) => source,
        Err(error) => {
            let found = Unformatted::Broken(vec![diagnostic_of_bytes(error.utf8_error())]);
            complain(&name, &String::from_utf8_lossy(error.as_bytes()), &found, terminal);
            outcome.broken.push(name);
            return Ok(());
        }
    };
    match format(&source, kind_of(file)) {
        Ok(text) if text == source => {}
        Ok(text) => {
            if command.diff && !terminal.json {
                terminal.lines(unified((&name, &source), (&name, &text), terminal));
            }
            if !command.check && !command.diff {
                replace(file, &text).or_environment(format_args!("cannot write {name}"))?;
            }
            outcome.changed.push(name);
        }
        Err(why) => {
            complain(&name, &source, &why, terminal);
            match why {
                Unformatted::Broken(_) => outcome.broken.push(name),
                Unformatted::Unusual => outcome.unusual.push(name),
            }
        }
    }
    Ok(())
}

/// Puts a new file in the place of an old one, behind a link if it is one: nobody sees a half of it.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let file = file.canonicalize()?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::Builder::new().prefix(".cartwright-fmt-").tempfile_in(folder)?;
    new.write_all(text.as_bytes())?;
    new.as_file().set_permissions(fs::metadata(&file)?.permissions())?;
    new.as_file().sync_all()?;
    new.persist(&file).map_err(|error| error.error)?;
    Ok(())
}

fn complain(name: &str, source: &str, why: &Unformatted, terminal: &Terminal) {
    match why {
        Unformatted::Broken(found) => {
            for line in render(name, source, found).lines() {
                terminal.note(line);
            }
        }
        Unformatted::Unusual => {
            terminal.note(format_args!("{name}: written in a way that is not understood well enough; left as it is"));
        }
    }
}

fn tell(outcome: &Outcome, command: &Fmt, terminal: &Terminal) -> Result<()> {
    let only_looked = command.check || command.diff;
    if terminal.json {
        terminal.data(&json!({
            "files": outcome.files,
            "changed": outcome.changed,
            "unusual": outcome.unusual,
            "broken": outcome.broken,
            "written": !only_looked,
        }))?;
    } else {
        for name in &outcome.changed {
            let word = if only_looked { "would change" } else { "formatted" };
            terminal.line(std::format!("{} {name}", terminal.paint(Tone::Wait, word)));
        }
        let count = |count: usize, what: &str| std::format!("{count} {what}");
        let changed = if only_looked { "would change" } else { "formatted" };
        let mut parts = vec![count(outcome.files, if outcome.files == 1 { "file" } else { "files" })];
        parts.push(count(outcome.changed.len(), changed));
        parts.extend((!outcome.unusual.is_empty()).then(|| count(outcome.unusual.len(), "left as they are")));
        parts.extend((!outcome.broken.is_empty()).then(|| count(outcome.broken.len(), "not readable")));
        terminal.note(parts.join(", "));
    }
    let differs = command.check && !outcome.changed.is_empty();
    if differs || !outcome.broken.is_empty() { Err(quiet()) } else { Ok(()) }
}
