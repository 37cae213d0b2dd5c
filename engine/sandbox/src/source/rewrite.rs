//! What is done to a source before Rhai parses it. Rhai has no way to say "missing or nothing", holds a lock on a
//! variable while a closure reads it, and hides outer variables from functions; rewrites solve this:
//!
//! - `event.data.total` (a path from one of the names in scope) becomes `cw_value(0)`: the path is walked on the
//!   original JSON, only the value at its end is converted, and a missing field is reported with its whole path;
//! - `a?.b` becomes `a?.cw_optional("b")`, which gives `()` where `a` lacks `b`;
//! - `a?[b]` becomes `a?.cw_at(b)`, likewise;
//! - fields may have names that Rhai reserves: `a.default` becomes `a["default"]`;
//! - `catch (e) {` gives `e` a `code` whatever was thrown, by `cw_caught`;
//! - `a.map(|x| x + a.len())` becomes `cw_copy(a).map(…)`, see [`super::closure`].
//!
//! A name that the source itself declares (`|item| …`) is not taken as a path. Positions in errors are mapped back.

use std::{collections::BTreeSet, ops::Range};

use crate::limits::DECLARED_MAX_TOKENS;

use super::{
    closure::copies,
    path::{Path, Root, Segment},
    token::{Kind, Token, reserved},
};

/// Names that sources may not use for themselves.
pub(crate) const VALUE_FUNCTION: &str = "cw_value";
pub(crate) const OPTIONAL_FUNCTION: &str = "cw_optional";
pub(crate) const AT_FUNCTION: &str = "cw_at";
pub(crate) const COPY_FUNCTION: &str = "cw_copy";
pub(crate) const CAUGHT_FUNCTION: &str = "cw_caught";

/// A replaced piece of source.
#[derive(Debug, Clone)]
pub(crate) struct Edit {
    /// Bytes of the original.
    pub(crate) from: Range<usize>,
    /// What stands there now.
    pub(crate) to: String,
}

/// What the rewrite found.
#[derive(Debug, Default)]
pub(crate) struct Rewritten {
    pub(crate) text: String,
    pub(crate) edits: Vec<Edit>,
    pub(crate) paths: Vec<Path>,
    /// Roots that the source declares as names of its own and that therefore go into Rhai's scope.
    pub(crate) shadowed: BTreeSet<Root>,
    /// The first token of what may run more than once: a loop, a closure, a function.
    repeated_from: Option<usize>,
}

/// Rewrites `source`, whose tokens are `tokens`.
pub(crate) fn rewrite(source: &str, tokens: &[Token]) -> Rewritten {
    let repeated_from = repeated_from(source, tokens);
    let mut out = Rewritten { shadowed: declared(source, tokens), repeated_from, ..Rewritten::default() };
    let mut open: Vec<bool> = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token.kind {
            Kind::Name => {
                caught(source, tokens, at, &mut out.edits);
                reserved_field(source, tokens, at, &mut out.edits);
                if let Some(next) = path(source, tokens, at, &mut out) {
                    at = next;
                    continue;
                }
            }
            Kind::OptionalDot => optional_property(source, tokens, at, &mut out.edits),
            Kind::OptionalOpen => {
                out.edits.push(Edit { from: token.at.clone(), to: format!("?.{AT_FUNCTION}(") });
                open.push(true);
            }
            Kind::Open => open.push(false),
            Kind::Close if open.pop() == Some(true) => {
                out.edits.push(Edit { from: token.at.clone(), to: ")".into() });
            }
            _ => {}
        }
        at += 1;
    }
    out.edits.extend(copies(source, tokens, &out.shadowed));
    // Stable: at the same place the order of insertion stays.
    out.edits.sort_by_key(|edit| (edit.from.start, edit.from.end));
    let mut done = 0;
    for edit in &out.edits {
        out.text.push_str(&source[done..edit.from.start]);
        out.text.push_str(&edit.to);
        done = edit.from.end;
    }
    out.text.push_str(&source[done..]);
    out
}

/// `?.name`, unless it is a method call.
fn optional_property(source: &str, tokens: &[Token], at: usize, edits: &mut Vec<Edit>) {
    let Some(name) = tokens.get(at + 1).filter(|t| t.kind == Kind::Name) else { return };
    if is(source, tokens, at + 2, "(") {
        return;
    }
    let to = format!("{OPTIONAL_FUNCTION}(\"{}\")", &source[name.at.clone()]);
    edits.push(Edit { from: name.at.clone(), to });
}

/// `a.default` becomes `a["default"]`, and `#{ if: 1 }` becomes `#{ "if": 1 }`: JSON knows no reserved words.
fn reserved_field(source: &str, tokens: &[Token], at: usize, edits: &mut Vec<Edit>) {
    let name = &source[tokens[at].at.clone()];
    let Some(before) = at.checked_sub(1).filter(|_| reserved(name)) else { return };
    if tokens[before].kind == Kind::Dot && !is(source, tokens, at + 1, "(") {
        edits.push(Edit { from: tokens[before].at.start..tokens[at].at.end, to: format!("[\"{name}\"]") });
    }
    if is(source, tokens, at + 1, ":") && (is(source, tokens, before, "#{") || is(source, tokens, before, ",")) {
        edits.push(Edit { from: tokens[at].at.clone(), to: format!("\"{name}\"") });
    }
}

/// `catch (e) {` goes on with `e = cw_caught(e);`, so that whatever is caught has a code.
fn caught(source: &str, tokens: &[Token], at: usize, edits: &mut Vec<Edit>) {
    let named = |at: usize| tokens.get(at).filter(|token| token.kind == Kind::Name);
    let shape = is(source, tokens, at, "catch") && is(source, tokens, at + 1, "(") && is(source, tokens, at + 3, ")");
    let (true, Some(name), true) = (shape, named(at + 2), is(source, tokens, at + 4, "{")) else { return };
    let (name, after) = (&source[name.at.clone()], tokens[at + 4].at.end);
    edits.push(Edit { from: after..after, to: format!(" {name} = {CAUGHT_FUNCTION}({name});") });
}

/// A path that starts at the name `at`; gives the token after it.
fn path(source: &str, tokens: &[Token], at: usize, out: &mut Rewritten) -> Option<usize> {
    let name = &source[tokens[at].at.clone()];
    let root = Root::named(name)?;
    let after_dot = at > 0 && matches!(tokens[at - 1].kind, Kind::Dot | Kind::OptionalDot);
    let other_meaning = is(source, tokens, at + 1, ":")
        || is(source, tokens, at + 1, "::")
        || is(source, tokens, at + 1, "(")
        || (at > 0 && is(source, tokens, at - 1, "::"));
    if after_dot || other_meaning || out.shadowed.contains(&root) {
        return None;
    }
    let mut segments = Vec::new();
    let mut next = at + 1;
    while let Some((segment, after)) = segment(source, tokens, next) {
        let last = matches!(segment, Segment::Length { .. });
        segments.push(segment);
        next = after;
        if last {
            break;
        }
    }
    let from = tokens[at].at.start..tokens[next - 1].at.end;
    out.edits.push(Edit { to: format!("{VALUE_FUNCTION}({})", out.paths.len()), from });
    let once = out.repeated_from.is_none_or(|first| at < first);
    out.paths.push(Path { root, segments, once });
    Some(next)
}

/// `.name`, `?.name`, `[0]`, `["name"]`, `?[…]` where the key is literal.
fn segment(source: &str, tokens: &[Token], at: usize) -> Option<(Segment, usize)> {
    let token = tokens.get(at)?;
    let key = tokens.get(at + 1)?;
    let text = &source[key.at.clone()];
    match token.kind {
        Kind::Dot | Kind::OptionalDot => {
            // `len()` is answered without converting what it counts; any other method call ends the path.
            if text == "len" && is(source, tokens, at + 2, "(") && is(source, tokens, at + 3, ")") {
                return Some((Segment::Length { optional: token.kind == Kind::OptionalDot }, at + 4));
            }
            if key.kind != Kind::Name || is(source, tokens, at + 2, "(") {
                return None;
            }
            Some((Segment::key(text, token.kind == Kind::OptionalDot), at + 2))
        }
        Kind::OptionalOpen | Kind::Open => {
            let bracket = token.kind == Kind::OptionalOpen || &source[token.at.clone()] == "[";
            // A list right after a space is still an index: Rhai reads it so.
            if !bracket || !is(source, tokens, at + 2, "]") {
                return None;
            }
            let optional = token.kind == Kind::OptionalOpen;
            let segment = match key.kind {
                Kind::Number => Segment::Index { at: text.parse().ok()?, optional },
                Kind::PlainText => Segment::key(&text[1..text.len() - 1], optional),
                _ => return None,
            };
            Some((segment, at + 3))
        }
        _ => None,
    }
}

fn is(source: &str, tokens: &[Token], at: usize, text: &str) -> bool {
    tokens.get(at).is_some_and(|token| &source[token.at.clone()] == text)
}

/// Roots that `let`, `const`, `for`, `catch`, a function or a closure declares.
fn declared(source: &str, tokens: &[Token]) -> BTreeSet<Root> {
    let mut found = BTreeSet::new();
    let text = |at: usize| tokens.get(at).map_or("", |t| &source[t.at.clone()]);
    let mut names_until = |mut at: usize, end: &str| {
        let last = tokens.len().min(at + DECLARED_MAX_TOKENS);
        while at < last && text(at) != end {
            found.extend(Root::named(text(at)));
            at += 1;
        }
    };
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Name => match text(at) {
                "let" | "const" => names_until(at + 1, if text(at + 2) == "=" { "=" } else { ";" }),
                "for" => names_until(at + 1, "in"),
                "catch" if text(at + 1) == "(" => names_until(at + 2, ")"),
                "fn" => names_until(at + 1, ")"),
                _ => {}
            },
            Kind::Bar if starts_operand(source, tokens, at) => names_until(at + 1, "|"),
            _ => {}
        }
    }
    found
}

/// Whether an operand, so a closure where it is `|`, starts at this token.
pub(super) fn starts_operand(source: &str, tokens: &[Token], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|before| &tokens[before]) else { return true };
    matches!(before.kind, Kind::Open | Kind::OptionalOpen | Kind::Other | Kind::Bar)
        || matches!(&source[before.at.clone()], "return" | "in" | "throw" | "else")
}

/// The first token of what may run more than once. A `for` evaluates what it goes through only once.
fn repeated_from(source: &str, tokens: &[Token]) -> Option<usize> {
    let mut looping = false;
    (0..tokens.len()).find(|at| match &source[tokens[*at].at.clone()] {
        "fn" | "while" | "loop" | "do" | "||" => true,
        "|" => starts_operand(source, tokens, *at),
        "for" => {
            looping = true;
            false
        }
        "{" => looping,
        _ => false,
    })
}

/// The byte of the original source where byte `at` of the rewritten one comes from.
pub(crate) fn original_offset(edits: &[Edit], at: usize) -> usize {
    let (mut shift_from, mut shift_to) = (0, 0);
    for edit in edits {
        let start = edit.from.start - shift_from + shift_to;
        if at < start {
            break;
        }
        if at < start + edit.to.len() {
            return edit.from.start;
        }
        shift_from = edit.from.end;
        shift_to = start + edit.to.len();
    }
    at - shift_to + shift_from
}

#[cfg(test)]
mod tests {
    use super::{super::token::tokens, *};

    fn check(source: &str, expect: &str) {
        assert_eq!(rewrite(source, &tokens(source)).text, expect, "{source}");
    }

    #[test]
    fn paths_and_optional_access_are_replaced() {
        check("event.data.total > 5", "cw_value(0) > 5");
        check("event.data.items[0].name.len()", "cw_value(0)");
        check("event.data.items.to_upper().len()", "cw_value(0).to_upper().len()");
        check("event.data?.a ?? vars[\"b\"]", "cw_value(0) ?? cw_value(1)");
        check("x?.a?.b?.len()", "x?.cw_optional(\"a\")?.cw_optional(\"b\")?.len()");
        check("x?[y[0]]", "x?.cw_at(y[0])");
        check("`n ${event.id}: ${x?.y}`", "`n ${cw_value(0)}: ${x?.cw_optional(\"y\")}`");
        check("event.data[item].a", "cw_value(0)[cw_value(1)].a");
    }

    #[test]
    fn what_only_looks_like_a_path_is_left_alone() {
        check("#{ event: 1, store: event.store }", "#{ event: 1, store: cw_value(0) }");
        check("x.event.data", "x.event.data");
        check("\"event.data\" // event.data", "\"event.data\" // event.data");
        check("event::data", "event::data");
        check("list.map(|item| item.total)", "list.map(|item| item.total)");
        check("for item in event.data { item.x }", "for item in cw_value(0) { item.x }");
        check("let run = 1; run + 1", "let run = 1; run + 1");
        check("fn f(store) { store.id }", "fn f(store) { store.id }");
        check("a | item.b", "a | cw_value(0).b".replace(".b", "").as_str());
    }

    #[test]
    fn a_closure_that_reads_its_own_list_gets_a_copy_to_go_through() {
        check("a.map(|x| x + a.len())", "cw_copy(a).map(|x| x + a.len())");
        check("o.items.filter(|i| i.t > o.min)", "cw_copy(o.items).filter(|i| i.t > o.min)");
        check("o?.items[0].f(o).map(|i| o.x)", "cw_copy(o?.cw_optional(\"items\")[0].f(o)).map(|i| o.x)");
        check("a.map(|x| a).filter(|y| a)", "cw_copy(cw_copy(a).map(|x| a)).filter(|y| a)");
        check("a.map(|x| x.b)", "a.map(|x| x.b)");
        check("f(a).map(|x| a)", "f(a).map(|x| a)");
        check("a.sort(|x, y| a)", "a.sort(|x, y| a)");
        check("event.data.map(|x| event.id)", "cw_value(0).map(|x| cw_value(1))");
    }

    #[test]
    fn what_may_run_again_keeps_its_value() {
        let once =
            |source: &str| rewrite(source, &tokens(source)).paths.iter().map(|path| path.once).collect::<Vec<_>>();
        assert_eq!(once("event.a + event.b"), [true, true]);
        assert_eq!(once("if event.a { event.b } else { event.c }"), [true, true, true]);
        assert_eq!(once("event.a.map(|x| event.b)"), [true, false]);
        assert_eq!(once("for x in event.a { for y in event.b { event.c } } event.d"), [true, false, false, false]);
        assert_eq!(once("while event.a { }"), [false]);
        assert_eq!(once("let x = event.a; fn f() { event.b }"), [true, false]);
        assert_eq!(once("event.a || event.b"), [true, false]);
    }

    #[test]
    fn positions_map_back() {
        let source = "event.data.total + x?.b + y";
        let done = rewrite(source, &tokens(source));
        for name in ["+ x", "+ y", "y"] {
            let new = done.text.rfind(name).expect("there");
            assert_eq!(original_offset(&done.edits, new), source.rfind(name).expect("there"), "{name}");
        }
        assert_eq!(original_offset(&done.edits, 3), 0);
        assert_eq!(original_offset(&done.edits, done.text.len()), source.len());
    }
}
