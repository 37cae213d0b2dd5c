//! What is wrong with a workflow file, and where. Made by parsing and checking, shown by [`super::render`].

use serde_json::json;

use super::Span;
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

    /// For `--format json`: `{code, severity, message, file, line, column, end_line, end_column, start, end, help,
    /// did_you_mean}`; lines and columns count from 1, columns count characters, `start` and `end` are bytes.
    pub fn to_json(&self, file: &str, source: &str) -> Json {
        let start = position(source, self.span.start);
        let end = position(source, self.span.end.max(self.span.start));
        json!({
            "code": self.code,
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

/// The line and column of a byte of `source`; a byte beyond its end counts as its end.
pub fn position(source: &str, byte: usize) -> Position {
    let before = &source[..floor(source, byte)];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    Position { line, column: before[line_start..].chars().count() + 1 }
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
    fn near_words_are_suggested_and_far_ones_are_not() {
        let known = ["steps", "grants", "on_failure"];
        assert_eq!(nearest("stpes", known), Some("steps"));
        assert_eq!(nearest("Steps", known), Some("steps"));
        assert_eq!(nearest("on-failure", known), Some("on_failure"));
        assert_eq!(nearest("banana", known), None);
        assert_eq!(nearest(&"a".repeat(10_000), known), None);
    }
}
