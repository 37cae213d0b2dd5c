//! The canonical form of workflow files: `cartwright fmt`. It works on the text, guided by the parser's events, so that
//! comments, blank lines and the way long texts are written stay; it never writes values anew.
//!
//! The way: [`tree`] (events) → [`lay`] (text as blocks with comments) → [`order`] (of keys) and [`print`].

mod flow;
mod lay;
mod order;
mod print;
mod scalar;
mod tree;

use super::{
    diagnostic::{Diagnostic, Severity},
    node::{Node, Value},
    yaml,
};
use crate::Json;

/// What a file is, which decides about the order of its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// `*.yaml`
    Workflow,
    /// `*.test.yaml`: its keys keep their order.
    Test,
}

/// Why a file was left as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unformatted {
    /// It is not YAML, or not the YAML that workflows are written in.
    Broken(Vec<Diagnostic>),
    /// It is written in a way that is not understood well enough to change it, such as with `? ` before keys.
    Unusual,
}

/// The parser stopped.
struct Unreadable;

/// Formats a file. What comes out means the same and has the same comments; formatting it again changes nothing.
pub fn format(source: &str, kind: FileKind) -> Result<String, Unformatted> {
    let unix = source.replace("\r\n", "\n");
    let text = unix.strip_prefix('\u{feff}').unwrap_or(&unix);
    let mut diagnostics = Vec::new();
    let before = yaml::read(text, &mut diagnostics);
    diagnostics.retain(|one| one.severity == Severity::Error);
    let Some(before) = before.filter(|_| diagnostics.is_empty()) else {
        // Places are told as they are in the file.
        let mut found = Vec::new();
        yaml::read(source, &mut found);
        return Err(Unformatted::Broken(found));
    };
    let written = rewritten(text, kind).ok_or(Unformatted::Unusual)?;
    // Whatever happened above: nothing is given out that means something else.
    match yaml::read(&written, &mut Vec::new()) {
        Some(after) if same(&before, &after) => Ok(written),
        _ => Err(Unformatted::Unusual),
    }
}

fn rewritten(text: &str, kind: FileKind) -> Option<String> {
    // A lone carriage return breaks lines too, and directives change what follows.
    if text.contains('\r') || text.starts_with('%') {
        return None;
    }
    let root = tree::read(text).ok()??;
    let document = lay::document(text, &root)?;
    let place = match kind {
        FileKind::Workflow => order::Place::Workflow,
        FileKind::Test => order::Place::Other,
    };
    Some(print::document(&document, place))
}

/// Whether two trees mean the same; the order of keys means nothing.
fn same(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (Value::Scalar(a), Value::Scalar(b)) => a.json().unwrap_or(Json::Null) == b.json().unwrap_or(Json::Null),
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Map(a), Value::Map(b)) => {
            let sorted = |entries: &[super::node::Entry]| {
                let mut order: Vec<usize> = (0..entries.len()).collect();
                order.sort_by(|x, y| entries[*x].key.cmp(&entries[*y].key));
                order
            };
            let pairs = || sorted(a).into_iter().zip(sorted(b));
            a.len() == b.len() && pairs().all(|(x, y)| a[x].key == b[y].key && same(&a[x].value, &b[y].value))
        }
        _ => false,
    }
}
