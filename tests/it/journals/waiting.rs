//! Journals of runs to which something comes from outside: an event, a person, a child, a slot.

use super::*;

/// What somebody does when the run waits.
#[derive(Debug, Clone, Copy)]
enum Then {
    Approve,
    Update,
    Cancel,
    Nothing,
}

/// Runs to which something comes from outside.
const WAITING: &[(&str, &str, Then, &str)] = &[
    (
        "waits",
        "succeeded",
        Then::Update,
        r#"
on: { woo: [order.created] }
grants: { http: ["127.0.0.1"] }
steps:
  - id: wait
    wait_for: { event: order.updated, if: incoming.data.id == event.data.id, timeout: 1h, lookback: 1m }
  - id: script
    script: |
      let seen = http::put("http://SINK/seen", #{ id: steps.wait.output.data.id });
      let late = events::wait_for(#{ event: "never", timeout: "20ms" });
      if late == () { seen.status } else { 0 }
"#,
    ),
    (
        "asks",
        "succeeded",
        Then::Approve,
        r#"
on: { woo: [order.created] }
grants: { http: ["127.0.0.1"] }
steps:
  - id: sides
    parallel:
      people:
        - { id: ask, approve: "Order ${{ event.data.id }}?", timeout: 1h, output: output.approved }
        - { id: told, http: PUT http://SINK/told, body: { yes: "${{ steps.ask.output }}" } }
      time:
        - { id: nobody, approve: "Anybody?", timeout: 10ms, output: output.approved }
  - { id: last, script: steps.sides.output.time }
"#,
    ),
    (
        "cancelled",
        "cancelled",
        Then::Cancel,
        r#"
on: { woo: [order.created] }
undo_on_failure: true
grants: { http: ["127.0.0.1"] }
steps:
  - { id: lock, http: PUT http://SINK/lock, undo: { http: PUT http://SINK/never } }
  - { id: nap, sleep: 1h }
on_cancel:
  - { id: unlock, http: PUT http://SINK/unlock, body: { why: "${{ failure.code }}" } }
  - { id: note, script: "1 + 1" }
"#,
    ),
    (
        "undoes",
        "failed",
        Then::Nothing,
        r#"
on: { woo: [order.created] }
undo_on_failure: true
grants: { http: ["127.0.0.1"] }
steps:
  - id: each
    for_each: "[1, 2]"
    steps:
      - { id: hold, http: "PUT http://SINK/hold-${{ item }}", undo: { http: "PUT http://SINK/unhold-${{ item }}" } }
  - id: ask
    call: counts
    with: { n: 3 }
  - id: note
    script: steps.ask.output
    undo: { script: "http::put(\"http://SINK/unnote\", #{ was: output })" }
  - { id: bad, call: counts, with: { n: -1 } }
on_failure:
  - { id: tell, http: PUT http://SINK/failed, body: { step: "${{ failure.step }}" } }
"#,
    ),
    (
        "responds",
        "succeeded",
        Then::Nothing,
        r#"
on: { woo: [order.created] }
concurrency: { key: "${{ event.data.id }}", hold_while_waiting: false }
grants: { http: ["127.0.0.1"] }
steps:
  - { id: say, respond: { status: 201, headers: { X-Answer: "1" }, body: { id: "${{ event.data.id }}" } } }
  - { id: nap, sleep: 10ms }
  - { id: again, respond: { body: "too late" } }
  - { id: more, http: PUT http://SINK/more }
"#,
    ),
];

/// A workflow that is called.
const COUNTS: &str = r#"
on: { manual: { inputs: { n: { type: integer, required: true } } } }
steps:
  - if: inputs.n < 0
    fail: as wanted
  - script: inputs.n + 1
"#;

/// One commit has a question and its timer; one the timer's end and what it means; one a person's end of the run and what
/// follows from it; one what happened to a run without its slot and that it asks for it. No crash leaves half of them.
fn is_within_a_commit(last: &What, next: Option<&What>) -> bool {
    match (last, next) {
        (What::ApprovalAsked { due, .. }, _) => due.is_some(),
        (What::CancelRequested { .. }, _) | (_, Some(What::ApprovalGiven { by: None, .. })) => true,
        (last, Some(What::SlotAsked { .. })) => !matches!(last, What::RunStarted { .. }),
        _ => false,
    }
}

#[test]
fn a_journal_of_a_run_that_waits_for_others_is_cut_after_any_entry_too() {
    let sink = Sink::start(Keys::Honoured);
    for (id, status, then, text) in WAITING {
        let text = with_sink(text, &sink);
        let engine = Engine::running(&[(&format!("{id}.yaml"), &text), ("counts.yaml", COUNTS)]);
        let event = engine.order("order.created", &orders::body(1, &mut Random::new(1)));
        if !matches!(then, Then::Nothing) {
            let run = engine.run_of(&event, "waiting")["id"].as_str().expect("an id").to_owned();
            let target = match then {
                Then::Approve => format!("/api/v1/runs/{run}/approvals/sides.0%2Fask"),
                _ => format!("/api/v1/runs/{run}/cancel"),
            };
            match then {
                Then::Update => drop(engine.order("order.updated", &orders::body(1, &mut Random::new(1)))),
                Then::Approve => {
                    let said = engine.api("POST", &target, Some(&json!({ "approved": true })));
                    assert!(said.status < 300, "{}", said.text());
                }
                _ => assert!(engine.api("POST", &target, Some(&json!({}))).status < 300),
            }
        }
        let run = engine.run_of(&event, status);
        let journal: Vec<Entry> = serde_json::from_value(run["journal"].clone()).expect("the journal's entries");
        let whole = fold(&journal).expect("a legal journal").expect("not empty");
        let pure = Pure::new(id, &text, engine.get(&format!("/api/v1/events/{event}")));
        for cut in 1..=journal.len() {
            let last = &journal[cut - 1].what;
            if is_within_a_commit(last, journal.get(cut).map(|entry| &entry.what)) {
                continue;
            }
            assert_eq!(essence(&pure.go_on(&journal, cut)), essence(&whole), "{id} cut after entry {cut}: {last:?}");
        }
    }
}
