//! Workflows that call each other, and runs that take back what they did.

use std::time::Duration;

use cartwright_core::{
    call::CallError,
    run::row::{RunRow, RunStatus},
};
use serde_json::json;

use super::{Answer, Bench};

const PARENT: &str = r#"
on: { event: [go] }
grants: { http: ["sink.example"] }
steps:
  - { id: ask, call: child, with: { sku: A, nap: "${{ event.data.nap }}" } }
  - { id: tell, http: PUT https://sink.example/told, body: "${{ steps.ask.output }}" }
on_cancel:
  - { id: sorry, http: PUT https://sink.example/parent-ended }
"#;

const CHILD: &str = r#"
on: { manual: { inputs: { sku: { type: string, required: true }, nap: string } } }
if: event.data.never
grants: { http: ["sink.example"] }
steps:
  - sleep: ${{ inputs.nap }}
  - { id: count, http: "PUT https://sink.example/count/${{ inputs.sku }}" }
output: '"counted " + inputs.sku'
on_cancel:
  - http: PUT https://sink.example/child-ended
"#;

async fn bench() -> Bench {
    Bench::new(&[("parent", PARENT), ("child", CHILD)]).await
}

fn of<'r>(rows: &'r [RunRow], workflow: &str) -> &'r RunRow {
    let found: Vec<&RunRow> = rows.iter().filter(|row| row.workflow.as_str() == workflow).collect();
    assert_eq!(found.len(), 1, "{rows:#?}");
    found[0]
}

#[tokio::test(start_paused = true)]
async fn a_caller_waits_for_its_child_through_crashes() {
    let mut bench = bench().await;
    bench.emit("go", json!({"nap": "10m"})).await;
    bench.until(&[RunStatus::Waiting]).await;
    for _ in 0..3 {
        bench = bench.crash().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let rows = bench.until(&[RunStatus::Succeeded]).await;
    assert_eq!(bench.detail(&of(&rows, "parent").id).await.step("ask").output, json!("counted A"));
    assert_eq!(of(&rows, "child").shard, of(&rows, "parent").shard);
    assert_eq!(bench.world.urls(), ["https://sink.example/count/A", "https://sink.example/told"]);
}

#[tokio::test(start_paused = true)]
async fn ending_the_caller_ends_its_child() {
    let bench = bench().await;
    bench.emit("go", json!({"nap": "10m"})).await;
    while bench.rows().await.len() < 2 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let rows = bench.until(&[RunStatus::Waiting]).await;
    bench.engine.cancel(&of(&rows, "parent").id, "ann").await.expect("cancelled");
    let rows = bench.until(&[RunStatus::Cancelled]).await;
    let why = of(&rows, "child").error.clone().expect("an error");
    assert_eq!(why.message, format!("cancelled by {}, which called it", of(&rows, "parent").id));
    let mut urls = bench.world.urls();
    urls.sort();
    assert_eq!(urls, ["https://sink.example/child-ended", "https://sink.example/parent-ended"]);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_fails_fails_its_caller_and_is_named() {
    let bench = bench().await;
    bench.world.answer("https://sink.example/count/A", [Answer::Err(CallError::r#final("status", "400"))]);
    bench.emit("go", json!({"nap": "1s"})).await;
    let rows = bench.until(&[RunStatus::Failed]).await;
    let error = of(&rows, "parent").error.clone().expect("an error");
    let child = &of(&rows, "child").id;
    assert_eq!(
        (error.code.as_str(), error.message),
        ("call_failed", format!("{child} of `child` failed at `count`: 400 (status)"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_run_takes_back_what_it_did_and_begins_again_from_the_start() {
    let yaml = r#"
on: { event: [go] }
undo_on_failure: true
grants: { http: ["sink.example"] }
steps:
  - id: each
    for_each: "[1, 2]"
    steps:
      - id: hold
        http: PUT https://sink.example/hold
        undo: { http: "PUT https://sink.example/undo/${{ item }}/${{ output.status }}" }
  - id: note
    script: "7"
    undo:
      script: |
        http::put("https://sink.example/undo-note/" + output, #{})
  - { id: last, http: PUT https://sink.example/last }
"#;
    let bench = Bench::new(&[("saga", yaml)]).await;
    bench.world.answer("https://sink.example/last", [Answer::Err(CallError::r#final("status", "400"))]);
    bench.emit("go", json!({})).await;
    let run = bench.one(RunStatus::Failed).await;
    let undone = ["/hold", "/hold", "/last", "/undo-note/7", "/undo/2/200", "/undo/1/200"];
    let urls = || bench.world.urls().iter().map(|url| url.replace("https://sink.example", "")).collect::<Vec<_>>();
    assert_eq!(urls(), undone);
    let first: Vec<String> = bench.world.asked().into_iter().map(|(_, key)| key).collect();
    bench.engine.retry(&run.row.id, "ann", false).await.expect("retried");
    bench.one(RunStatus::Succeeded).await;
    assert_eq!(urls()[undone.len()..], ["/hold", "/hold", "/last"]);
    assert!(bench.world.asked()[undone.len()..].iter().all(|(_, key)| !first.contains(key)), "new identities");
}
