//! Exports: out of a running and out of a stopped engine, back in as history that moves nothing, and whatever else is put in.

use std::{fs, path::PathBuf};

use cartwright_tests::{
    engine::{Engine, text},
    orders,
    random::Random,
};
use serde_json::{Value, json};

const COUNT: &str = "on: { woo: [order.created] }\nsteps:\n  - { id: a, script: 'state::set(\"last\", event.data.id); event.data.id' }\n";
const LONG: &str = "on: { woo: [order.deleted] }\nsteps:\n  - { id: nap, sleep: 1h }\n";

fn engine() -> Engine {
    let mut engine = Engine::new(&[("count.yaml", COUNT), ("long.yaml", LONG)]);
    engine.add_store("shop");
    engine.start();
    engine
}

fn path(engine: &Engine, name: &str) -> (PathBuf, String) {
    let path = engine.folder().join(name);
    let text = path.to_str().expect("text").to_owned();
    (path, text)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

fn of<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["kind"] == kind).collect()
}

fn order(engine: &Engine, topic: &str, number: u64) -> String {
    engine.order(topic, &orders::body(number, &mut Random::new(number)))
}

#[test]
fn history_moves_to_another_folder_and_nothing_in_it_moves() {
    let mut engine = engine();
    engine.set_secret("api_key", "never-in-an-export");
    let token = engine.command_ok(&["token", "create", "--name", "theirs", "--scope", "runs:read", "--json"]);
    let token: Value = serde_json::from_str(&token).expect("JSON");
    let events: Vec<String> = (0..40).map(|number| order(&engine, "order.created", number)).collect();
    for event in &events {
        engine.run_of(event, "succeeded");
    }
    let nap = order(&engine, "order.deleted", 900);
    engine.run_of(&nap, "waiting");
    let (file, name) = path(&engine, "all.jsonl");
    let said: Value = serde_json::from_str(&engine.command_ok(&["export", &name, "--json"])).expect("JSON");
    assert_eq!((&said["lines"]["events"], &said["lines"]["runs"]), (&json!(41), &json!(41)));
    let exported = fs::read_to_string(&file).expect("read");
    for secret in [
        "never-in-an-export",
        token["token"].as_str().expect("a token"),
        "made-up-webhook-secret",
        "argon2",
        "\"hash\"",
    ] {
        assert!(!exported.contains(secret), "{secret}");
    }
    let all = lines(&exported);
    assert_eq!((&all[0]["kind"], &all[0]["version"]), (&json!("cartwright-export"), &json!(1)));
    assert_eq!(all.last().expect("a last line")["lines"], json!(all.len() - 1));
    assert_eq!(of(&all, "secret")[0]["name"], "api_key");
    assert_eq!(of(&all, "token")[0]["name"], "theirs");
    assert_eq!((of(&all, "store").len(), of(&all, "state").len(), of(&all, "event").len()), (1, 1, 41));
    assert!(!of(&all, "audit").is_empty() && of(&all, "definition").len() >= 2);
    let last = engine.run_of(&events[39], "succeeded");
    let shown = |engine: &Engine, data: &str| {
        let ask = |more: &[&str]| -> Value {
            serde_json::from_str(&engine.command_ok(&[more, &["--json", "--data", data][..]].concat())).expect("JSON")
        };
        let run = ask(&["runs", "show", last["id"].as_str().expect("an id")]);
        (run, ask(&["events", "show", &events[39]]))
    };
    engine.stop();
    let own = engine.data().to_str().expect("text").to_owned();
    let before = shown(&engine, &own);

    let (_, data) = path(&engine, "elsewhere");
    let said: Value =
        serde_json::from_str(&engine.command_ok(&["import", &name, "--data", &data, "--json"])).expect("JSON");
    assert_eq!((&said["runs"], &said["events"], &said["state"]), (&json!(40), &json!(41), &json!(1)));
    assert_eq!(said["left_out"]["open_runs"], json!(1));
    assert_eq!(shown(&engine, &data), before, "a run and its event look as they did");
    assert!(text(&engine.command(&["import", &name, "--data", &data])).contains("not empty"));
    // What comes out again is what went in, but for the run that was left out and what is for reading.
    let again = lines(&engine.command_ok(&["export", "-", "--data", &data, "--only", "state,definitions,events,runs"]));
    for kind in ["state", "definition", "event"] {
        assert_eq!(of(&again, kind), of(&all, kind), "{kind}");
    }
    let ended: Vec<_> = of(&all, "run").into_iter().filter(|line| line["run"]["status"] == "succeeded").collect();
    assert_eq!(of(&again, "run"), ended);

    // An engine on it starts nothing for what is there, and works.
    fs::rename(engine.data(), path(&engine, "before").0).expect("moved");
    fs::rename(&data, engine.data()).expect("moved");
    engine.command_ok(&["store", "add", "shop", "--webhook-secret", cartwright_tests::engine::WEBHOOK_SECRET]);
    engine.start();
    let fresh = order(&engine, "order.created", 5_000);
    engine.run_of(&fresh, "succeeded");
    assert_eq!(engine.runs("workflow=count").len(), 41);
}

#[test]
fn an_export_is_narrowed_by_kind_store_and_time_and_never_replaces_a_file() {
    let engine = engine();
    engine.command_ok(&["store", "add", "other", "--webhook-secret", "x"]);
    let first = order(&engine, "order.created", 1);
    engine.run_of(&first, "succeeded");
    let kinds = |more: &[&str]| -> Vec<String> {
        let all = lines(&engine.command_ok(&[&["export", "-"], more].concat()));
        all[1..all.len() - 1].iter().map(|line| line["kind"].as_str().expect("a kind").to_owned()).collect()
    };
    assert_eq!(kinds(&["--only", "runs,events"]), ["event", "run"]);
    assert_eq!(kinds(&["--only", "stores,runs", "--store", "other"]), ["store"]);
    assert_eq!(kinds(&["--only", "events,runs", "--until", "2020-01-01"]), [""; 0]);
    assert_eq!(kinds(&["--only", "events,runs", "--since", "1h"]), ["event", "run"]);
    let (file, name) = path(&engine, "there.jsonl");
    fs::write(&file, "mine").expect("written");
    assert_eq!(engine.command(&["export", &name]).status.code(), Some(2));
    assert_eq!(engine.command(&["export", "-", "--only", "everything"]).status.code(), Some(2));
    assert_eq!(fs::read_to_string(&file).expect("read"), "mine");
}

#[test]
fn a_damaged_export_is_refused_with_its_line_and_nothing_is_written() {
    let engine = engine();
    for number in 0..3 {
        let event = order(&engine, "order.created", number);
        engine.run_of(&event, "succeeded");
    }
    let good = engine.command_ok(&["export", "-", "--only", "stores,definitions,state,events,runs"]);
    let (_, data) = path(&engine, "other");
    let refused = |input: &str| {
        let output = engine.command_with_input(&["import", "-", "--data", &data], input);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).contains("line "), "{}", text(&output));
        assert!(!PathBuf::from(&data).exists(), "nothing is written");
    };
    refused("");
    refused("{}\n");
    refused(&good.replace(r#""status":"succeeded","store""#, r#""status":"failed","store""#));
    refused(&good.replace("run_started", "run_begun"));
    let mut random = Random::new(7);
    for _ in 0..12 {
        let lines: Vec<&str> = good.lines().collect();
        let cut = 1 + usize::try_from(random.below(lines.len() as u64 - 1)).expect("small");
        let without: Vec<&str> = lines.iter().enumerate().filter(|(n, _)| *n != cut).map(|(_, line)| *line).collect();
        refused(&without.join("\n"));
        let cut = 1 + usize::try_from(random.below(good.len() as u64 - 2)).expect("small");
        refused(&String::from_utf8_lossy(&good.as_bytes()[..cut]));
    }
    let whole = engine.command_with_input(&["import", "-", "--data", &data], &good);
    assert!(whole.status.success(), "{}", text(&whole));
}
