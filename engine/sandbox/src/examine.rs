//! What parsing a workflow file does not look at: whether its expressions and scripts are Rhai.

use cartwright_core::workflow::{Code, Diagnostic, Span, Workflow, codes, function_calls, template::locate};

use crate::Sandbox;

impl Sandbox {
    /// Compiles all code of a workflow whose file is `source`; findings in order of place.
    pub fn check_workflow(&self, source: &str, workflow: &Workflow) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        workflow.visit_code(&mut |code| match code {
            // Reported when the file was read.
            Code::Expression { expression, .. } if expression.source.is_empty() => {}
            Code::Expression { expression, .. } => {
                if let Err(error) = self.check_expression(&expression.source) {
                    let span = place(source, &expression.source, &expression.span, error.offset);
                    found.push(diagnostic(span, &error.message));
                } else if expression.source.contains('(') {
                    for call in function_calls(&expression.source) {
                        let span = || place_of(source, &expression.source, &expression.span, &call.at);
                        found.extend(self.functions(true).check(&call, &span, Some(self.functions(false))));
                    }
                }
            }
            Code::Script(script) => {
                if let Err(error) = self.check_script(&script.source) {
                    let (span, file) = match &script.file {
                        // The place is in that file, which is not shown: say its line.
                        Some(file) => (script.span.clone(), said(file, &script.source, error.offset)),
                        None => (place(source, &script.source, &script.span, error.offset), String::new()),
                    };
                    found.push(diagnostic(span, &format!("{file}{}", error.message)));
                } else {
                    for call in function_calls(&script.source) {
                        let span = || match &script.file {
                            Some(_) => script.span.clone(),
                            None => place_of(source, &script.source, &script.span, &call.at),
                        };
                        let mut wrong = self.functions(false).check(&call, &span, None);
                        if let (Some(wrong), Some(file)) = (&mut wrong, &script.file) {
                            wrong.message = said(file, &script.source, Some(call.at.start)) + wrong.message.as_str();
                        }
                        found.extend(wrong);
                    }
                }
            }
        });
        found.sort_by_key(|one: &Diagnostic| one.span.start);
        found
    }
}

/// The word of the file at an error's place; all of the code where it is not known.
fn place(source: &str, code: &str, span: &Span, offset: Option<usize>) -> Span {
    let Some(offset) = offset.filter(|offset| *offset <= code.len()) else { return span.clone() };
    let start = locate(source, code, span, offset);
    let rest = source.get(start..span.end).unwrap_or_default();
    let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    let length = if word > 0 { word } else { rest.chars().next().map_or(0, char::len_utf8) };
    start..start + length
}

/// The bytes of the file for a part of the code.
fn place_of(source: &str, code: &str, span: &Span, at: &Span) -> Span {
    let start = locate(source, code, span, at.start);
    let end = start + at.len();
    // Where lines were folded the two do not run side by side.
    match source.get(start..end) == code.get(at.clone()) {
        true => start..end,
        false => span.clone(),
    }
}

fn said(file: &str, code: &str, offset: Option<usize>) -> String {
    let line = offset.and_then(|offset| code.get(..offset)).map(|before| before.matches('\n').count() + 1);
    line.map_or_else(|| format!("{file}: "), |line| format!("{file}:{line}: "))
}

fn diagnostic(span: Span, message: &str) -> Diagnostic {
    // What the rewriting before the parser put there is not what the author wrote.
    let message = message.replace("'cw_value'", "a name");
    let help = help(&message);
    let found = Diagnostic::error(codes::CODE, span, format!("this is not Rhai: {message}"));
    match help {
        Some(help) => found.help(help),
        None => found,
    }
}

/// What people who know other languages write most often.
fn help(message: &str) -> Option<&'static str> {
    const HELP: &[(&str, &str)] = &[
        ("Invalid character: '", "text stands in double quotes: `\"text\"`"),
        ("'and'", "`and` is written `&&`"),
        ("'or'", "`or` is written `||`"),
        ("Unexpected a name", "`not` is written `!`; between two values stands a sign such as `==` or `&&`"),
        ("operator: '?'", "write `if condition { one } else { other }`"),
    ];
    HELP.iter().find(|(part, _)| message.contains(part)).map(|(_, help)| *help)
}
