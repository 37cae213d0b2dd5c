//! The text of a file as blocks of entries, each with its comments: the tree of events says what comes next, and this
//! walks through the text beside it, collecting what events do not tell. Gives `None` for what it does not know.

use saphyr_parser::ScalarStyle;

use super::{
    flow, scalar,
    scalar::{Where, simple_end},
    tree::{Kind, Node},
};

/// A comment on a line of its own.
#[derive(Debug, Clone)]
pub(super) struct Comment {
    /// A blank line stands before it.
    pub(super) apart: bool,
    /// Its column in the text.
    pub(super) column: usize,
    pub(super) text: String,
}

/// Comments before something, and whether a blank line follows them.
#[derive(Debug, Default)]
pub(super) struct Lead {
    pub(super) comments: Vec<Comment>,
    pub(super) apart: bool,
}

/// A map or a list over several lines.
#[derive(Debug)]
pub(super) struct Block {
    /// Its column in the text.
    pub(super) column: usize,
    pub(super) entries: Vec<Entry>,
}

/// A key with its value, or an item.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) lead: Lead,
    /// The key without quotes; `None` for an item.
    pub(super) key: Option<String>,
    /// `key:` or `-`, with anchor and tag of the value.
    pub(super) head: String,
    /// Behind the head, before a line break.
    pub(super) head_comment: Option<String>,
    pub(super) body: Body,
    /// Comments below it that are indented deeper than what follows.
    pub(super) tail: Vec<Comment>,
    /// There are anchors, or aliases of them.
    pub(super) anchored: bool,
}

#[derive(Debug)]
pub(super) enum Body {
    Nothing,
    /// A value of one or more lines, each without indentation, with what stands before and behind it.
    Text {
        lead: Lead,
        lines: Vec<String>,
        comment: Option<String>,
    },
    /// The lines of a block text.
    Literal(Vec<String>),
    /// A map between braces, with the order of its keys open.
    Flow {
        lead: Lead,
        entries: Vec<(String, String)>,
        comment: Option<String>,
    },
    Block(Block),
}

/// A whole file.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) header: Lead,
    pub(super) root: Block,
    pub(super) footer: Vec<Comment>,
}

/// Lays out a document whose root is a map or a list over several lines.
pub(super) fn document(source: &str, root: &Node) -> Option<Document> {
    let mut cursor = Cursor { source, at: 0 };
    let mut header = cursor.lead()?;
    if cursor.marker("---") {
        cursor.at += 3;
        let mut rest = cursor.lead()?;
        header.comments.append(&mut rest.comments);
        header.apart |= rest.apart;
    }
    if cursor.is_flow() || root.properties > 0 {
        return None;
    }
    let mut root = cursor.block(root, Lead::default())?;
    let mut rest = cursor.lead()?;
    if cursor.marker("...") {
        cursor.at += 3;
        rest.comments.append(&mut cursor.lead()?.comments);
    }
    if cursor.at < source.len() {
        return None;
    }
    if let Some(last) = root.entries.last_mut() {
        hang(&mut rest, 0, last);
    }
    Some(Document { header, root, footer: rest.comments })
}

/// Moves the first comments that are indented deeper than `column` to the entry before them.
fn hang(lead: &mut Lead, column: usize, before: &mut Entry) {
    let Body::Block(block) = &before.body else { return };
    let shallowest = block.column;
    let count = lead.comments.iter().take_while(|one| one.column > column && one.column >= shallowest).count();
    before.tail.extend(lead.comments.drain(..count));
}

struct Cursor<'s> {
    source: &'s str,
    at: usize,
}

impl Cursor<'_> {
    fn rest(&self) -> &str {
        &self.source[self.at..]
    }

    fn blanks(&mut self) {
        self.at += self.rest().bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    }

    fn eat(&mut self, sign: char) -> Option<()> {
        self.rest().starts_with(sign).then(|| self.at += 1)
    }

    /// Whether a sign of three stands here alone.
    fn marker(&self, sign: &str) -> bool {
        self.rest().strip_prefix(sign).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n']))
    }

    fn is_flow(&self) -> bool {
        self.rest().starts_with(['[', '{'])
    }

    fn column(&self) -> usize {
        self.at - self.source[..self.at].rfind('\n').map_or(0, |at| at + 1)
    }

    /// A comment behind something on its line.
    fn comment(&mut self) -> Option<String> {
        self.blanks();
        let line = self.rest().lines().next().unwrap_or_default();
        let text = line.starts_with('#').then(|| line.trim_end().to_owned())?;
        self.at += line.len();
        Some(text)
    }

    /// Comments and blank lines up to the next sign. `None`: something else stands where a line should end.
    fn lead(&mut self) -> Option<Lead> {
        let mut lead = Lead::default();
        // The line on which the thing before ends.
        let mut breaks = usize::from(self.column() == 0);
        loop {
            self.blanks();
            let column = self.column();
            if self.eat('\n').is_some() {
                breaks += 1;
                lead.apart |= breaks > 1;
            } else if let Some(text) = self.comment() {
                let apart = std::mem::take(&mut lead.apart);
                lead.comments.push(Comment { apart, column, text });
                breaks = 0;
            } else {
                return Some(lead);
            }
        }
    }

    /// Anchor and tag, in the order in which they stand.
    fn properties(&mut self, count: usize) -> Vec<String> {
        let mut found = Vec::new();
        while found.len() < count {
            self.blanks();
            if !self.rest().starts_with(['&', '!']) {
                break;
            }
            let text: String = self.rest().chars().take_while(|c| !c.is_whitespace()).collect();
            self.at += text.len();
            found.push(text);
        }
        found
    }

    fn block(&mut self, node: &Node, mut lead: Lead) -> Option<Block> {
        let column = self.column();
        let mut entries: Vec<Entry> = Vec::new();
        match &node.kind {
            Kind::Map(pairs) => {
                for (key, value) in pairs {
                    self.next(&mut lead, column, &mut entries)?;
                    entries.push(self.pair(std::mem::take(&mut lead), key, value)?);
                }
            }
            Kind::List(items) => {
                for item in items {
                    self.next(&mut lead, column, &mut entries)?;
                    self.eat('-')?;
                    entries.push(self.entry(std::mem::take(&mut lead), None, "-".to_owned(), item)?);
                }
            }
            Kind::Scalar(..) | Kind::Alias => return None,
        }
        Some(Block { column, entries })
    }

    /// What stands before the next entry of a block; for the first one it was read already.
    fn next(&mut self, lead: &mut Lead, column: usize, entries: &mut [Entry]) -> Option<()> {
        if let Some(before) = entries.last_mut() {
            *lead = self.lead()?;
            hang(lead, column, before);
        }
        (self.column() == column).then_some(())
    }

    fn pair(&mut self, lead: Lead, key: &Node, value: &Node) -> Option<Entry> {
        let properties = self.properties(key.properties);
        self.blanks();
        let start = self.at;
        // An explicit key (`? …`) and a key that is no text stand elsewhere.
        if properties.len() != key.properties || start != key.start {
            return None;
        }
        let (text, written) = match &key.kind {
            Kind::Scalar(text, style) => {
                self.at = start + simple_end(self.rest(), *style, key.end.checked_sub(start)?)?;
                (text.clone(), scalar::one_line(text, *style, self.source[start..self.at].trim_end(), Where::Key))
            }
            Kind::Alias | Kind::List(_) | Kind::Map(_) => return None,
        };
        if written.contains('\n') || written.is_empty() {
            return None;
        }
        self.blanks();
        self.eat(':')?;
        let head = properties.into_iter().chain([written]).collect::<Vec<_>>().join(" ") + ":";
        self.entry(lead, Some(text), head, value)
    }

    /// What follows a key or a dash.
    fn entry(&mut self, lead: Lead, key: Option<String>, mut head: String, value: &Node) -> Option<Entry> {
        let is_nothing = matches!(&value.kind, Kind::Scalar(text, ScalarStyle::Plain) if text.is_empty());
        let mut properties = self.properties(value.properties);
        let mut head_comment = None;
        let mut inner = Lead::default();
        self.blanks();
        // The value begins on a line of its own, or there is none.
        if self.rest().starts_with(['#', '\n']) || self.rest().is_empty() {
            head_comment = self.comment();
            if !is_nothing || properties.len() < value.properties {
                inner = self.lead()?;
                properties.extend(self.properties(value.properties - properties.len()));
                self.blanks();
                if self.rest().starts_with(['#', '\n']) {
                    return None;
                }
            }
        }
        if properties.len() != value.properties {
            return None;
        }
        for property in &properties {
            head = head + " " + property;
        }
        let body = self.body(value, inner, &mut head, &mut head_comment)?;
        let anchored = has_anchor(value) || properties.iter().any(|one| one.starts_with('&'));
        Some(Entry { lead, key, head, head_comment, body, tail: Vec::new(), anchored })
    }

    fn body(&mut self, value: &Node, lead: Lead, head: &mut String, head_comment: &mut Option<String>) -> Option<Body> {
        match &value.kind {
            Kind::Scalar(text, ScalarStyle::Plain) if text.is_empty() => Some(Body::Nothing),
            Kind::Scalar(text, ScalarStyle::Literal | ScalarStyle::Folded) => {
                if !lead.comments.is_empty() || head_comment.is_some() {
                    return None;
                }
                let block = scalar::block(self.source, self.at, text)?;
                *head = format!("{head} {}", block.header);
                *head_comment = block.comment;
                self.at = block.end;
                Some(Body::Literal(block.lines))
            }
            Kind::Scalar(text, style) => {
                let length = simple_end(self.rest(), *style, value.end.checked_sub(self.at)?)?;
                let raw = self.rest().get(..length)?.trim_end().to_owned();
                self.at += raw.len();
                let lines = match raw.contains('\n') {
                    true => scalar::folded(&raw),
                    false => vec![scalar::one_line(text, *style, &raw, Where::Block)],
                };
                Some(Body::Text { lead, lines, comment: self.line_end()? })
            }
            Kind::Alias => {
                let raw: String = self.rest().chars().take_while(|c| !c.is_whitespace()).collect();
                self.at += raw.len();
                Some(Body::Text { lead, lines: vec![raw], comment: self.line_end()? })
            }
            Kind::List(_) | Kind::Map(_) if self.is_flow() => self.flow(value, lead),
            Kind::List(_) | Kind::Map(_) => Some(Body::Block(self.block(value, lead)?)),
        }
    }

    fn flow(&mut self, value: &Node, lead: Lead) -> Option<Body> {
        let raw = self.source.get(self.at..flow::end(self.source, value)?)?.to_owned();
        self.at += raw.len();
        let comment = self.line_end()?;
        if raw.contains('\n') {
            return Some(Body::Text { lead, lines: flow::shifted(&raw), comment });
        }
        if let Kind::Map(pairs) = &value.kind
            && !pairs.is_empty()
            && let Some(entries) = pairs.iter().map(|pair| flow::pair(self.source, pair)).collect()
        {
            return Some(Body::Flow { lead, entries, comment });
        }
        let line = flow::text(self.source, value).unwrap_or(raw);
        Some(Body::Text { lead, lines: vec![line], comment })
    }

    /// The comment behind a value, which must be the last on its line.
    fn line_end(&mut self) -> Option<Option<String>> {
        let comment = self.comment();
        (self.rest().is_empty() || self.rest().starts_with('\n')).then_some(comment)
    }
}

/// Whether a node has anchors or aliases below it. Tags count too: nobody needs them here.
fn has_anchor(node: &Node) -> bool {
    node.properties > 0
        || match &node.kind {
            Kind::Scalar(..) => false,
            Kind::Alias => true,
            Kind::List(items) => items.iter().any(has_anchor),
            Kind::Map(pairs) => pairs.iter().any(|(key, value)| has_anchor(key) || has_anchor(value)),
        }
}
