//! Diagnostics as text for a terminal or a log: file, line and column, the source line with the span underlined, help.

mod excerpt;
mod wrap;

use super::{
    Severity,
    diagnostic::{Diagnostic, floor, position},
};
use excerpt::excerpt;
pub use wrap::wrap;

/// How wide text is where nobody says otherwise.
pub const COLUMNS: usize = 80;

/// What a line of rendered diagnostics is, for whoever colours it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `error[E0104]: …` and what of it goes on.
    Headline(Severity),
    /// `--> file:line:column`
    Place,
    /// A line of the file.
    Source,
    /// The carets below it.
    Underline(Severity),
    /// What to do about it.
    Help,
    /// Nothing, between two diagnostics.
    Blank,
}

/// All diagnostics of one file as text of [`COLUMNS`] columns, in order of place. Empty without diagnostics.
pub fn render(file: &str, source: &str, diagnostics: &[Diagnostic]) -> String {
    let lines = lines(file, source, diagnostics, COLUMNS);
    lines.into_iter().map(|(_, line)| line + "\n").collect()
}

/// The same line by line, in as many columns as there are. Code is never broken over lines.
pub fn lines(file: &str, source: &str, diagnostics: &[Diagnostic], columns: usize) -> Vec<(Part, String)> {
    let mut sorted: Vec<_> = diagnostics.iter().collect();
    sorted.sort_by_key(|d| (d.span.start, d.span.end, d.code));
    let mut out = Vec::new();
    for (index, diagnostic) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push((Part::Blank, String::new()));
        }
        one(&mut out, file, source, diagnostic, columns);
    }
    out
}

fn one(out: &mut Vec<(Part, String)>, file: &str, source: &str, d: &Diagnostic, columns: usize) {
    let start = floor(source, d.span.start);
    let at = position(source, start);
    let gutter = at.line.to_string().len();
    let blank = " ".repeat(gutter);
    let headline = format!("{}[{}]: {}", d.severity.as_str(), d.code, d.message);
    put(out, Part::Headline(d.severity), "", "  ", &headline, columns);
    out.push((Part::Place, format!("{blank}--> {file}:{}:{}", at.line, at.column)));
    let shown = excerpt(source, start, d.span.end, columns.saturating_sub(gutter + 3));
    out.push((Part::Source, format!("{blank} |")));
    out.push((Part::Source, format!("{} | {}", at.line, shown.line).trim_end().to_owned()));
    out.push((Part::Underline(d.severity), format!("{blank} | {}", shown.underline)));
    if let Some(word) = &d.did_you_mean {
        let text = format!("did you mean `{word}`?");
        put(out, Part::Help, &format!("{blank} = "), &format!("{blank}   "), &text, columns);
    }
    let mut label = "= help:";
    for text in d.help.iter().flat_map(|help| help.lines()) {
        put(out, Part::Help, &format!("{blank} {label} "), &format!("{blank}         "), text, columns);
        label = "       ";
    }
}

/// Text in lines of at most `columns`, the first after `first`, the others after `rest`.
fn put(out: &mut Vec<(Part, String)>, part: Part, first: &str, rest: &str, text: &str, columns: usize) {
    let narrowest = first.len().max(rest.len());
    for (index, line) in wrap(text, columns.saturating_sub(narrowest)).into_iter().enumerate() {
        let indent = if index == 0 { first } else { rest };
        out.push((part, format!("{indent}{line}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, span: std::ops::Range<usize>, expect: &str) {
        let text = render("a.yaml", source, &[Diagnostic::error("E0104", span, "wrong").help("mend it")]);
        assert_eq!(text, expect, "{text}");
    }

    #[test]
    fn underlines_the_span() {
        check(
            "on: 1\nstpes: []\n",
            6..11,
            "error[E0104]: wrong\n --> a.yaml:2:1\n  |\n2 | stpes: []\n  | ^^^^^\n  = help: mend it\n",
        );
    }

    #[test]
    fn an_empty_file_and_places_beyond_the_end_are_shown() {
        check("", 0..0, "error[E0104]: wrong\n --> a.yaml:1:1\n  |\n1 |\n  | ^\n  = help: mend it\n");
        check("a", 70..90, "error[E0104]: wrong\n --> a.yaml:1:2\n  |\n1 | a\n  |  ^\n  = help: mend it\n");
    }

    #[test]
    fn nothing_is_wider_than_it_may_be() {
        let source = format!("{}x{}", "a".repeat(500), "日".repeat(500));
        let words = "so many words that they go on and on ".repeat(8);
        for columns in [40, 60, 80, 120] {
            for span in [0..0, 0..3, 500..501, 480..900, 1900..1903, 0..2001] {
                let found = Diagnostic::error("E0104", span, &words).help(&words).suggest("stpes", ["steps"]);
                for (_, line) in lines("a.yaml", &source, &[found], columns) {
                    assert!(unicode_width::UnicodeWidthStr::width(line.as_str()) <= columns, "{columns}: {line}");
                }
            }
        }
    }
}
