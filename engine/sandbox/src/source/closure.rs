//! Rhai keeps a variable locked while a method runs on it, so `order.items.filter(|i| i.total > order.limit)` would be
//! refused as a data race. Where a closure mentions the variable that its own call goes through, the call is made on a
//! copy: `cw_copy(order.items).filter(…)`.

use std::collections::BTreeSet;

use super::{
    path::Root,
    rewrite::{COPY_FUNCTION, Edit, starts_operand},
    token::{Kind, Token},
};

/// Methods that take a closure and leave the list as it is.
const READING: [&str; 17] = [
    "map",
    "filter",
    "reduce",
    "reduce_rev",
    "for_each",
    "some",
    "all",
    "any",
    "find",
    "find_map",
    "index_of",
    "sum",
    "group_by",
    "sort_by",
    "zip",
    "order",
    "order_by",
];
/// Calls looked at in one source; the search is quadratic in them.
const CALLS_MAX: usize = 500;

/// The edits that make copies.
pub(super) fn copies(source: &str, tokens: &[Token], shadowed: &BTreeSet<Root>) -> Vec<Edit> {
    let mut edits = Vec::new();
    let calls = (1..tokens.len()).filter(|at| is_call(source, tokens, *at)).take(CALLS_MAX);
    for dot in calls {
        let Some(root) = chain_start(tokens, dot) else { continue };
        let name = text(source, tokens, root);
        if Root::named(name).is_some_and(|root| !shadowed.contains(&root)) {
            // A path's value is a copy already.
            continue;
        }
        let mentioned = closure(tokens, dot + 2).is_some_and(|mut inside| {
            inside.any(|at| tokens[at].kind == Kind::Name && text(source, tokens, at) == name)
        });
        if mentioned {
            let (from, to) = (tokens[root].at.start, tokens[dot].at.start);
            edits.push(Edit { from: from..from, to: format!("{COPY_FUNCTION}(") });
            edits.push(Edit { from: to..to, to: ")".into() });
        }
    }
    edits
}

fn text<'s>(source: &'s str, tokens: &[Token], at: usize) -> &'s str {
    tokens.get(at).map_or("", |token| &source[token.at.clone()])
}

/// Whether at `dot` stands `.name(|` with a name of [`READING`].
fn is_call(source: &str, tokens: &[Token], dot: usize) -> bool {
    matches!(tokens[dot].kind, Kind::Dot | Kind::OptionalDot)
        && READING.contains(&text(source, tokens, dot + 1))
        && text(source, tokens, dot + 2) == "("
        && (text(source, tokens, dot + 3) == "||"
            || (text(source, tokens, dot + 3) == "|" && starts_operand(source, tokens, dot + 3)))
}

/// The tokens between the bracket at `open` and the one that closes it.
fn closure(tokens: &[Token], open: usize) -> Option<std::ops::Range<usize>> {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.kind {
            Kind::Open | Kind::OptionalOpen => depth += 1,
            Kind::Close => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(open + 1..at);
        }
    }
    None
}

/// The variable with which the chain before `dot` starts; `None` where it starts with something else.
fn chain_start(tokens: &[Token], dot: usize) -> Option<usize> {
    let mut at = dot.checked_sub(1)?;
    loop {
        match tokens[at].kind {
            Kind::Close => {
                at = opening(tokens, at)?.checked_sub(1)?;
                // What stands before the bracket belongs to it: `f(…)`, `a[…]`, `a?[…]`.
                if !matches!(tokens[at].kind, Kind::Name | Kind::Close) {
                    return None;
                }
            }
            Kind::Name => {
                let linked = at > 0 && matches!(tokens[at - 1].kind, Kind::Dot | Kind::OptionalDot);
                if !linked {
                    return Some(at);
                }
                at = at.checked_sub(2)?;
            }
            _ => return None,
        }
    }
}

fn opening(tokens: &[Token], close: usize) -> Option<usize> {
    let mut depth = 0usize;
    (0..=close).rev().find(|at| {
        match tokens[*at].kind {
            Kind::Close => depth += 1,
            Kind::Open | Kind::OptionalOpen => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    })
}
