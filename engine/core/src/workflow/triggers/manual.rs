//! Manual triggers, and the inputs that a start by hand or by another workflow gives.

use super::{
    super::{
        InputKind, InputSpec, Template, codes,
        inputs::{MAX_INPUTS, same},
        node::{Entry, Node, Value, shorten},
        reader::Reader,
        registry::{Field, Shape, optional},
    },
    CONDITION, GATES,
};
use crate::Json;

/// Longest name of an input, in bytes.
const MAX_NAME_BYTES: usize = 64;
/// Most options of an input.
const MAX_OPTIONS: usize = 100;

/// Keys of `manual`.
pub const MANUAL_FIELDS: &[Field] = &[
    optional("inputs", Shape::Named(INPUT_FIELDS), "What a start asks for, by name: a type, or a map."),
    CONDITION,
    GATES[0],
    GATES[1],
    GATES[2],
    GATES[3],
];

/// Keys of an input.
pub const INPUT_FIELDS: &[Field] = &[
    optional("type", Shape::OneOf(&InputKind::WORDS), "string when absent."),
    optional("default", Shape::Any, "What it is when it is not given."),
    optional("required", Shape::Boolean, "Whether it must be given."),
    optional("description", Shape::Text, "For people."),
    optional("options", Shape::Any, "A list of the only values it takes."),
];

impl Reader<'_> {
    /// `inputs: { name: type, name: { type, default, … } }`
    pub(crate) fn inputs(&mut self, node: &Node) -> Option<Vec<InputSpec>> {
        let entries = self.entries("`inputs`", node)?;
        if entries.len() > MAX_INPUTS {
            self.error(codes::TOO_LARGE, &node.span, format!("a workflow has at most {MAX_INPUTS} inputs"), "");
            return None;
        }
        Some(entries.iter().filter_map(|entry| self.input(entry)).collect())
    }

    /// An input with a wrong part is kept without it, so that its uses are not reported too.
    fn input(&mut self, entry: &Entry) -> Option<InputSpec> {
        let name = entry.key.clone();
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !starts || name.len() > MAX_NAME_BYTES || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            let message = format!("`{}` cannot be the name of an input", shorten(&name));
            let help =
                "use up to 64 of a-z, A-Z, 0-9 and `_`, beginning with a letter: expressions see it as `inputs.NAME`";
            self.error(codes::INPUT, &entry.key_span, message, help);
            return None;
        }
        let what = format!("the input `{name}`");
        let mut spec = InputSpec {
            name,
            kind: InputKind::String,
            required: false,
            default: Json::Null,
            description: None,
            options: Vec::new(),
            span: entry.key_span.clone(),
        };
        if let Value::Scalar(_) = &entry.value.value {
            spec.kind = self.input_type(&entry.value).unwrap_or(spec.kind);
            return Some(spec);
        }
        let Some(fields) = self.fields(&what, &entry.value, &[INPUT_FIELDS]) else { return Some(spec) };
        if let Some(node) = fields.value("type") {
            match self.input_type(node) {
                Some(kind) => spec.kind = kind,
                None => return Some(spec),
            }
        }
        spec.required = fields.value("required").and_then(|node| self.boolean("`required`", node)).unwrap_or(false);
        spec.description = fields.value("description").and_then(|node| self.text("`description`", node));
        if let Some(node) = fields.value("options") {
            spec.options = self.options(spec.kind, node).unwrap_or_default();
        }
        if let Some(node) = fields.value("default") {
            spec.default = self.input_value("`default`", spec.kind, node).unwrap_or_default();
            if !spec.default.is_null()
                && !spec.options.is_empty()
                && !spec.options.iter().any(|option| same(option, &spec.default))
            {
                self.error(codes::INPUT, &node.span, "`default` is none of the `options`", "name one of them");
            }
        }
        Some(spec)
    }

    fn input_type(&mut self, node: &Node) -> Option<InputKind> {
        self.word("`type`", node, &InputKind::WORDS, &[]).and_then(InputKind::of)
    }

    fn options(&mut self, kind: InputKind, node: &Node) -> Option<Vec<Json>> {
        let items = match &node.value {
            Value::List(items) if (1..=MAX_OPTIONS).contains(&items.len()) => items,
            _ => {
                let message = format!("`options` is a list of 1 to {MAX_OPTIONS} values");
                self.error(codes::INPUT, &node.span, message, "write `options: [small, large]`");
                return None;
            }
        };
        items.iter().map(|item| self.input_value("an option", kind, item)).collect()
    }

    /// A value in the file that is of an input's type. Text is read as when it is given, so `7` may be a string's.
    fn input_value(&mut self, what: &str, kind: InputKind, node: &Node) -> Option<Json> {
        let before = self.diagnostics.len();
        let value = match (&node.value, kind) {
            (Value::Scalar(scalar), InputKind::String | InputKind::Date) if !scalar.text.contains("${{") => {
                Template::Literal(Json::String(scalar.text.clone()))
            }
            _ => self.template(node),
        };
        if self.diagnostics.len() > before {
            return None;
        }
        let Template::Literal(value) = value else {
            self.error(
                codes::NO_EXPRESSION_HERE,
                &node.span,
                format!("{what} cannot hold expressions"),
                "write the value itself",
            );
            return None;
        };
        match kind.convert(&value) {
            Ok(value) => Some(value),
            Err(message) => {
                self.error(codes::INPUT, &node.span, format!("{what} {message}"), "it has the input's `type`");
                None
            }
        }
    }
}
