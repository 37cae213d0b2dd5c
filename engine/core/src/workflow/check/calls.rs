//! Workflows that wait for themselves.

use super::super::{CallStep, StepKind, Template, Workflow, codes, diagnostic::Diagnostic};
use crate::Json;

/// The workflow that a call names literally.
pub(in super::super) fn called(call: &CallStep) -> Option<&str> {
    match &call.workflow {
        Template::Literal(Json::String(id)) => Some(id),
        _ => None,
    }
}

/// Warns of a call that comes back to its own workflow whatever happens.
pub(super) fn check(workflow: &Workflow, diagnostics: &mut Vec<Diagnostic>) {
    for step in workflow.steps.iter().filter(|step| step.condition.is_none()) {
        let StepKind::Call(call) = &step.kind else { continue };
        if call.awaited && called(call) == Some(workflow.id.as_str()) {
            let message =
                format!("`{}` always calls itself and waits for that: it never comes to an end by itself", workflow.id);
            let diagnostic = Diagnostic::warning(codes::CALLS_ITSELF, step.span.clone(), message);
            diagnostics.push(diagnostic.help("give the step an `if` that ends it at some point"));
        }
    }
}
