//! Plugins in the real engine: executed as steps, killed in the middle, changed while runs sleep, and breaking off.

use std::{fs, time::Duration};

use cartwright_tests::{
    engine::{Engine, text as text_of},
    sink::{Answer, Keys, Sink},
    wire::{Request, once},
};
use serde_json::{Value, json};

#[path = "../../engine/sandbox/tests/it/plugins/guests.rs"]
mod guests;

use guests::{Texts, guest};

/// Gives its input back.
fn echo() -> Vec<u8> {
    guest(|_| "(call $ok (local.get $in) (local.get $inlen))".to_owned())
}

/// Gives a text.
fn says(word: &str, first: &str) -> Vec<u8> {
    guest(|texts| format!("{first} (call $ok {})", texts.text(&format!("\"{word}\""))))
}

/// A PUT; a failure of it is given back unchanged as `other`.
fn put(texts: &mut Texts, sink: &Sink, path: &str) -> String {
    let (method, url) = (texts.text("PUT"), texts.text(&sink.url(path)));
    let failed = texts.text(&format!("{path} failed"));
    format!(
        "(call $send {method} {url} (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) \
         (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 3584))
         (if (i32.load8_u (i32.const 3584)) (then (return (call $failed (i32.const 6) {failed}))))"
    )
}

/// Three effects outside, with a sleep, a count and randomness between them.
fn courier(sink: &Sink) -> Vec<u8> {
    guest(|texts| {
        let key = texts.text("n");
        let parts = [
            put(texts, sink, "/a"),
            "(call $sleep (i64.const 40))".to_owned(),
            put(texts, sink, "/b"),
            format!("(call $increment {key} (i64.const 1) (i32.const 3584))"),
            "(call $bytes (i32.const 8) (i32.const 3584)) (drop (call $now))".to_owned(),
            put(texts, sink, "/c"),
            format!("(call $ok {})", texts.text("\"delivered\"")),
        ];
        parts.join("\n")
    })
}

fn emit(engine: &Engine, topic: &str) -> String {
    let answer = engine.api("POST", "/api/v1/events", Some(&json!({ "topic": topic, "data": { "n": 5 } })));
    assert!(answer.status < 300, "{}", answer.text());
    answer.json()["id"].as_str().expect("an event's id").to_owned()
}

fn effects(sink: &Sink) -> Vec<String> {
    sink.received().into_iter().filter(|received| received.effect).map(|received| received.path).collect()
}

const DELIVERS: &str = r#"
on: { event: [go] }
grants: { http: ["127.0.0.1"] }
steps:
  - { id: deliver, plugin: courier }
  - { id: count, script: 'state::get("n")' }
"#;

#[test]
fn a_plugin_that_is_killed_between_its_calls_makes_each_of_them_once() {
    let sink = Sink::start(Keys::Honoured);
    for path in ["/a", "/b", "/c"] {
        sink.answer_always(path, Answer::Late(Duration::from_millis(15), Box::new(Answer::Json(200, json!({})))));
    }
    let mut engine = Engine::new(&[("delivers.yaml", DELIVERS)]);
    engine.write_plugin("courier", &courier(&sink));
    engine.start();
    let event = emit(&engine, "go");
    for count in 1..=3 {
        engine.wait(&format!("{count} effects"), || (effects(&sink).len() >= count).then_some(()));
        engine.kill();
        engine.start();
    }
    let run = engine.run_of(&event, "succeeded");
    assert_eq!(effects(&sink), ["/a", "/b", "/c"], "{run:#}");
    assert_eq!(run["steps"][0]["output"], "delivered");
    assert_eq!(run["steps"][1]["output"], 1, "the workflow's state was changed once");
    // Without a kill: the same, and the instance is executed again only for its sleep.
    let before = effects(&sink).len();
    let executions = || {
        let plugins = engine.get("/api/v1/plugins");
        plugins["items"][0]["figures"]["executions"].as_u64().unwrap_or_default()
    };
    let executed = executions();
    let event = emit(&engine, "go");
    let run = engine.run_of(&event, "succeeded");
    assert_eq!((effects(&sink).len() - before, &run["steps"][1]["output"]), (3, &json!(2)));
    // /a, sleep, /b, the count, /c, the end: six stretches, of which two begin at the start.
    assert_eq!(executions() - executed, 6, "{run:#}");
}

const SPEAKS: &str = "on: { event: [go] }\nsteps: [{ id: speak, plugin: speaker }]\n";

#[test]
fn a_run_goes_on_with_the_version_it_began_with() {
    let mut engine = Engine::new(&[("speaks.yaml", SPEAKS)]);
    engine.write_plugin("speaker", &says("one", "(call $sleep (i64.const 1500))"));
    engine.start();
    let first = emit(&engine, "go");
    engine.wait("the first run sleeps", || (engine.runs("status=waiting").len() == 1).then_some(()));
    let version = || engine.get("/api/v1/workflows/speaks")["plugins"][0]["hash"].clone();
    let before = version();
    engine.write_plugin("speaker", &says("two", ""));
    engine.wait("the new version is taken", || (version() != before).then_some(()));
    let second = emit(&engine, "go");
    assert_eq!(engine.run_of(&second, "succeeded")["steps"][0]["output"], "two");
    // What is gone from the folder is kept for runs.
    fs::remove_file(engine.data().join("plugins/speaker.wasm")).expect("removed");
    engine.kill();
    engine.start();
    assert_eq!(engine.run_of(&first, "succeeded")["steps"][0]["output"], "one");
    assert_eq!(engine.get("/api/v1/workflows")["items"], json!([]), "its file has an error now");
    let answer = engine.api("POST", "/api/v1/events", Some(&json!({ "topic": "go", "data": {} })));
    assert!(answer.status < 300);
    let checked = engine.command(&["check"]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(text_of(&checked).contains("error[E0801]: the plugin `speaker` cannot be used"), "{}", text_of(&checked));
}

#[test]
fn the_first_plugin_is_seen_by_an_engine_that_runs() {
    let mut engine = Engine::new(&[("speaks.yaml", SPEAKS)]);
    engine.start();
    assert_eq!(engine.get("/api/v1/workflows")["items"], json!([]), "the plugin is missing");
    let file = engine.folder().join("speaker.wasm");
    fs::write(&file, says("late", "")).expect("written");
    engine.command_ok(&["plugin", "add", file.to_str().expect("UTF-8")]);
    engine.wait("the workflow is loaded", || {
        let workflows = engine.get("/api/v1/workflows");
        (workflows["items"].as_array().map(Vec::len) == Some(1)).then_some(())
    });
    let run = engine.run_of(&emit(&engine, "go"), "succeeded");
    assert_eq!(run["steps"][0]["output"], "late");
    assert!(!engine.log().contains("cannot be watched"), "{}", engine.log());
}

const ANSWERS: &str = r#"
on: { http: { path: /echo, method: POST, auth: none, respond: sync } }
steps:
  - { id: run, plugin: echo, with: "${{ event.data }}" }
  - respond: { status: 201, body: "${{ steps.run.output }}" }
"#;

#[test]
fn a_plugin_answers_callers() {
    let mut engine = Engine::new(&[("answers.yaml", ANSWERS)]);
    engine.write_plugin("echo", &echo());
    engine.start();
    let body = json!({ "order": [1, "zwei", { "three": 3.50 }] });
    let answer = once(engine.address(), &Request::new("POST", "/hooks/echo").json(&body)).expect("answered");
    assert_eq!((answer.status, answer.json()), (201, body));
}

const BREAKS: &str = "on: { event: [NAME] }\nsteps: [{ id: go, plugin: NAME, on_error: fail }]\n";

/// Of a process that allocates and frees; one instance's memory is four times as much.
const MEMORY_NOISE_BYTES: u64 = 16 << 20;

/// What a process has in memory, where the system says so.
fn resident_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
}

/// Plugins that end badly: what the step says, word for word in the part that matters.
#[test]
fn a_plugin_that_ends_badly_ends_its_step_and_nothing_else() {
    let sink = Sink::start(Keys::Honoured);
    let denied = guest(|texts| {
        let sent = put(texts, &sink, "/denied");
        format!("{sent} (call $ok {})", texts.text("1"))
    });
    let rows: [(&str, Vec<u8>, &str, &str); 6] = [
        ("traps", guest(|_| "(unreachable)".to_owned()), "trap", "\n  in handle"),
        ("recurses", guest(|_| "(drop (call $recurse (i64.const 0))) (unreachable)".to_owned()), "", "recurse"),
        ("spins", guest(|_| "(call $spin) (unreachable)".to_owned()), "limit", ""),
        ("grows", guest(|_| "(drop (memory.grow (i32.const 60000))) (unreachable)".to_owned()), "limit", "memory"),
        ("babbles", guest(|texts| format!("(call $ok {})", texts.text("no json"))), "output", "JSON"),
        ("reaches", denied, "", "/denied failed"),
    ];
    let mut engine = Engine::new(&[("speaks.yaml", SPEAKS)]);
    engine.write_plugin("speaker", &says("well", ""));
    for (name, component, ..) in &rows {
        engine.write_workflow(&format!("{name}.yaml"), &BREAKS.replace("NAME", name));
        engine.write_plugin(name, component);
    }
    engine.start();
    let mut memory = Vec::new();
    for _ in 0..3 {
        for (name, _, code, words) in &rows {
            let run = engine.run_of(&emit(&engine, name), "failed");
            let error = &run["steps"][0]["error"];
            let message = error["message"].as_str().unwrap_or_default();
            assert!(code.is_empty() || error["code"] == *code, "{name}: {error}");
            assert!(message.contains(words), "{name}: {error}");
        }
        memory.extend(resident_bytes(engine.pid()));
    }
    // What was used for the first attacks is used again.
    assert!(memory.windows(2).all(|two| two[1] < two[0] + MEMORY_NOISE_BYTES), "{memory:?}");
    assert!(sink.received().is_empty(), "nothing was granted");
    let run = engine.run_of(&emit(&engine, "go"), "succeeded");
    assert_eq!(run["steps"][0]["output"], "well", "the engine goes on");
    assert!(engine.command(&["health"]).status.success());
}

#[test]
fn plugins_are_installed_listed_and_removed() {
    let engine = Engine::new(&[("speaks.yaml", SPEAKS)]);
    let file = engine.folder().join("speaker.wasm");
    fs::write(&file, says("hello", "")).expect("written");
    let path = file.to_str().expect("UTF-8");
    let added = engine.command_ok(&["plugin", "add", path]);
    assert!(added.contains("speaker is installed") && added.contains("speaker/go"), "{added}");
    let again = engine.command_ok(&["plugin", "add", path]);
    assert!(again.contains("installed already"), "{again}");
    let listed: Value = serde_json::from_str(&engine.command_ok(&["plugin", "ls", "--json"])).expect("JSON");
    assert_eq!((&listed[0]["name"], &listed[0]["wit"]), (&json!("speaker"), &json!("1.0.0")));
    engine.command_ok(&["check"]);
    let refused = engine.command(&["plugin", "rm", "speaker"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text_of(&refused).contains("workflows use `speaker`: speaks"), "{}", text_of(&refused));
    engine.command_ok(&["plugin", "rm", "speaker", "--force"]);
    assert_eq!(engine.command(&["plugin", "rm", "speaker"]).status.code(), Some(1));
    let bad = engine.folder().join("bad.wasm");
    fs::write(&bad, b"no component").expect("written");
    let refused = engine.command(&["plugin", "add", bad.to_str().expect("UTF-8")]);
    assert_eq!(refused.status.code(), Some(1), "{}", text_of(&refused));
    assert_eq!(engine.command_ok(&["plugin", "ls", "--json"]).trim(), "[]", "nothing is left behind");
}

#[test]
fn an_installation_can_take_signed_plugins_only() {
    let mut engine = Engine::new(&[("speaks.yaml", SPEAKS)]);
    let path = |name: &str| engine.folder().join(name).to_str().expect("UTF-8").to_owned();
    let (file, key, stranger) = (path("speaker.wasm"), path("key.pem"), path("stranger.pem"));
    fs::write(&file, says("signed", "")).expect("written");
    let public = engine.command_ok(&["plugin", "keygen", &key]).lines().next().expect("a key").to_owned();
    assert_eq!(engine.command(&["plugin", "keygen", &key]).status.code(), Some(2), "a key is never replaced");
    let config = path("signed.toml");
    let text = format!("[plugins]\ntrusted_keys = [\"{public}\"]\nrequire_signatures = true\n");
    fs::write(&config, text).expect("written");
    let add = |engine: &Engine| engine.command(&["plugin", "add", &file, "--config", &config]);
    let refused = |engine: &Engine, why: &str| {
        let output = add(engine);
        assert_eq!(output.status.code(), Some(1), "{}", text_of(&output));
        assert!(text_of(&output).contains(why), "{}", text_of(&output));
    };
    refused(&engine, "it is not signed");
    engine.command_ok(&["plugin", "keygen", &stranger]);
    engine.command_ok(&["plugin", "sign", &file, "--key", &stranger]);
    refused(&engine, "which is not trusted");
    engine.command_ok(&["plugin", "sign", &file, "--key", &key]);
    let output = add(&engine);
    assert!(output.status.success() && text_of(&output).contains(&public), "{}", text_of(&output));
    fs::write(&file, says("changed", "")).expect("written");
    refused(&engine, "does not fit the plugin's file");
    // Put into the folder by hand: the engine looks as well.
    engine.write_plugin("speaker", &says("changed", ""));
    engine.variable("CARTWRIGHT_CONFIG", &config);
    engine.start();
    assert!(engine.log().contains("the signature does not fit"), "{}", engine.log());
}

const TESTED: &str = r#"
cases:
  - name: the plugin is executed
    event: { topic: go, data: {} }
    expect: { steps: { speak: { status: succeeded, output: hello } }, calls: [] }
  - name: or a stub answers for it
    event: { topic: go, data: {} }
    stubs: [{ plugin: speaker, answer: { body: stubbed } }]
    expect: { steps: { speak: { output: stubbed } }, calls: [{ plugin: speaker/go }] }
  - name: a stub may fail as well
    event: { topic: go, data: {} }
    stubs: [{ plugin: speaker/go, answer: { failed: out of words } }]
    expect: { failure: { step: speak, code: plugin_failed, message: out of words } }
"#;

#[test]
fn tests_of_workflows_execute_plugins_offline() {
    let engine = Engine::new(&[("speaks.yaml", SPEAKS), ("speaks.test.yaml", TESTED)]);
    engine.write_plugin("speaker", &says("hello", "(call $sleep (i64.const 86400000))"));
    let tested = engine.command_ok(&["test"]);
    assert!(tested.contains("3 passed"), "{tested}");
}
