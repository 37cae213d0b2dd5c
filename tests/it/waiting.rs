//! Runs that wait: for a time, for an event, across restarts; and runs that a person ends.

use cartwright_tests::{
    engine::Engine,
    orders,
    random::Random,
    sink::{Answer, Keys, Sink},
};
use serde_json::json;

use crate::straight_path::with_sink;

fn order() -> Vec<u8> {
    orders::body(1, &mut Random::new(1))
}

const SLEEPS: &str = r#"
on: { woo: [order.created] }
grants: { http: ["127.0.0.1"] }
steps:
  - id: before
    http: POST http://SINK/before
  - id: nap
    NAP
  - id: after
    http: POST http://SINK/after
"#;

#[test]
fn a_sleep_goes_on_after_a_kill_and_repeats_nothing() {
    let step = "sleep: 700ms";
    let script = "script: |\n      clock::sleep(\"700ms\");\n      1";
    for nap in [step, script] {
        let sink = Sink::start(Keys::Ignored);
        let mut engine = Engine::running(&[("sleeps.yaml", &with_sink(&SLEEPS.replace("NAP", nap), &sink))]);
        let event = engine.order("order.created", &order());
        engine.run_of(&event, "waiting");
        engine.kill();
        engine.start();
        engine.run_of(&event, "succeeded");
        let arrived: Vec<String> = sink.received().into_iter().map(|received| received.path).collect();
        assert_eq!(arrived, ["/before", "/after"], "{nap}");
    }
}

#[test]
fn a_graceful_stop_ends_well_and_a_start_goes_on() {
    let sink = Sink::start(Keys::Ignored);
    let mut engine = Engine::running(&[("sleeps.yaml", &with_sink(&SLEEPS.replace("NAP", "sleep: 500ms"), &sink))]);
    let event = engine.order("order.created", &order());
    engine.run_of(&event, "waiting");
    assert_eq!(engine.stop(), Some(0), "{}", engine.log());
    engine.start();
    engine.run_of(&event, "succeeded");
    assert_eq!(sink.count(), 2);
}

#[test]
fn a_stop_in_the_middle_of_a_call_loses_and_repeats_nothing() {
    let sink = Sink::start(Keys::Ignored);
    let late = Answer::Late(std::time::Duration::from_millis(300), Box::new(Answer::Json(200, json!({}))));
    sink.answer("/before", [late]);
    let mut engine = Engine::running(&[("sleeps.yaml", &with_sink(&SLEEPS.replace("NAP", "sleep: 10ms"), &sink))]);
    let event = engine.order("order.created", &order());
    engine.wait("the run is on its way", || (!engine.runs("").is_empty()).then_some(()));
    assert_eq!(engine.stop(), Some(0), "{}", engine.log());
    engine.start();
    engine.run_of(&event, "succeeded");
    assert_eq!(sink.effects(|received| received.path.clone()), [("/after".into(), 1), ("/before".into(), 1)].into());
}

const WAITS: &str = r#"
on: { woo: [order.created] }
steps:
  - id: wait
    script: |
      let came = events::wait_for(#{ event: "order.updated", "if": "incoming.data.id == event.data.id", timeout: "TIMEOUT" });
      if came == () { "timeout" } else { came.data.status }
"#;

#[test]
fn a_script_waits_for_its_event_across_a_restart_and_not_for_others() {
    let mut engine = Engine::running(&[("waits.yaml", &WAITS.replace("TIMEOUT", "1h"))]);
    let event = engine.order("order.created", &order());
    engine.run_of(&event, "waiting");
    let update = |number: u64, status: &str| {
        let mut order = orders::order(number, &mut Random::new(number));
        order["status"] = json!(status);
        order.to_string().into_bytes()
    };
    engine.order("order.updated", &update(2, "refunded"));
    engine.kill();
    engine.start();
    engine.run_of(&event, "waiting");
    engine.order("order.updated", &update(1, "completed"));
    let run = engine.run_of(&event, "succeeded");
    assert_eq!(run["steps"][0]["output"], "completed");
}

#[test]
fn a_wait_gives_up_after_its_timeout() {
    let engine = Engine::running(&[("waits.yaml", &WAITS.replace("TIMEOUT", "100ms"))]);
    let event = engine.order("order.created", &order());
    assert_eq!(engine.run_of(&event, "succeeded")["steps"][0]["output"], "timeout");
}

#[test]
fn a_waiting_run_can_be_cancelled() {
    let sink = Sink::start(Keys::Ignored);
    let engine = Engine::running(&[("sleeps.yaml", &with_sink(&SLEEPS.replace("NAP", "sleep: 1h"), &sink))]);
    let event = engine.order("order.created", &order());
    let run = engine.run_of(&event, "waiting");
    let id = run["id"].as_str().unwrap();
    let answer = engine.api("POST", &format!("/api/v1/runs/{id}/cancel"), Some(&json!({})));
    assert!(answer.status < 300, "{}", answer.text());
    engine.run_of(&event, "cancelled");
    assert_eq!(sink.count(), 1);
}

#[test]
fn a_step_timeout_ends_whatever_the_step_does() {
    let workflow =
        "on: { woo: [order.created] }\nsteps:\n  - id: slow\n    script: 'clock::sleep(\"1h\")'\n    timeout: 150ms\n";
    let engine = Engine::running(&[("slow.yaml", workflow)]);
    let event = engine.order("order.created", &order());
    let run = engine.run_of(&event, "failed");
    assert_eq!(run["error"]["code"], "timeout", "{run:#}");
}

#[test]
fn a_slow_receiver_is_given_up() {
    let sink = Sink::start(Keys::Ignored);
    let late = Answer::Late(std::time::Duration::from_secs(5), Box::new(Answer::Json(200, json!({}))));
    sink.answer_always("/slow", late);
    let workflow = "on: { woo: [order.created] }\ngrants: { http: ['127.0.0.1'] }\nsteps:\n  - id: slow\n    http: GET http://SINK/slow\n    timeout: 150ms\n";
    let engine = Engine::running(&[("slow.yaml", &with_sink(workflow, &sink))]);
    let event = engine.order("order.created", &order());
    let run = engine.run_of(&event, "failed");
    assert_eq!(run["error"]["code"], "timeout", "{run:#}");
}
