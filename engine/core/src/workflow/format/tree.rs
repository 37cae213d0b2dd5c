//! YAML events as a tree that still knows where each node begins: what [`super::lay`] follows through the text.

use std::borrow::Cow;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span as YamlSpan, StrInput, Tag};

use super::Unreadable;

/// A node as it stands in the text.
#[derive(Debug)]
pub(super) struct Node {
    /// Its first byte, behind anchor and tag.
    pub(super) start: usize,
    /// The byte after it, or after blanks and comments that follow it.
    pub(super) end: usize,
    /// How many of anchor and tag stand before it.
    pub(super) properties: usize,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Scalar(String, ScalarStyle),
    Alias,
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// The nodes of a document; `None` for an empty one.
pub(super) fn read(source: &str) -> Result<Option<Node>, Unreadable> {
    let places = Places::of(source);
    let mut stack: Vec<(Node, Option<Node>)> = Vec::new();
    let mut root = None;
    for event in Parser::new(StrInput::new(source)) {
        let (event, span) = event.map_err(|_| Unreadable)?;
        let Some(done) = step(event, &span, &places, &mut stack) else { continue };
        let Some((open, key)) = stack.last_mut() else {
            root = Some(done);
            continue;
        };
        match (&mut open.kind, key.take()) {
            (Kind::List(items), _) => items.push(done),
            (Kind::Map(entries), Some(before)) => entries.push((before, done)),
            (Kind::Map(_), None) => *key = Some(done),
            (Kind::Scalar(..) | Kind::Alias, _) => return Err(Unreadable),
        }
    }
    Ok(root)
}

/// What an event completes.
fn step(event: Event<'_>, span: &YamlSpan, places: &Places, stack: &mut Vec<(Node, Option<Node>)>) -> Option<Node> {
    let node = |anchor: usize, tag: Option<Cow<'_, Tag>>, kind: Kind| Node {
        start: places.byte(&span.start),
        end: places.byte(&span.end),
        properties: usize::from(anchor > 0) + usize::from(tag.is_some()),
        kind,
    };
    match event {
        Event::Scalar(text, style, anchor, tag) => Some(node(anchor, tag, Kind::Scalar(text.into_owned(), style))),
        Event::Alias(_) => Some(node(0, None, Kind::Alias)),
        Event::SequenceStart(anchor, tag) => {
            stack.push((node(anchor, tag, Kind::List(Vec::new())), None));
            None
        }
        Event::MappingStart(anchor, tag) => {
            stack.push((node(anchor, tag, Kind::Map(Vec::new())), None));
            None
        }
        Event::SequenceEnd | Event::MappingEnd => {
            let (open, _) = stack.pop()?;
            Some(Node { end: places.byte(&span.end), ..open })
        }
        Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => None,
    }
}

/// Markers count characters; texts are cut by bytes.
struct Places {
    /// The byte of each character, and of the end; empty where all are one byte long.
    bytes: Vec<usize>,
}

impl Places {
    fn of(source: &str) -> Self {
        let bytes = match source.is_ascii() {
            true => Vec::new(),
            false => source.char_indices().map(|(at, _)| at).chain([source.len()]).collect(),
        };
        Self { bytes }
    }

    fn byte(&self, marker: &Marker) -> usize {
        match self.bytes.last() {
            None => marker.index(),
            Some(last) => self.bytes.get(marker.index()).copied().unwrap_or(*last),
        }
    }
}
