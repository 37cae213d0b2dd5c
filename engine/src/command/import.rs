//! `cartwright import`: an export is read to its end and every line checked; only then a data folder that is empty gets it,
//! in a second reading, as history that moves nothing. Until its end the folder has a mark that every command refuses.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read as _, Seek as _},
    path::Path,
};

use cartwright_run::{Engine, Head, Imported, Kind, LINE_BYTES_MAX, Line, LineError};
use serde_json::json;

use super::{Context, restore::check_folder};
use crate::{
    assembly,
    cli::Import,
    config::StorageChoice,
    data::DataFolder,
    failure::{Failure, OrFail as _, Result, bug, not_fine, usage},
};

/// Lines that are taken in together, and their bytes.
const LINES_AT_ONCE: usize = 512;
const BYTES_AT_ONCE: usize = 4 * 1024 * 1024;

pub(super) async fn run(command: Import, context: &Context) -> Result<()> {
    let Import { file } = command;
    let config = &context.config;
    if config.server.is_some() {
        return Err(usage("an import fills a data folder on this machine; leave --server out"));
    }
    if config.storage == StorageChoice::Memory {
        return Err(usage("an export is imported into storage that lasts; name one with --storage or leave it out"));
    }
    check_folder(&config.data, "An export is imported")?;
    let opened = tokio::task::spawn_blocking(move || open(&file)).await.map_err(bug)??;
    let checked = tokio::task::spawn_blocking(move || check(opened)).await.map_err(bug)?;
    let (mut opened, head) = checked?;
    opened.rewind().or_environment("cannot read the export again")?;

    let data = DataFolder::create(&config.data)?;
    let filling = data.begin_restore()?;
    let storage = assembly::storage(config).await?;
    cartwright_run::check_empty(&storage).await.map_err(not_fine)?;
    let (engine, _) = assembly::open_over(config, &data, storage).await?;
    let imported = fill(&engine, opened).await;
    let closed = engine.stop(std::time::Duration::ZERO).await.or_environment("cannot close the storage");
    let imported = imported?;
    closed?;
    filling.end()?;
    report(&head, imported, context)
}

/// The file; standard input is put on disk first, because it is read twice.
fn open(file: &Path) -> Result<File> {
    if file != Path::new("-") {
        return File::open(file).or_environment(format_args!("cannot open {}", file.display()));
    }
    let doing = "cannot keep standard input";
    let mut kept = tempfile::tempfile().or_environment(doing)?;
    io::copy(&mut io::stdin().lock(), &mut kept).or_environment(doing)?;
    kept.rewind().or_environment(doing)?;
    Ok(kept)
}

/// Lines of an export, each checked by itself and in its place.
struct Lines<R> {
    from: R,
    /// Of the line that was read last.
    number: u64,
    last: Option<Kind>,
    ended: bool,
}

impl<R: BufRead> Lines<R> {
    fn new(from: R) -> Self {
        Self { from, number: 0, last: None, ended: false }
    }

    /// The next line and its length in bytes; `None` after the last.
    fn next(&mut self) -> Result<Option<(Line, usize)>> {
        let mut bytes = Vec::new();
        self.number += 1;
        let limit = LINE_BYTES_MAX as u64 + 1;
        self.from.by_ref().take(limit).read_until(b'\n', &mut bytes).or_environment("cannot read the export")?;
        if bytes.is_empty() {
            return if self.ended {
                Ok(None)
            } else {
                Err(self.wrong("the last line is missing: the file was cut off"))
            };
        }
        if bytes.len() > LINE_BYTES_MAX {
            return Err(self.wrong(format!("it is longer than {} MiB", LINE_BYTES_MAX >> 20)));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| self.wrong("it is not UTF-8"))?;
        let line = Line::parse(text).map_err(|error| self.wrong(describe(&error)))?;
        self.place(&line)?;
        Ok(Some((line, bytes.len())))
    }

    fn place(&mut self, line: &Line) -> Result<()> {
        let is_first = self.number == 1;
        if self.ended {
            return Err(self.wrong("it comes after the last line"));
        }
        match line {
            Line::Head(_) if is_first => {}
            _ if is_first => return Err(self.wrong("the first line says what the file is, and this is another")),
            Line::Head(_) => return Err(self.wrong("the first line is there again")),
            Line::End(lines) if lines + 1 == self.number => self.ended = true,
            Line::End(lines) => {
                let found = self.number - 1;
                return Err(self.wrong(format!("{lines} lines should be before it, and there are {found}")));
            }
            line => {
                if self.last > line.kind() {
                    return Err(self.wrong("lines of this kind come earlier in an export"));
                }
                self.last = line.kind();
            }
        }
        Ok(())
    }

    fn wrong(&self, reason: impl std::fmt::Display) -> Failure {
        not_fine(format!("line {}: {reason}", self.number)).help("Nothing was imported.")
    }
}

/// Our line number stands for the one that JSON errors count within a line.
fn describe(error: &LineError) -> String {
    match error {
        LineError::Json(error) => {
            let place = format!(" at line {} column {}", error.line(), error.column());
            let said = error.to_string();
            format!("{}, at column {}", said.strip_suffix(&place).unwrap_or(&said), error.column())
        }
        other => other.to_string(),
    }
}

/// Reads all of it; gives the file back, and what its first line says.
fn check(file: File) -> Result<(File, Head)> {
    let mut head = None;
    let mut lines = Lines::new(BufReader::new(file));
    while let Some((line, _)) = lines.next()? {
        if let Line::Head(found) = line {
            head = Some(found);
        }
    }
    let head = head.ok_or_else(|| not_fine("the export is empty"))?;
    Ok((lines.from.into_inner(), head))
}

async fn fill(engine: &Engine, file: File) -> Result<Imported> {
    let mut lines = Lines::new(BufReader::new(file));
    let mut all = Imported::default();
    loop {
        let (mut group, mut bytes) = (Vec::new(), 0);
        let mut kind = None;
        let first = lines.number + 1;
        while group.len() < LINES_AT_ONCE && bytes < BYTES_AT_ONCE {
            let Some((line, length)) = lines.next()? else { break };
            bytes += length;
            let ends = kind.is_some() && kind != line.kind();
            kind = line.kind();
            group.push(line);
            if ends {
                break;
            }
        }
        if group.is_empty() {
            return Ok(all);
        }
        let last = lines.number;
        let some = engine.import(group).await.map_err(|error| {
            not_fine(format!("lines {first} to {last}: {error}")).help("Empty the data folder before trying again.")
        })?;
        all += some;
    }
}

fn report(head: &Head, imported: Imported, context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    let Imported { stores, definitions, state, events, unmatched_events, runs, open_runs, for_reading } = imported;
    if terminal.json {
        return terminal.data(&json!({
            "exported": head.exported, "stores": stores, "definitions": definitions, "state": state, "events": events,
            "runs": runs, "left_out": { "open_runs": open_runs, "for_reading": for_reading },
            "unmatched_events": unmatched_events,
        }));
    }
    terminal.line(format_args!(
        "{runs} runs, {events} events, {stores} stores and {state} keys of state of {} are imported into {}",
        head.exported,
        context.config.data.display()
    ));
    if open_runs > 0 || unmatched_events > 0 {
        terminal.note(format_args!(
            "{open_runs} runs had not ended and are left out, {unmatched_events} events were not matched yet and start nothing;"
        ));
        terminal.note("`cartwright backup` and `cartwright restore` move those, too");
    }
    if stores > 0 {
        terminal.note("stores come without keys: remove and add each again with `cartwright store add`, or give it a --webhook-secret");
    }
    if for_reading > 0 {
        terminal.note(format_args!(
            "secrets, tokens, people and the audit log are in the file for reading ({for_reading} lines) and left out"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#"{"kind":"cartwright-export","version":1,"engine":"0","exported":"2026-11-21T07:00:00Z","only":["state"],"since":null,"until":"2026-11-21T07:00:00Z","store":null}"#;
    const STATE: &str = r#"{"kind":"state","workflow":"a","key":"b","value":1.10}"#;

    fn read(text: &[u8]) -> Result<usize> {
        let mut lines = Lines::new(text);
        let mut number = 0;
        while lines.next()?.is_some() {
            number += 1;
        }
        Ok(number)
    }

    fn file(lines: &[&str]) -> String {
        lines.join("\n") + "\n"
    }

    #[test]
    fn a_whole_file_is_read() {
        assert_eq!(read(file(&[HEAD, STATE, r#"{"kind":"end","lines":2}"#]).as_bytes()).expect("read"), 3);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let store = r#"{"kind":"store","id":"s","url":null,"tags":[],"created":"2026-11-21T07:00:00Z","webhook_secrets":1,"rest_keys":false}"#;
        let newer = HEAD.replace(r#""version":1"#, r#""version":2"#);
        let cases: &[(&[&str], &str)] = &[
            (&[], "line 1: the last line is missing"),
            (&[HEAD, STATE], "line 3: the last line is missing"),
            (&[STATE], "line 1: the first line says"),
            (&[HEAD, HEAD], "line 2: the first line is there again"),
            (&[&newer], "line 1: it is of version 2"),
            (&[HEAD, "{"], "line 2: EOF while parsing"),
            (&[HEAD, ""], "line 2: EOF while parsing"),
            (&[HEAD, r#"{"kind":"what"}"#], "line 2: `what` is not a kind"),
            (&[HEAD, r#"{"kind":"state","workflow":"../a","key":"b","value":1}"#], "line 2: "),
            (&[HEAD, r#"{"kind":"state","workflow":"a","key":"","value":1}"#], "line 2: a key of the state"),
            (
                &[HEAD, r#"{"kind":"state","workflow":"a","key":"b","value":1,"more":1}"#],
                "line 2: unknown field `more`",
            ),
            (&[HEAD, r#"{"kind":"run","run":{},"journal":[]}"#], "line 2: missing field"),
            (&[HEAD, STATE, store], "line 3: lines of this kind come earlier"),
            (&[HEAD, STATE, r#"{"kind":"end","lines":3}"#], "line 3: 3 lines should be before it, and there are 2"),
            (&[HEAD, r#"{"kind":"end","lines":1}"#, STATE], "line 3: it comes after the last"),
        ];
        for (lines, expect) in cases {
            let text = if lines.is_empty() { String::new() } else { file(lines) };
            let said = read(text.as_bytes()).expect_err(expect).to_string();
            assert!(said.starts_with(expect), "{said} / {expect}");
        }
        let said = read(b"{\"kind\":\"\xff\"}\n").expect_err("no UTF-8").to_string();
        assert_eq!(said, "line 1: it is not UTF-8");
        let deep =
            format!(r#"{{"kind":"state","workflow":"a","key":"b","value":{}1{}}}"#, "[".repeat(900), "]".repeat(900));
        assert!(read(file(&[HEAD, &deep]).as_bytes()).expect_err("too deep").to_string().contains("recursion limit"));
    }
}
