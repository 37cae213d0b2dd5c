//! `concurrency`: how many runs of a workflow move at once, and what happens to those that are too many.

use super::{
    Concurrency, OnLimit, SlotScope, Template, codes,
    node::{Entry, Node, Value},
    reader::Reader,
    registry::{Field, Shape, optional},
};
use crate::{Json, slots::LIMIT_MAX};

/// Values of `on_limit`.
pub const ON_LIMIT_WORDS: &[&str] = &["queue", "skip", "replace", "fail"];
/// Values of `scope`.
pub const SLOT_SCOPE_WORDS: &[&str] = &["store", "workflow"];
/// The highest `queue_max`.
pub const QUEUE_MAX: u32 = 10_000_000;

/// Keys of `concurrency`.
pub const CONCURRENCY_FIELDS: &[Field] = &[
    optional("key", Shape::Template, "Runs with the same key share slots; all runs of the workflow when absent."),
    optional("limit", Shape::Integer { min: 1, max: LIMIT_MAX }, "How many runs at once, 1 when absent."),
    optional(
        "on_limit",
        Shape::OneOf(ON_LIMIT_WORDS),
        "What a run does that finds no free slot: `queue` (wait, the default), `skip`, `replace` the older ones, `fail`.",
    ),
    optional("queue_max", Shape::Integer { min: 0, max: QUEUE_MAX }, "How many may wait; no limit when absent."),
    optional(
        "scope",
        Shape::OneOf(SLOT_SCOPE_WORDS),
        "Whether each `store` has slots of its own (the default), or all of the `workflow` share them.",
    ),
    optional(
        "hold_while_waiting",
        Shape::Boolean,
        "`false`: a run gives its slot back while it waits for a time, an event, a person or a store.",
    ),
];

impl Reader<'_> {
    /// `concurrency`: a map, a limit, or a key.
    pub(crate) fn concurrency(&mut self, entry: &Entry) -> Option<Concurrency> {
        let node = &entry.value;
        let mut read = Concurrency {
            key: None,
            limit: 1,
            on_limit: OnLimit::Queue,
            queue_max: None,
            scope: SlotScope::Store,
            hold_while_waiting: true,
        };
        match &node.value {
            Value::Map(_) => self.concurrency_map(node, &mut read)?,
            Value::Scalar(scalar) if scalar.number().is_some() => {
                read.limit = self.integer("`concurrency`", node, 1, LIMIT_MAX)?;
            }
            _ => read.key = Some(self.slot_key("`concurrency`", node)?),
        }
        Some(read)
    }

    fn concurrency_map(&mut self, node: &Node, read: &mut Concurrency) -> Option<()> {
        let fields = self.fields("`concurrency`", node, &[CONCURRENCY_FIELDS])?;
        let found = self.diagnostics.len();
        if let Some(node) = fields.value("key") {
            read.key = self.slot_key("`key`", node);
        }
        if let Some(limit) = fields.value("limit").and_then(|node| self.integer("`limit`", node, 1, LIMIT_MAX)) {
            read.limit = limit;
        }
        let words = |reader: &mut Self, key: &str, words| {
            fields.value(key).and_then(|node| reader.word(&format!("`{key}`"), node, words, &[]))
        };
        read.on_limit = match words(self, "on_limit", ON_LIMIT_WORDS) {
            Some("skip") => OnLimit::Skip,
            Some("replace") => OnLimit::Replace,
            Some("fail") => OnLimit::Fail,
            _ => OnLimit::Queue,
        };
        read.queue_max = fields.value("queue_max").and_then(|node| self.integer("`queue_max`", node, 0, QUEUE_MAX));
        read.scope = match words(self, "scope", SLOT_SCOPE_WORDS) {
            Some("workflow") => SlotScope::Workflow,
            _ => SlotScope::Store,
        };
        let holds = fields.value("hold_while_waiting");
        read.hold_while_waiting =
            holds.and_then(|node| self.boolean("`hold_while_waiting`", node)).unwrap_or(read.hold_while_waiting);
        if self.diagnostics.len() > found {
            return None;
        }
        if let (Some(entry), true) = (fields.get("queue_max"), read.on_limit != OnLimit::Queue) {
            let message = "`queue_max` has no effect: only `on_limit: queue` has a queue that can be full";
            self.error(codes::CONCURRENCY, &entry.key_span, message, "remove it, or use `on_limit: queue`");
        }
        if let (Some(entry), OnLimit::Replace, false) =
            (fields.get("hold_while_waiting"), read.on_limit, read.hold_while_waiting)
        {
            let message = "a run that waits without a slot cannot be replaced, and would go on after its replacement";
            let help = "remove `hold_while_waiting`, so that waiting runs are replaced too";
            self.error(codes::CONCURRENCY, &entry.key_span, message, help);
        }
        Some(())
    }

    fn slot_key(&mut self, what: &str, node: &Node) -> Option<Template> {
        let help = "write a text such as \"${{ event.data.id }}\"";
        match (&node.value, self.template(node)) {
            (Value::Scalar(scalar), _) if scalar.is_null() || scalar.text.trim().is_empty() => {
                self.error(codes::EMPTY_VALUE, &node.span, format!("{what} is empty"), help);
                None
            }
            (
                _,
                Template::Literal(Json::Null | Json::Array(_) | Json::Object(_)) | Template::List(_) | Template::Map(_),
            ) => {
                let message = format!("{what} must be a single value, but this is {}", node.describe());
                self.error(codes::WRONG_TYPE, &node.span, message, help);
                None
            }
            (_, template) => Some(template),
        }
    }
}
