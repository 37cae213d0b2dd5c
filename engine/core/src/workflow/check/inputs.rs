//! `inputs.NAME` of an input that the workflow does not declare.

use super::{Place, declares};
use crate::workflow::{
    InputSpec, Workflow, codes,
    diagnostic::Diagnostic,
    node::shorten,
    parse::MAX_DIAGNOSTICS,
    rhai::{Token, Tokens},
    visit::Code,
};

/// Reports every use of an unknown input, in expressions and scripts.
pub(super) fn check(file: &str, workflow: &Workflow, diagnostics: &mut Vec<Diagnostic>) {
    workflow.visit_code(&mut |code| match code {
        Code::Expression { expression, .. } => {
            code_of(&Place::new(file, &expression.source, &expression.span), workflow, diagnostics);
        }
        Code::Script(script) => {
            let file = if script.file.is_some() { "" } else { file };
            code_of(&Place::new(file, &script.source, &script.span), workflow, diagnostics);
        }
    });
}

fn code_of(place: &Place<'_>, workflow: &Workflow, diagnostics: &mut Vec<Diagnostic>) {
    if !place.source.contains("inputs") {
        return;
    }
    let Ok(tokens) = Tokens::new(place.source, 0).collect::<Result<Vec<_>, _>>() else { return };
    if declares(&tokens, "inputs") {
        return;
    }
    for index in 0..tokens.len() {
        let before = index.checked_sub(1).map(|index| tokens[index].1);
        if diagnostics.len() >= MAX_DIAGNOSTICS || matches!(before, Some(Token::Sign("." | "?." | "::"))) {
            continue;
        }
        let window: Vec<Token<'_>> = tokens[index..].iter().take(3).map(|(_, token)| *token).collect();
        let name = match window[..] {
            [Token::Word("inputs"), Token::Sign("." | "?."), Token::Word(name)]
            | [Token::Word("inputs"), Token::Sign("[" | "?["), Token::Text(name)] => name,
            _ => continue,
        };
        // A method: `inputs.keys()`.
        if matches!(tokens.get(index + 3), Some((_, Token::Sign("(")))) {
            continue;
        }
        let specs = workflow.inputs.as_deref();
        if !specs.unwrap_or_default().iter().any(|spec| spec.name == name) {
            let range = tokens[index].0.start..tokens[index + 2].0.end;
            diagnostics.push(unknown(name, specs, place.at(&range)));
        }
    }
}

fn unknown(name: &str, specs: Option<&[InputSpec]>, span: std::ops::Range<usize>) -> Diagnostic {
    let message = format!("no input has the name `{}`", shorten(name));
    let known: Vec<&str> = specs.unwrap_or_default().iter().map(|spec| spec.name.as_str()).collect();
    let diagnostic = Diagnostic::error(codes::UNKNOWN_INPUT, span, message).suggest(name, known.iter().copied());
    match (known.len(), diagnostic.did_you_mean.is_some()) {
        (0, _) => diagnostic.help("declare it: `on: { manual: { inputs: { NAME: string } } }`"),
        (1..=20, false) => diagnostic.help(format!("the inputs are: {}", known.join(", "))),
        _ => diagnostic,
    }
}
