//! Values between brackets: on one line they get even blanks, over several their lines stay as they are.

use saphyr_parser::ScalarStyle;

use super::{
    scalar,
    scalar::{Where, simple_end},
    tree::{Kind, Node},
};

/// The byte after a value between brackets, or inside of them. The parser's own end may lie behind a comment.
pub(super) fn end(source: &str, node: &Node) -> Option<usize> {
    let start = behind_properties(source, node)?;
    let (inner, bracket) = match &node.kind {
        Kind::Scalar(_, ScalarStyle::Plain) | Kind::Alias => {
            return Some(start + source.get(start..node.end)?.trim_end().len());
        }
        Kind::Scalar(_, style) => return Some(start + simple_end(source.get(start..)?, *style, 0)?),
        Kind::List(items) => (items.last(), ']'),
        Kind::Map(pairs) => (pairs.last().map(|(_, value)| value), '}'),
    };
    let opened = source.get(start..)?.starts_with(['[', '{']);
    let mut at = match inner {
        Some(last) => end(source, last)?,
        None => start + usize::from(opened),
    };
    // `a: b` in a list is a map without braces.
    if !opened {
        return Some(at);
    }
    loop {
        let rest = source.get(at..)?;
        let sign = rest.chars().next()?;
        at += match sign {
            '#' => rest.find('\n')?,
            _ => sign.len_utf8(),
        };
        if sign == bracket {
            return Some(at);
        }
        if !sign.is_whitespace() && !matches!(sign, '#' | ',' | ':') {
            return None;
        }
    }
}

/// Where a node begins; the parser counts an anchor or a tag as part of a collection.
fn behind_properties(source: &str, node: &Node) -> Option<usize> {
    let mut at = node.start;
    while node.properties > 0 && source.get(at..)?.starts_with(['&', '!']) {
        let rest = &source[at..];
        let word = rest.find([' ', '\t', '\n'])?;
        at += word + rest[word..].find(|c: char| !c.is_whitespace())?;
    }
    Some(at)
}

/// The lines of something between brackets; those after the first keep their indentation to each other.
pub(super) fn shifted(raw: &str) -> Vec<String> {
    let spaces = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let rest = || raw.lines().skip(1).filter(|line| !line.trim().is_empty());
    let least = rest().map(spaces).min().unwrap_or(0);
    let first = raw.lines().take(1).map(scalar::cut);
    first.chain(raw.lines().skip(1).map(|line| scalar::cut(line.get(least..).unwrap_or_default()))).collect()
}

/// A flow collection on one line, with even blanks; `None` for one that is better left as it is.
pub(super) fn text(source: &str, node: &Node) -> Option<String> {
    let raw = || source.get(node.start..node.end).map(str::trim_end);
    if node.properties > 0 {
        return None;
    }
    match &node.kind {
        // A value that is not written has no place of its own.
        Kind::Scalar(text, ScalarStyle::Plain) if text.is_empty() => None,
        Kind::Scalar(text, style) => {
            let raw = raw()?;
            let length = simple_end(&source[node.start..], *style, raw.len())?;
            Some(scalar::one_line(text, *style, source.get(node.start..node.start + length)?, Where::Flow))
        }
        Kind::Alias => raw().map(str::to_owned),
        Kind::List(items) if source[node.start..].starts_with('[') => {
            let items: Option<Vec<_>> = items.iter().map(|item| text(source, item)).collect();
            Some(format!("[{}]", items?.join(", ")))
        }
        Kind::Map(pairs) if source[node.start..].starts_with('{') => {
            let pairs: Option<Vec<_>> = pairs.iter().map(|both| pair(source, both)).collect();
            Some(map(pairs?.into_iter()))
        }
        Kind::List(_) | Kind::Map(_) => None,
    }
}

pub(super) fn pair(source: &str, (key, value): &(Node, Node)) -> Option<(String, String)> {
    let Kind::Scalar(name, style) = &key.kind else { return None };
    let raw = source.get(key.start..key.end)?.trim_end();
    if key.properties > 0 || raw.is_empty() || source[..key.start].trim_end().ends_with('?') {
        return None;
    }
    let length = simple_end(&source[key.start..], *style, raw.len())?;
    let written = scalar::one_line(name, *style, source.get(key.start..key.start + length)?, Where::Key);
    Some((written, text(source, value)?))
}

/// `{ a: 1, b: 2 }`
pub(super) fn map(entries: impl Iterator<Item = (String, String)>) -> String {
    let inner = entries.map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join(", ");
    if inner.is_empty() { "{}".to_owned() } else { format!("{{ {inner} }}") }
}
