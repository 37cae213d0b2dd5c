//! `cartwright store test`: what an engine found out about a store, for people.

use cartwright_core::Json;
use futures_util::stream::{self, StreamExt as _};

use super::MAX_LISTED;
use crate::{
    cli::StoreTest,
    client::Client,
    command::{Context, field},
    failure::{Result, quiet},
    terminal::{Terminal, Tone},
};

/// Stores that are looked into at the same time.
const AT_ONCE: usize = 8;
/// Names of checks stand in a column of this width.
const NAME_CHARS: usize = 12;
/// Sign, blank, name, blank.
const INDENT_CHARS: usize = NAME_CHARS + 3;
/// Where the terminal does not say how wide it is, and at least.
const TEXT_CHARS: (usize, usize) = (100, 24);

/// Asks an engine to look.
pub(super) async fn ask(client: &Client, id: &str) -> Result<Json> {
    client.post(&format!("/api/v1/stores/{id}/test"), &Json::Null).await
}

/// One store's report, or with several a list of them, each printed when it is there. Not fine when one is not.
pub(super) async fn test(wanted: &StoreTest, context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    let several = wanted.all || wanted.ids.len() > 1;
    let session = context.look().await?;
    let reports = all(&session.client, wanted, several && !terminal.json, terminal).await;
    let reports = session.end(reports).await?;
    match (reports.as_slice(), several) {
        ([report], false) if terminal.json => terminal.data(report)?,
        ([report], false) => print(report, terminal),
        _ if terminal.json => terminal.data(&reports)?,
        ([], _) => terminal.note("no stores; add one with `cartwright store add ID --url URL`"),
        _ => {
            let fine = reports.iter().filter(|report| is_fine(report)).count();
            terminal.line(format_args!("{fine} of {} stores are fine", reports.len()));
        }
    }
    if reports.iter().all(is_fine) { Ok(()) } else { Err(quiet()) }
}

fn is_fine(report: &Json) -> bool {
    report.get("fine") == Some(&Json::Bool(true))
}

/// Looks into several stores at once; tells in the order in which they were named.
async fn all(client: &Client, wanted: &StoreTest, tell: bool, terminal: &Terminal) -> Result<Vec<Json>> {
    let ids: Vec<String> = if wanted.all {
        let stores = client.list("/api/v1/stores", &[], MAX_LISTED).await?;
        stores.iter().map(|store| field(store, "id")).collect()
    } else {
        wanted.ids.iter().map(ToString::to_string).collect()
    };
    let mut progress = terminal.progress("testing", "stores", Some(ids.len() as u64));
    let mut asked = stream::iter(ids).map(|id| async move { ask(client, &id).await }).buffered(AT_ONCE);
    let mut reports = Vec::new();
    while let Some(report) = progress.during(asked.next()).await {
        let report = report?;
        if tell {
            progress.hide();
            verdict(&report, terminal);
        }
        reports.push(report);
        progress.add(1);
    }
    Ok(reports)
}

/// One line for a store that is fine, and all of what was found at one that is not.
fn verdict(report: &Json, terminal: &Terminal) {
    let (sign, tone) = if is_fine(report) { ("✓", Tone::Good) } else { ("✗", Tone::Bad) };
    terminal.line(format_args!(
        "{} {}",
        terminal.paint(tone, sign),
        terminal.paint(Tone::Strong, field(report, "store"))
    ));
    if !is_fine(report) {
        print(report, terminal);
    }
}

/// One line a check, with what to do below it.
pub(super) fn print(report: &Json, terminal: &Terminal) {
    let width = terminal.width().unwrap_or(TEXT_CHARS.0 + INDENT_CHARS);
    let width = width.saturating_sub(INDENT_CHARS).max(TEXT_CHARS.1);
    let checks = report.get("checks").and_then(Json::as_array).into_iter().flatten();
    let mut signs = Vec::new();
    for check in checks {
        let (sign, tone) = sign(&field(check, "outcome"));
        signs.push(sign);
        let mut lines = wrap(&field(check, "message"), width);
        lines.extend(
            wrap(&field(check, "help"), width.saturating_sub(2))
                .into_iter()
                .enumerate()
                .map(|(at, line)| if at == 0 { format!("→ {line}") } else { format!("  {line}") }),
        );
        let name = format!("{:<NAME_CHARS$}", field(check, "name"));
        for (at, line) in lines.iter().enumerate() {
            match at {
                0 => terminal.line(format_args!("{} {name} {line}", terminal.paint(tone, sign))),
                _ => terminal.line(format_args!("{:INDENT_CHARS$}{line}", "")),
            }
        }
    }
    let count = |wanted: &str| signs.iter().filter(|sign| **sign == wanted).count();
    terminal.line(match (count("✗"), count("!")) {
        (0, 0) => "everything is as it should be".to_owned(),
        (0, warnings) => format!("calls work; {warnings} to look at"),
        (failed, _) => format!("{failed} failed"),
    });
}

fn sign(outcome: &str) -> (&'static str, Tone) {
    match outcome {
        "ok" => ("✓", Tone::Good),
        "warning" => ("!", Tone::Wait),
        "failed" => ("✗", Tone::Bad),
        _ => ("-", Tone::Quiet),
    }
}

/// Lines of at most `width` characters, broken between words; a longer word has a line of its own.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_broken_between_words() {
        for (text, width, expect) in [
            ("", 10, &[][..]),
            ("one two three", 7, &["one two", "three"]),
            ("one two three", 6, &["one", "two", "three"]),
            ("grüße größer", 12, &["grüße größer"]),
            ("a-very-long-word b", 5, &["a-very-long-word", "b"]),
        ] {
            assert_eq!(wrap(text, width), expect, "{text} {width}");
        }
    }
}
