//! YAML text as a tree of nodes with their bytes: what the parser of workflow files reads. Only syntax is decided
//! here; what a plain word means (`true`, `12`, text) is decided where the word is read ([`super::scalar`]).

use std::{borrow::Cow, collections::BTreeMap};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span as YamlSpan, StrInput, Tag};

use super::{
    Span, codes,
    diagnostic::Diagnostic,
    node::{Entry, Node, Scalar, Style, Value, depth, shorten, weight},
};

/// Largest workflow file.
pub const MAX_SOURCE_BYTES: usize = 512 * 1024;
/// Deepest nesting of maps and lists.
pub const MAX_DEPTH: usize = 64;
/// Most nodes, those that aliases repeat included.
pub const MAX_NODES: usize = 50_000;
/// Most bytes of text, those that aliases repeat included.
pub const MAX_TEXT_BYTES: usize = 2 * 1024 * 1024;

/// Reads one document. Every duplicate key, foreign tag and merge key is reported; a syntax error or a passed limit
/// ends the reading.
pub(crate) fn read(source: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<Node> {
    if source.len() > MAX_SOURCE_BYTES {
        let message = format!("the file has {} bytes; a workflow file may have {MAX_SOURCE_BYTES}", source.len());
        diagnostics.push(
            Diagnostic::error(codes::TOO_LARGE, 0..0, message)
                .help("move long scripts to files: `script: ./file.rhai`"),
        );
        return None;
    }
    // A byte order mark is no content; the lines keep their places.
    let bom_bytes = if source.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut builder = Builder::new(source, bom_bytes);
    let parser = Parser::new(StrInput::new(&source[bom_bytes..]));
    match builder.run(parser) {
        Err(stop) => {
            builder.diagnostics.push(*stop);
            builder.root = None;
        }
        Ok(()) if builder.root.is_none() => {
            let empty = Diagnostic::error(codes::EMPTY_VALUE, 0..0, "the file is empty");
            builder.diagnostics.push(empty.help("a workflow needs at least `on` and `steps`"));
        }
        Ok(()) => {}
    }
    diagnostics.append(&mut builder.diagnostics);
    builder.root
}

/// What is being built: a list, or a map with its next key.
enum Frame {
    List { items: Vec<Node> },
    Map { entries: Vec<Entry>, key: Option<(String, Span)>, seen: BTreeMap<String, Span> },
}

struct Open {
    frame: Frame,
    start: usize,
    end: usize,
    anchor: usize,
}

struct Builder<'s> {
    source: &'s str,
    /// The byte at which each line starts.
    lines: Vec<usize>,
    /// The last place looked up, `(line, column, byte)`: the next one is seldom far.
    near: std::cell::Cell<(usize, usize, usize)>,
    stack: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    text_bytes: usize,
    documents: usize,
    root: Option<Node>,
    diagnostics: Vec<Diagnostic>,
}

/// What a tag does to a scalar.
enum Tagged {
    /// `!!str`
    Text,
    /// A tag that is none of the core schema's: the source that was meant instead.
    Refused(String),
}

/// A finding that ends the reading.
type Stop = Box<Diagnostic>;

impl<'s> Builder<'s> {
    fn new(source: &'s str, bom_bytes: usize) -> Self {
        let mut lines = vec![bom_bytes];
        let bytes = source.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            // As YAML counts lines: CR, LF or both.
            if *byte == b'\n' || (*byte == b'\r' && bytes.get(at + 1) != Some(&b'\n')) {
                lines.push(at + 1);
            }
        }
        Self {
            source,
            lines,
            near: std::cell::Cell::default(),
            stack: Vec::new(),
            anchors: BTreeMap::new(),
            nodes: 0,
            text_bytes: 0,
            documents: 0,
            root: None,
            diagnostics: Vec::new(),
        }
    }

    fn run(&mut self, parser: Parser<'_, StrInput<'_>>) -> Result<(), Stop> {
        for event in parser {
            let (event, span) = event.map_err(|error| self.syntax(&error))?;
            self.event(event, span)?;
        }
        Ok(())
    }

    /// Markers count characters; spans count bytes.
    fn byte(&self, marker: &Marker) -> usize {
        let Some(start) = marker.line().checked_sub(1).and_then(|line| self.lines.get(line)) else {
            return self.source.len();
        };
        let (line, column, byte) = self.near.get();
        // Counting from the line's start each time would be quadratic on a long line.
        let (from, skip) = match marker.col().checked_sub(column) {
            Some(further) if line == marker.line() => (byte, further),
            _ => (*start, marker.col()),
        };
        let rest = &self.source[from..];
        let byte = rest.char_indices().nth(skip).map_or(self.source.len(), |(offset, _)| from + offset);
        self.near.set((marker.line(), marker.col(), byte));
        byte
    }

    fn span(&self, span: &YamlSpan) -> Span {
        let start = self.byte(&span.start);
        start..self.byte(&span.end).max(start)
    }

    fn event(&mut self, event: Event<'_>, yaml_span: YamlSpan) -> Result<(), Stop> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    let span = self.span(&yaml_span);
                    return Err(Box::new(
                        Diagnostic::error(codes::DOCUMENTS, span, "a workflow file holds one YAML document")
                            .help("put each workflow into its own file and remove the `---` between them"),
                    ));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let span = self.span(&yaml_span);
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                self.count(1, text.len(), &span)?;
                let scalar = match self.tag(tag, &span) {
                    None => Scalar { text: text.into_owned(), style },
                    Some(Tagged::Text) => Scalar { text: text.into_owned(), style: Style::Quoted },
                    // Most likely what was meant; what else is wrong with it can be said too.
                    Some(Tagged::Refused(text)) => Scalar { text, style: Style::Quoted },
                };
                self.finished(Node { span, value: Value::Scalar(scalar) }, anchor);
            }
            Event::SequenceStart(anchor, tag) => {
                let span = self.span(&yaml_span);
                self.tag(tag, &span);
                self.open(Frame::List { items: Vec::new() }, &span, anchor)?;
            }
            Event::MappingStart(anchor, tag) => {
                let span = self.span(&yaml_span);
                self.tag(tag, &span);
                self.open(Frame::Map { entries: Vec::new(), key: None, seen: BTreeMap::new() }, &span, anchor)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let span = self.span(&yaml_span);
                let Some(open) = self.stack.pop() else { return Ok(()) };
                let value = match open.frame {
                    Frame::List { items } => Value::List(items),
                    Frame::Map { entries, .. } => Value::Map(entries),
                };
                // A block ends with its last child, not at the start of what follows; a flow ends with its bracket.
                let flow = matches!(self.source.as_bytes().get(open.start), Some(b'[' | b'{'));
                let end = if flow { span.end } else { open.end };
                // The parser counts blanks behind a bracket as part of it.
                let length = self.source.get(open.start..end).map_or(0, |text| text.trim_end().len());
                self.finished(Node { span: open.start..open.start + length, value }, open.anchor);
            }
            Event::Alias(anchor) => {
                let span = self.span(&yaml_span);
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(Box::new(Diagnostic::error(
                        codes::SYNTAX,
                        span,
                        "this alias stands inside its own anchor",
                    )));
                };
                let (nodes, bytes) = weight(&node);
                self.count(nodes, bytes, &span)?;
                if self.stack.len() + depth(&node) > MAX_DEPTH {
                    return Err(too_deep(span));
                }
                self.finished(node, 0);
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn open(&mut self, frame: Frame, span: &Span, anchor: usize) -> Result<(), Stop> {
        self.count(1, 0, span)?;
        if self.stack.len() >= MAX_DEPTH {
            return Err(too_deep(span.clone()));
        }
        self.stack.push(Open { frame, start: span.start, end: span.start, anchor });
        Ok(())
    }

    fn count(&mut self, nodes: usize, bytes: usize, span: &Span) -> Result<(), Stop> {
        self.nodes += nodes;
        self.text_bytes += bytes;
        if self.nodes <= MAX_NODES && self.text_bytes <= MAX_TEXT_BYTES {
            return Ok(());
        }
        let message = format!(
            "the file is too large: at most {MAX_NODES} values and {MAX_TEXT_BYTES} bytes of text, aliases included"
        );
        Err(Box::new(Diagnostic::error(codes::TOO_LARGE, span.clone(), message)))
    }

    /// A node is complete: it becomes the root, an item, a key or a value.
    fn finished(&mut self, node: Node, anchor: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.stack.last_mut() else {
            self.root.get_or_insert(node);
            return;
        };
        open.end = open.end.max(node.span.end);
        match &mut open.frame {
            Frame::List { items } => items.push(node),
            Frame::Map { entries, key, seen } => match key.take() {
                None => *key = Some(key_of(node, seen, &mut self.diagnostics)),
                Some((key, key_span)) => entries.push(Entry { key, key_span, value: node }),
            },
        }
    }

    /// The core schema's own tags are fine; every other one is most likely an expression that begins with `!`.
    fn tag(&mut self, tag: Option<Cow<'_, Tag>>, span: &Span) -> Option<Tagged> {
        let tag = tag?;
        if tag.is_yaml_core_schema() {
            match tag.suffix.as_str() {
                "str" => return Some(Tagged::Text),
                "int" | "float" | "bool" | "null" | "map" | "seq" => return None,
                _ => {}
            }
        }
        // The span begins after the tag: look back for it.
        let line_start = self.source[..span.start].rfind('\n').map_or(0, |at| at + 1);
        let start = self.source[line_start..span.start].rfind('!').map_or(span.start, |at| line_start + at);
        let start = if self.source[..start].ends_with('!') { start - 1 } else { start };
        let line_end = self.source[start..].find(['\n', '\r']).map_or(self.source.len(), |at| start + at);
        let text = self.source[start..line_end.max(start)].trim_end();
        let shown = shorten(text);
        let message = format!("YAML reads `{shown}` as a tag, not as a value");
        let quoted = if shown.contains('"') { format!("'{shown}'") } else { format!("\"{shown}\"") };
        let diagnostic = Diagnostic::error(codes::TAG, start..start + text.len(), message);
        self.diagnostics.push(diagnostic.help(format!("quote it: `{quoted}`")));
        Some(Tagged::Refused(text.to_owned()))
    }

    fn syntax(&self, error: &ScanError) -> Stop {
        let at = self.byte(error.marker()).min(self.source.len());
        let line_start = self.source[..at].rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.source[at..].find('\n').map_or(self.source.len(), |end| at + end);
        let line = &self.source[line_start..line_end];
        // The error may show up only on the line after the one that caused it.
        let previous_start = self.source[..line_start.saturating_sub(1)].rfind('\n').map_or(0, |at| at + 1);
        let nearby = &self.source[previous_start.min(line_start)..line_end];
        let end = (at + 1).min(line_end).max(at);
        let span = super::diagnostic::floor(self.source, at)..super::diagnostic::floor(self.source, end).max(at);
        let (tabbed, expression) = (line[..at - line_start].contains('\t'), holds_expression(nearby));
        let mut diagnostic = match expression {
            true => Diagnostic::error(codes::QUOTE_IT, span, format!("YAML cannot read this expression: {}", error.info())).help(
                "put the whole value in quotes: expressions in `{…}` or `[…]`, or with `#` or `: ` in them, must be quoted",
            ),
            false => Diagnostic::error(codes::SYNTAX, span, format!("this is not YAML: {}", error.info())),
        };
        if tabbed && !expression {
            diagnostic = diagnostic.help("indent with spaces, not with tabs");
        } else if !expression && line.contains(": ") && error.info().contains("mapping values") {
            diagnostic = diagnostic.help("a value with `: ` in it must be quoted; otherwise check the indentation");
        }
        Box::new(diagnostic)
    }
}

/// Whether some lines hold what an author means as an expression.
fn holds_expression(lines: &str) -> bool {
    let starts_expression = |line: &str| {
        let line = line.trim_start().trim_start_matches("- ").trim_start();
        ["if:", "for_each:", "output:"].iter().any(|key| line.starts_with(key))
    };
    lines.contains("${{") || lines.contains(" if:") || lines.lines().any(starts_expression)
}

fn key_of(node: Node, seen: &mut BTreeMap<String, Span>, diagnostics: &mut Vec<Diagnostic>) -> (String, Span) {
    let span = node.span;
    let Value::Scalar(scalar) = node.value else {
        let help = "a key that begins with `{` or `[` must be quoted";
        diagnostics.push(Diagnostic::error(codes::BAD_KEY, span.clone(), "a key must be text").help(help));
        return (String::new(), span);
    };
    if scalar.style == Style::Plain && scalar.text.is_empty() {
        diagnostics.push(Diagnostic::error(codes::BAD_KEY, span.clone(), "this value has no key before its `:`"));
    } else if scalar.style == Style::Plain && scalar.text == "<<" {
        let diagnostic =
            Diagnostic::error(codes::MERGE_KEY, span.clone(), "merge keys (`<<`) do not exist in YAML 1.2");
        diagnostics.push(diagnostic.help("repeat the keys, or give the whole map an anchor (`&name`) and use `*name`"));
    }
    match seen.get(&scalar.text) {
        None => {
            seen.insert(scalar.text.clone(), span.clone());
        }
        Some(_) => {
            let message = format!("the key `{}` appears twice in this map", shorten(&scalar.text));
            diagnostics
                .push(Diagnostic::error(codes::DUPLICATE_KEY, span.clone(), message).help("keep one of the two"));
        }
    }
    (scalar.text, span)
}

fn too_deep(span: Span) -> Stop {
    Box::new(Diagnostic::error(codes::TOO_LARGE, span, format!("nested too deeply: at most {MAX_DEPTH} levels")))
}
