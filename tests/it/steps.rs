//! What the kinds of step do: choose, for_each, emit, state, stop, fail, skipping, outputs.

use cartwright_tests::{
    engine::Engine,
    orders,
    random::Random,
    sink::{Keys, Sink},
};
use serde_json::{Value, json};

use crate::straight_path::with_sink;

/// The run of one order under this workflow, once it has ended so.
fn run(workflow: &str, status: &str) -> Value {
    let engine = Engine::running(&[("one.yaml", workflow)]);
    let event = engine.order("order.created", &orders::body(1, &mut Random::new(1)));
    engine.run_of(&event, status)
}

fn output(steps: &str) -> Value {
    output_of(&run(&format!("on: {{ woo: [order.created] }}\nsteps:\n{steps}"), "succeeded"))
}

/// What the run gave.
fn output_of(run: &Value) -> Value {
    let last = run["journal"].as_array().and_then(|journal| journal.last()).expect("a journal");
    assert_eq!(last["type"], "run_finished", "{run:#}");
    assert_eq!(last["output"], run["output"], "{run:#}");
    run["output"].clone()
}

#[test]
fn outputs_of_small_workflows() {
    for (steps, expect) in [
        ("  - { id: a, script: '1 + 1' }\n", json!(2)),
        ("  - { id: a, script: '#{ x: [1, ()] }' }\n", json!({ "x": [1, null] })),
        (
            "  - { id: a, script: '1' }\n  - { id: b, if: 'steps.a.output == 2', script: '2' }\n  - { id: c, script: 'steps.b.output' }\n",
            Value::Null,
        ),
        (
            "  - id: a\n    choose:\n      - { if: 'false', steps: [{ script: '1' }] }\n      - { else: [{ script: '2' }] }\n",
            json!(2),
        ),
        ("  - id: a\n    choose:\n      - { if: 'false', steps: [{ script: '1' }] }\n", Value::Null),
        ("  - id: a\n    for_each: '[3, 4]'\n    steps: [{ id: x, script: 'item * 10 + index' }]\n", json!([30, 41])),
        ("  - id: a\n    for_each: '[]'\n    steps: [{ script: '1' }]\n", json!([])),
        (
            "  - id: a\n    for_each: '[1, 0]'\n    on_error: continue\n    steps: [{ script: '12 / item' }]\n",
            json!([12, null]),
        ),
        (
            "  - id: a\n    for_each: '[1, 2, 3, 4, 5]'\n    parallel: 3\n    steps:\n      - { id: s, sleep: 5ms }\n      - { id: x, script: 'item' }\n",
            json!([1, 2, 3, 4, 5]),
        ),
        (
            "  - id: a\n    for_each: '[1, 2]'\n    steps:\n      - id: b\n        for_each: '[10, 20]'\n        steps: [{ id: x, script: 'item' }]\n",
            json!([[10, 20], [10, 20]]),
        ),
        ("  - { id: a, script: '#{ big: 1, small: 2 }', output: output.small }\n", json!(2)),
        ("  - { id: a, script: 'let x = 0; try { throw 7 } catch (e) { x = e } x' }\n", json!(7)),
        ("  - { id: a, script: 'number(\"0.10\") + number(\"0.20\")' }\n", serde_json::from_str("0.30").unwrap()),
    ] {
        assert_eq!(output(steps).to_string(), expect.to_string(), "{steps}");
    }
}

#[test]
fn stop_ends_well_and_fail_ends_badly() {
    let stopped =
        run("on: { woo: [order.created] }\nsteps:\n  - stop: enough\n  - { id: never, script: '1' }\n", "succeeded");
    assert!(
        !stopped["steps"].to_string().contains("\"never\",\"kind\":\"script\",\"status\":\"succeeded\""),
        "{stopped}"
    );
    let failed = run("on: { woo: [order.created] }\nsteps:\n  - fail: 'order ${{ event.data.id }} is bad'\n", "failed");
    assert!(failed["error"]["message"].as_str().is_some_and(|message| message.contains("order 1 is bad")), "{failed}");
}

#[test]
fn state_is_kept_between_runs_and_counts_exactly() {
    let workflow =
        "on: { woo: [order.created] }\nsteps:\n  - id: count\n    script: 'state::increment(\"orders\", 1)'\n";
    let mut engine = Engine::running(&[("count.yaml", workflow)]);
    for number in 0..20 {
        engine.order("order.created", &orders::body(number, &mut Random::new(number)));
    }
    engine.wait("all counted", || (engine.runs("status=succeeded").len() == 20).then_some(()));
    engine.kill();
    engine.start();
    let event = engine.order("order.created", &orders::body(99, &mut Random::new(99)));
    assert_eq!(engine.run_of(&event, "succeeded")["steps"][0]["output"], 21);
}

#[test]
fn emitted_events_start_other_workflows_and_loops_are_cut() {
    let sink = Sink::start(Keys::Ignored);
    let first = "on: { woo: [order.created] }\ngrants: { emit: [order.vip] }\nsteps:\n  - id: tell\n    emit: order.vip\n    data: { id: \"${{ event.data.id }}\" }\n";
    let second = "on: { event: [order.vip] }\ngrants: { http: ['127.0.0.1'] }\nsteps:\n  - http: POST http://SINK/vip\n    body: { id: \"${{ event.data.id }}\", store: \"${{ event.store }}\" }\n";
    let circle =
        "on: { event: [order.vip, again] }\ngrants: { emit: [again] }\nsteps:\n  - emit: again\n    data: {}\n";
    let engine =
        Engine::running(&[("first.yaml", first), ("second.yaml", &with_sink(second, &sink)), ("circle.yaml", circle)]);
    engine.order("order.created", &orders::body(5, &mut Random::new(5)));
    engine.wait("the second ran", || (engine.runs("workflow=second&status=succeeded").len() == 1).then_some(()));
    assert_eq!(sink.received()[0].json(), json!({ "id": 5, "store": "shop" }));
    engine.wait("the circle is cut", || {
        let events = engine.get("/api/v1/events?topic=again&limit=1");
        let event = engine.get(&format!("/api/v1/events/{}", events["items"][0]["id"].as_str()?));
        event["matches"].to_string().contains("loop_cut").then_some(())
    });
    assert!(engine.runs("workflow=circle").len() < 100);
}

#[test]
fn a_changed_file_is_loaded_a_broken_one_keeps_the_last_good() {
    let engine = Engine::running(&[("one.yaml", "on: { woo: [order.created] }\nsteps:\n  - { id: a, script: '1' }\n")]);
    let mut number = 0;
    let mut output = || {
        number += 1;
        let event = engine.order("order.created", &orders::body(number, &mut Random::new(number)));
        output_of(&engine.run_of(&event, "succeeded"))
    };
    assert_eq!(output(), 1);
    engine.write_workflow("one.yaml", "on: { woo: [order.created] }\nsteps:\n  - { id: a, script: '2' }\n");
    engine.wait("the edit is seen", || (output() == 2).then_some(()));
    engine.write_workflow("one.yaml", "on: { woo: [order.created] }\nstps: []\n");
    engine.wait("the error is shown", || engine.log().contains("stps").then_some(()));
    assert_eq!(output(), 2);
}
