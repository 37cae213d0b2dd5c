//! `respond`: what a synchronous caller is told.

use super::super::{
    RespondStep, StepKind, Template, codes,
    node::Node,
    reader::{Fields, Reader},
    registry::{Field, Shape, optional},
};
use crate::{
    Json,
    run::answer::{HttpAnswer, header_name, status_of},
};

/// Keys of `respond`.
pub(crate) const RESPOND_FIELDS: &[Field] = &[
    optional("status", Shape::Template, "200 to 599; 200 when absent."),
    optional("headers", Shape::Template, "A map of texts."),
    optional("body", Shape::Template, "Text, or anything else as JSON."),
];

pub(crate) fn respond(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<StepKind> {
    let node = fields.value("respond")?;
    let parts = reader.fields("`respond`", node, &[RESPOND_FIELDS])?;
    let mut part = |key: &str| parts.value(key).map(|node| (node, reader.template(node)));
    let (status, headers, body) = (part("status"), part("headers"), part("body"));
    let literal = |part: &Option<(&Node, Template)>| match part {
        None => Some(Json::Null),
        Some((_, Template::Literal(value))) => Some(value.clone()),
        Some(_) => None,
    };
    let mut wrong = |node: &Node, message: String| {
        reader.error(
            codes::RESPOND,
            &node.span,
            message,
            "`respond: { status: 201, headers: { Location: /a }, body: { id: 7 } }`",
        );
    };
    let given = (literal(&status), literal(&headers), literal(&body));
    if let (Some((node, _)), Some(Err(message))) = (&status, given.0.as_ref().map(status_of)) {
        wrong(node, message);
    } else if let (Some((node, _)), Some(Err(message))) =
        (&headers, given.1.as_ref().map(|headers| HttpAnswer::new(&Json::Null, headers, Json::Null)))
    {
        wrong(node, message);
    } else if let (Some(status), Some(body), Some((node, _))) = (&given.0, given.2, &body)
        && let Err(message) = HttpAnswer::new(status, &Json::Null, body)
    {
        wrong(node, message);
    }
    // Names stand in the file even where values are expressions.
    if let (None, Some((node, Template::Map(map)))) = (&given.1, &headers) {
        for message in map.keys().filter_map(|name| header_name(&name.to_ascii_lowercase()).err()) {
            wrong(node, message);
        }
    }
    let template = |part: Option<(&Node, Template)>| part.map(|(_, template)| template);
    let step = RespondStep { status: template(status), headers: template(headers), body: template(body) };
    Some(StepKind::Respond(Box::new(step)))
}
