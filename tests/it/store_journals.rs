//! Journals of runs that call stores, cut after every entry: deferrals, lost answers and failures in `woo` steps, in
//! scripts and in loops. The journals are made by the pure core, with outcomes as a store's client tells them.

use std::collections::VecDeque;

use cartwright_core::{
    Json,
    call::{CallError, CallOutcome, ErrorClass},
    id::{EventId, RunId, StepPath},
    run::{
        apply::{apply, fold},
        entry::{Entry, What},
        row::RunStatus,
    },
    shard::ShardId,
    time::Timestamp,
};
use serde_json::json;

use crate::journals::{Outcomes, Pure, essence};

const TEXT: &str = r#"
on: { woo: [order.created] }
grants: { woo: [orders.read, orders.write], stores: [self] }
steps:
  - id: order
    woo: orders/${{ event.data.id }}
  - id: note
    woo: orders/${{ event.data.id }}/notes
    method: POST
    with: { note: "For ${{ steps.order.output.name }}" }
  - id: script
    script: |
      let notes = "orders/" + event.data.id + "/notes";
      let first = woo::post(notes, #{ note: "one" });
      let caught = "nothing";
      try { woo::post(notes, #{ note: "bad" }); } catch (error) { caught = error.code; }
      let second = woo::post(notes, #{ note: "two" });
      `${first.id} ${caught} ${second.id}`
  - id: each
    for_each: "[1, 2, 3]"
    parallel: 2
    steps:
      - id: one
        woo: orders/61/notes
        method: POST
        with: { note: "${{ item }}" }
        output: output.id
output: steps.each.output
"#;

fn outcomes() -> Outcomes {
    let ok = |id: u32| CallOutcome::Ok(json!({ "id": id, "name": "Ada" }));
    let deferred = || CallOutcome::Err(CallError::deferred("unreachable", "away", None));
    let unknown =
        || CallOutcome::Err(CallError { class: ErrorClass::Unknown, ..CallError::r#final("timeout", "no answer") });
    let failed = || CallOutcome::Err(CallError::retryable("status", "502"));
    let refused = || CallOutcome::Err(CallError::r#final("status", "400"));
    let calls: [(&str, u32, Vec<CallOutcome>); 8] = [
        ("order", 0, vec![deferred(), failed(), ok(61)]),
        ("note", 0, vec![unknown(), deferred(), failed(), ok(1)]),
        ("script", 0, vec![deferred(), deferred(), unknown(), ok(2)]),
        ("script", 1, vec![deferred(), refused()]),
        ("script", 2, vec![unknown(), deferred(), ok(3)]),
        ("each[0]/one", 0, vec![unknown(), ok(4)]),
        ("each[1]/one", 0, vec![deferred(), ok(5)]),
        ("each[2]/one", 0, vec![failed(), deferred(), unknown(), ok(6)]),
    ];
    let queue = |(path, index, outcomes)| ((StepPath::new(path), index), VecDeque::from(outcomes));
    calls.into_iter().map(queue).collect()
}

/// The journal of a run that had all of these outcomes.
fn record(pure: &Pure) -> Vec<Entry> {
    let at = Timestamp::from_millis(1_000_000_000_000);
    let event = EventId::new(at, [1; 10]);
    let what = What::RunStarted {
        run: RunId::derived(at, &event, &pure.workflow.id),
        workflow: pure.workflow.id.clone(),
        version: pure.workflow.version.clone(),
        event,
        store: Some("shop".parse().expect("an id")),
        shard: ShardId::all().next().expect("shards"),
        hops: 0,
        events: Vec::new(),
        parent: None,
    };
    let mut journal = vec![Entry { at, what }];
    let begun = apply(None, &journal[0]).expect("a beginning");
    journal.extend(pure.drive(begun, outcomes()).1);
    journal
}

#[test]
fn a_journal_with_calls_to_a_store_cut_after_any_entry_leads_to_the_same_end() {
    let event: Json = json!({ "id": "evt", "topic": "order.created", "store": "shop", "data": { "id": 61 } });
    let pure = Pure::new("store", TEXT, event);
    let journal = record(&pure);
    let whole = fold(&journal).expect("a legal journal").expect("not empty");
    assert_eq!(whole.status(), RunStatus::Succeeded, "{:?}", whole.row().error);
    assert_eq!(essence(&whole)["output"], json!([4, 5, 6]));
    assert_eq!(essence(&whole)["steps"]["script"]["output"], json!("2 status 3"));
    let kinds = |wanted: fn(&What) -> bool| journal.iter().filter(|entry| wanted(&entry.what)).count();
    assert_eq!(kinds(|what| matches!(what, What::CallDeferred { .. })), 8);
    assert_eq!(kinds(|what| matches!(what, What::CallRepeated { .. })), 8);
    for cut in 1..=journal.len() {
        let last = &journal[cut - 1].what;
        assert_eq!(essence(&pure.go_on(&journal, cut)), essence(&whole), "cut after entry {cut}: {last:?}");
    }
}
