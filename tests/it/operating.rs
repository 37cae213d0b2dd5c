//! What people do about runs that stopped: `runs resolve`, `runs fail`, over the API and on the command line, also when
//! the engine is killed right after it answered.

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
  - id: after
    http: POST http://SINK/after
    body: { number: "${{ steps.tell.output.body.number }}" }
on_failure:
  - http: POST http://SINK/failed
    body: { code: "${{ failure.code }}", message: "${{ failure.message }}" }
"#;

const SCRIPT: &str = r#"
on: { woo: [order.created] }
grants: { http: ["127.0.0.1"] }
steps:
  - id: tell
    script: |
      let first = http::post("http://SINK/first", #{});
      let told = http::post("http://SINK/tell", #{});
      let last = http::post("http://SINK/after", #{ number: told.body.number });
      told.body.number
"#;

/// A run whose call of `/tell` arrived and was not answered.
fn in_doubt(workflow: &str, sink: &Sink) -> (Engine, String) {
    sink.answer("/tell", [Answer::CutAfterEffect]);
    let engine = Engine::running(&[("tell.yaml", &with_sink(workflow, sink))]);
    let event = engine.order("order.created", &orders::body(1, &mut Random::new(1)));
    let run = engine.run_of(&event, "parked");
    assert_eq!(run["steps"][0]["status"], "unknown", "{run:#}");
    let id = run["id"].as_str().expect("an id").to_owned();
    (engine, id)
}

fn ends(engine: &Engine, run: &str, status: &str) -> Value {
    engine.wait("the run's end", || Some(engine.run(run)).filter(|run| run["status"] == status))
}

fn count(sink: &Sink, path: &str) -> usize {
    sink.received().iter().filter(|received| received.path == path).count()
}

/// What an HTTP call gives.
const GAVE: &str = r#"{"status":200,"headers":{},"body":{"number":61}}"#;

#[test]
fn what_happened_is_not_done_again_and_what_follows_sees_the_given_result() {
    for workflow in [TELL, SCRIPT] {
        let sink = Sink::start(Keys::Ignored);
        let (engine, run) = in_doubt(workflow, &sink);
        let said = engine.command_ok(&["runs", "resolve", &run, "--done", "--result", GAVE]);
        assert!(said.contains("the call happened; it goes on"), "{said}");
        ends(&engine, &run, "succeeded");
        assert_eq!((count(&sink, "/tell"), count(&sink, "/first") < 2), (1, true), "nothing twice");
        let after = sink.received().into_iter().find(|received| received.path == "/after").expect("it went on");
        assert_eq!(after.json()["number"], 61);
        let replayed = engine.command_ok(&["replay", &run]);
        assert!(replayed.contains("admin says that call"), "{replayed}");
        assert!(replayed.contains("entries fold to succeeded"), "{replayed}");
    }
}

#[test]
fn what_did_not_happen_is_done_under_the_same_identity() {
    let sink = Sink::start(Keys::Ignored);
    let (engine, run) = in_doubt(TELL, &sink);
    sink.answer("/tell", [Answer::Json(200, json!({ "number": 62 }))]);
    let answer = engine.api("POST", &format!("/api/v1/runs/{run}/resolve"), Some(&json!({ "done": false })));
    assert_eq!(answer.status, 202, "{}", answer.text());
    ends(&engine, &run, "succeeded");
    let keys: Vec<String> = sink
        .received()
        .iter()
        .filter(|received| received.path == "/tell")
        .map(|received| received.key().to_owned())
        .collect();
    assert_eq!((keys.len(), &keys[0]), (2, &keys[1]));
}

/// The answer is a promise: the process is gone a moment later, and the next one goes on with the word.
#[test]
fn a_word_that_was_answered_outlives_a_kill() {
    for seed in 0..4 {
        let sink = Sink::start(Keys::Ignored);
        let (mut engine, run) = in_doubt(TELL, &sink);
        let gave: Value = serde_json::from_str(GAVE).expect("JSON");
        let body = json!({ "done": true, "result": gave });
        let answer = engine.api("POST", &format!("/api/v1/runs/{run}/resolve"), Some(&body));
        engine.kill();
        assert_eq!(answer.status, 202, "{}", answer.text());
        engine.start();
        let shown = engine.wait("it moves again", || {
            Some(engine.run(&run)).filter(|run| ["succeeded", "parked"].contains(&run["status"].as_str().unwrap_or("")))
        });
        assert_eq!(shown["steps"][0]["status"], "succeeded", "{seed}: {shown:#}");
        assert_eq!(count(&sink, "/tell"), 1, "{seed}: the effect happened once");
        // The kill may have come while the next call was under way: then that one is unknown, and made once.
        assert!(shown["status"] == "succeeded" || shown["error"]["step"] == "after", "{seed}: {shown:#}");
        assert!(count(&sink, "/after") <= 1, "{seed}");
    }
}

#[test]
fn giving_up_outlives_a_kill_and_on_failure_runs_once() {
    let sink = Sink::start(Keys::Ignored);
    let (mut engine, run) = in_doubt(TELL, &sink);
    let body = json!({ "reason": "sent by hand" });
    let answer = engine.api("POST", &format!("/api/v1/runs/{run}/fail"), Some(&body));
    engine.kill();
    assert_eq!(answer.status, 202, "{}", answer.text());
    engine.start();
    let shown = engine.wait("it moves again", || {
        Some(engine.run(&run)).filter(|run| ["failed", "parked"].contains(&run["status"].as_str().unwrap_or("")))
    });
    let message = shown["error"]["message"].as_str().expect("a message");
    assert!(shown["status"] == "parked" || message.starts_with("given up by admin (sent by hand): "), "{shown:#}");
    assert!(count(&sink, "/failed") <= 1, "once, or not known whether");
    assert_eq!(count(&sink, "/after"), 0);
}

#[test]
fn a_parked_run_is_given_up_on_the_command_line() {
    let sink = Sink::start(Keys::Ignored);
    let (engine, run) = in_doubt(TELL, &sink);
    engine.command_ok(&["runs", "fail", &run, "--reason", "the customer called"]);
    let shown = ends(&engine, &run, "failed");
    assert_eq!((&shown["error"]["code"], &shown["error"]["step"]), (&json!("unknown"), &json!("tell")), "{shown:#}");
    let told = sink.received().into_iter().find(|received| received.path == "/failed").expect("on_failure ran");
    let message = told.json()["message"].as_str().expect("a message").to_owned();
    assert!(message.starts_with("given up by admin (the customer called): "), "{message}");
    assert!(engine.command_ok(&["replay", &run]).contains("given up by admin: the customer called"));
    let audit = engine.get("/api/v1/audit");
    assert_eq!((&audit["items"][0]["what"], &audit["items"][0]["target"]), (&json!("run.fail"), &json!(run)));
}

#[test]
fn what_cannot_be_done_is_refused_and_says_why() {
    let sink = Sink::start(Keys::Ignored);
    let (engine, run) = in_doubt(TELL, &sink);
    let ask = |action: &str, body: Value| {
        let answer = engine.api("POST", &format!("/api/v1/runs/{run}/{action}"), Some(&body));
        (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
    };
    let long = "x".repeat(501);
    let large = "x".repeat(300_000);
    for (action, body, status, code) in [
        ("resolve", json!({}), 400, "body_invalid"),
        ("resolve", json!({ "done": "yes" }), 400, "body_invalid"),
        ("resolve", json!({ "done": true, "call": -1 }), 400, "body_invalid"),
        ("resolve", json!({ "done": true, "answer": 1 }), 400, "body_invalid"),
        ("resolve", json!({ "done": false, "result": 1 }), 400, "argument_invalid"),
        ("resolve", json!({ "done": true, "result": large }), 400, "argument_invalid"),
        ("resolve", json!({ "done": true, "step": "after" }), 409, "run_refuses"),
        ("resolve", json!({ "done": true, "call": 1 }), 409, "run_refuses"),
        ("fail", json!({ "reason": long }), 400, "argument_invalid"),
        ("fail", json!({ "reason": "two\nlines" }), 400, "argument_invalid"),
        ("fail", json!({ "why": "x" }), 400, "body_invalid"),
        ("retry", json!({}), 409, "run_refuses"),
    ] {
        assert_eq!(ask(action, body.clone()), (status, code.to_owned()), "{action} {:.80}", body.to_string());
    }
    assert_eq!(engine.run(&run)["status"], "parked", "nothing of it changed the run");
    for (arguments, code) in [
        (&["resolve", &run][..], 2),
        (&["resolve", &run, "--done", "--not-done"], 2),
        (&["resolve", &run, "--not-done", "--result", "1"], 2),
        (&["resolve", &run, "--done", "--result", "no json"], 2),
        (&["resolve", &run, "--done", "--step", "nowhere"], 1),
        (&["fail"], 2),
        (&["fail", "run_00000000000000000000000000"], 1),
    ] {
        let output = engine.command(&[&["runs"], arguments].concat());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output));
    }
    assert_eq!(ask("fail", json!({})), (202, String::new()));
    ends(&engine, &run, "failed");
    // Again, and what else makes no sense now: the status is in the answer, and nothing is a 5xx.
    for (action, body) in [("fail", json!({})), ("cancel", json!({}))] {
        let answer = engine.api("POST", &format!("/api/v1/runs/{run}/{action}"), Some(&body));
        assert_eq!(answer.status, 409, "{action}");
        assert!(answer.json()["detail"].as_str().is_some_and(|detail| detail.contains("failed")), "{}", answer.text());
    }
    assert_eq!(ask("resolve", json!({ "done": false })).0, 202, "what is known about it may still be said");
    assert_eq!(ask("resolve", json!({ "done": false })).0, 409, "once");
    assert_eq!(engine.run(&run)["status"], "failed");
}

#[test]
fn a_word_is_taken_without_a_running_engine() {
    let sink = Sink::start(Keys::Ignored);
    let (mut engine, run) = in_doubt(TELL, &sink);
    engine.stop();
    let output = engine.command(&["runs", "resolve", &run, "--done", "--result", GAVE]);
    assert!(output.status.success() && text(&output).contains("when one starts"), "{}", text(&output));
    assert_eq!(count(&sink, "/after"), 0);
    engine.start();
    ends(&engine, &run, "succeeded");
    assert_eq!((count(&sink, "/tell"), count(&sink, "/after")), (1, 1));
}
