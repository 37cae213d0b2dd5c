//! Kinds of step that steer: `sleep`, `choose`, `for_each`, `parallel`, `stop`, `fail`.

use super::super::{
    Branch, Expression, ForEach, Side, StepKind, Template, codes,
    duration::parse_duration,
    node::{Node, Value, shorten},
    reader::{Fields, Reader},
    registry::{Field, MAX_PARALLEL, Shape, optional},
};
use super::{STEP_ID_HELP, is_step_id};
use crate::{Json, time::Timestamp};

/// Keys of a branch of `choose`.
pub(crate) const BRANCH: &[Field] = &[
    optional("if", Shape::Expression, "When this branch is taken."),
    optional("steps", Shape::Steps, "What it does."),
    optional("else", Shape::Steps, "What to do when no branch before holds; the last branch."),
];

pub(crate) fn sleep(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<StepKind> {
    let recheck = fields.value("recheck").and_then(|node| reader.boolean("`recheck`", node)).unwrap_or(false);
    let node = fields.value("sleep")?;
    let Value::Scalar(scalar) = &node.value else {
        let message = format!("`sleep` must be a duration or a time, but this is {}", node.describe());
        reader.error(codes::WRONG_TYPE, &node.span, message, "write `sleep: 10m`");
        return None;
    };
    if scalar.number().is_some_and(|number| number.as_f64().is_some_and(|seconds| seconds >= 0.0)) {
        return Some(StepKind::Sleep { until: reader.template(node), recheck });
    }
    let until = reader.text_template("`sleep`", node)?;
    if let Template::Literal(Json::String(text)) = &until
        && Timestamp::parse(text).is_none()
        && let Err(message) = parse_duration(text)
    {
        reader.error(codes::DURATION, &node.span, message, "a time is written `2026-12-24T18:00:00Z`");
        return None;
    }
    Some(StepKind::Sleep { until, recheck })
}

pub(crate) fn choose(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<StepKind> {
    let node = fields.value("choose")?;
    let Value::List(items) = &node.value else {
        let message = format!("`choose` must be a list of branches, but this is {}", node.describe());
        reader.error(codes::WRONG_TYPE, &node.span, message, "write `- if: …` and `steps:` below it for each branch");
        return None;
    };
    if items.is_empty() {
        reader.error(codes::BRANCH, &node.span, "`choose` has no branches", "add `- if: …` with `steps:`");
    }
    let mut branches = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let before = reader.diagnostics.len();
        let Some(fields) = reader.fields("a branch", item, &[BRANCH]) else { continue };
        let misspelt = reader.diagnostics.len() > before;
        let has = |key: &str| fields.get(key).is_some();
        match (has("if"), has("steps"), has("else")) {
            (true, true, false) => {
                let condition = reader.expression(&fields, "if");
                let steps = reader.block(&fields, "steps");
                if condition.is_some() {
                    branches.push(Branch { condition, steps });
                }
            }
            (false, false, true) => {
                if index + 1 < items.len() {
                    reader.error(
                        codes::BRANCH,
                        &item.span,
                        "branches after `else` are never taken",
                        "make `else` the last branch",
                    );
                }
                let steps = reader.block(&fields, "else");
                branches.push(Branch { condition: None, steps });
            }
            _ => {
                if !misspelt {
                    reader.error(
                        codes::BRANCH,
                        &item.span,
                        "a branch has either `if` and `steps`, or `else`",
                        "the last branch may be `- else: [steps]`",
                    );
                }
                // Inner problems are worth showing too.
                reader.block(&fields, "steps");
                reader.block(&fields, "else");
            }
        }
    }
    Some(StepKind::Choose(branches))
}

pub(crate) fn for_each(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<StepKind> {
    let items: Option<Expression> = reader.expression(fields, "for_each");
    let parallel =
        fields.value("parallel").and_then(|node| reader.integer("`parallel`", node, 1, MAX_PARALLEL)).unwrap_or(1);
    let continue_on_error = fields.value("on_error").and_then(loop_word).unwrap_or(false);
    let steps = reader.block(fields, "steps");
    Some(StepKind::ForEach(ForEach { items: items?, steps, parallel, continue_on_error }))
}

pub(crate) fn parallel(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<StepKind> {
    let node = fields.value("parallel")?;
    let Value::Map(entries) = &node.value else {
        let message = format!("`parallel` must be a map of named branches, but this is {}", node.describe());
        let help = "write `parallel: { left: [steps], right: [steps] }`; how many iterations of a `for_each` run at \
                    once stands beside it";
        reader.error(codes::WRONG_TYPE, &node.span, message, help);
        return None;
    };
    if entries.is_empty() {
        reader.error(codes::BRANCH, &node.span, "`parallel` has no branches", "name at least one, with its steps");
    }
    let mut sides = Vec::new();
    for entry in entries {
        if !is_step_id(&entry.key) {
            let message = format!("`{}` cannot be the name of a branch", shorten(&entry.key));
            reader.error(codes::BRANCH, &entry.key_span, message, STEP_ID_HELP);
        }
        let steps = reader.steps(&entry.key, &entry.value);
        sides.push(Side { name: entry.key.clone(), steps });
    }
    Some(StepKind::Parallel(sides))
}

pub(crate) fn stop(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<StepKind> {
    reader.text_template("`stop`", fields.value("stop")?).map(StepKind::Stop)
}

pub(crate) fn fail(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<StepKind> {
    reader.text_template("`fail`", fields.value("fail")?).map(StepKind::Fail)
}

/// What `on_error` says in a loop's own words: whether the loop goes on.
pub(super) fn loop_word(node: &Node) -> Option<bool> {
    match &node.value {
        Value::Scalar(scalar) if scalar.text == "continue" => Some(true),
        Value::Scalar(scalar) if scalar.text == "stop" => Some(false),
        _ => None,
    }
}
