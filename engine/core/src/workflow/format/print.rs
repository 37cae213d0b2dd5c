//! Blocks as text, in canonical form: two blanks a level, keys in order, one blank line at most.

use super::{
    flow,
    lay::{Block, Body, Comment, Document, Entry, Lead},
    order::{self, Place},
};

/// Blanks a level.
const INDENT: usize = 2;

/// Writes a document.
pub(super) fn document(document: &Document, place: Place) -> String {
    let mut out = Out { text: String::new() };
    out.comments(&document.header.comments, 0, true);
    let apart = document.header.apart && !document.header.comments.is_empty();
    out.block(&document.root, 0, place, First { continues: false, apart });
    out.comments(&document.footer, 0, false);
    if !out.text.ends_with('\n') {
        out.text.push('\n');
    }
    out.text
}

/// How the first line of a block stands to what is before it.
#[derive(Clone, Copy)]
struct First {
    /// It goes on behind a dash.
    continues: bool,
    /// A blank line stands before it.
    apart: bool,
}

struct Out {
    text: String,
}

impl Out {
    fn line(&mut self, indent: usize, text: &str) {
        if !text.is_empty() {
            self.text.extend(std::iter::repeat_n(' ', indent));
            self.text.push_str(text);
        }
        self.text.push('\n');
    }

    fn comments(&mut self, comments: &[Comment], indent: usize, first: bool) {
        for (at, comment) in comments.iter().enumerate() {
            if comment.apart && !(first && at == 0) {
                self.line(0, "");
            }
            self.line(indent, &comment.text);
        }
    }

    fn lead(&mut self, lead: &Lead, indent: usize, first: bool) {
        self.comments(&lead.comments, indent, first);
        if lead.apart && !(first && lead.comments.is_empty()) {
            self.line(0, "");
        }
    }

    /// Writes a block; gives the columns of it and of the blocks that end it, as they were and as they are.
    fn block(&mut self, block: &Block, indent: usize, place: Place, first: First) -> Vec<(usize, usize)> {
        let keys: Vec<&str> = block.entries.iter().filter_map(|entry| entry.key.as_deref()).collect();
        let mut ends = Vec::new();
        for (number, at) in ordered(block, place, &keys).into_iter().enumerate() {
            let entry = &block.entries[at];
            let continues = number == 0 && first.continues;
            if number == 0 && first.apart {
                self.line(0, "");
            }
            let below = match &entry.key {
                Some(key) => order::below(place, &keys, key),
                None => order::item(place),
            };
            // Comments between a dash and its first key stand better before the dash.
            let compact = compact(entry, below, continues);
            if !continues {
                self.lead(&entry.lead, indent, number == 0);
                self.comments(compact.map_or(&[][..], |inner| &inner.lead.comments), indent, true);
            }
            ends = self.entry(entry, indent, below, (continues, compact.is_some()));
            for comment in &entry.tail {
                let fits = ends.iter().rfind(|(before, _)| *before <= comment.column).or(ends.first());
                let column = fits.map_or(indent, |(_, now)| *now);
                self.comments(std::slice::from_ref(comment), column, false);
            }
        }
        ends.insert(0, (block.column, indent));
        ends
    }

    fn entry(
        &mut self,
        entry: &Entry,
        indent: usize,
        place: Place,
        (continues, compact): (bool, bool),
    ) -> Vec<(usize, usize)> {
        let inner = indent + INDENT;
        let mut head = entry.head.clone();
        if let Some(comment) = &entry.head_comment {
            head = format!("{head}  {comment}");
        }
        let indent = if continues { 0 } else { indent };
        match &entry.body {
            Body::Nothing => self.line(indent, &head),
            Body::Literal(lines) => {
                self.line(indent, &head);
                for line in lines {
                    self.line(inner, line);
                }
            }
            Body::Text { lead, lines, comment } => self.value(entry, (indent, inner), &head, lead, lines, comment),
            Body::Flow { lead, entries, comment } => {
                let keys: Vec<&str> = entries.iter().map(|(key, _)| key.as_str()).collect();
                let order = sorted(entries.len(), order::ranks(place, &keys).filter(|_| !entry.anchored));
                let line = flow::map(order.into_iter().map(|at| entries[at].clone()));
                self.value(entry, (indent, inner), &head, lead, &[line], comment);
            }
            Body::Block(block) => {
                if compact {
                    self.text.extend(std::iter::repeat_n(' ', indent));
                    self.text.push_str("- ");
                } else {
                    self.line(indent, &head);
                }
                return self.block(block, inner, place, First { continues: compact, apart: false });
            }
        }
        Vec::new()
    }

    /// A value behind its key, or below it where there are comments between them.
    fn value(
        &mut self,
        entry: &Entry,
        (indent, inner): (usize, usize),
        head: &str,
        lead: &Lead,
        lines: &[String],
        comment: &Option<String>,
    ) {
        let Some((first, rest)) = lines.split_first() else { return };
        let last = |line: &String, is_last: bool| match comment {
            Some(comment) if is_last => format!("{line}  {comment}"),
            _ => line.clone(),
        };
        if entry.head_comment.is_none() && lead.comments.is_empty() {
            self.line(indent, &format!("{head} {}", last(first, rest.is_empty())));
        } else {
            self.line(indent, head);
            self.comments(&lead.comments, inner, true);
            self.line(inner, &last(first, rest.is_empty()));
        }
        for (at, line) in rest.iter().enumerate() {
            self.line(inner, &last(line, at + 1 == rest.len()));
        }
    }
}

/// What stands behind the dash on its line, where a block can.
fn compact(entry: &Entry, place: Place, continues: bool) -> Option<&Entry> {
    let Body::Block(block) = &entry.body else { return None };
    let keys: Vec<&str> = block.entries.iter().filter_map(|entry| entry.key.as_deref()).collect();
    let first = block.entries.get(*ordered(block, place, &keys).first()?)?;
    let bare = entry.head == "-" && entry.head_comment.is_none();
    (bare && (!continues || first.lead.comments.is_empty())).then_some(first)
}

/// The entries in the order in which they are written.
fn ordered(block: &Block, place: Place, keys: &[&str]) -> Vec<usize> {
    let ranks = order::ranks(place, keys).filter(|ranks| ranks.len() == block.entries.len());
    let order = sorted(block.entries.len(), ranks);
    // An alias must not come before its anchor.
    let anchored: Vec<usize> = order.iter().copied().filter(|at| block.entries[*at].anchored).collect();
    if anchored.is_sorted() { order } else { (0..block.entries.len()).collect() }
}

fn sorted(count: usize, ranks: Option<Vec<usize>>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    if let Some(ranks) = ranks {
        order.sort_by_key(|at| ranks.get(*at).copied());
    }
    order
}
