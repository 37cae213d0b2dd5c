//! Steps that wait for something from outside: `wait_for`, `approve`.

use std::time::Duration;

use super::super::{
    Approve, StepKind, Template, WaitFor, codes,
    node::{Node, Value},
    reader::{Fields, Reader},
    registry::{Field, Shape, optional, required},
    topic,
};
use crate::{Json, access::Role};

/// Keys of `wait_for`.
pub(crate) const WAIT_FOR: &[Field] = &[
    required("event", Shape::Template, "The topic."),
    optional("if", Shape::Expression, "Which event: sees `incoming`, and all that is in scope here."),
    optional("timeout", Shape::Duration, "Gives `()` after this long; forever when absent."),
    optional("lookback", Shape::Duration, "An event that came this long before the wait began counts, too."),
];

pub(crate) fn wait_for(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<StepKind> {
    let node = fields.value("wait_for")?;
    if let Value::Scalar(_) = &node.value {
        let topic = topic(reader, "`wait_for`", node)?;
        return Some(StepKind::WaitFor(Box::new(WaitFor {
            topic,
            condition: None,
            timeout: None,
            lookback: Duration::ZERO,
        })));
    }
    let fields = reader.fields("`wait_for`", node, &[WAIT_FOR])?;
    let condition = reader.expression(&fields, "if");
    let has_condition = fields.get("if").is_some();
    let timeout = fields.value("timeout").and_then(|node| reader.timeout(node));
    let lookback = fields.value("lookback").and_then(|node| reader.duration("`lookback`", node));
    let topic = topic(reader, "`event`", fields.value("event")?)?;
    // A condition that could not be read was reported; a wait without it would be for any event.
    if has_condition && condition.is_none() {
        return None;
    }
    Some(StepKind::WaitFor(Box::new(WaitFor { topic, condition, timeout, lookback: lookback.unwrap_or_default() })))
}

fn topic(reader: &mut Reader<'_>, what: &str, node: &Node) -> Option<Template> {
    let template = reader.text_template(what, node)?;
    if let Template::Literal(Json::String(text)) = &template
        && let Err(problem) = topic::check_topic(text)
    {
        let help = match topic::check_pattern(text) {
            Ok(()) => "a wait is for one topic; several are several branches of a `parallel`",
            Err(_) => "a topic is written like `order.updated`",
        };
        reader.error(codes::TOPIC, &node.span, problem, help);
        return None;
    }
    Some(template)
}

/// Roles that may answer; whoever only looks does not.
const ANSWERING: [Role; 2] = [Role::Operator, Role::Owner];

pub(crate) fn approve(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<StepKind> {
    let words = ANSWERING.map(Role::as_str);
    let mut by = Vec::new();
    if let Some(node) = fields.value("by") {
        for (_, node) in reader.texts("`by`", node) {
            let word = reader.word("`by`", node, &words, &[]);
            by.extend(ANSWERING.into_iter().filter(|role| word == Some(role.as_str())));
        }
    }
    let question = reader.text_template("`approve`", fields.value("approve")?)?;
    Some(StepKind::Approve(Box::new(Approve { question, by })))
}
