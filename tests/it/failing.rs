//! What happens when calls fail: retries, `Retry-After`, parking and going on, `unknown`, `on_error`, `on_failure`.

use std::time::Duration;

use cartwright_tests::{
    engine::Engine,
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
    http: POST http://SINK/notify
    body: { order: "${{ event.data.id }}" }
    retry: { attempts: 3, initial: 20ms, factor: 1, max: 50ms }
EXTRA
"#;

/// Runs one order through a workflow made from [`TELL`] until the run has this status.
fn run(sink: &Sink, extra: &str, status: &str) -> (Engine, Value) {
    let engine = Engine::running(&[("tell.yaml", &with_sink(&TELL.replace("EXTRA", extra), sink))]);
    let event = engine.order("order.created", &orders::body(1, &mut Random::new(1)));
    let run = engine.run_of(&event, status);
    (engine, run)
}

fn refused(status: u16) -> Answer {
    Answer::Json(status, json!({ "error": "made up" }))
}

fn keys(sink: &Sink) -> Vec<String> {
    let mut keys: Vec<String> = sink.received().iter().map(|received| received.key().to_owned()).collect();
    keys.dedup();
    keys
}

#[test]
fn retryable_errors_are_tried_again_with_the_same_key() {
    for answers in [
        vec![refused(500), refused(503)],
        vec![Answer::RetryAfter(429, 0), refused(502)],
        vec![refused(504), Answer::RetryAfter(503, 0)],
    ] {
        let sink = Sink::start(Keys::Honoured);
        sink.answer("/notify", answers.clone());
        let (_engine, run) = run(&sink, "", "succeeded");
        assert_eq!(run["steps"][0]["attempts"], 3, "{answers:?}");
        assert_eq!(sink.count(), 3);
        assert_eq!(keys(&sink).len(), 1, "{answers:?}: one key");
    }
}

#[test]
fn retry_after_is_waited_for() {
    let sink = Sink::start(Keys::Honoured);
    sink.answer("/notify", [Answer::RetryAfter(429, 1)]);
    let (_engine, run) = run(&sink, "", "succeeded");
    let journal = run["journal"].as_array().expect("a journal");
    let at = |kind: &str| {
        let entry = journal.iter().find(|entry| entry["type"] == kind).unwrap_or_else(|| panic!("{kind}: {run:#}"));
        cartwright_core::time::Timestamp::parse(entry["at"].as_str().unwrap()).expect("a time")
    };
    assert!(at("timer_fired").since(at("attempt_failed")) >= Duration::from_millis(990), "{run:#}");
}

#[test]
fn final_errors_fail_the_run_at_once_and_on_failure_tells() {
    for status in [400, 401, 403, 404, 409, 422] {
        let sink = Sink::start(Keys::Honoured);
        sink.answer_always("/notify", refused(status));
        let extra = r#"on_failure:
  - http: POST http://SINK/failed
    body: { step: "${{ failure.step }}", code: "${{ failure.code }}", run: "${{ run.id }}" }"#;
        let (engine, run) = run(&sink, extra, "failed");
        assert_eq!(run["error"]["step"], "tell", "{status}");
        assert_eq!(run["steps"][0]["attempts"], 1, "{status}");
        let told = sink.received().into_iter().find(|received| received.path == "/failed").expect("on_failure ran");
        assert_eq!((&told.json()["step"], &told.json()["run"]), (&json!("tell"), &run["id"]), "{status}");
        drop(engine);
    }
}

#[test]
fn exhausted_retries_park_the_run_and_retry_goes_on_at_the_failed_step() {
    let sink = Sink::start(Keys::Honoured);
    sink.answer("/notify", [refused(500), refused(500), refused(500)]);
    let extra = "  - id: after\n    http: POST http://SINK/after\n    body: { a: 1 }";
    let (engine, parked) = run(&sink, extra, "parked");
    assert_eq!(parked["error"]["step"], "tell");
    let id = parked["id"].as_str().expect("an id");
    let answer = engine.api("POST", &format!("/api/v1/runs/{id}/retry"), Some(&json!({})));
    assert!(answer.status < 300, "{}", answer.text());
    let run = engine.wait("it goes on", || Some(engine.run(id)).filter(|run| run["status"] == "succeeded"));
    assert_eq!(run["retries"], 1);
    let effects = sink.effects(|received| received.path.clone());
    assert_eq!(effects, [("/after".to_owned(), 1), ("/notify".to_owned(), 1)].into());
    assert_eq!(sink.count(), 5);
}

#[test]
fn a_lost_answer_is_unknown_where_a_repeat_might_do_it_twice_and_repeated_where_it_cannot() {
    for cut in [Answer::CutAfterEffect, Answer::HalfBody] {
        let sink = Sink::start(Keys::Ignored);
        sink.answer("/notify", [cut.clone()]);
        let (_engine, run_) = run(&sink, "", "parked");
        assert_eq!(run_["steps"][0]["status"], "unknown", "{cut:?}: {run_:#}");
        assert_eq!(sink.count(), 1, "{cut:?}: not repeated");

        let sink = Sink::start(Keys::Honoured);
        sink.answer("/notify", [cut.clone()]);
        let (_engine, _) = run(&sink, "    idempotent: true", "succeeded");
        assert_eq!(sink.count(), 2, "{cut:?}");
        assert_eq!(
            sink.effects(|received| received.key().to_owned()).into_values().collect::<Vec<_>>(),
            [1],
            "{cut:?}"
        );
    }
}

#[test]
fn on_unknown_says_what_follows() {
    for (extra, status, effects) in [("    on_unknown: fail", "failed", 1), ("    on_unknown: retry", "succeeded", 2)] {
        let sink = Sink::start(Keys::Ignored);
        sink.answer("/notify", [Answer::CutAfterEffect]);
        let (_engine, _) = run(&sink, extra, status);
        assert_eq!(sink.effects(|received| received.path.clone())["/notify"], effects, "{extra}");
    }
}

#[test]
fn on_error_says_what_follows() {
    let after = "\n  - id: skipped\n    http: POST http://SINK/skipped\n  - id: last\n    http: POST http://SINK/last";
    for (on_error, answer, status, paths) in [
        ("on_error: continue", 400, "succeeded", vec!["/notify", "/skipped", "/last"]),
        ("on_error: { goto: last }", 400, "succeeded", vec!["/notify", "/last"]),
        ("on_error: park", 400, "parked", vec!["/notify"]),
        ("on_error: fail", 500, "failed", vec!["/notify", "/notify", "/notify"]),
        ("on_error: continue", 500, "succeeded", vec!["/notify", "/notify", "/notify", "/skipped", "/last"]),
    ] {
        let sink = Sink::start(Keys::Honoured);
        sink.answer_always("/notify", refused(answer));
        let (_engine, _) = run(&sink, &format!("    {on_error}{after}"), status);
        let arrived: Vec<String> = sink.received().into_iter().map(|received| received.path).collect();
        assert_eq!(arrived, paths, "{on_error} {answer}");
    }
}

#[test]
fn closed_addresses_and_ungranted_hosts_are_denied() {
    let sink = Sink::start(Keys::Ignored);
    let here = sink.address();
    // An address that stands in the file is refused when the file is read; this one only when it is called.
    let computed = format!("${{{{ \"http://\" + \"{here}/x\" }}}}");
    // What each may call and what it calls.
    let cases = [
        ("link-local", "169.254.169.254".to_owned(), "http://169.254.169.254/latest".to_owned()),
        ("loopback", "127.0.0.1".to_owned(), format!("http://{here}/x")),
        ("loopback-by-name", "localhost".to_owned(), format!("http://localhost:{}/x", here.port())),
        ("loopback-6", "'[::1]'".to_owned(), format!("http://[::1]:{}/x", here.port())),
        ("private", "10.0.0.1".to_owned(), "http://10.0.0.1/".to_owned()),
        ("ungranted", "hooks.example.com".to_owned(), computed.clone()),
        ("ungranted-method", "GET 127.0.0.1".to_owned(), computed),
    ];
    let text = |grant: &str, url: &str| {
        format!("on: {{ woo: [order.created] }}\ngrants: {{ http: [{grant}] }}\nsteps:\n  - http: POST {url}\n")
    };
    let files = cases.map(|(name, grant, url)| (format!("{name}.yaml"), text(&grant, &url)));
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let mut engine = Engine::new(&files);
    engine.allow_outbound(&[]);
    engine.add_store("shop");
    engine.start();
    engine.order("order.created", &orders::body(1, &mut Random::new(1)));
    let all = || Some(engine.runs("status=failed")).filter(|runs| runs.len() == files.len());
    for run in engine.wait("all fail", all) {
        assert_eq!(run["error"]["code"], "denied", "{run}");
        assert_eq!(run["retries"], 0, "{run}");
    }
    assert_eq!(sink.count(), 0, "nothing went out");
}

#[test]
fn a_refused_connection_is_retried_and_then_parks() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let workflow = TELL.replace("SINK", &free.to_string()).replace("EXTRA", "");
    let engine = Engine::running(&[("tell.yaml", &workflow)]);
    let event = engine.order("order.created", &orders::body(1, &mut Random::new(1)));
    let run = engine.run_of(&event, "parked");
    assert_eq!(run["steps"][0]["attempts"], 3, "nothing was sent, so it may be tried again: {run:#}");
}
