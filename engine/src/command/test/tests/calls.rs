//! Cases with callers who wait, workflows that call others, inputs, and several events.

use super::Bench;

fn told(files: &[(&str, &str)]) -> Vec<String> {
    Bench::new(files).told()
}

const ANSWERS: &str = "on:
  http:
    path: /price
    auth: none
    respond: sync
    timeout: 10s
    schema: { type: object, required: [sku], properties: { sku: { type: string } } }
if: event.data.sku != \"none\"
grants: { http: [api.example] }
steps:
  - id: ask
    http: GET https://api.example/${{ event.data.sku }}
    expect: [2xx, 404]
  - id: gone
    if: steps.ask.output.status == 404
    stop: no such thing
  - id: say
    respond: { status: 201, headers: { X-Sku: \"${{ event.data.sku }}\" }, body: \"${{ steps.ask.output.body }}\" }
  - id: again
    respond: { status: 500 }
output: '\"the output\"'
";

#[test]
fn what_a_caller_hears_is_compared_with_status_headers_and_body() {
    let test = "stubs: [{ http: GET https://api.example/A, answer: { body: { price: 1.50, tax: 0 } } }]
cases:
  - name: the first answer counts
    http: { body: { sku: A } }
    expect:
      response:
        status: 201
        headers: { x-sku: A, Content-Type: application/json, Etag: null }
        body: { $contains: { price: 1.5 } }
  - name: without an answer what it ended with is sent
    http: { body: { sku: B } }
    stubs: [{ http: GET https://api.example/B, answer: { status: 404 } }]
    expect: { response: { status: 200, body: no such thing } }
  - name: a failed run tells nothing
    http: { body: { sku: C } }
    stubs: [{ http: GET https://api.example/C, answer: { status: 400 } }]
    expect: { status: failed, response: { status: 500 } }
  - name: who waited ten seconds hears no more
    http: { body: { sku: D } }
    stubs: [{ http: GET https://api.example/D, answer: { delay: 11s } }]
    expect: { response: { status: 202 } }
  - name: a body that does not fit is refused
    http: { body: { sku: 7 } }
    expect: { status: not_started, reason: is not of type, events: [refused], response: { status: 422 } }
  - name: what starts nothing is accepted
    http: { body: { sku: none } }
    expect: { status: not_started, events: [condition_false], response: { status: 202 } }
";
    assert_eq!(told(&[("a.yaml", ANSWERS), ("a.test.yaml", test)]), Vec::<String>::new());
    let wrong = "cases:
  - name: wrong
    http: { body: { sku: A } }
    stubs: [{ http: '*', answer: { body: 7 } }]
    expect: { response: { status: 200, headers: { x-sku: B }, body: { price: 7 } } }
  - name: none
    http: { body: { sku: A } }
    stubs: [{ http: '*' }]
    expect: { response: null }
";
    assert_eq!(
        told(&[("a.yaml", ANSWERS), ("a.test.yaml", wrong)]),
        [
            "response.status: expected 200, got 201",
            "response.headers.x-sku: expected \"B\", got \"A\"",
            "response.body: expected {\"price\":7}, got 7",
            "response: expected no answer of a `respond` step, there was one with 201",
        ]
    );
}

const CALLER: &str = "on: { event: [go] }
steps:
  - { id: ask, call: parts/child, with: { sku: \"${{ event.data.sku }}\" } }
  - { id: later, call: parts/child, with: { sku: later }, await: false }
output: steps.ask.output
";

const CHILD: &str = "on: { event: [go], manual: { inputs: { sku: { type: string, required: true } } } }
grants: { http: [api.example] }
steps:
  - { id: count, http: \"GET https://api.example/${{ inputs.sku }}\" }
  - { id: deeper, call: grandchild }
output: '#{ count: steps.count.output.body, deeper: steps.deeper.output }'
";

const GRANDCHILD: &str = "on: { manual: true }\nsteps: [{ sleep: 3d }]\noutput: '\"slept\"'\n";

fn family(test: &str) -> Bench {
    Bench::new(&[
        ("caller.yaml", CALLER),
        ("parts/child.yaml", CHILD),
        ("grandchild.yaml", GRANDCHILD),
        ("caller.test.yaml", test),
    ])
}

#[test]
fn called_workflows_run_with_the_stubs_of_the_case() {
    let test = "cases:
  - name: they run
    event: { topic: go, data: { sku: A } }
    stubs: [{ step: count, answer: { body: 7 } }]
    expect:
      ran: [ask, later]
      slept: 3d
      output: { count: 7, deeper: slept }
      calls: [{ http: GET https://api.example/A }, { http: GET https://api.example/later, step: count }]
  - name: one is stood in for
    event: { topic: go, data: { sku: A } }
    stubs:
      - workflow: parts/*
        answer: { body: { count: 9 }, delay: 1h }
    expect:
      slept: 1h
      output: { count: 9 }
      calls: [{ workflow: parts/child, body: { sku: A } }, { workflow: parts/child, step: later, body: { sku: later } }]
  - name: one fails
    event: { topic: go, data: { sku: A } }
    stubs: [{ workflow: parts/child, answer: { failed: out of stock } }]
    expect: { status: failed, failure: { step: ask, code: call_failed, message: out of stock } }
  - name: what it is given must fit
    event: { topic: go, data: { sku: null } }
    expect: { status: failed, failure: { step: ask, code: invalid, message: must be given }, calls: [] }
  - name: the innermost is stood in for
    event: { topic: go, data: { sku: A } }
    stubs:
      - { step: count, answer: { body: 7 } }
      - { workflow: grandchild, answer: { body: now } }
    expect: { output: { count: 7, deeper: now }, slept: 0s }
";
    assert_eq!(family(test).told(), Vec::<String>::new());
}

#[test]
fn stubs_of_workflows_say_what_workflows_say() {
    let codes = |stub: &str| {
        family(&format!("cases:\n  - name: x\n    event: {{ topic: go, data: {{}} }}\n    stubs: [{stub}]\n")).codes()
    };
    assert_eq!(codes("{ workflow: parts/child, answer: { status: 404 } }"), ["E0411"]);
    assert_eq!(codes("{ workflow: parts/child, answer: { error: lost } }"), ["E0411"]);
    assert_eq!(codes("{ http: '*', answer: { failed: why } }"), ["E0411"]);
    assert_eq!(codes("{ step: nowhere }"), ["E0901"]);
    assert_eq!(codes("{ step: count }"), Vec::<&str>::new(), "a step of a called workflow");
    let gone = Bench::new(&[
        ("caller.yaml", CALLER),
        ("caller.test.yaml", "cases: [{ name: x, event: { topic: go, data: { sku: A } } }]"),
    ]);
    assert!(gone.told()[0].contains("there is no workflow `parts/child`"));
}

const INPUTS: &str = "on:
  manual:
    inputs: { days: { type: integer, default: 7 }, sku: { type: string, required: true }, on: date }
steps: [{ id: say, script: \"inputs\" }]
output: steps.say.output
";

#[test]
fn inputs_are_typed_and_refused_as_they_are_by_the_engine() {
    let test = "cases:
  - name: defaults and types
    manual: { inputs: { sku: A } }
    expect: { output: { days: 7, sku: A, on: null } }
  - name: text is read
    manual: { inputs: { sku: A, days: \"12\", on: 2026-01-01 } }
    expect: { output: { days: 12, sku: A, on: 2026-01-01 } }
  - name: everything that is wrong is told
    manual: { inputs: { days: many, skv: A } }
    expect: { status: not_started, reason: \"input `skv` is not known\", events: refused }
  - name: the same
    manual: {}
    expect: { status: not_started, reason: \"input `sku` must be given\" }
";
    assert_eq!(told(&[("a.yaml", INPUTS), ("a.test.yaml", test)]), Vec::<String>::new());
}

const GATED: &str = "on:
  event: { topics: [stock.moved], if: event.data.n > 0, GATE }
grants: { emit: [done.it] }
steps: [{ emit: done.it, data: { n: \"${{ event.data.n }}\" } }]
output: event.data.n
";

#[test]
fn several_events_of_one_case_meet_at_gates() {
    let check = |gate: &str, test: &str| {
        let workflow = GATED.replace("GATE", gate);
        let test = format!("cases:\n  - name: x\n    events:\n{test}");
        assert_eq!(told(&[("a.yaml", &workflow), ("a.test.yaml", &test)]), Vec::<String>::new(), "{gate}");
    };
    let three = "      - { topic: stock.moved, data: { n: 1 } }
      - { topic: stock.moved, data: { n: 2 }, after: 4m }
      - { topic: stock.moved, data: { n: 0 }, after: 5m }
      - { topic: stock.moved, data: { n: 3 }, after: 8m }\n";
    check(
        "debounce: { wait: 10m }",
        &format!(
            "{three}    expect:
      events: [merged, merged, condition_false, merged]
      output: 3
      emitted: [{{ topic: done.it, data: {{ n: 3 }} }}]\n"
        ),
    );
    check(
        "dedupe: { key: \"${{ event.data.n > 0 }}\", window: 6m }",
        &format!("{three}    expect: {{ events: [started, duplicate, condition_false, started], runs: 2 }}\n"),
    );
    check(
        "collect: { max_items: 2, max_wait: 1h }",
        &format!("{three}    expect: {{ events: [collected, collected, condition_false, collected], runs: 2 }}\n"),
    );
    check(
        "throttle: { limit: 1, per: 1h }",
        &format!("{three}    expect: {{ events: [started, delayed, condition_false, delayed], runs: 3 }}\n"),
    );
    check("", "      - { topic: other, data: { n: 1 } }\n    expect: { status: not_started, events: [not_heard] }\n");
    let codes = |rest: &str| {
        let test = format!("cases:\n  - name: x\n    {rest}\n");
        Bench::new(&[("a.yaml", &GATED.replace("GATE", "")), ("a.test.yaml", &test)]).codes()
    };
    assert_eq!(codes("events: []"), ["E0909"]);
    assert_eq!(codes("events: [{ topic: a.b, after: 1s }]"), ["E0909"]);
    assert_eq!(codes("events: [{ topic: a.b }]\n    event: { topic: a.b }"), ["E0909"]);
    assert_eq!(codes("events: 7"), ["E0108", "E0909"]);
    assert_eq!(codes("event: { topic: a.b }\n    expect: { events: [begun] }"), ["E0110"]);
}

#[test]
fn a_store_that_is_away_for_a_day_costs_no_attempt() {
    let workflow = "on: { woo: { topics: [order.created] } }
grants: { stores: [self], woo: [orders.write] }
steps:
  - { id: note, woo: orders/1/notes, method: POST, with: { note: hi } }
  - { id: wait, wait_for: { event: order.updated, timeout: 1h } }
";
    let test = "cases:
  - name: a day
    event: { topic: order.created, store: my-shop, data: {} }
    stubs:
      - { woo: POST orders/1/notes, answer: { error: connection }, times: 160 }
      - { woo: POST orders/1/notes, answer: { status: 201, body: { id: 1 } } }
    then:
      - { after: 12h, event: { topic: order.updated, store: my-shop, data: { too: early } } }
    expect:
      status: succeeded
      ran: [note, wait]
      steps: { note: { attempts: 1, output: { id: 1 } }, wait: { output: null } }
      slept: { min: 20h, max: 36h }
";
    assert_eq!(told(&[("a.yaml", workflow), ("a.test.yaml", test)]), Vec::<String>::new());
}
