//! Undos that never run: each is understood, and without effect where it stands.

use std::collections::BTreeSet;

use super::super::{Step, StepKind, Workflow, codes, diagnostic::Diagnostic};

/// Warns of undos without effect.
pub(super) fn check(workflow: &Workflow, diagnostics: &mut Vec<Diagnostic>) {
    let mut aside = BTreeSet::new();
    for block in [&workflow.on_failure, &workflow.on_cancel] {
        super::super::visit::visit_block(block, &mut |step| {
            aside.insert(step.span.start);
        });
    }
    workflow.visit_steps(&mut |step| {
        let Some(undo) = &step.undo else { return };
        let why = why_not(workflow, step, aside.contains(&step.span.start));
        diagnostics.extend(
            why.map(|(message, help)| Diagnostic::warning(codes::NO_EFFECT, undo.span.clone(), message).help(help)),
        );
    });
}

fn why_not(workflow: &Workflow, step: &Step, aside: bool) -> Option<(&'static str, &'static str)> {
    match step.kind {
        _ if aside => {
            Some(("`undo` has no effect in `on_failure` and `on_cancel`", "only `steps` are undone; remove the key"))
        }
        StepKind::Stop(_) | StepKind::Fail(_) => {
            Some(("there is nothing to undo about the end of a run", "put `undo` on the steps that make calls"))
        }
        _ if !workflow.undo_on_failure => Some((
            "`undo` has no effect without `undo_on_failure`",
            "add `undo_on_failure: true` to the workflow, beside `steps`",
        )),
        _ => None,
    }
}
