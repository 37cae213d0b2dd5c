//! `undo`: what takes a step back. One kind with its keys, as a step has them, without a name of its own.

use super::super::{
    OnError, Step, StepKind, Template, codes,
    node::Node,
    reader::Reader,
    registry::{Field, ON_UNKNOWN_WORDS, RETRY, STEP_KINDS, Shape, Status, StepKindSpec, optional},
};
use crate::Json;

/// Kinds that do something at once, or say that they did not.
const KINDS: &[&str] = &["script", "plugin", "http", "woo", "batch", "command", "emit"];

/// Keys that every undo may have.
pub(crate) const UNDO_FIELDS: &[Field] = &[
    optional("if", Shape::Expression, "Nothing is undone when this is false."),
    optional("retry", RETRY, "When and how often it is tried again."),
    optional("timeout", Shape::Duration, "Of the whole undo, all its attempts included."),
    optional(
        "on_error",
        Shape::OneOf(&["park", "continue", "fail"]),
        "`park` (the run waits for a person), `continue` with the other undos, or `fail`: leave the others.",
    ),
    optional("on_unknown", Shape::OneOf(ON_UNKNOWN_WORDS), "What to do when nobody can say whether a call happened."),
];

/// The kinds that can undo, of those that are executed.
pub(crate) fn undo_kinds() -> impl Iterator<Item = &'static StepKindSpec> {
    STEP_KINDS.iter().filter(|kind| KINDS.contains(&kind.key) && kind.executed())
}

pub(super) fn kinds_in_words() -> String {
    undo_kinds().map(|kind| kind.key).collect::<Vec<_>>().join(", ")
}

impl Reader<'_> {
    /// The `undo` of the step with this id.
    pub(super) fn undo(&mut self, node: &Node, id: &str) -> Option<Box<Step>> {
        let entries = self.entries("`undo`", node)?;
        let (entry, kind) = self.kind_of("undo", node, entries)?;
        if !KINDS.contains(&kind.key) {
            let message = format!("`{}` cannot stand in `undo`", kind.key);
            let help = format!("an undo is one of: {}", kinds_in_words());
            self.error(codes::NO_KIND, &entry.key_span, message, &help);
            return None;
        }
        let Some(parse) = kind.parse else {
            self.later_kind(entry, kind, &kinds_in_words());
            return None;
        };
        let own = [Field { key: kind.key, shape: kind.shape, doc: kind.doc, status: Status::Required }];
        let fields = self.fields("`undo`", node, &[&own, kind.fields, UNDO_FIELDS])?;
        let on_error =
            fields.value("on_error").and_then(|node| self.word("`on_error`", node, &["park", "continue", "fail"], &[]));
        let on_error = on_error.map(|word| match word {
            "continue" => OnError::Continue,
            "fail" => OnError::Fail,
            _ => OnError::Park,
        });
        let step = Step {
            id: id.to_owned(),
            name: None,
            kind: StepKind::Stop(Template::Literal(Json::Null)),
            condition: self.expression(&fields, "if"),
            retry: fields.value("retry").and_then(|node| self.retry(node)),
            timeout: fields.value("timeout").and_then(|node| self.timeout(node)),
            on_error,
            on_unknown: fields.value("on_unknown").and_then(|node| self.on_unknown(node)),
            output: None,
            undo: None,
            span: node.span.clone(),
        };
        Some(Box::new(Step { kind: parse(self, &fields)?, ..step }))
    }
}
