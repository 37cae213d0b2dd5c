//! `runs retry RUN --input FILE`: a run begins anew with other data, also when the engine is killed right after it
//! answered.

use cartwright_tests::{
    engine::{Engine, text},
    orders,
    random::Random,
    sink::{Answer, Keys, Sink},
};
use serde_json::{Value, json};

use crate::straight_path::with_sink;

const TELL: &str = r#"
on: { woo: [order.created] }
grants: { http: ["127.0.0.1"] }
steps:
  - id: tell
    http: POST http://SINK/tell
    body: { order: "${{ event.data.id }}" }
  - id: wait
    script: |
      let came = events::wait_for(#{ event: "order.updated", "if": "incoming.data.id == event.data.id", timeout: "50ms" });
      event.data.id
  - id: after
    http: POST http://SINK/after
    body: { order: "${{ event.data.id }}", script: "${{ steps.wait.output }}", topic: "${{ event.topic }}" }
"#;

/// A run that failed at its last step.
fn failed(sink: &Sink) -> (Engine, String) {
    sink.answer("/after", [Answer::Json(400, json!({}))]);
    let engine = Engine::running(&[("tell.yaml", &with_sink(TELL, sink))]);
    let event = engine.order("order.created", &orders::body(1, &mut Random::new(1)));
    let run = engine.run_of(&event, "failed")["id"].as_str().expect("an id").to_owned();
    (engine, run)
}

fn of(sink: &Sink, path: &str) -> Vec<(Value, String)> {
    let all = sink.received();
    let here = all.iter().filter(|received| received.path == path);
    here.map(|received| (received.json()["order"].clone(), received.key().to_owned())).collect()
}

fn ends(engine: &Engine, run: &str) -> Value {
    engine.wait("its end", || Some(engine.run(run)).filter(|run| run["status"] == "succeeded"))
}

fn file(engine: &Engine, text: &str) -> String {
    let path = engine.folder().join("input.json");
    std::fs::write(&path, text).expect("a file");
    path.display().to_string()
}

#[test]
fn a_failed_run_begins_anew_with_the_data_of_a_file() {
    let sink = Sink::start(Keys::Ignored);
    let (engine, run) = failed(&sink);
    let input = file(&engine, r#"{"topic": "order.created", "data": {"id": 77}}"#);
    let preview = engine.command_ok(&["runs", "retry", &run, "--input", &input, "--preview"]);
    assert!(preview.contains("again: POST") && preview.contains("(tell)") && preview.contains("(after)"), "{preview}");
    assert_eq!((engine.run(&run)["status"].clone(), of(&sink, "/tell").len()), (json!("failed"), 1), "only looked at");
    let unasked = engine.command(&["runs", "retry", &run, "--input", &input]);
    assert_eq!(unasked.status.code(), Some(2), "nobody is there to be asked: {}", text(&unasked));
    let said = engine.command_ok(&["runs", "retry", &run, "--input", &input, "--yes"]);
    assert!(said.contains("begins anew with other input"), "{said}");
    let shown = ends(&engine, &run);
    let (told, after) = (of(&sink, "/tell"), of(&sink, "/after"));
    assert_eq!(told.iter().map(|one| &one.0).collect::<Vec<_>>(), [&json!(1), &json!(77)]);
    assert_eq!(after.iter().map(|one| &one.0).collect::<Vec<_>>(), [&json!(1), &json!(77)]);
    assert!(told[0].1 != told[1].1 && after[0].1 != after[1].1, "new identities");
    let last = sink.received().into_iter().rfind(|received| received.path == "/after").expect("it");
    assert_eq!((&last.json()["script"], &last.json()["topic"]), (&json!(77), &json!("order.created")));
    assert_eq!(shown["steps"].as_array().map(Vec::len), Some(3), "{shown:#}");
    let replayed = engine.command_ok(&["replay", &run]);
    assert!(replayed.contains("begun anew by admin with other input: {\"id\":77}"), "{replayed}");
    assert!(replayed.contains("entries fold to succeeded"), "{replayed}");
    let audit = engine.get("/api/v1/audit").to_string();
    assert!(audit.contains("run.retry") && !audit.contains("77}"), "the audit log has no data: {audit}");
}

/// The answer is a promise, and what is taken up afterwards sees the new data everywhere.
#[test]
fn a_new_beginning_that_was_answered_outlives_a_kill() {
    for seed in 0..4 {
        let sink = Sink::start(Keys::Ignored);
        let (mut engine, run) = failed(&sink);
        let answer = engine.api("POST", &format!("/api/v1/runs/{run}/retry"), Some(&json!({ "input": { "id": 78 } })));
        engine.kill();
        assert_eq!(answer.status, 202, "{}", answer.text());
        engine.start();
        let shown = engine.wait("it moves again", || {
            Some(engine.run(&run)).filter(|run| ["succeeded", "parked"].contains(&run["status"].as_str().unwrap_or("")))
        });
        assert_eq!(shown["retries"], 1, "{seed}: {shown:#}");
        // The kill may have come while a call was under way: then that one is unknown, and made once at most.
        let told = of(&sink, "/tell");
        assert!(told.len() <= 2 && told[1..].iter().all(|one| one.0 == 78), "{seed}: {told:?}");
        assert!(shown["status"] == "succeeded" || shown["error"]["code"] == "unknown", "{seed}: {shown:#}");
        if shown["status"] == "succeeded" {
            assert_eq!(of(&sink, "/after").last().map(|one| one.0.clone()), Some(json!(78)), "{seed}");
        }
    }
}

#[test]
fn without_a_running_engine_the_word_is_kept_for_the_next_start() {
    let sink = Sink::start(Keys::Ignored);
    let (mut engine, run) = failed(&sink);
    let input = file(&engine, r#"{"id": 79}"#);
    engine.stop();
    let output = engine.command(&["runs", "retry", &run, "--input", &input, "--yes"]);
    assert!(output.status.success() && text(&output).contains("when one starts"), "{}", text(&output));
    engine.start();
    ends(&engine, &run);
    assert_eq!(of(&sink, "/after").last().map(|one| one.0.clone()), Some(json!(79)));
}

#[test]
fn what_may_have_happened_refuses_until_somebody_says() {
    let sink = Sink::start(Keys::Ignored);
    sink.answer("/tell", [Answer::CutAfterEffect]);
    let engine = Engine::running(&[("tell.yaml", &with_sink(TELL, &sink))]);
    let event = engine.order("order.created", &orders::body(1, &mut Random::new(1)));
    let run = engine.run_of(&event, "parked")["id"].as_str().expect("an id").to_owned();
    let ask = |body: Value| engine.api("POST", &format!("/api/v1/runs/{run}/retry"), Some(&body));
    let refused = ask(json!({ "input": { "id": 80 } }));
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("run_refuses")), "{}", refused.text());
    assert!(refused.json()["detail"].as_str().is_some_and(|why| why.contains("`tell`")), "{}", refused.text());
    let preview = ask(json!({ "input": { "id": 80 }, "preview": true }));
    assert_eq!((preview.status, &preview.json()["refused"]), (200, &refused.json()["detail"]));
    let input = file(&engine, r#"{"id": 80}"#);
    let output = engine.command(&["runs", "retry", &run, "--input", &input]);
    assert!(!output.status.success() && text(&output).contains("nobody knows"), "{}", text(&output));
    engine.command_ok(&["runs", "fail", &run]);
    engine.command_ok(&["runs", "resolve", &run, "--not-done"]);
    assert_eq!(ask(json!({ "input": { "id": 80 } })).status, 202);
    ends(&engine, &run);
    assert_eq!(ask(json!({ "input": { "id": 80 } })).status, 409, "it is over");
}

#[test]
fn input_that_is_none_is_refused() {
    let sink = Sink::start(Keys::Ignored);
    let (engine, run) = failed(&sink);
    let large = "x".repeat(1_100_000);
    let deep = serde_json::from_str::<Value>(&format!("{}{}", "[".repeat(90), "]".repeat(90))).expect("JSON");
    for (body, statuses) in [
        (json!({ "input": 1, "repeat_unknown": true }), 400..401),
        (json!({ "preview": true }), 400..401),
        (json!({ "input": { "id": large } }), 400..414),
        (json!({ "input": deep }), 400..401),
    ] {
        let answer = engine.api("POST", &format!("/api/v1/runs/{run}/retry"), Some(&body));
        assert!(statuses.contains(&answer.status), "{:.60}: {} {}", body.to_string(), answer.status, answer.text());
    }
    let (empty, no_json) = (file(&engine, "{}"), "nowhere.json");
    for arguments in [
        &["runs", "retry", "--input", &empty, "--workflow", "tell"][..],
        &["runs", "retry", &run, &run, "--input", &empty],
        &["runs", "retry", &run, "--input", &empty, "--repeat-unknown"],
    ] {
        let output = engine.command(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output));
    }
    assert!(!engine.command(&["runs", "retry", &run, "--input", no_json, "--yes"]).status.success());
    assert_eq!(engine.run(&run)["status"], "failed", "nothing of it changed the run");
}

#[test]
fn a_preview_of_named_runs_changes_nothing() {
    let sink = Sink::start(Keys::Ignored);
    let (engine, run) = failed(&sink);
    let shown = engine.command_ok(&["runs", "retry", &run, "--preview"]);
    assert!(shown.contains("1 run: 1 failed") && shown.contains("again: POST"), "{shown}");
    assert_eq!(engine.run(&run)["status"], "failed");
}
