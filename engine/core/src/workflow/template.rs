//! Texts with `${{ }}` in them: where each expression begins and ends, in the text and in the file.

use std::collections::BTreeMap;

use super::{
    Expression, Span, Template, TextPart, codes,
    diagnostic::Diagnostic,
    node::{Node, Scalar, Style, Value, shorten},
    rhai::{Unclosed, find_close, unbalanced},
};
use crate::Json;

/// Longest expression.
pub const MAX_EXPRESSION_BYTES: usize = 16 * 1024;

/// The places in the file of a scalar's bytes.
struct Places {
    /// For each byte of the text and its end: a byte of the file. Empty when the two could not be aligned.
    bytes: Vec<usize>,
    whole: Span,
}

impl Places {
    fn span(&self, from: usize, to: usize) -> Span {
        match (self.bytes.get(from), self.bytes.get(to)) {
            (Some(from), Some(to)) if from <= to => *from..*to,
            _ => self.whole.clone(),
        }
    }

    /// Walks over the text and its source side by side: indentation, folding and escapes differ, all else is equal.
    fn of(source: &str, node: &Node, scalar: &Scalar) -> Self {
        let whole = node.span.clone();
        let bytes = align(source, &whole, &scalar.text, scalar.style).unwrap_or_default();
        Self { bytes, whole }
    }
}

/// The place in a workflow file of a byte of a script's or an expression's source, whose `span` covers it with its
/// quotes or its `|`. The span's start where the two cannot be aligned. Takes time in proportion to the code.
pub fn locate(file: &str, code: &str, span: &Span, byte: usize) -> usize {
    place_bytes(file, code, span).get(byte.min(code.len())).copied().unwrap_or(span.start)
}

/// The place of every byte of a code and of its end; empty where the two cannot be aligned.
pub(crate) fn place_bytes(file: &str, code: &str, span: &Span) -> Vec<usize> {
    let style = match file.as_bytes().get(span.start) {
        _ if span.len() == code.len() => Style::Plain,
        Some(b'|' | b'>') => Style::Block,
        Some(b'"' | b'\'') => Style::Quoted,
        _ => Style::Plain,
    };
    align(file, span, code, style).unwrap_or_default()
}

fn align(source: &str, whole: &Span, text: &str, style: Style) -> Option<Vec<usize>> {
    let raw = source.get(whole.clone())?;
    let mut at = match (style, raw.as_bytes().first()) {
        // The header line of a block scalar: `|2-  # comment`.
        (Style::Block, Some(b'|' | b'>')) => raw.find('\n')? + 1,
        (Style::Quoted, Some(b'"' | b'\'')) => 1,
        _ => 0,
    };
    let quote = raw.as_bytes().first().filter(|_| style == Style::Quoted).copied();
    let mut places = Vec::with_capacity(text.len() + 1);
    for c in text.chars() {
        let mut next = raw.get(at..)?.chars().next();
        if !c.is_whitespace() {
            while next.is_some_and(char::is_whitespace) {
                at += next.map_or(0, char::len_utf8);
                next = raw.get(at..)?.chars().next();
            }
        }
        places.extend(std::iter::repeat_n(whole.start + at, c.len_utf8()));
        let consumed = match next {
            Some('\\') if quote == Some(b'"') => escape_length(raw.get(at..)?),
            Some('\'') if quote == Some(b'\'') => 2,
            Some(found) if found == c || (c.is_whitespace() && found.is_whitespace()) => found.len_utf8(),
            // A line break that folding made of nothing, or the end that chomping cut.
            _ if c.is_whitespace() => 0,
            _ => return None,
        };
        at += consumed;
    }
    places.push((whole.start + at).min(whole.end));
    Some(places)
}

/// The length of an escape in a double-quoted scalar.
fn escape_length(raw: &str) -> usize {
    match raw.as_bytes().get(1) {
        Some(b'x') => 4,
        Some(b'u') => 6,
        Some(b'U') => 10,
        Some(b) if b.is_ascii() => 2,
        _ => 1,
    }
}

/// Reads templates and expressions of one file.
pub(crate) struct Expressions<'s> {
    pub(crate) source: &'s str,
}

impl Expressions<'_> {
    /// Any value, with expressions in its texts.
    pub(crate) fn template(&self, node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Template {
        match &node.value {
            Value::Scalar(scalar) => self.scalar(node, scalar, diagnostics),
            Value::List(items) => {
                let items = items.iter().map(|item| self.template(item, diagnostics)).collect();
                fold_list(items)
            }
            Value::Map(entries) => {
                let mut map = BTreeMap::new();
                for entry in entries {
                    if entry.key.contains("${{") {
                        let message = "keys cannot hold expressions";
                        let help = "build the whole map with one expression: `${{ #{ … } }}`";
                        diagnostics.push(
                            Diagnostic::error(codes::NO_EXPRESSION_HERE, entry.key_span.clone(), message).help(help),
                        );
                    }
                    map.insert(entry.key.clone(), self.template(&entry.value, diagnostics));
                }
                fold_map(map)
            }
        }
    }

    fn scalar(&self, node: &Node, scalar: &Scalar, diagnostics: &mut Vec<Diagnostic>) -> Template {
        if scalar.is_null() {
            self.hidden_by_comment(node, diagnostics);
        }
        if scalar.text.contains("${{") {
            return self.text(node, scalar, diagnostics);
        }
        match scalar.json() {
            Ok(json) => Template::Literal(json),
            Err(message) => {
                diagnostics.push(Diagnostic::error(codes::BAD_VALUE, node.span.clone(), message));
                Template::Literal(Json::Null)
            }
        }
    }

    /// A text with at least one `${{`.
    fn text(&self, node: &Node, scalar: &Scalar, diagnostics: &mut Vec<Diagnostic>) -> Template {
        let places = Places::of(self.source, node, scalar);
        let text = &scalar.text;
        let mut parts: Vec<TextPart> = Vec::new();
        let mut literal = String::new();
        let mut at = 0;
        while let Some(open) = text[at..].find("${{").map(|offset| at + offset) {
            if text[at..open].ends_with('$') {
                literal.push_str(&text[at..open - 1]);
                literal.push_str("${{");
                at = open + 3;
                continue;
            }
            literal.push_str(&text[at..open]);
            let start = open + 3;
            let close = match find_close(text, start) {
                Ok(close) => close,
                Err(unclosed) => {
                    diagnostics.push(self.unclosed(node, scalar, &places, open, &unclosed));
                    return Template::Literal(Json::Null);
                }
            };
            if !literal.is_empty() {
                parts.push(TextPart::Literal(std::mem::take(&mut literal)));
            }
            let inside = &text[start..close];
            let leading = inside.len() - inside.trim_start().len();
            let (from, to) = (start + leading, start + leading + inside.trim().len());
            let span = places.span(from, to.max(from));
            parts.push(TextPart::Expression(self.checked(&text[from..to.max(from)], span, diagnostics)));
            at = close + 2;
        }
        literal.push_str(&text[at..]);
        // A block text ends with a line break that nobody means.
        let only_breaks = scalar.style == Style::Block && literal.bytes().all(|b| b == b'\n');
        if let ([TextPart::Expression(expression)], true) = (&parts[..], literal.is_empty() || only_breaks) {
            return Template::Expression(expression.clone());
        }
        if parts.is_empty() {
            return Template::Literal(Json::String(literal));
        }
        if !literal.is_empty() {
            parts.push(TextPart::Literal(literal));
        }
        Template::Text(parts)
    }

    /// An expression with its limits checked.
    fn checked(&self, source: &str, span: Span, diagnostics: &mut Vec<Diagnostic>) -> Expression {
        if source.is_empty() {
            diagnostics.push(Diagnostic::error(codes::EMPTY_EXPRESSION, span.clone(), "this expression is empty"));
        } else if source.len() > MAX_EXPRESSION_BYTES {
            let message = format!("an expression may have {MAX_EXPRESSION_BYTES} bytes");
            diagnostics
                .push(Diagnostic::error(codes::TOO_LARGE, span.clone(), message).help("move it into a `script` step"));
        }
        Expression::new(source, span)
    }

    fn unclosed(&self, node: &Node, scalar: &Scalar, places: &Places, open: usize, unclosed: &Unclosed) -> Diagnostic {
        let span = places.span(open, open + 3);
        if scalar.style == Style::Plain && self.comment_after(node).is_some() {
            return Diagnostic::error(
                codes::QUOTE_IT,
                span,
                "YAML takes the rest of this expression, from ` #` on, as a comment",
            )
            .help(format!("quote it: {}", quoted(&self.to_line_end(node))));
        }
        let diagnostic = Diagnostic::error(codes::UNCLOSED, span, "this `${{` is never closed");
        match unclosed.what {
            "`${{`" => diagnostic
                .help("close it with `}}`; quote the whole value if YAML has cut it; write `$${{` for a literal `${{`"),
            what => diagnostic.help(format!(
                "{what} is opened before its `}}}}` and never closed: `{}`",
                shorten(&scalar.text[unclosed.at..])
            )),
        }
    }

    /// A bare expression or one whole `${{ }}`: `if`, `for_each`, `output`.
    pub(crate) fn expression(&self, key: &str, node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Expression> {
        let Value::Scalar(scalar) = &node.value else {
            let raw = shorten(self.source.get(node.span.clone()).unwrap_or_default());
            let message = format!("`{key}` takes an expression, but YAML reads {} here", node.describe());
            diagnostics.push(
                Diagnostic::error(codes::QUOTE_IT, node.span.clone(), message)
                    .help(format!("quote it: {}", quoted(&raw))),
            );
            return None;
        };
        if scalar.is_null() {
            if !self.hidden_by_comment(node, diagnostics) {
                let diagnostic = Diagnostic::error(codes::EMPTY_VALUE, node.span.clone(), format!("`{key}` is empty"));
                diagnostics
                    .push(diagnostic.help("write an expression, in quotes if it begins with a sign that YAML knows"));
            }
            return None;
        }
        if scalar.text.contains("${{") {
            let before = diagnostics.len();
            return match self.text(node, scalar, diagnostics) {
                Template::Expression(expression) => Some(expression),
                _ if diagnostics.len() > before => None,
                _ => {
                    let message = format!("`{key}` takes one expression, not text with expressions in it");
                    let help = "write one expression without `${{ }}`, such as `a == 1 && b == 2`";
                    diagnostics.push(Diagnostic::error(codes::MIXED_EXPRESSION, node.span.clone(), message).help(help));
                    None
                }
            };
        }
        let places = Places::of(self.source, node, scalar);
        let leading = scalar.text.len() - scalar.text.trim_start().len();
        let source = scalar.text.trim();
        let span = places.span(leading, leading + source.len());
        if scalar.style == Style::Plain && self.torn(node, source) {
            let message = "YAML has cut this expression short";
            let help = format!("quote the whole value: {}", quoted(&self.to_line_end(node)));
            diagnostics.push(Diagnostic::error(codes::QUOTE_IT, span, message).help(help));
            return None;
        }
        Some(self.checked(source, span, diagnostics))
    }

    /// Whether YAML took the end of a plain expression for a comment or for the next item of a flow.
    fn torn(&self, node: &Node, expression: &str) -> bool {
        if unbalanced(expression).is_some() {
            return true;
        }
        let dangling = ["=", "<", ">", "&&", "||", "+", "-", "*", "/", "%", "??", "!", ".", "(", ","];
        let cut = dangling.iter().any(|sign| expression.ends_with(sign));
        self.comment_after(node).is_some_and(|comment| cut || comment.starts_with("#{"))
    }

    /// The comment that follows a plain scalar on its line.
    fn comment_after(&self, node: &Node) -> Option<&str> {
        let rest = self.source.get(node.span.end..)?;
        let line = rest.lines().next()?;
        let trimmed = line.trim_start();
        trimmed.starts_with('#').then_some(trimmed)
    }

    fn to_line_end(&self, node: &Node) -> String {
        let rest = self.source.get(node.span.start..).unwrap_or_default();
        shorten(rest.lines().next().unwrap_or_default().trim_end())
    }

    /// `if: #{…}`: nothing is left of the value, because YAML takes `#` as the start of a comment.
    fn hidden_by_comment(&self, node: &Node, diagnostics: &mut Vec<Diagnostic>) -> bool {
        let start = node.span.start.min(self.source.len());
        let line_start = self.source[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.source[start..].find('\n').map_or(self.source.len(), |at| start + at);
        let line = &self.source[line_start..line_end];
        let Some(hash) = [": #{", "- #{", ": #\"", "- #\""].iter().find_map(|sign| line.find(sign)) else {
            return false;
        };
        // Only where the value itself is missing: nothing but blanks between `:` and `#`.
        let value = line_start + hash + 2;
        if start + 1 < line_start + hash || start > value {
            return false;
        }
        let hidden = self.source[value..line_end].trim_end();
        let message = "this value is empty: YAML takes everything from `#` on as a comment";
        let diagnostic = Diagnostic::error(codes::EMPTY_VALUE, value..value + hidden.len(), message);
        diagnostics.push(diagnostic.help(format!("quote it: {}", quoted(&shorten(hidden)))));
        true
    }
}

/// A value in the quotes that suit it, for a help line.
fn quoted(text: &str) -> String {
    match (text.contains('"') || text.contains('\\'), text.contains('\'')) {
        (true, true) => "use a block: `|` and the expression on the next line, indented".to_owned(),
        (true, false) => format!("`'{text}'`"),
        _ => format!("`\"{text}\"`"),
    }
}

fn fold_list(items: Vec<Template>) -> Template {
    if items.iter().any(|item| !matches!(item, Template::Literal(_))) {
        return Template::List(items);
    }
    let literal = |item| if let Template::Literal(json) = item { Some(json) } else { None };
    Template::Literal(Json::Array(items.into_iter().filter_map(literal).collect()))
}

fn fold_map(map: BTreeMap<String, Template>) -> Template {
    if map.values().any(|item| !matches!(item, Template::Literal(_))) {
        return Template::Map(map);
    }
    let literal = |(key, item)| if let Template::Literal(json) = item { Some((key, json)) } else { None };
    Template::Literal(Json::Object(map.into_iter().filter_map(literal).collect()))
}
