//! Which functions a piece of code calls, with how many arguments: what a sandbox holds against the functions it has.
//! Names that the code uses in any other way, its own functions and closures included, are left out.

use std::{collections::BTreeSet, ops::Range};

use super::rhai::{Token, Tokens};

/// A call of a function that the code did not make itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionCall<'s> {
    /// `lower`, `http::post`
    pub name: &'s str,
    /// Where the name stands in the code.
    pub at: Range<usize>,
    /// How many arguments there are, the value before the dot included.
    pub arguments: usize,
    /// `value.name(…)`
    pub method: bool,
}

/// The calls in an expression or a script, in order; none in code that does not hold together.
pub fn function_calls(source: &str) -> Vec<FunctionCall<'_>> {
    let Ok(tokens) = Tokens::new(source, 0).collect::<Result<Vec<_>, _>>() else { return Vec::new() };
    let sign =
        |at: usize, wanted: &[&str]| matches!(tokens.get(at), Some((_, Token::Sign(sign))) if wanted.contains(sign));
    let mut own = BTreeSet::new();
    let mut calls = Vec::new();
    for (at, (range, token)) in tokens.iter().enumerate() {
        let Token::Word(word) = token else { continue };
        let before = at.checked_sub(1).map(|before| tokens[before].1);
        if sign(at + 1, &["::"]) {
            continue;
        }
        let in_module = before == Some(Token::Sign("::"));
        // `.name` without a call is a field; `1..name(…)` is a range.
        let range_before = sign(at.wrapping_sub(1), &["."]) && sign(at.wrapping_sub(2), &["."]);
        let member = matches!(before, Some(Token::Sign("." | "?."))) && !range_before;
        if !sign(at + 1, &["("]) || before == Some(Token::Word("fn")) {
            if !(member || in_module) || sign(at + 1, &["="]) {
                own.insert(*word);
            }
            continue;
        }
        let module = at.checked_sub(2).and_then(|at| tokens.get(at)).filter(|_| in_module);
        let start = match module {
            Some((module, Token::Word(_))) => module.start,
            Some(_) => continue,
            None => range.start,
        };
        let Some(arguments) = count(&tokens[at + 2..]) else { continue };
        calls.push(FunctionCall {
            name: source.get(start..range.end).unwrap_or(word),
            at: start..range.end,
            arguments: arguments + usize::from(member),
            method: member,
        });
    }
    calls.retain(|call| !own.contains(call.name));
    calls
}

/// How many arguments stand before the closing bracket.
fn count(tokens: &[(Range<usize>, Token<'_>)]) -> Option<usize> {
    let mut depth = 0usize;
    let mut arguments = 0;
    // Whether a value may begin here, so that `|` begins a closure's names; and whether the argument has begun.
    let (mut operand, mut begun, mut names) = (true, false, false);
    let mut or_until = 0;
    for (range, token) in tokens {
        if names {
            names = *token != Token::Sign("|");
            continue;
        }
        match token {
            // The second half of `||` between two values.
            Token::Sign("|") if range.start == or_until => {
                or_until = 0;
                operand = true;
                continue;
            }
            Token::Sign("|") if !operand => or_until = range.end,
            Token::Sign("|") if operand => {
                names = true;
                begun = true;
                continue;
            }
            Token::Sign(")" | "]" | "}") if depth == 0 => return Some(arguments + usize::from(begun)),
            Token::Sign(",") if depth == 0 => {
                arguments += 1;
                (operand, begun) = (true, false);
                continue;
            }
            Token::Sign("(" | "[" | "?[" | "{") => depth += 1,
            Token::Sign(")" | "]" | "}") => depth -= 1,
            _ => {}
        }
        begun = true;
        operand = match token {
            Token::Sign(sign) => !matches!(*sign, ")" | "]" | "}"),
            Token::Word(word) => matches!(*word, "return" | "throw" | "in" | "else"),
            Token::Text(_) | Token::OtherText => false,
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_with_their_arguments() {
        let check = |source: &str, expect: &[(&str, usize)]| {
            let calls = function_calls(source);
            let found: Vec<_> = calls.iter().map(|call| (call.name, call.arguments)).collect();
            assert_eq!(found, expect, "{source}");
        };
        check("lower(a)", &[("lower", 1)]);
        check("a.b.lower() + c?.trim()", &[("lower", 1), ("trim", 1)]);
        check("money(x, \"EUR\", \",\", \".\")", &[("money", 4)]);
        check("list.reduce(|sum, i| sum + i, 0)", &[("reduce", 3)]);
        check("f(|| g(1, 2), [1, 2], #{ a: 1, b: 2 },)", &[("f", 3), ("g", 2)]);
        check("f(a | b, c || d)", &[("f", 2)]);
        check("f(a || b, |x| x, 3)", &[("f", 3)]);
        check("collect(1..len(x))", &[("collect", 1), ("len", 1)]);
        check("http::post(url, #{ a: `${lower(x)},` })", &[("http::post", 2), ("lower", 1)]);
        check("clock::now()", &[("clock::now", 0)]);
        // Its own functions, closures and what they are kept in.
        check("fn twice(x) { x * 2 } twice(1) + upper(y)", &[("upper", 1)]);
        check("let f = |x| x + 1; f(2)", &[]);
        check("let m = #{ f: |x| x }; m.f(2)", &[]);
        check("m.f = |x| x; m.f(2)", &[]);
        check("Fn(\"f\")", &[("Fn", 1)]);
        check("\"lower(x)\" + 'y' // trim(z)", &[]);
        check("lower(", &[]);
        check("\"open", &[]);
    }
}
