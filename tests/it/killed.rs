//! The process is killed with -9 while gates hold events, callers wait for other runs, people are asked, groups queue and
//! callers wait for answers: whatever was accepted happens, once.

use std::{thread, time::Duration};

use cartwright_core::time::Timestamp;
use cartwright_storage::{Expect, Options, RecordWrite, SledStorage, Storage, Table};
use cartwright_tests::{
    engine::Engine,
    sink::{Answer, Keys, Sink},
    wire::{Request, Response, once},
};
use serde_json::{Value, json};

use crate::straight_path::with_sink;

/// Brings in an event; its id.
fn emit(engine: &Engine, topic: &str, data: &Value) -> String {
    let body = json!({ "topic": topic, "data": data });
    let answer = engine.api("POST", "/api/v1/events", Some(&body));
    assert!(answer.status < 300, "{}", answer.text());
    answer.json()["event"].as_str().or(answer.json()["id"].as_str()).expect("an event's id").to_owned()
}

fn again(engine: &mut Engine) {
    engine.kill();
    engine.start();
}

/// What the runs of a workflow gave, the oldest first, when all of them have succeeded.
fn gave(engine: &Engine, workflow: &str, runs: usize) -> Vec<Value> {
    let rows = engine.wait(&format!("{runs} runs of {workflow} succeed"), || {
        let rows = engine.runs(&format!("workflow={workflow}"));
        (rows.len() >= runs && rows.iter().all(|row| row["status"] == "succeeded")).then_some(rows)
    });
    let output = |row: &Value| engine.run(row["id"].as_str().expect("an id"))["steps"][0]["output"].clone();
    rows.iter().rev().map(output).collect()
}

/// The paths at which something happened, in order.
fn effects(sink: &Sink) -> Vec<String> {
    sink.received().into_iter().filter(|received| received.effect).map(|received| received.path).collect()
}

fn late(millis: u64) -> Answer {
    Answer::Late(Duration::from_millis(millis), Box::new(Answer::Json(200, json!({}))))
}

#[test]
fn what_gates_hold_comes_to_one_run_with_all_of_it() {
    let debounce =
        "on: { event: { topics: [go], debounce: { wait: 3s } } }\nsteps: [{ id: see, script: event.data.n }]\n";
    let collect = "on: { event: { topics: [go], collect: { max_items: 8, max_wait: 10m } } }\nsteps: [{ id: see, script: 'events.map(|one| one.data.n)' }]\n";
    let mut engine = Engine::new(&[("debounce.yaml", debounce), ("collect.yaml", collect)]);
    engine.start();
    let events: Vec<String> = (0..6).map(|n| emit(&engine, "go", &json!({ "n": n }))).collect();
    again(&mut engine);
    assert!(engine.runs("").is_empty(), "they are held");
    again(&mut engine);
    assert_eq!(gave(&engine, "debounce", 1), [json!(5)]);
    let run = engine.runs("workflow=debounce")[0]["id"].clone();
    for event in &events {
        let matches = engine.get(&format!("/api/v1/events/{event}"))["matches"].clone();
        let of =
            matches.as_array().expect("a list").iter().find(|one| one["workflow"] == "debounce").expect("it listens");
        assert_eq!((&of["outcome"], &of["run"]), (&json!("merged"), &run), "{of}");
    }
    for n in 6..8 {
        emit(&engine, "go", &json!({ "n": n }));
        again(&mut engine);
    }
    assert_eq!(gave(&engine, "collect", 1), [json!([0, 1, 2, 3, 4, 5, 6, 7])]);
    again(&mut engine);
    assert_eq!(engine.runs("workflow=collect").len(), 1);
}

const PARENT: &str = r#"
on: { event: [go] }
undo_on_failure: true
grants: { http: ["127.0.0.1"] }
steps:
  - { id: one, http: PUT http://SINK/one, undo: { http: PUT http://SINK/undo-one } }
  - id: two
    for_each: "[1, 2]"
    steps:
      - { id: hold, http: "PUT http://SINK/two-${{ item }}", undo: { http: "PUT http://SINK/undo-two-${{ item }}" } }
  - { id: ask, call: child, with: { n: 7 } }
  - { id: three, script: "http::put(\"http://SINK/three\", #{})", undo: { http: PUT http://SINK/undo-three } }
  - { id: bad, http: PUT http://SINK/bad }
on_failure:
  - { id: sorry, http: PUT http://SINK/sorry }
"#;
const CHILD: &str = r#"
on: { manual: { inputs: { n: { type: integer, required: true } } } }
grants: { http: ["127.0.0.1"] }
steps:
  - { id: work, http: "PUT http://SINK/child-${{ inputs.n }}" }
  - sleep: 50ms
output: inputs.n
"#;

#[test]
fn a_caller_that_fails_takes_everything_back_once_and_in_reverse() {
    let sink = Sink::start(Keys::Honoured);
    let done = ["/one", "/two-1", "/two-2", "/child-7", "/three"];
    let undone = ["/undo-three", "/undo-two-2", "/undo-two-1", "/undo-one", "/sorry"];
    for path in done.iter().chain(&undone) {
        sink.answer_always(path, late(15));
    }
    sink.answer_always("/bad", Answer::Json(400, json!({})));
    let mut engine =
        Engine::new(&[("parent.yaml", &with_sink(PARENT, &sink)), ("child.yaml", &with_sink(CHILD, &sink))]);
    engine.start();
    let event = emit(&engine, "go", &json!({}));
    // Killed after each effect, and now and then before its answer was written down.
    for count in 1..=done.len() + undone.len() {
        engine.wait(&format!("{count} effects"), || (effects(&sink).len() >= count).then_some(()));
        again(&mut engine);
    }
    let run = engine.run_of(&event, "failed");
    assert_eq!(effects(&sink), [&done[..], &undone[..]].concat(), "{run:#}");
    assert_eq!(gave(&engine, "child", 1).len(), 1);
    let view = &run["undo"];
    assert_eq!(
        (view["done"].as_array().map(Vec::len), view["left"].as_array().map(Vec::len)),
        (Some(4), Some(0)),
        "{run:#}"
    );
}

const ASKS: &str = r#"
on: { event: [go] }
grants: { http: ["127.0.0.1"] }
steps:
  - { id: tell, http: POST http://SINK/told, idempotent: true, body: { link: "${{ links.ask }}" } }
  - { id: ask, approve: "Well?" }
  - { id: after, http: "PUT http://SINK/after", body: { approved: "${{ steps.ask.output.approved }}" } }
"#;

/// Says yes or no, over the API or by the link.
fn say(engine: &Engine, run: &str, link: Option<&str>, approved: bool) -> Response {
    let Some(link) = link else {
        let body = json!({ "approved": approved });
        return engine.api("POST", &format!("/api/v1/runs/{run}/approvals/ask"), Some(&body));
    };
    let decision = if approved { "decision=approve" } else { "decision=reject" };
    let form = Request::new("POST", link).header("Content-Type", "application/x-www-form-urlencoded");
    once(engine.address(), &form.body(decision)).expect("an answer")
}

#[test]
fn an_answer_that_was_taken_stays_and_a_question_outlives_a_kill() {
    let sink = Sink::start(Keys::Honoured);
    let mut engine = Engine::new(&[("asks.yaml", &with_sink(ASKS, &sink))]);
    std::fs::write(engine.folder().join("cartwright.toml"), "[http]\npublic_url = \"https://engine.example\"\n")
        .expect("written");
    engine.start();
    for (round, by_link) in [false, true].into_iter().enumerate() {
        let event = emit(&engine, "go", &json!({}));
        let run = engine.run_of(&event, "waiting")["id"].as_str().expect("an id").to_owned();
        let told = sink.received().into_iter().rfind(|received| received.path == "/told").expect("it was told");
        let link = told.json()["link"].as_str().expect("a link").replace("https://engine.example", "");
        again(&mut engine);
        assert_eq!(engine.get("/api/v1/approvals")["items"].as_array().map(Vec::len), Some(1));
        let link = by_link.then_some(link.as_str());
        let said = say(&engine, &run, link, true);
        again(&mut engine);
        assert!(said.status < 300, "{}", said.text());
        engine.run_of(&event, "succeeded");
        assert!(say(&engine, &run, link, false).status >= 400, "it was answered");
        let after: Vec<Value> =
            sink.received().iter().filter(|one| one.effect && one.path == "/after").map(|one| one.json()).collect();
        assert_eq!(after, vec![json!({ "approved": true }); round + 1]);
        assert_eq!(engine.get("/api/v1/approvals")["items"], json!([]));
    }
}

const QUEUE: &str = r#"
on: { event: [go] }
concurrency: { limit: 1 }
grants: { http: ["127.0.0.1"] }
steps:
  - { id: begin, http: "PUT http://SINK/begin-${{ event.data.n }}" }
  - sleep: 20ms
  - { id: end, http: "PUT http://SINK/end-${{ event.data.n }}" }
"#;

#[test]
fn runs_of_a_group_never_overlap_and_all_have_their_turn() {
    const RUNS: usize = 24;
    let sink = Sink::start(Keys::Honoured);
    let mut engine = Engine::new(&[("queue.yaml", &with_sink(QUEUE, &sink))]);
    engine.start();
    for n in 0..RUNS {
        emit(&engine, "go", &json!({ "n": n }));
        if n % 6 == 3 {
            again(&mut engine);
        }
    }
    for count in [12, 25, 37] {
        engine.wait(&format!("{count} effects"), || (effects(&sink).len() >= count).then_some(()));
        again(&mut engine);
    }
    assert_eq!(gave(&engine, "queue", RUNS).len(), RUNS);
    let expected: Vec<String> = (0..RUNS).flat_map(|n| [format!("/begin-{n}"), format!("/end-{n}")]).collect();
    assert_eq!(effects(&sink), expected, "one after another, in the order of their events");
    assert_eq!(engine.get("/api/v1/slots")["items"], json!([]), "no slot is left behind");
}

const SYNC: &str = r#"
on: { http: { path: /quote, auth: none, respond: sync, timeout: 5s } }
grants: { http: ["127.0.0.1"] }
steps:
  - { id: work, http: PUT http://SINK/work }
  - { id: say, respond: { status: 201, body: { sku: "${{ event.data.sku }}" } } }
  - { id: more, http: PUT http://SINK/more }
"#;

#[test]
fn a_caller_whose_engine_died_gets_its_answer_by_asking_again() {
    let sink = Sink::start(Keys::Honoured);
    for path in ["/work", "/more"] {
        sink.answer_always(path, late(200));
    }
    let mut engine = Engine::new(&[("sync.yaml", &with_sink(SYNC, &sink))]);
    engine.start();
    let request =
        Request::new("POST", "/hooks/quote").header("Idempotency-Key", "quote-1").json(&json!({ "sku": "A" }));
    let address = engine.address();
    let first = request.clone();
    let caller = thread::spawn(move || once(address, &first));
    engine.wait("the run is on its way", || (!engine.runs("").is_empty()).then_some(()));
    again(&mut engine);
    assert!(caller.join().expect("it ends").is_err(), "it heard nothing");
    // While it goes on, before and after its last steps, the same question has the same answer and no second run.
    for round in 0..3 {
        let answer = once(engine.address(), &request).expect("an answer");
        assert_eq!((answer.status, answer.json()), (201, json!({ "sku": "A" })), "{round}");
        if round == 1 {
            engine.wait("the end", || (engine.runs("status=succeeded").len() == 1).then_some(()));
        }
        again(&mut engine);
    }
    assert_eq!(engine.runs("").len(), 1);
    assert_eq!(effects(&sink), ["/work", "/more"]);
}

/// As if the engine had been away for three hours: what it considered last lies so far back. Not when it was killed
/// before it wrote down that it had begun.
fn was_away(engine: &Engine) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let storage = SledStorage::open(&engine.data().join("storage"), Options::default()).expect("opens");
        let records = storage.records(Table::Meta, "schedule/", None, 100).await.expect("read");
        let is_begun = records.len() == 2;
        for record in records.into_iter().filter(|_| is_begun) {
            let mut kept: Value = serde_json::from_slice(&record.value).expect("JSON");
            let considered: Timestamp = serde_json::from_value(kept["considered"].clone()).expect("a time");
            let before = Timestamp::from_millis(considered.as_millis() - 3 * 3_600_000);
            kept["considered"] = serde_json::to_value(before).expect("JSON");
            let value = Some(kept.to_string().into_bytes());
            let write = RecordWrite { table: Table::Meta, key: record.key, expect: Expect::Any, value };
            storage.write_records(vec![write]).await.expect("written");
        }
        storage.close().await.expect("closed");
        is_begun
    })
}

#[test]
fn times_that_passed_while_no_engine_ran_are_made_up_for_once() {
    // Half an hour from now, so that no time comes while the test runs.
    let now = Timestamp::from_millis(
        i64::try_from(std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_millis()).expect("a time"),
    );
    let minute: u64 = now.to_string()[14..16].parse().expect("minutes");
    let text = |catch_up: &str| {
        format!(
            "on: {{ schedule: {{ cron: \"{} * * * *\", catch_up: {catch_up} }} }}\nsteps: [{{ id: see, script: 'event.data?.catch_up' }}]\n",
            (minute + 30) % 60
        )
    };
    let texts = ["none", "one", "all"].map(|catch_up| (format!("{catch_up}.yaml"), text(catch_up)));
    let files: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let mut engine = Engine::new(&files);
    for tries in 0.. {
        again(&mut engine);
        engine.get("/api/v1/workflows");
        engine.kill();
        if was_away(&engine) {
            break;
        }
        assert!(tries < 50, "it never begins");
    }
    engine.start();
    let passed = json!({ "missed": 3, "more": false });
    for _ in 0..2 {
        assert_eq!(gave(&engine, "all", 3), vec![passed.clone(); 3]);
        assert_eq!(gave(&engine, "one", 1), vec![passed.clone()]);
        assert_eq!((engine.runs("workflow=all").len(), engine.runs("workflow=none").len()), (3, 0));
        again(&mut engine);
    }
    // Killed while it made up for them, and what it did not write down passes a second time: no start comes twice.
    engine.kill();
    assert!(was_away(&engine));
    engine.start();
    again(&mut engine);
    assert_eq!(gave(&engine, "all", 3).len(), 3);
}
