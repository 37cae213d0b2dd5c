//! Plugins that real tool chains made: the oldest one, forged copies of it, the hostile ones of `tests/hostile`, and the
//! examples of `plugins-wasm`. What is built is looked for in the folder that `CARTWRIGHT_PLUGINS_BUILT` names;
//! `tests/guests/build` fills it.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use cartwright_core::{
    Json,
    call::{CallError, CallOutcome, ErrorClass},
};
use cartwright_sandbox::{
    Recorded, ScriptOutcome,
    plugin::{CodeCache, InProcess, PluginLimits, Plugins, inspect},
};
use serde_json::json;

use super::{NOW, Stage, block_on, call, load, ok};
use crate::support::marks;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn first() -> Vec<u8> {
    fs::read(repository().join("tests/golden/plugins/first-1.0.0.wasm")).expect("the first plugin is kept")
}

/// A built plugin; without the folder there is nothing to look at, which `tests/run` says.
fn built(name: &str) -> Option<Vec<u8>> {
    let file = folder()?.join(format!("{name}.wasm"));
    Some(fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
}

fn folder() -> Option<PathBuf> {
    let (_, folder) = std::env::vars_os().find(|(key, _)| key == "CARTWRIGHT_PLUGINS_BUILT")?;
    Some(folder.into())
}

/// Interpreters take long to compile: their code is kept beside what was built.
fn stage(limits: PluginLimits, component: &[u8]) -> Stage {
    let cache = folder().map(|folder| CodeCache { dir: folder.join("compiled"), key: [1; 32] });
    let plugins = Plugins::new(limits, marks(), cache, Arc::new(InProcess));
    let plugin = load(&plugins, component);
    Stage { plugins, plugin }
}

/// Executes one function to its end, each call answered by `answer`, every second time from the start.
fn play(
    stage: &Stage,
    function: &str,
    input: &Json,
    answer: impl Fn(&str) -> CallOutcome,
) -> (ScriptOutcome, Vec<Recorded>) {
    let start = |recorded: &[Recorded]| {
        let call = super::PluginCall { function: function.into(), ..call(input.clone()) };
        stage.plugins.start(&stage.plugin, call, recorded)
    };
    let mut recorded: Vec<Recorded> = Vec::new();
    let mut execution = start(&[]);
    let mut given = None;
    for stretch in 0..20 {
        let outcome = block_on(execution.advance(given.take(), NOW, [7; 32]));
        let (ScriptOutcome::Suspended { immediate, .. }
        | ScriptOutcome::Done { immediate, .. }
        | ScriptOutcome::Failed { immediate, .. }) = &outcome
        else {
            return (outcome, recorded);
        };
        recorded.extend(immediate.iter().map(super::recorded));
        let ScriptOutcome::Suspended { index, call, .. } = &outcome else { return (outcome, recorded) };
        let made = answer(&call.function);
        let (name, fingerprint) = (call.function.clone(), call.fingerprint.clone());
        recorded.push(Recorded { function: name, fingerprint, outcome: Some(made.clone()) });
        given = Some((*index, made));
        if stretch % 2 == 1 {
            execution = start(&recorded);
            given = None;
        }
    }
    panic!("{function} does not end");
}

fn value(outcome: ScriptOutcome) -> Json {
    match outcome {
        ScriptOutcome::Done { value, .. } => value,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_plugin_built_against_the_first_interface_keeps_running() {
    let component = first();
    let found = inspect(&component).expect("it is a plugin");
    assert_eq!(found.version.to_string(), "1.0.0");
    assert_eq!(Vec::from_iter(&found.interfaces), ["clock", "http", "log", "random", "state"]);
    let stage = Stage::new(&component);
    let manifest = block_on(stage.plugins.describe(&stage.plugin)).expect("it describes itself");
    assert_eq!(serde_json::from_str::<Json>(&manifest).expect("JSON")["functions"]["greet"]["input"]["type"], "object");
    let (outcome, recorded) = play(&stage, "greet", &json!({ "name": "Zoë \"Z\"" }), |function| match function {
        "state::increment" => ok(json!(4)),
        _ => ok(json!({ "status": 204, "headers": {}, "body": "" })),
    });
    let output = value(outcome);
    assert_eq!(output["greeting"], "Zoë \"Z\"");
    assert_eq!((&output["times"], &output["answer"]), (&json!(4), &json!(204)));
    assert_eq!(output["now"], json!(1_700_000_000_000_u64));
    let functions: Vec<&str> = recorded.iter().map(|one| one.function.as_str()).collect();
    assert_eq!(functions, ["log::info", "clock::now", "random::bytes", "state::increment", "http::request"]);
}

#[test]
fn forged_plugins_are_refused_by_name() {
    let forged = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len(), "lengths stand in the file");
        let (from, to) = (from.as_bytes(), to.as_bytes());
        let mut bytes = first();
        for at in 0..bytes.len() - from.len() {
            if bytes[at..].starts_with(from) {
                bytes[at..at + to.len()].copy_from_slice(to);
            }
        }
        inspect(&bytes).expect_err("it is refused").to_string()
    };
    let log = "cartwright:plugin/log@1.0.0";
    for (to, expected) in [
        (
            "cartwright:plugin/dog@1.0.0",
            "the plugin imports `cartwright:plugin/dog@1.0.0`, which this engine does not offer",
        ),
        (
            "wasi:filesystem/types@0.2.0",
            "the plugin imports `wasi:filesystem/types@0.2.0`: plugins get nothing from the operating system",
        ),
        (
            "cartwright:plugin/log@2.0.0",
            "the plugin was built for cartwright:plugin 2.0.0, this engine knows 1.x; update Cartwright",
        ),
        (
            "cartwright:plugin/log@1.9.0",
            "the plugin was built for cartwright:plugin 1.9.0, this engine knows versions up to 1.0.0",
        ),
        ("cartwright:plugxn/log@1.0.0", "the plugin imports `cartwright:plugxn/log@1.0.0`"),
    ] {
        assert!(forged(log, to).starts_with(expected), "{to}: {}", forged(log, to));
    }
    for cut in [0, 3, 7, 8, 100, first().len() / 2, first().len() - 1] {
        assert!(inspect(&first()[..cut]).is_err(), "cut at {cut}");
    }
    assert!(inspect(b"#!/bin/sh\nrm -rf /\n").is_err());
}

/// Milliseconds of a real limit are not waited for: less fuel makes the same error.
fn limits() -> PluginLimits {
    PluginLimits { fuel: 300_000_000, host_calls: 200, ..PluginLimits::default() }
}

/// The attacks on each hostile plugin, in the order of `expected.txt`.
const ATTACKS: [(&str, &[&str]); 3] = [
    (
        "hostile-c",
        &[
            "loop",
            "recursion",
            "memory",
            "many-calls",
            "huge-line",
            "huge-output",
            "bad-pointer",
            "bad-length",
            "bad-text",
            "bad-level",
            "bad-output",
            "wild-call",
            "much-chance",
            "abort",
            "not-granted",
            "not-json",
            "sleep",
            "again",
            "again",
        ],
    ),
    (
        "hostile-js",
        &[
            "loop",
            "recursion",
            "memory",
            "string",
            "many-calls",
            "throw",
            "throw-variant",
            "throw-number",
            "throw-text",
            "big-integer",
            "counts",
            "throw-nonsense",
            "not-granted",
            "not-json",
            "again",
            "again",
        ],
    ),
    ("hostile-rust", &["panic", "overflow", "not-granted", "sleep", "nest"]),
];

#[test]
fn hostile_plugins_end_with_the_errors_that_are_written_down() {
    let mut told = String::new();
    for (name, attacks) in ATTACKS {
        let Some(component) = built(name) else { return };
        let stage = stage(limits(), &component);
        for attack in attacks {
            let (outcome, recorded) = play(&stage, attack, &json!({}), answered);
            let calls = match recorded.len() {
                0 => String::new(),
                calls => format!(" after {calls} calls"),
            };
            writeln!(told, "{name} {attack}: {}{calls}", in_words(&outcome)).expect("a text grows");
        }
    }
    let file = repository().join("tests/hostile/expected.txt");
    if std::env::vars_os().any(|(key, _)| key == "CARTWRIGHT_BLESS") {
        fs::write(&file, &told).expect("it is written");
    }
    assert_eq!(told, fs::read_to_string(&file).expect("it is there"));
}

/// Nothing is granted; who sleeps wakes up.
fn answered(function: &str) -> CallOutcome {
    match function {
        "clock::sleep" => return ok(Json::Null),
        "state::increment" => return ok(json!(9_007_199_254_740_994_i64)),
        _ => {}
    }
    CallOutcome::Err(CallError {
        code: "denied".into(),
        message: "not granted".into(),
        status: None,
        class: ErrorClass::Final,
        retry_after_ms: None,
    })
}

fn in_words(outcome: &ScriptOutcome) -> String {
    match outcome {
        ScriptOutcome::Done { value, .. } => format!("gives {value}"),
        ScriptOutcome::Failed { error, .. } => {
            // Where in the code something happened is the compiler's business; that it is told is ours.
            let (message, rest) = error.message.split_once('\n').unwrap_or((&error.message, ""));
            let backtrace = if rest.is_empty() { "" } else { " [with a backtrace]" };
            format!("fails ({:?}): {message}{backtrace}", error.class)
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn examples_of_every_language_run() {
    let mug = json!({
        "id": 7, "type": "simple", "name": "Mug &amp; <b>saucer</b>", "permalink": "https://shop.example/mug",
        "description": "<p>Holds 0.3 l.</p>", "regular_price": "12.5", "stock_status": "instock",
        "images": [{ "src": "https://shop.example/mug.jpg" }], "global_unique_id": "4006381333931",
        "brands": [{ "name": "Potter" }],
    });
    let bracket = json!([{ "to_grams": 2000, "price": "5.49" }]);
    let service = json!({ "id": "post", "zones": [{ "countries": ["DE"], "days": 2, "brackets": bracket }] });
    let cases = [
        (
            "address-normaliser",
            "normalise",
            json!({ "address": { "city": "WASHINGTON", "state": "d.c.", "country": "us", "postcode": "205000003" } }),
            "/address",
            json!({ "city": "Washington", "state": "DC", "country": "US", "postcode": "20500-0003" }),
        ),
        (
            "feed-cleaner",
            "clean",
            json!({ "channel": "google", "currency": "EUR", "products": [mug] }),
            "/items/0/title",
            json!("Mug & saucer"),
        ),
        (
            "shipping-rate",
            "choose",
            json!({ "destination": { "country": "DE" }, "parcels": [{ "grams": 900 }], "services": [service] }),
            "/chosen/price",
            json!("5.49"),
        ),
    ];
    for (name, function, input, pointer, expected) in cases {
        let Some(component) = built(name) else { return };
        let stage = stage(PluginLimits::default(), &component);
        let manifest = block_on(stage.plugins.describe(&stage.plugin)).expect("it describes itself");
        let manifest: Json = serde_json::from_str(&manifest).expect("JSON");
        assert!(manifest["functions"][function].is_object(), "{name}");
        let (outcome, _) = play(&stage, function, &input, answered);
        assert_eq!(value(outcome).pointer(pointer), Some(&expected), "{name}");
        let (wrong, _) = play(&stage, "no-such-function", &input, answered);
        assert!(in_words(&wrong).contains("there is no "), "{name}: {}", in_words(&wrong));
    }
}
