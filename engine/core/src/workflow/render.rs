//! Diagnostics as text for a terminal or a log: file, line and column, the source line with the span underlined, help.

use std::fmt::Write as _;

use super::diagnostic::{Diagnostic, floor, position};

/// A longer source line is cut around the span.
const MAX_LINE_CHARS: usize = 120;

/// A tab is shown as this many spaces.
const TAB: &str = "    ";

/// All diagnostics of one file as text, in order of place. Empty without diagnostics.
pub fn render(file: &str, source: &str, diagnostics: &[Diagnostic]) -> String {
    let mut sorted: Vec<_> = diagnostics.iter().collect();
    sorted.sort_by_key(|d| (d.span.start, d.span.end, d.code));
    let mut out = String::new();
    for (index, diagnostic) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        one(&mut out, file, source, diagnostic);
    }
    out
}

fn one(out: &mut String, file: &str, source: &str, d: &Diagnostic) {
    let start = floor(source, d.span.start);
    let at = position(source, start);
    let gutter = at.line.to_string().len();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{}[{}]: {}", d.severity.as_str(), d.code, d.message);
    let _ = writeln!(out, "{:gutter$}--> {file}:{}:{}", "", at.line, at.column);
    let (line, underline) = excerpt(source, start, d.span.end);
    let _ = writeln!(out, "{:gutter$} |", "");
    let _ = writeln!(out, "{} | {line}", at.line);
    let _ = writeln!(out, "{:gutter$} | {underline}", "");
    if let Some(word) = &d.did_you_mean {
        let _ = writeln!(out, "{:gutter$} = did you mean `{word}`?", "");
    }
    if let Some(help) = &d.help {
        for (index, text) in help.lines().enumerate() {
            let label = if index == 0 { "= help:" } else { "       " };
            let _ = writeln!(out, "{:gutter$} {label} {text}", "");
        }
    }
}

/// The line around `start` and a line of carets under the part of the span that lies on it.
fn excerpt(source: &str, start: usize, end: usize) -> (String, String) {
    let line_start = source[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = source[start..].find('\n').map_or(source.len(), |at| start + at);
    let end = floor(source, end.clamp(start, line_end));
    let end = start + source[start..end].trim_end().len();
    let before: Vec<char> = source[line_start..start].chars().collect();
    let marked: Vec<char> = source[start..end].chars().collect();
    let after: Vec<char> = source[end..line_end].trim_end_matches('\r').chars().collect();

    // The span's start stays visible; what is cut shows as `…`.
    let keep_before = before.len().min(MAX_LINE_CHARS / 2);
    let cut_before = keep_before < before.len();
    let keep_marked = marked.len().min(MAX_LINE_CHARS - keep_before);
    let keep_after = after.len().min(MAX_LINE_CHARS - keep_before - keep_marked);
    let cut_after = keep_marked < marked.len() || keep_after < after.len();

    let mut line = String::new();
    let mut underline = String::new();
    if cut_before {
        line.push('…');
        underline.push(' ');
    }
    let mut put = |chars: &[char], mark: char| {
        for c in chars {
            let shown = shown(*c);
            underline.extend(std::iter::repeat_n(mark, shown.chars().map(width).sum()));
            line.push_str(&shown);
        }
    };
    put(&before[before.len() - keep_before..], ' ');
    put(&marked[..keep_marked], '^');
    if keep_marked == marked.len() {
        put(&after[..keep_after], ' ');
    }
    if cut_after {
        line.push('…');
    }
    let mut underline = underline.trim_end().to_owned();
    if marked.is_empty() {
        let column =
            before[before.len() - keep_before..].iter().flat_map(|c| shown(*c).chars().collect::<Vec<_>>()).map(width);
        underline = " ".repeat(usize::from(cut_before) + column.sum::<usize>());
        underline.push('^');
    }
    (line.trim_end().to_owned(), underline)
}

/// A character as a terminal can show it: control characters (terminal escapes) never pass.
fn shown(c: char) -> String {
    match c {
        '\t' => TAB.to_owned(),
        c if c.is_control() => "\u{fffd}".to_owned(),
        c => c.to_string(),
    }
}

/// Columns a character takes on a terminal: two for East Asian wide ones and emoji, none for combining marks.
fn width(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 => 2,
        0x1f300..=0x1faff | 0x20000..=0x3fffd => 2,
        _ => 1,
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
    fn tabs_wide_characters_and_control_characters_keep_their_place() {
        check(
            "a:\t日本\u{1b} x\n",
            11..12,
            "error[E0104]: wrong\n --> a.yaml:1:8\n  |\n1 | a:    日本\u{fffd} x\n  |            ^\n  = help: mend it\n"
                .replace("           ^", "            ^")
                .as_str(),
        );
    }

    #[test]
    fn long_lines_are_cut_and_empty_spans_shown() {
        let source = format!("{}x{}", "a".repeat(500), "b".repeat(500));
        let text = render("a.yaml", &source, &[Diagnostic::error("E0104", 500..501, "wrong")]);
        assert!(text.lines().all(|line| line.chars().count() < 140), "{text}");
        assert!(text.contains(&format!("…{}x", "a".repeat(60))), "{text}");
        check("", 0..0, "error[E0104]: wrong\n --> a.yaml:1:1\n  |\n1 | \n  | ^\n  = help: mend it\n");
        check("a", 70..90, "error[E0104]: wrong\n --> a.yaml:1:2\n  |\n1 | a\n  |  ^\n  = help: mend it\n");
    }
}
