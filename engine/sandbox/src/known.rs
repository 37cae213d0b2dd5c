//! Which functions there are, asked of the engines themselves: for `cartwright check`, which names those that are not.

use std::collections::{BTreeMap, BTreeSet};

use cartwright_core::workflow::{Diagnostic, FunctionCall, Span, codes};
use rhai::Engine;

/// Functions that Rhai answers itself, without an entry in its registry.
const OF_THE_LANGUAGE: [&str; 6] = ["Fn", "call", "curry", "type_of", "is_shared", "is_def_fn"];

/// Words that may stand before a bracket without being functions.
const KEYWORDS: [&str; 15] = [
    "if", "while", "for", "switch", "return", "throw", "catch", "in", "else", "loop", "until", "do", "try", "let",
    "this",
];

/// What people who know other languages write, and what it is called here; held to the registry by a test.
pub(crate) const ELSEWHERE: [(&str, &str); 32] = [
    ("lowercase", "lower"),
    ("downcase", "lower"),
    ("tolower", "lower"),
    ("to_lower_case", "lower"),
    ("uppercase", "upper"),
    ("upcase", "upper"),
    ("toupper", "upper"),
    ("to_upper_case", "upper"),
    ("length", "len"),
    ("size", "len"),
    ("count", "len"),
    ("includes", "contains"),
    ("has", "contains"),
    ("substring", "sub_string"),
    ("substr", "sub_string"),
    ("strip", "trim"),
    ("slugify", "slug"),
    ("float", "number"),
    ("to_number", "number"),
    ("to_float", "number"),
    ("str", "to_string"),
    ("string", "to_string"),
    ("text", "to_string"),
    ("stringify", "json"),
    ("to_fixed", "money"),
    ("ceil", "ceiling"),
    ("now", "clock::now"),
    ("today", "clock::now"),
    ("uniq", "unique"),
    ("group", "group_by"),
    ("any", "some"),
    ("every", "all"),
];

/// Functions by name, each with the numbers of arguments it takes.
#[derive(Debug)]
pub(crate) struct Functions(BTreeMap<String, BTreeSet<usize>>);

impl Functions {
    pub(crate) fn of(engine: &Engine) -> Self {
        let mut functions: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        let of = |info: rhai::FuncInfo<'_>| {
            let name = info.metadata.name.as_str();
            let whole = if info.namespace.is_empty() { name.to_owned() } else { format!("{}::{name}", info.namespace) };
            Some((whole, info.metadata.num_params))
        };
        for (name, arguments) in engine.collect_fn_metadata(None, of, true) {
            // Operators, getters and what the rewriting before the parser calls.
            let callable = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':'));
            if callable && !name.starts_with("cw_") {
                functions.entry(name).or_default().insert(arguments);
            }
        }
        Self(functions)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What is wrong with a call; `scripts` are the functions of scripts where this is about an expression.
    pub(crate) fn check(
        &self,
        call: &FunctionCall<'_>,
        span: &dyn Fn() -> Span,
        scripts: Option<&Self>,
    ) -> Option<Diagnostic> {
        let name = call.name;
        if OF_THE_LANGUAGE.contains(&name) || KEYWORDS.contains(&name) {
            return None;
        }
        let Some(counts) = self.0.get(name) else { return Some(self.unknown(name, span(), scripts)) };
        if counts.contains(&call.arguments) {
            return None;
        }
        // The value before the dot is one that people do not count.
        let own = usize::from(call.method);
        let counts: Vec<usize> = counts.iter().filter_map(|count| count.checked_sub(own)).collect();
        let given = call.arguments.saturating_sub(own);
        let message = format!("`{name}` does not take {}", arguments(given));
        let found = Diagnostic::error(codes::ARGUMENTS, span(), message);
        Some(match counts[..] {
            [] => found.help(format!("write `{name}(…)`, not `value.{name}(…)`")),
            [only] => found.help(format!("it takes {}", arguments(only))),
            _ => {
                let words: Vec<String> = counts.iter().map(usize::to_string).collect();
                found.help(format!("it takes {} arguments", words.join(" or ")))
            }
        })
    }

    fn unknown(&self, name: &str, span: Span, scripts: Option<&Self>) -> Diagnostic {
        if scripts.is_some_and(|scripts| scripts.0.contains_key(name)) {
            let message = format!("`{name}` can be called only in scripts");
            let help = "make it a `script` step, and use its result here as `steps.ID.output`";
            return Diagnostic::error(codes::UNKNOWN_FUNCTION, span, message).help(help);
        }
        let mut found = Diagnostic::error(codes::UNKNOWN_FUNCTION, span, format!("there is no function `{name}`"));
        let snake = snake(name);
        let known = |word: &str| self.0.contains_key(word);
        let meant = ELSEWHERE.iter().find(|(foreign, _)| *foreign == snake).map(|(_, meant)| *meant);
        match meant.filter(|meant| known(meant)) {
            Some(meant) => found.did_you_mean = Some(meant.to_owned()),
            None if known(&snake) => found.did_you_mean = Some(snake),
            None => found = found.suggest(name, self.names()),
        }
        let module = name.split_once("::").map(|(module, _)| format!("{module}::"));
        match module {
            None => found.help("engine/docs/expressions.md lists all functions"),
            Some(module) => {
                let of_module: Vec<&str> = self.names().filter(|known| known.starts_with(&module)).collect();
                match of_module.is_empty() {
                    true => {
                        found.help(format!("there is no `{module}`; engine/docs/expressions.md lists all functions"))
                    }
                    false => found.help(format!("there are: {}", of_module.join(", "))),
                }
            }
        }
    }
}

/// `toLowerCase` as `to_lower_case`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn arguments(count: usize) -> String {
    match count {
        0 => "no arguments".to_owned(),
        1 => "one argument".to_owned(),
        _ => format!("{count} arguments"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, Sandbox, functions, library};

    fn sandbox() -> Sandbox {
        Sandbox::new(Limits::default(), cartwright_core::secret::SecretMarks::new([7; 32]))
    }

    #[test]
    fn every_name_that_is_suggested_is_registered() {
        let sandbox = sandbox();
        let known = sandbox.functions(false);
        let words = ELSEWHERE.iter().map(|(_, meant)| *meant).chain(library::NAMES.iter().copied());
        for name in words.chain(functions::names()) {
            assert!(known.0.contains_key(name), "{name} is suggested and not there");
        }
        let there: Vec<&str> =
            ELSEWHERE.iter().map(|(foreign, _)| *foreign).filter(|foreign| known.0.contains_key(*foreign)).collect();
        assert!(there.is_empty(), "{there:?} need no other word");
        for spec in functions::all() {
            let counts: BTreeSet<usize> = spec.arguments.clone().collect();
            assert_eq!(known.0[spec.name], counts, "{}", spec.name);
        }
    }

    #[test]
    fn expressions_have_no_host_functions() {
        let sandbox = sandbox();
        assert_eq!(sandbox.functions(true).names().filter(|name| name.contains("::")).count(), 0);
        assert!(sandbox.functions(true).names().all(|name| sandbox.functions(false).0.contains_key(name)));
    }

    /// What the page about functions shows in code is all there.
    #[test]
    fn documented_functions_are_registered() {
        let sandbox = sandbox();
        let known = sandbox.functions(false);
        let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/expressions.md"));
        let mut seen = 0;
        for row in page.lines().filter(|line| line.starts_with('|')) {
            for code in row.split('`').skip(1).step_by(2) {
                let code = code.trim_start_matches('.');
                let Some((name, _)) = code.split_once('(') else { continue };
                let callable =
                    !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b':'));
                if callable {
                    seen += 1;
                    assert!(known.0.contains_key(name), "{name} is documented and not there");
                }
            }
        }
        assert!(seen > 40, "the page shows only {seen} functions");
    }
}
