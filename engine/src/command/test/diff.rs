//! Differences as people read them: `-` is what was expected, `+` what came.

use cartwright_core::testing::How;
use similar::{ChangeTag, TextDiff};

use crate::terminal::{Terminal, Tone};

/// Lines around a change that are shown.
const CONTEXT_LINES: usize = 3;
/// Where output is no terminal.
const USUAL_WIDTH: usize = 100;

/// The lines of one difference, painted and indented by `indent`.
pub(in crate::command) fn lines(how: &How, indent: usize, terminal: &Terminal) -> Vec<String> {
    let mut out = Painter { lines: Vec::new(), indent, terminal };
    match how {
        How::Said(said) => said.lines().for_each(|line| out.line(' ', line)),
        How::Lines { expected, actual } => out.diff(expected, actual),
        How::Value { expected, actual } => {
            let (expected, actual) = (plain(expected), plain(actual));
            if expected.contains('\n') || actual.contains('\n') {
                let split = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
                out.diff(&split(&expected), &split(&actual));
            } else {
                out.line('-', &expected);
                out.line('+', &actual);
            }
        }
    }
    out.lines
}

/// A long JSON text is broken into lines, so that the difference in it can be seen.
fn plain(text: &str) -> String {
    const LONG_CHARS: usize = 60;
    if let Ok(serde_json::Value::String(inner)) = serde_json::from_str(text)
        && inner.contains('\n')
    {
        return inner;
    }
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) if text.chars().count() > LONG_CHARS && (value.is_object() || value.is_array()) => {
            serde_json::to_string_pretty(&value).unwrap_or_else(|_| text.to_owned())
        }
        _ => text.to_owned(),
    }
}

struct Painter<'t> {
    lines: Vec<String>,
    indent: usize,
    terminal: &'t Terminal,
}

impl Painter<'_> {
    fn diff(&mut self, expected: &[String], actual: &[String]) {
        let (expected, actual): (Vec<&str>, Vec<&str>) =
            (expected.iter().map(String::as_str).collect(), actual.iter().map(String::as_str).collect());
        let diff = TextDiff::from_slices(&expected, &actual);
        for (number, group) in diff.grouped_ops(CONTEXT_LINES).iter().enumerate() {
            if number > 0 {
                self.line(' ', "…");
            }
            for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
                let sign = match change.tag() {
                    ChangeTag::Delete => '-',
                    ChangeTag::Insert => '+',
                    ChangeTag::Equal => ' ',
                };
                self.line(sign, change.value());
            }
        }
        if expected.is_empty() {
            self.line('-', "nothing");
        }
        if actual.is_empty() {
            self.line('+', "nothing");
        }
    }

    /// A line with its sign, wrapped where it is longer than the terminal is wide.
    fn line(&mut self, sign: char, text: &str) {
        let tone = match sign {
            '-' => Tone::Bad,
            '+' => Tone::Good,
            _ => Tone::Plain,
        };
        let room = self.terminal.width().unwrap_or(USUAL_WIDTH).saturating_sub(self.indent + 2).max(20);
        let characters: Vec<char> = text.chars().collect();
        let mut pieces = characters.chunks(room);
        let first: String = pieces.next().unwrap_or_default().iter().collect();
        let pad = " ".repeat(self.indent);
        self.lines
            .push(format!("{pad}{}", self.terminal.paint(tone, format_args!("{sign} {first}"))).trim_end().to_owned());
        for piece in pieces {
            let piece: String = piece.iter().collect();
            self.lines.push(format!("{pad}{}", self.terminal.paint(tone, format_args!("  {piece}"))));
        }
    }
}
