//! What branches side by side may not ask of each other: whether a step beside them has ended is chance.

use std::collections::BTreeSet;

use super::{
    super::{
        Side, codes,
        diagnostic::Diagnostic,
        node::shorten,
        rhai::{Token, Tokens},
        visit::{self, Code},
    },
    Place, declares,
};

/// Reports steps of one branch that another one mentions.
pub(super) fn check(file: &str, sides: &[Side], diagnostics: &mut Vec<Diagnostic>) {
    let ids = |side: &Side| {
        let mut ids = BTreeSet::new();
        visit::visit_block(&side.steps, &mut |step| {
            ids.insert(step.id.clone());
        });
        ids
    };
    let all: Vec<BTreeSet<String>> = sides.iter().map(ids).collect();
    for (index, side) in sides.iter().enumerate() {
        let beside = |id: &str| all.iter().enumerate().any(|(other, ids)| other != index && ids.contains(id));
        visit::block(&side.steps, &mut |code| {
            let (place, source) = match code {
                Code::Expression { expression, .. } => {
                    (Place::new(file, &expression.source, &expression.span), &expression.source)
                }
                Code::Script(script) => {
                    let file = if script.file.is_some() { "" } else { file };
                    (Place::new(file, &script.source, &script.span), &script.source)
                }
            };
            // Code that does not hold together is the compiler's to report.
            let Ok(tokens) = Tokens::new(source, 0).collect::<Result<Vec<_>, _>>() else { return };
            if declares(&tokens, "steps") {
                return;
            }
            for three in tokens.windows(3) {
                let (Token::Word("steps"), Token::Sign("." | "?." | "[" | "?["), Token::Word(id) | Token::Text(id)) =
                    (three[0].1, three[1].1, three[2].1)
                else {
                    continue;
                };
                if beside(id) {
                    let message =
                        format!("the step `{}` is in a branch beside this one and may not have ended", shorten(id));
                    let span = place.at(&(three[0].0.start..three[2].0.end));
                    diagnostics.push(
                        Diagnostic::error(codes::UNKNOWN_STEP, span, message)
                            .help("use it in a step after the `parallel`, or put both steps into one branch"),
                    );
                }
            }
        });
    }
}
