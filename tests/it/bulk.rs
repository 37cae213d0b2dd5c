//! One action for all runs of a filter, events accepted again, and why a workflow did not start.

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
retry: 1
steps:
  - { id: first, http: POST http://SINK/first, body: {} }
  - { id: tell, http: POST http://SINK/tell, body: {} }
"#;
const DEAF: &str = "on: { woo: [product.updated] }\nsteps: [{ stop: done }]\n";
const OFF: &str = "enabled: false\non: { woo: [order.created] }\nsteps: [{ stop: done }]\n";
const EMITTED: &str = "on: { event: [order.created] }\nsteps: [{ stop: done }]\n";
const ELSEWHERE: &str = "on: { woo: { topics: [order.created], stores: [other] } }\nsteps: [{ stop: done }]\n";

/// Three runs that are parked because the receiver is broken.
fn parked(sink: &Sink) -> (Engine, Vec<String>) {
    sink.answer_always("/tell", Answer::Json(500, json!({})));
    let files = [
        ("tell.yaml", with_sink(TELL, sink)),
        ("deaf.yaml", DEAF.to_owned()),
        ("off.yaml", OFF.to_owned()),
        ("emitted.yaml", EMITTED.to_owned()),
        ("elsewhere.yaml", ELSEWHERE.to_owned()),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let engine = Engine::running(&files);
    let events =
        (1..=3).map(|number| engine.order("order.created", &orders::body(number, &mut Random::new(number)))).collect();
    engine.wait("all are parked", || (engine.runs("status=parked").len() == 3).then_some(()));
    (engine, events)
}

fn bulk(engine: &Engine, body: &Value) -> (u16, Value) {
    let answer = engine.api("POST", "/api/v1/runs/bulk", Some(body));
    (answer.status, answer.json())
}

fn count(sink: &Sink, path: &str) -> usize {
    sink.received().iter().filter(|received| received.path == path).count()
}

#[test]
fn a_preview_tells_what_would_repeat_and_its_token_acts_on_that_set_only() {
    let sink = Sink::start(Keys::Ignored);
    let (engine, _) = parked(&sink);
    let retry = |more: Value| {
        let mut body = json!({ "action": "retry", "filter": { "workflow": "tell", "status": "parked" } });
        more.as_object().expect("a map").iter().for_each(|(key, value)| body[key] = value.clone());
        bulk(&engine, &body)
    };
    let (status, preview) = retry(json!({ "preview": true }));
    assert_eq!((status, &preview["count"], &preview["statuses"]), (200, &json!(3), &json!({ "parked": 3 })));
    let writes = preview["details"][0]["writes"].as_array().expect("writes");
    let fates: Vec<_> = writes.iter().map(|write| (write["step"].clone(), write["retry"].clone())).collect();
    assert_eq!(fates, [(json!("first"), json!("kept")), (json!("tell"), json!("repeated"))], "{preview:#}");
    assert_eq!(retry(json!({})).0, 400, "neither token nor count");
    engine.order("order.created", &orders::body(4, &mut Random::new(4)));
    engine.wait("one more", || (engine.runs("status=parked").len() == 4).then_some(()));
    for stale in [json!({ "token": preview["token"] }), json!({ "expect": 3 }), json!({ "token": "x" })] {
        let (status, refusal) = retry(stale);
        assert_eq!((status, &refusal["code"]), (409, &json!("set_changed")), "{refusal}");
        assert!(refusal["detail"].as_str().is_some_and(|detail| detail.contains("4 now (4 parked)")), "{refusal}");
    }
    let before = (count(&sink, "/first"), count(&sink, "/tell"));
    sink.answer_always("/tell", Answer::Json(200, json!({})));
    let token = retry(json!({ "preview": true })).1["token"].clone();
    let (status, answer) = retry(json!({ "token": token }));
    assert_eq!((status, answer["moved"].as_array().map(Vec::len)), (200, Some(4)), "{answer}");
    engine.wait("all succeed", || (engine.runs("status=succeeded").len() == 4).then_some(()));
    assert_eq!((count(&sink, "/first"), count(&sink, "/tell")), (before.0, before.1 + 4), "kept, and made again");
    let audit = engine.get("/api/v1/audit");
    assert_eq!(
        (&audit["items"][0]["what"], &audit["items"][0]["after"]["moved"]),
        (&json!("run.bulk_retry"), &json!(4))
    );
    assert_eq!(audit["items"][1]["what"], "run.retry", "and each run's own");
    let (_, again) = retry(json!({ "preview": true }));
    assert_eq!(again["count"], 0);
}

#[test]
fn each_run_that_is_not_moved_has_its_reason() {
    let sink = Sink::start(Keys::Ignored);
    let (engine, _) = parked(&sink);
    let ids: Vec<Value> = engine.runs("status=parked").iter().map(|run| run["id"].clone()).collect();
    let gone = json!("run_00000000000000000000000000");
    let (status, answer) =
        bulk(&engine, &json!({ "action": "fail", "reason": "no use", "runs": [ids[0], ids[0], gone] }));
    assert_eq!((status, &answer["moved"], &answer["not_moved"][0]["id"]), (200, &json!([ids[0]]), &gone), "{answer}");
    engine.wait("it fails", || (engine.runs("status=failed").len() == 1).then_some(()));
    let (status, answer) = bulk(&engine, &json!({ "action": "fail", "filter": { "status": "failed" }, "expect": 1 }));
    assert_eq!((status, &answer["moved"], &answer["not_moved"][0]["code"]), (200, &json!([]), &json!("run_refuses")));
    let (_, answer) = bulk(&engine, &json!({ "action": "cancel", "filter": {}, "expect": 2 }));
    assert_eq!(answer["moved"].as_array().map(Vec::len), Some(2), "{answer}");
    assert_eq!((engine.runs("status=cancelled").len(), engine.runs("status=failed").len()), (2, 1));
    for body in [
        json!({}),
        json!({ "action": "retry" }),
        json!({ "action": "explode", "filter": {} }),
        json!({ "action": "retry", "filter": {}, "runs": [] }),
        json!({ "action": "retry", "filter": { "workflw": "x" }, "preview": true }),
        json!({ "action": "retry", "filter": { "status": "sleeping" }, "preview": true }),
        json!({ "action": "retry", "runs": ["nonsense"] }),
        json!({ "action": "retry", "runs": vec![gone; 10_001] }),
        json!({ "action": "fail", "filter": {}, "expect": -1 }),
    ] {
        assert_eq!(bulk(&engine, &body).0, 400, "{:.100}", body.to_string());
    }
}

#[test]
fn the_command_line_shows_asks_and_acts() {
    let sink = Sink::start(Keys::Ignored);
    let (engine, _) = parked(&sink);
    let preview = engine.command_ok(&["runs", "retry", "--workflow", "tell", "--preview"]);
    assert!(preview.starts_with("3 runs: 3 parked"), "{preview}");
    assert!(preview.contains("again: POST http://") && preview.contains("kept: 1 write"), "{preview}");
    let unasked = engine.command(&["runs", "retry", "--workflow", "tell"]);
    assert_eq!(unasked.status.code(), Some(2), "{}", text(&unasked));
    assert!(text(&unasked).contains("--yes"), "{}", text(&unasked));
    assert_eq!(engine.runs("status=parked").len(), 3, "nothing was done");
    sink.answer_always("/tell", Answer::Json(200, json!({})));
    let said = engine.command_ok(&["runs", "retry", "--status", "parked", "--yes"]);
    assert!(said.contains("3 runs moved, 0 not"), "{said}");
    engine.wait("all succeed", || (engine.runs("status=succeeded").len() == 3).then_some(()));
    let nothing = engine.command_ok(&["runs", "fail", "--workflow", "tell", "--yes"]);
    assert!(nothing.contains("no runs in this filter"), "{nothing}");
    for arguments in [&["retry"][..], &["cancel", "run_00000000000000000000000000", "--status", "parked"]] {
        let output = engine.command(&[&["runs"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output));
    }
}

#[test]
fn an_event_is_accepted_again_and_never_taken_for_a_duplicate() {
    let sink = Sink::start(Keys::Ignored);
    let (engine, events) = parked(&sink);
    sink.answer_always("/tell", Answer::Json(200, json!({})));
    let preview = engine.command_ok(&["events", "replay", &events[0], "--preview"]);
    assert!(preview.contains("would be considered by: tell") && preview.contains("again: POST http://"), "{preview}");
    let mut seen = vec![events[0].clone()];
    for _ in 0..2 {
        let last = seen.last().expect("one").clone();
        let answer = engine.api("POST", &format!("/api/v1/events/{last}/replay"), Some(&json!({ "workflow": "tell" })));
        assert_eq!(answer.status, 202, "{}", answer.text());
        let new = answer.json()["id"].as_str().expect("an id").to_owned();
        assert!(!seen.contains(&new));
        engine.run_of(&new, "succeeded");
        let shown = engine.get(&format!("/api/v1/events/{new}"));
        assert_eq!((&shown["source"]["kind"], &shown["source"]["of"]), (&json!("replay"), &json!(last)), "{shown:#}");
        assert_eq!(shown["source"]["source"]["kind"], "woo", "where it first came from");
        assert_eq!(shown["data"], engine.get(&format!("/api/v1/events/{}", events[0]))["data"]);
        seen.push(new);
    }
    let path = format!("/api/v1/events/{}/replay", events[0]);
    for (body, status) in [
        (json!({ "workflow": "deaf" }), 409),
        (json!({ "workflow": "nobody" }), 400),
        (json!({ "workflow": "A B" }), 400),
        (json!({ "workflw": "tell" }), 400),
    ] {
        assert_eq!(engine.api("POST", &path, Some(&body)).status, status, "{body}");
    }
    let gone = "/api/v1/events/evt_00000000000000000000000000/replay";
    assert_eq!(engine.api("POST", gone, Some(&json!({}))).status, 404);
    let said = engine.command_ok(&["events", "replay", "--topic", "order.created", "--until", "1h", "--yes"]);
    assert!(!said.contains("accepted again"), "none is that old: {said}");
}

#[test]
fn an_exported_event_runs_again_offline() {
    let sink = Sink::start(Keys::Ignored);
    let (engine, events) = parked(&sink);
    let file = engine.folder().join("event.json");
    let file = file.to_str().expect("a path");
    engine.command_ok(&["events", "export", &events[0], "-o", file]);
    let exported: Value = serde_json::from_str(&std::fs::read_to_string(file).expect("a file")).expect("JSON");
    assert_eq!((&exported["topic"], &exported["store"]), (&json!("order.created"), &json!("shop")));
    assert_eq!(engine.command(&["events", "export", &events[0], "-o", file]).status.code(), Some(3), "not over a file");
    let workflows = engine.workflows();
    let workflows = workflows.to_str().expect("a path");
    let output = engine.command(&["run", "deaf", "--event", file, "--workflows", workflows]);
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn every_workflow_says_why_it_did_not_start() {
    let sink = Sink::start(Keys::Ignored);
    let (engine, events) = parked(&sink);
    let shown = engine.get(&format!("/api/v1/events/{}", events[0]));
    let items = shown["now"]["items"].as_array().expect("items").clone();
    let mut reasons: Vec<(&str, &str)> = items
        .iter()
        .map(|item| (item["workflow"].as_str().unwrap_or_default(), item["reason"].as_str().unwrap_or_default()))
        .collect();
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        [("deaf", "other_topic"), ("elsewhere", "other_store"), ("emitted", "other_kind"), ("off", "disabled")]
    );
    assert_eq!(shown["matches"].as_array().map(Vec::len), Some(1), "what is recorded stands apart");
    let one = engine.get(&format!("/api/v1/events/{}?workflow=off", events[0]));
    assert_eq!(
        (one["now"]["items"].as_array().map(Vec::len), &one["now"]["reasons"]),
        (Some(1), &json!({ "disabled": 1 }))
    );
    let told = engine.command_ok(&["events", "show", &events[0]]);
    for part in ["Not considered (4), as the workflows are now:", "does not listen to this topic", "enabled: false"] {
        assert!(told.contains(part), "`{part}` in:\n{told}");
    }
    let answer = engine.api("GET", &format!("/api/v1/events/{}?wrkflow=off", events[0]), None);
    assert_eq!(answer.status, 400);
}

#[test]
fn the_events_of_many_runs_are_accepted_again_for_their_workflow_only() {
    let sink = Sink::start(Keys::Ignored);
    let (engine, events) = parked(&sink);
    sink.answer_always("/tell", Answer::Json(200, json!({})));
    let filter = json!({ "workflow": "tell" });
    let (status, preview) = bulk(&engine, &json!({ "action": "replay", "filter": filter, "preview": true }));
    assert_eq!((status, &preview["count"]), (200, &json!(3)), "{preview:#}");
    let (status, answer) = bulk(&engine, &json!({ "action": "replay", "filter": filter, "token": preview["token"] }));
    assert_eq!((status, answer["moved"].as_array().map(Vec::len)), (200, Some(3)), "{answer:#}");
    engine.wait("new runs end", || (engine.runs("status=succeeded").len() == 3).then_some(()));
    assert_eq!(engine.runs("status=parked").len(), 3, "those of before stay as they were");
    let new = engine.get("/api/v1/events");
    let replays: Vec<&Value> =
        new["items"].as_array().expect("items").iter().filter(|event| event["source"]["kind"] == "replay").collect();
    assert_eq!(replays.len(), 3, "{new:#}");
    for replay in replays {
        assert!(events.iter().any(|event| replay["source"]["of"] == **event), "{replay:#}");
        assert_eq!((&replay["source"]["workflow"], &replay["hops"]), (&json!("tell"), &json!(0)), "{replay:#}");
    }
    // A new set: the runs of the replays are in the filter now.
    let again = bulk(&engine, &json!({ "action": "replay", "filter": filter, "token": preview["token"] }));
    assert_eq!((again.0, &again.1["code"]), (409, &json!("set_changed")));
}
