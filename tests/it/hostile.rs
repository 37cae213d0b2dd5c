//! What careless and hostile authors can write, made up at random: the fuzz targets' entry points in every test run.
//! Nothing panics, everything is bounded, and every refusal says why.

use cartwright_core::workflow::parse;
use cartwright_tests::entrances;
use proptest::prelude::*;

const WORKFLOW: &str = r#"
name: Everything
enabled: true
on:
  woo: { topics: [order.*], stores: ["*", my-shop, "tag:eu"], if: event.data.total != () }
  schedule: "0 7 * * MON-FRI"
  http: { path: /intake, auth: bearer }
if: event.topic != "x"
vars: { a: 1, b: "${{ event.data.id }}" }
grants: { http: ["POST *.example.com:443"], secrets: [s], emit: ["order.*"] }
retry: { attempts: 3, initial: 1s, factor: 2, max: 1m }
timeout: 1h30m
on_unknown: park
steps:
  - id: a
    script: |
      let x = #{ a: [1, 2, "}}"] };
      x.a.len()
    timeout: 10s
  - id: b
    http: POST https://hooks.example.com/${{ secrets.s }}?x=$${{y}}
    headers: { X-A: "${{ steps.a.output }}" }
    body: { text: "n ${{ event.data.n }}", list: [1, 2.50, null, true] }
    on_error: { goto: d }
  - id: c
    choose:
      - { if: steps.a.output > 1, steps: [{ stop: done }] }
      - { else: [{ fail: "no ${{ event.id }}" }] }
  - id: d
    for_each: "[1, 2]"
    parallel: 2
    steps: [{ sleep: 1s }, { emit: order.x, data: { i: "${{ item }}" } }]
on_failure: [{ script: "1" }]
output: steps.a.output
"#;

/// What waits, asks, holds back and takes back.
const FLOW: &str = r#"
on:
  - woo:
      topics: [order.created]
      dedupe: { key: "${{ event.data.id }}", window: 1d }
      debounce: { key: "${{ event.data.id }}", wait: 30s, max_wait: 5m }
      collect: { max_items: 50, max_wait: 10m }
      throttle: { limit: 10, per: 1m }
  - schedule: { cron: "0 7 * * MON-FRI", timezone: Europe/Berlin, stores: ["tag:eu"], catch_up: one, jitter: 5m }
  - http: { path: /in, auth: { github: { secrets: [s] } }, respond: sync, schema: { type: object, required: [id] } }
  - manual: { inputs: { n: { type: integer, default: 3 }, when: { type: date } } }
concurrency: { key: "${{ event.data.id }}", limit: 2, on_limit: queue, queue_max: 5, scope: workflow, hold_while_waiting: false }
grants: { http: ["POST a.example"], secrets: [s], emit: [order.held] }
undo_on_failure: true
steps:
  - id: sides
    parallel:
      left: [{ id: paid, wait_for: { event: order.paid, if: incoming.data.id == event.data.id, timeout: 3d, lookback: 1h } }]
      right: [{ id: ask, approve: "Ship ${{ event.data.id }}?", by: [owner], timeout: 2d }]
  - { id: told, http: "POST https://a.example/${{ links.ask }}", undo: { emit: order.held, data: { id: 1 } } }
  - { id: child, call: "other/${{ inputs.n }}", with: { n: 1 }, await: false }
  - { respond: { status: 201, headers: { X-A: b }, body: { ok: true } } }
on_cancel: [{ script: "1" }]
"#;

const TESTS: &str = r#"
stores: { my-shop: { tags: [eu] } }
secrets: { s: value }
cases:
  - name: first
    event: { topic: order.created, store: my-shop, data: { id: 7 } }
    clock: 2026-03-01T08:00:00Z
    stubs:
      - { http: "POST https://a.example/*", times: 2, answers: [{ error: connection }, { status: 201, body: { id: 1 } }] }
      - { step: child, answer: { body: {} } }
    then: [{ after: 2h, approve: { step: ask, approved: true } }, { after: 1d, event: { topic: order.paid, data: { id: 7 } } }]
    expect:
      status: succeeded
      ran: [sides, told]
      calls: [{ http: "POST https://a.example/x", headers: { x-a: b }, body: { $contains: { id: 7 } } }]
      emitted: []
      steps: { told: { attempts: 2, output: { $any: number } } }
"#;

/// One of the texts with some pieces cut out, doubled or replaced.
fn damaged(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("${{".to_owned()),
        Just("}}".to_owned()),
        Just("\n  ".to_owned()),
        Just(": ".to_owned()),
        Just("- ".to_owned()),
        Just("&a *a".to_owned()),
        Just("!!tag ".to_owned()),
        Just("<<: ".to_owned()),
        Just("[[[[".to_owned()),
        Just("{".to_owned()),
        Just("\"".to_owned()),
        Just("\t".to_owned()),
        Just("%YAML 1.1\n---\n".to_owned()),
        "\\PC{0,8}",
    ];
    let edit = (any::<prop::sample::Index>(), 0..12usize, piece);
    (prop::sample::select(texts), prop::collection::vec(edit, 0..6)).prop_map(|(text, edits)| {
        let mut text: Vec<char> = text.chars().collect();
        for (at, cut, piece) in edits {
            let at = at.index(text.len());
            let end = (at + cut).min(text.len());
            text.splice(at..end, piece.chars());
        }
        text.into_iter().collect()
    })
}

#[test]
fn the_undamaged_files_are_fine() {
    let none = |name: &str| Err(format!("`{name}` was not found"));
    for text in [WORKFLOW, FLOW] {
        let parsed = parse("some/flow".parse().expect("an id"), text, &none);
        assert!(parsed.workflow.is_some(), "{:#?}", parsed.diagnostics);
    }
    let parsed = cartwright_core::testing::parse(TESTS, &none);
    assert!(parsed.file.is_some(), "{:#?}", parsed.diagnostics);
}

/// A text of words that the language knows, in no sensible order.
fn expression() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "event",
        ".data",
        ".id",
        "?.x",
        "[0]",
        "[\"a\"]",
        "(",
        ")",
        "#{",
        "}",
        "[",
        "]",
        "+",
        "-",
        "*",
        "/",
        "%",
        "==",
        "!=",
        "<",
        "&&",
        "||",
        "!",
        "??",
        "if ",
        "else ",
        "{",
        "let x = ",
        ";",
        "x",
        "1",
        "0",
        "9223372036854775807",
        "1.5",
        "\"t\"",
        "`${1}`",
        "|a| a",
        ".map",
        "number(\"1\")",
        "get(event, \"data.id\", 0)",
        ".len()",
        "in",
        "..",
        "loop",
        "while true",
        "fn f()",
        "throw ",
        "'c'",
        "()",
        "// c\n",
        "/* ",
        " */",
        "secrets.a",
        "steps",
        "this",
        "eval(\"1\")",
        "import \"a\" as b",
        "\u{0}",
        "é",
    ]);
    prop::collection::vec(words, 0..14).prop_map(|words| words.concat())
}

/// A header of one of the schemes, nearly as a sender writes it.
fn signature_header() -> impl Strategy<Value = String> {
    let names = prop::sample::select(vec![
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "svix-id",
        "svix-timestamp",
        "svix-signature",
        "stripe-signature",
        "x-hub-signature-256",
        "x-github-delivery",
        "x-wc-webhook-signature",
    ]);
    let values = prop_oneof![
        Just("1614265330".to_owned()),
        Just("msg_1".to_owned()),
        "v1a?,[A-Za-z0-9+/]{0,90}={0,2}( v1,[A-Za-z0-9+/]{43}=)?",
        "t=[0-9]{0,14}(,v[01]=[0-9a-f]{0,66}){0,4}",
        "sha256=[0-9a-f]{60,66}",
        "[A-Za-z0-9+/]{43}=",
        "[ -~]{0,60}",
    ];
    (names, values).prop_map(|(name, value)| format!("{name}:{value}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: u32::try_from(cartwright_tests::environment::number("CARTWRIGHT_CASES", 300)).unwrap_or(300), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_workflows_are_refused_with_a_place(text in damaged(&[WORKFLOW, FLOW])) {
        entrances::workflow(&text);
    }

    #[test]
    fn damaged_tests_are_refused_with_a_place(text in damaged(&[TESTS])) {
        entrances::tests_of_workflows(&text);
    }

    #[test]
    fn any_text_is_no_workflow_and_no_panic(text in "\\PC{0,200}") {
        entrances::workflow(&text);
    }

    #[test]
    fn any_answer_of_a_store_means_something(
        head in prop::array::uniform3(any::<u8>()),
        header in "[^\n]{0,20}",
        before in "\\PC{0,40}",
        cut in 0..80_usize,
        after in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        const ERROR: &str = r#"{"code":"rest_no_route","message":"<b>No</b> &quot;","data":{"status":404,"params":[]}}"#;
        let mut input = [&head[..], header.as_bytes(), b"\n", before.as_bytes(), &ERROR.as_bytes()[..cut]].concat();
        input.extend(after);
        entrances::answer(&input);
    }

    #[test]
    fn nobody_is_trusted_without_a_signature(
        headers in prop::collection::vec(signature_header(), 0..4),
        body in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut input = headers.join("\n");
        input.push_str(&"\n".repeat(5_usize.saturating_sub(headers.len()).max(1)));
        entrances::signature_bytes(&[input.as_bytes(), &body].concat());
    }

    #[test]
    fn any_expression_ends(source in expression()) {
        entrances::expression(&source);
    }
}
