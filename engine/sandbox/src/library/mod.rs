//! What expressions and scripts can call freely: pure functions over values. Rhai's own packages give the basics
//! (`len`, `split`, `map`, `filter`, …); what is here adds to them or replaces what would be surprising.

pub(crate) mod dates;
mod json;
mod lists;
mod numbers;
pub(crate) mod operators;
mod text;

use rhai::{Engine, FuncRegistration, RhaiNativeFunc};

/// Names of functions, for "did you mean".
pub(crate) const NAMES: &[&str] = &[
    "number",
    "money",
    "cents",
    "diff",
    "add_days",
    "add_months",
    "start_of_day",
    "start_of_week",
    "start_of_month",
    "round",
    "floor",
    "ceiling",
    "abs",
    "date",
    "duration",
    "json",
    "parse_json",
    "lower",
    "upper",
    "trim",
    "slug",
    "matches",
    "get",
    "sum",
    "min",
    "max",
    "group_by",
    "sort_by",
    "unique",
    "chunk",
    "len",
    "contains",
    "split",
    "join",
    "map",
    "filter",
    "reduce",
    "keys",
    "values",
    "replace",
    "starts_with",
    "ends_with",
    "collect",
    "flatten",
    "first",
    "last",
    "index_of",
    "some",
    "all",
    "find",
    "sort",
    "reverse",
    "push",
    "to_string",
    "sub_string",
];

pub(crate) fn register(engine: &mut Engine) {
    operators::register(engine);
    numbers::register(engine);
    text::register(engine);
    lists::register(engine);
    json::register(engine);
    dates::register(engine);
}

/// Registers a function that leaves its first argument as it is, so that it works on constants.
fn pure<A: 'static, const N: usize, const X: bool, R, const F: bool, FUNC>(
    engine: &mut Engine,
    name: &str,
    function: FUNC,
) where
    R: rhai::Variant + Clone,
    FUNC: RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
{
    FuncRegistration::new(name).with_purity(true).register_into_engine(engine, function);
}
