//! What is wrong with a workflow file, and where. Made by parsing and checking, shown by [`super::render`].

use serde_json::json;

use super::{Span, codes};
use crate::Json;

/// One finding in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable code with its own page (`engine/docs/errors/E0104.md`).
    pub code: &'static str,
    /// Whether the file can be used in spite of it.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// The bytes of the file it is about; may be empty.
    pub span: Span,
    /// What to do about it.
    pub help: Option<String>,
    /// The word that was probably meant.
    pub did_you_mean: Option<String>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file works, but probably not as its author thinks.
    Warning,
    /// The file is not used.
    Error,
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Diagnostic {
    /// An error without help.
    pub fn error(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, message: message.into(), span, help: None, did_you_mean: None }
    }

    /// A warning without help.
    pub fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, message) }
    }

    /// The same with a help line.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with the nearest of `known` to `written`, if any is near.
    #[must_use]
    pub fn suggest<'a>(mut self, written: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        self.did_you_mean = nearest(written, known).map(str::to_owned);
        self
    }

    /// For `--format json`: `{code, title, page, severity, message, file, line, column, end_line, end_column, start, end, help,
    /// did_you_mean}`; lines and columns count from 1, columns count characters, `start` and `end` are bytes.
    pub fn to_json(&self, file: &str, source: &str) -> Json {
        let start = position(source, self.span.start);
        let end = position(source, self.span.end.max(self.span.start));
        json!({
            "code": self.code,
            "title": codes::title(self.code),
            "page": codes::page_path(self.code),
            "severity": self.severity.as_str(),
            "message": self.message,
            "file": file,
            "line": start.line,
            "column": start.column,
            "end_line": end.line,
            "end_column": end.column,
            "start": self.span.start,
            "end": self.span.end,
            "help": self.help,
            "did_you_mean": self.did_you_mean,
        })
    }
}

/// A place as people count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// The line and column of a byte of `source`; a byte beyond its end counts as its end. Lines end as YAML's do: with LF,
/// CR LF or CR. A byte order mark takes no column.
pub fn position(source: &str, byte: usize) -> Position {
    let at = floor(source, byte);
    let start = line_start(source, at);
    let breaks = source.as_bytes()[..start].iter().enumerate();
    let line = breaks.filter(|(index, _)| ends_line(source, *index)).count() + 1;
    let text = &source[start..at];
    Position { line, column: text.strip_prefix('\u{feff}').unwrap_or(text).chars().count() + 1 }
}

/// Whether the byte at `index` is the last one of its line.
fn ends_line(source: &str, index: usize) -> bool {
    let bytes = source.as_bytes();
    bytes[index] == b'\n' || (bytes[index] == b'\r' && bytes.get(index + 1) != Some(&b'\n'))
}

/// Where the line begins that holds the character boundary `at`.
pub(super) fn line_start(source: &str, at: usize) -> usize {
    (0..at).rev().find(|index| ends_line(source, *index)).map_or(0, |index| index + 1)
}

/// Where the line of `at` ends, its line break left out.
pub(super) fn line_end(source: &str, at: usize) -> usize {
    source[at..].find(['\n', '\r']).map_or(source.len(), |offset| at + offset)
}

/// The nearest character boundary at or before `byte`.
pub(crate) fn floor(source: &str, byte: usize) -> usize {
    let mut at = byte.min(source.len());
    while !source.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The word of `known` that `written` was probably meant to be: at most a third of its letters differ.
pub(crate) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Longer words are not compared; the comparison takes quadratic time.
    const MAX_WORD_BYTES: usize = 64;
    if written.len() > MAX_WORD_BYTES {
        return None;
    }
    let lower = written.to_lowercase();
    let limit = (written.chars().count().max(3)) / 3;
    let distance = |word: &str| strsim::osa_distance(&lower, word);
    known
        .into_iter()
        .filter(|word| word.len() <= MAX_WORD_BYTES && *word != written)
        .map(|word| (distance(word), word))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_one() {
        let source = "ä: b\nüü: x";
        assert_eq!(position(source, 0), Position { line: 1, column: 1 });
        assert_eq!(position(source, 2), Position { line: 1, column: 2 });
        assert_eq!(position(source, 1), Position { line: 1, column: 1 });
        assert_eq!(position(source, 10), Position { line: 2, column: 3 });
        assert_eq!(position(source, 999), Position { line: 2, column: 6 });
    }

    #[test]
    fn every_line_break_of_yaml_counts_and_a_byte_order_mark_does_not() {
        for (source, byte, line, column) in [
            ("a\r\nb", 3, 2, 1),
            ("a\r\nb", 1, 1, 2),
            ("a\rb", 2, 2, 1),
            ("a\r\rb", 3, 3, 1),
            ("\u{feff}on: 1", 3, 1, 1),
            ("\u{feff}on: 1", 5, 1, 3),
            ("\u{feff}", 0, 1, 1),
        ] {
            assert_eq!(position(source, byte), Position { line, column }, "{source:?} at {byte}");
        }
    }

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        let known = ["steps", "grants", "on_failure"];
        assert_eq!(nearest("stpes", known), Some("steps"));
        assert_eq!(nearest("Steps", known), Some("steps"));
        assert_eq!(nearest("on-failure", known), Some("on_failure"));
        assert_eq!(nearest("banana", known), None);
        assert_eq!(nearest(&"a".repeat(10_000), known), None);
    }
}
