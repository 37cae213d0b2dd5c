//! What parsing a workflow file does not look at: whether its expressions and scripts are Rhai.

use cartwright_core::workflow::{Code, Diagnostic, Expression, Span, Workflow, codes};
use cartwright_sandbox::Sandbox;

/// Findings about all code of a workflow, in order of place.
pub(crate) fn code(workflow: &Workflow, sandbox: &Sandbox) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    workflow.visit_code(&mut |code| match code {
        Code::Expression { expression, .. } => {
            if let Err(error) = sandbox.check_expression(&expression.source) {
                found.push(diagnostic(narrowed(expression, error.offset), &error.message));
            }
        }
        Code::Script(script) => {
            if let Err(error) = sandbox.check_script(&script.source) {
                let place = script.file.as_ref().map(|file| format!("{file}: ")).unwrap_or_default();
                found.push(diagnostic(script.span.clone(), &format!("{place}{}", error.message)));
            }
        }
    });
    found.sort_by_key(|one: &Diagnostic| one.span.start);
    found
}

/// From the error's place to the end of the expression, where the expression stands in the file letter for letter.
fn narrowed(expression: &Expression, offset: Option<usize>) -> Span {
    let span = expression.span.clone();
    match offset {
        Some(offset) if span.len() == expression.source.len() && offset < span.len() => span.start + offset..span.end,
        _ => span,
    }
}

fn diagnostic(span: Span, message: &str) -> Diagnostic {
    Diagnostic::error(codes::CODE, span, format!("this is not Rhai: {message}"))
}
