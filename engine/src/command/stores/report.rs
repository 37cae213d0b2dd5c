//! `cartwright store test`: what an engine found out about a store, for people.

use cartwright_core::{Json, id::StoreId};

use crate::{
    client::Client,
    command::{Context, field},
    failure::{Result, quiet},
    terminal::{Terminal, Tone},
};

/// Names of checks stand in a column of this width.
const NAME_CHARS: usize = 12;
/// Sign, blank, name, blank.
const INDENT_CHARS: usize = NAME_CHARS + 3;
/// Where the terminal does not say how wide it is, and at least.
const TEXT_CHARS: (usize, usize) = (100, 24);

/// Asks an engine to look.
pub(super) async fn ask(client: &Client, id: &StoreId) -> Result<Json> {
    client.post(&format!("/api/v1/stores/{id}/test"), &Json::Null).await
}

pub(super) async fn test(id: &StoreId, context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    let session = context.look().await?;
    let report = ask(&session.client, id).await;
    let report = session.end(report).await?;
    if terminal.json {
        terminal.data(&report)?;
    } else {
        print(&report, terminal);
    }
    if report.get("fine") == Some(&Json::Bool(true)) { Ok(()) } else { Err(quiet()) }
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
