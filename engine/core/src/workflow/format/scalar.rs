//! Single values: quotes are taken away where none are needed, lines are indented anew.

use saphyr_parser::ScalarStyle;

use super::super::{
    node::{Scalar, Style},
    scalar::reads_as_text,
};

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    /// As a key.
    Key,
    /// Behind a key or a dash.
    Block,
    /// Between brackets, where words without quotes run together.
    Flow,
}

/// A value of one line as it is written. `raw` is what stands in the file.
pub(super) fn one_line(text: &str, style: ScalarStyle, raw: &str, stands: Where) -> String {
    match style {
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted if needs_no_quotes(text, stands) => text.to_owned(),
        ScalarStyle::SingleQuoted if !text.contains(['"', '\\']) && !text.contains(char::is_control) => {
            format!("\"{text}\"")
        }
        _ => raw.to_owned(),
    }
}

/// Whether a text is the same without quotes wherever it stands, for readers of YAML 1.1 too. Expressions keep their
/// quotes: the next edit may bring a sign that YAML knows.
fn needs_no_quotes(text: &str, stands: Where) -> bool {
    const OLD_BOOLEANS: [&str; 6] = ["y", "n", "yes", "no", "on", "off"];
    let begins_well = text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        || text.strip_prefix("./").is_some_and(|rest| !rest.is_empty());
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ' ' | '+' | '(' | ')' | ';');
    let word = Scalar { text: text.to_owned(), style: Style::Plain };
    // `on` is how every workflow file begins.
    let old = OLD_BOOLEANS.iter().any(|old| text.eq_ignore_ascii_case(old)) && !(stands == Where::Key && text == "on");
    begins_well
        && text.chars().all(plain)
        && !(stands == Where::Flow && text.contains(' '))
        && !text.ends_with(' ')
        && !old
        && reads_as_text(&word)
}

/// The lines of a value that goes over several: those after the first without their indentation.
pub(super) fn folded(raw: &str) -> Vec<String> {
    let first = raw.lines().take(1).map(cut);
    first.chain(raw.lines().skip(1).map(|line| cut(line.trim_start_matches([' ', '\t'])))).collect()
}

/// Without the blanks that folding drops; one behind a backslash counts.
pub(super) fn cut(line: &str) -> String {
    let kept = line.trim_end_matches([' ', '\t']);
    let backslashes = kept.len() - kept.trim_end_matches('\\').len();
    match backslashes % 2 == 1 && kept.len() < line.len() {
        true => line[..=kept.len()].to_owned(),
        false => kept.to_owned(),
    }
}

/// A block text: its header and its lines without indentation, and the byte after it.
pub(super) struct BlockText {
    pub(super) header: String,
    pub(super) comment: Option<String>,
    pub(super) lines: Vec<String>,
    pub(super) end: usize,
}

/// Reads the block text that begins at `start` and means `text`; `None` for one whose lines cannot be told.
pub(super) fn block(source: &str, start: usize, text: &str) -> Option<BlockText> {
    let rest = source.get(start..)?;
    let first = rest.lines().next()?;
    let header = first.split([' ', '\t']).next()?;
    let after = first[header.len()..].trim();
    let comment = match after {
        "" => None,
        comment if comment.starts_with('#') => Some(comment.to_owned()),
        _ => return None,
    };
    let mut end = (start + first.len() + 1).min(source.len());
    let is_blank = |line: &str| line.bytes().all(|byte| byte == b' ');
    let spaces = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let body = &source[end..];
    let Some(first_line) = body.lines().find(|line| !is_blank(line)) else {
        return empty(source, header, comment, end, text);
    };
    let Some(meant) = text.lines().find(|line| !is_blank(line)) else {
        return empty(source, header, comment, end, text);
    };
    let indent = spaces(first_line).checked_sub(spaces(meant))?;
    let mut lines = Vec::new();
    for line in body.split_inclusive('\n') {
        let content = line.strip_suffix('\n').unwrap_or(line);
        if !is_blank(content) && spaces(content) < indent {
            break;
        }
        lines.push((content.get(indent.min(content.len())..)?.to_owned(), line.len()));
    }
    let keeps = header.contains('+');
    while !keeps && lines.last().is_some_and(|(line, _)| is_blank(line)) {
        lines.pop();
    }
    end += lines.iter().map(|(_, bytes)| bytes).sum::<usize>();
    let mut lines: Vec<String> = lines.into_iter().map(|(line, _)| line).collect();
    if keeps {
        let breaks = text.len() - text.trim_end_matches('\n').len();
        let last = lines.iter().rposition(|line| !is_blank(line)).map_or(0, |at| at + 1);
        lines.truncate(last);
        lines.resize(last + breaks.saturating_sub(1), String::new());
    }
    let indicator = if meant.starts_with(' ') || lines.first().is_some_and(|line| is_blank(line) && !line.is_empty()) {
        "2"
    } else {
        ""
    };
    Some(BlockText { header: written(header, indicator, text), comment, lines, end })
}

/// A block text without any text.
fn empty(source: &str, header: &str, comment: Option<String>, end: usize, text: &str) -> Option<BlockText> {
    if !text.bytes().all(|byte| byte == b'\n') {
        return None;
    }
    let keeps = header.contains('+');
    let lines = vec![String::new(); if keeps { text.len() } else { 0 }];
    let blank = |line: &&str| line.bytes().all(|byte| byte == b' ' || byte == b'\n');
    let bytes: usize = source[end..].split_inclusive('\n').take_while(blank).map(str::len).sum();
    Some(BlockText { header: written(header, "", "\n"), comment, lines, end: if keeps { end + bytes } else { end } })
}

/// The header with a new indicator. A text at the end of a file without a line break has none; now there is one.
fn written(header: &str, indicator: &str, text: &str) -> String {
    let style = &header[..1];
    let chomping = match header.chars().find(|c| matches!(c, '+' | '-')) {
        None if !text.ends_with('\n') => "-",
        Some('+') if !text.ends_with('\n') => "-",
        Some('+') => "+",
        Some(_) => "-",
        None => "",
    };
    format!("{style}{indicator}{chomping}")
}

/// How long a plain or quoted text is. The parser's end may take in what follows.
pub(super) fn simple_end(rest: &str, style: ScalarStyle, told: usize) -> Option<usize> {
    let bytes = rest.as_bytes();
    match style {
        ScalarStyle::Plain => rest.get(..told).map(|text| text.trim_end().len()),
        ScalarStyle::SingleQuoted => {
            let mut at = 1;
            loop {
                match (bytes.get(at)?, bytes.get(at + 1)) {
                    (b'\'', Some(b'\'')) => at += 2,
                    (b'\'', _) => return Some(at + 1),
                    _ => at += 1,
                }
            }
        }
        ScalarStyle::DoubleQuoted => {
            let mut at = 1;
            loop {
                match bytes.get(at)? {
                    b'\\' => at += 2,
                    b'"' => return Some(at + 1),
                    _ => at += 1,
                }
            }
        }
        ScalarStyle::Literal | ScalarStyle::Folded => None,
    }
}
