//! `links.ID`: where it may stand, and that it leads to an `approve` step.

use std::collections::BTreeMap;

use super::unknown_step;
use crate::workflow::{Span, StepKind, Workflow, codes, diagnostic::Diagnostic};

/// `secrets` as in [`super::check_code`]: links may stand where secrets may.
pub(super) fn check(
    id: &str,
    secrets: Option<bool>,
    workflow: &Workflow,
    ids: &BTreeMap<String, Span>,
    span: Span,
) -> Option<Diagnostic> {
    if secrets != Some(true) {
        let diagnostic = Diagnostic::error(codes::SECRETS_HERE, span, "a link to an approval cannot be used here");
        return Some(diagnostic.help(
            "it can be used in `http`, `headers`, `query`, `body` and `form`, where nothing of it is kept: whoever has it may answer",
        ));
    }
    match workflow.step(id) {
        Some(step) if matches!(step.kind, StepKind::Approve(_)) => None,
        Some(step) => {
            let message = format!("`{id}` is a `{}` step: a link leads to an `approve` step", step.kind.word());
            Some(Diagnostic::error(codes::UNKNOWN_STEP, span, message).help("name the step that asks"))
        }
        // A step with errors is in the file and not in the model.
        None if ids.contains_key(id) => None,
        None => Some(unknown_step(id, ids, span)),
    }
}
