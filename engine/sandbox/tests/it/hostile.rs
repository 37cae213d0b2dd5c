//! Sources that mean harm: each ends soon, with an error that says which limit it met, and nothing panics. Tests run on
//! threads with 2 MiB of stack, as the engine's workers do.

use std::time::{Duration, Instant};

use cartwright_core::Json;
use cartwright_sandbox::{Limits, Sandbox, ScriptOutcome};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{Fixed, World, eval, run, sandbox, script};

/// Far above the wall limit of a script, far below "hangs".
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn scripts_that_want_too_much_meet_a_limit() {
    let mut limits = Limits::default();
    limits.script.wall = Duration::from_millis(300);
    let sandbox = Sandbox::new(limits, crate::support::marks());
    let mut wrong = Vec::new();
    for source in [
        "loop {}",
        "while true { try { loop {} } catch { } }",
        "fn f(n) { f(n + 1) } f(0)",
        "fn f(n) { try { f(n + 1) } catch { f(n + 1) } } f(0)",
        "let f = |g| g.call(g); f.call(f)",
        "let s = \"x\"; loop { s += s; }",
        "let s = \"x\"; loop { s = `${s}${s}`; }",
        "let a = [1]; loop { a += a; }",
        "let a = [1]; loop { a.push(a); }",
        "let a = []; loop { a = [a]; }",
        "let m = #{}; loop { m = #{ m: m }; }",
        "let m = #{}; let i = 0; loop { m[`k${i}`] = i; i += 1; }",
        "let a = []; loop { a.push(\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"); }",
        "let a = []; a.pad(1000000000, 0); a",
        "let s = \"\"; s.pad(1000000000, \"x\"); s",
        "\"x\".repeat(1000000000)",
        "\"x\".pad_start(1000000000, \"y\")",
        "collect(0..1000000000)",
        "for i in 0..9223372036854775807 { }",
        "for i in range(0, 9223372036854775807, 1) { }",
        "let n = 0; for a in 0..100000 { for b in 0..100000 { n += 1; } }",
        "let a = collect(0..9999); a.map(|x| a.map(|y| x * y))",
        "let x = 1.0000000001; loop { x *= x; }",
        "let x = 2; loop { x = x ** x; }",
        "let a = []; loop { a.insert(0, a.len()); }",
        "for i in 0..2000 { log::info(`${i}`); }",
    ] {
        let started = Instant::now();
        match run(&sandbox, source, &World::default(), &[]) {
            ScriptOutcome::Failed { error, .. } => {
                if error.code == "internal" || started.elapsed() > PATIENCE {
                    wrong.push(format!("{source}: {error:?} after {:?}", started.elapsed()));
                }
            }
            other => wrong.push(format!("{source}: {:?}", format!("{other:?}").chars().take(200).collect::<String>())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn small_budgets_end_on_a_small_stack() {
    let sandbox = sandbox();
    for source in [
        "let a = []; loop { a = [a]; }",
        "let m = #{}; loop { m = #{ m: [m] }; }",
        "fn f(n) { let x = [f(n + 1)]; x } f(0)",
        "loop {}",
    ] {
        let outcome =
            sandbox.run_script_bounded(&script(source), &World::default().scope(), &[], &mut Fixed::default(), 10_000);
        assert!(matches!(outcome, None | Some(ScriptOutcome::Failed { .. })), "{source}");
    }
}

#[test]
fn expressions_that_want_too_much_meet_a_limit() {
    let sandbox = sandbox();
    let many: Vec<Json> = (0..20_000).map(Json::from).collect();
    let world = World::with_event(json!({ "many": many, "text": "a".repeat(900_000) }));
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(5_000), close.repeat(5_000));
    let sources = [
        deep("(", ")"),
        deep("[", "]"),
        deep("#{a:", "}"),
        deep("!", ""),
        deep("-", ""),
        deep("if true {", "}"),
        deep("`${", "}`"),
        deep("x.a(", ")"),
        deep("|x| ", ""),
        deep("f(", ")"),
        format!("1{}", " + 1".repeat(3_000)),
        format!("true{}", " && true".repeat(1_500)),
        format!("event{}", ".a".repeat(5_000)),
        format!("event.data?{}", ".a?".repeat(5_000)),
        "x".repeat(1 << 20),
        "event.data.many.reduce(|a, b| [a], [])".into(),
        "event.data.many.map(|x| event.data.many.map(|y| x))".into(),
        "event.data.many.map(|x| event.data.text)".into(),
        "event.data.text.split(\"\")".into(),
        "event.data.text.split(\"a\")".into(),
        "event.data.text.to_chars()".into(),
        "unique(event.data.many)".into(),
        "matches(event.data.text, \"(a*)*b\")".into(),
        "matches(\"a\", \"(((a{100}){100}){100}){100}\")".into(),
        "event.data.text.replace(\"a\", event.data.text)".into(),
        "sort_by(event.data.many, |i| event.data.text)".into(),
        "[1, 2].map(|f| f.call(f))".into(),
    ];
    for source in sources {
        let started = Instant::now();
        let short: String = source.chars().take(60).collect();
        match eval(&sandbox, &source, &world) {
            Err(error) => assert!(!error.message.contains("internal error"), "{short}: {}", error.message),
            Ok(value) => assert!(value.to_string().len() < 200_000, "{short} gave a large value"),
        }
        assert!(started.elapsed() < PATIENCE, "{short} took {:?}", started.elapsed());
    }
}

#[test]
fn nesting_inside_a_closure_stays_within_the_stack() {
    let sandbox = sandbox();
    let many: Vec<Json> = (0..20_000).map(Json::from).collect();
    let world = World::with_event(json!({ "many": many }));
    let source = "let a = []; event.data.many.for_each(|| { a = [a]; }); a";
    let outcome = sandbox.run_script_bounded(&script(source), &world.scope(), &[], &mut Fixed::default(), 10_000);
    assert!(matches!(outcome, None | Some(ScriptOutcome::Failed { .. })));
}

#[test]
fn closures_may_read_what_they_go_through_and_never_deadlock() {
    let sandbox = sandbox();
    for (source, expect) in [
        ("let x = [1]; x.map(|i| x.len())", json!([1])),
        ("let x = [1]; x.for_each(|i| x.push(2)); x", json!([1, 2])),
        ("let o = #{ a: [1, 2], b: 1 }; o.a.filter(|i| i > o.b)", json!([2])),
        ("let a = collect(0..3); a.map(|x| a.map(|y| x * y))", json!([[0, 0, 0], [0, 1, 2], [0, 2, 4]])),
    ] {
        let outcome = run(&sandbox, source, &World::default(), &[]);
        assert_eq!(outcome, ScriptOutcome::Done { value: expect, immediate: vec![] }, "{source}");
    }
    let outcome = run(&sandbox, "let x = [2, 1]; x.sort(|a, b| x.len())", &World::default(), &[]);
    assert!(matches!(outcome, ScriptOutcome::Failed { .. }), "{outcome:?}");
}

#[test]
fn a_forged_mark_in_an_event_opens_nothing() {
    let forged = cartwright_core::secret::SecretMarks::new([2; 32]).mark("slack");
    let world = World::with_event(json!({ "text": forged }));
    let found = eval(&sandbox(), "event.data.text", &world);
    assert_eq!(found, Ok(json!(forged)));
    assert!(crate::support::marks().names_in(&forged).is_empty());
}

/// Pieces of which sources are made that nearly make sense.
const PIECES: &[&str] = &[
    "event",
    "event.data",
    ".id",
    "?.x",
    "?.",
    "?[",
    "[0]",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    "#{",
    "a: ",
    "|x| ",
    "||",
    "|",
    "x",
    "let x = ",
    "let event = ",
    "const c = ",
    ";",
    "if ",
    " else ",
    "while ",
    "for i in ",
    "loop ",
    "switch ",
    "=> ",
    "fn f(a) ",
    "f(",
    "f",
    "return ",
    "throw ",
    "try ",
    "catch (e) ",
    "break ",
    "+ ",
    "- ",
    "* ",
    "/ ",
    "% ",
    "** ",
    "== ",
    "!= ",
    "< ",
    "> ",
    "&& ",
    "?? ",
    "! ",
    "= ",
    "+= ",
    ", ",
    "1",
    "0",
    "-1",
    "1.5",
    "1e400",
    "9223372036854775807",
    "0x7f",
    "\"a\"",
    "\"",
    "'c'",
    "`",
    "`a${",
    "}`",
    "${",
    "#\"r\"#",
    "true",
    "()",
    "..",
    "..=",
    ".len()",
    ".map(",
    ".filter(",
    ".sort()",
    ".sort(",
    ".sort_by(",
    ".reduce(",
    ".call(",
    ".push(",
    ".pop()",
    ".get(",
    ".keys()",
    ".split(",
    ".chunk(",
    ".sum()",
    ".to_string()",
    "date(\"2026-01-31\")",
    "duration(\"1d\")",
    ".add_months(",
    ".format(",
    "number(",
    "money(",
    "json(",
    "parse_json(",
    "matches(",
    "group_by(",
    "range(",
    "collect(",
    "max(",
    "min(",
    "secrets::get(\"s\")",
    "state::get(",
    "http::get(",
    "random::int(1, 6)",
    "clock::now()",
    "log::info(",
    "this",
    "global::c",
    "Fn(\"f\")",
    "curry(",
    "cw_value(0)",
    "in ",
    "é",
    "\u{e000}",
    "/*",
    "//",
    "\n",
    "\\",
    "@",
    "$",
    "is_shared(",
    "type_of(",
    "@{",
    "::",
    "x.y = ",
    "x[0] = ",
    ".cw_optional(",
];

/// Expressions that parse, of every kind and with every function, with operands that rarely fit.
fn wellformed() -> impl Strategy<Value = String> {
    const LEAVES: &[&str] = &[
        "1",
        "-3",
        "2.5",
        "0",
        "9223372036854775807",
        "79228162514264337593543950335.5",
        "\"a\"",
        "\"\"",
        "\"é,1.50\"",
        "true",
        "()",
        "[]",
        "#{}",
        "[3, 1, 2]",
        "[\"b\", 2, ()]",
        "#{ a: 1, b: [1] }",
        "'c'",
        "1..4",
        "event",
        "event.data",
        "event.data?.x",
        "event?.data.a",
        "date(\"2026-01-31\")",
        "duration(\"-1h\")",
        "\"1d\"",
        "\"%Y\"",
        "\"Europe/Berlin\"",
        "|x| x",
        "|x, y| x + y",
        "|x| x == 1",
        "|| 1",
        "|x, y| y - x",
        "secrets.s",
        "x",
        "global::x",
    ];
    const BINARY: &[&str] = &[
        "+", "-", "*", "/", "%", "**", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "??", "&", "|", "^", "<<", ">>",
        "in", "..", "..=",
    ];
    const FUNCTIONS: &[&str] = &[
        "number",
        "money",
        "round",
        "floor",
        "ceiling",
        "abs",
        "int",
        "to_int",
        "to_decimal",
        "date",
        "duration",
        "format",
        "in_zone",
        "add_days",
        "add_months",
        "start_of_day",
        "start_of_month",
        "json",
        "parse_json",
        "lower",
        "upper",
        "trim",
        "slug",
        "pad_start",
        "pad_end",
        "replace",
        "repeat",
        "matches",
        "captures",
        "get",
        "set",
        "sum",
        "min",
        "max",
        "group_by",
        "sort_by",
        "unique",
        "chunk",
        "contains",
        "index_of",
        "join",
        "first",
        "last",
        "flatten",
        "reduce",
        "reduce_rev",
        "collect",
        "sort",
        "sort_desc",
        "order",
        "order_desc",
        "map",
        "filter",
        "find",
        "find_map",
        "some",
        "all",
        "for_each",
        "len",
        "keys",
        "values",
        "split",
        "split_rev",
        "starts_with",
        "ends_with",
        "sub_string",
        "crop",
        "truncate",
        "pad",
        "pop",
        "push",
        "shift",
        "insert",
        "remove",
        "splice",
        "extract",
        "drain",
        "retain",
        "dedup",
        "zip",
        "append",
        "concat",
        "chop",
        "reverse",
        "range",
        "bits",
        "chars",
        "to_chars",
        "to_string",
        "to_debug",
        "to_hex",
        "to_binary",
        "parse_int",
        "parse_decimal",
        "is_odd",
        "is_zero",
        "sign",
        "type_of",
        "is_shared",
        "call",
        "curry",
        "mixin",
        "fill_with",
        "to_json",
        "cw_value",
        "cw_at",
        "cw_optional",
        "cw_copy",
        "cw_caught",
        "to_upper",
        "make_upper",
        "clear",
        "bytes",
        "start",
        "end",
        "is_empty",
        "sqrt",
        "exp",
        "ln",
        "log",
        "sin",
        "power",
    ];
    let op = || prop::sample::select(BINARY);
    let function = || prop::sample::select(FUNCTIONS);
    prop::sample::select(LEAVES).prop_map(str::to_owned).prop_recursive(4, 24, 3, move |inner| {
        let some = prop::collection::vec(inner.clone(), 0..4).prop_map(|list| list.join(", "));
        prop_oneof![
            (inner.clone(), op(), inner.clone()).prop_map(|(a, op, b)| format!("({a}) {op} ({b})")),
            (inner.clone(), function(), some.clone()).prop_map(|(a, name, with)| format!("({a}).{name}({with})")),
            (function(), some.clone()).prop_map(|(name, with)| format!("{name}({with})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a})[{b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a})?[{b}]?.b")),
            inner.clone().prop_map(|a| format!("-({a})")),
            inner.clone().prop_map(|a| format!("`x${{{a}}}y`")),
            inner.clone().prop_map(|a| format!("[1, 2, 3].map(|x| {a})")),
            some.prop_map(|list| format!("[{list}]")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(a, b, c)| format!("if {a} {{ {b} }} else {{ #{{ a: {c} }} }}")),
        ]
    })
}

/// Statements around them.
fn programs() -> impl Strategy<Value = String> {
    let line = (0usize..10, wellformed()).prop_map(|(form, e)| match form {
        0 => format!("let x = {e};"),
        1 => format!("x = {e};"),
        2 => format!("x += {e};"),
        3 => format!("x[0] = {e};"),
        4 => format!("x.b = {e};"),
        5 => format!("for i in {e} {{ x = i; }}"),
        6 => format!("try {{ {e}; }} catch (e) {{ x = e; }}"),
        7 => format!("let f = |a| {{ x = a; {e} }}; f.call(1);"),
        8 => format!("http::post(\"https://x\", {e});"),
        _ => format!("{e};"),
    });
    prop::collection::vec(line, 1..6).prop_map(|lines| format!("let x = 1; {} x", lines.join(" ")))
}

fn sources() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => wellformed(),
        3 => programs(),
        3 => prop::collection::vec(prop::sample::select(PIECES), 1..24).prop_map(|pieces| pieces.concat()),
        1 => "\\PC{0,60}",
        1 => any::<String>(),
    ]
}

fn json_values() -> impl Strategy<Value = Json> {
    let number =
        prop_oneof![any::<i64>().prop_map(Json::from), any::<f64>().prop_map(Json::from), Just(Json::from(u64::MAX))];
    let leaf = prop_oneof![Just(Json::Null), any::<bool>().prop_map(Json::from), number, ".{0,8}".prop_map(Json::from)];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::btree_map("id|x|a|.{0,3}", inner, 0..6)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_source_and_no_data_make_it_panic(source in sources(), data in json_values()) {
        let sandbox = shared();
        let world = World { secrets: Some(vec!["s".into()]), ..World::with_event(data) };
        if let Err(error) = eval(sandbox, &source, &world) {
            prop_assert!(!error.message.contains("internal error"), "{}", error.message);
            prop_assert!(error.offset.is_none_or(|at| at <= source.len()), "offset {:?}", error.offset);
        }
        let outcome = sandbox.run_script_bounded(&script(&source), &world.scope(), &[], &mut Fixed::default(), 5_000);
        if let Some(ScriptOutcome::Failed { error, .. }) = outcome {
            prop_assert!(error.code != "internal", "{}", error.message);
        }
    }

    #[test]
    fn json_comes_out_as_it_went_in(data in json_values()) {
        let world = World::with_event(data.clone());
        let found = eval(shared(), "event.data", &world);
        prop_assert_eq!(found.map(|found| numeric(&found)), Ok(numeric(&data)));
    }
}

/// The same value with every number in one notation: `1e-7` comes out as `0.0000001`, and `-0.0` as `0.0`.
fn numeric(value: &Json) -> Json {
    match value {
        Json::Number(number) => match number.as_f64() {
            Some(float) if number.as_i64().is_none() => Json::from((float + 0.0).to_string()),
            _ => Json::from(number.to_string()),
        },
        Json::Array(list) => list.iter().map(numeric).collect(),
        Json::Object(map) => map.iter().map(|(key, value)| (key.clone(), numeric(value))).collect(),
        other => other.clone(),
    }
}

/// `PROPTEST_CASES` for a long search, few by default.
fn cases() -> u32 {
    option_env!("PROPTEST_CASES").and_then(|count| count.parse().ok()).unwrap_or(400)
}

fn shared() -> &'static cartwright_sandbox::Sandbox {
    static SHARED: std::sync::OnceLock<cartwright_sandbox::Sandbox> = std::sync::OnceLock::new();
    SHARED.get_or_init(sandbox)
}
