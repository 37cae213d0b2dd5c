//! What workflows do.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use cartwright_core::{
    call::CallError,
    id::StepPath,
    run::{row::RunStatus, steps::StepStatus},
};
use serde_json::json;

use super::{Answer, Bench, lost, unavailable};

const NOTIFY: &str = r#"
on: { event: [order.paid] }
grants: { http: ["sink.example"], emit: ["*"] }
if: event.data.total > 100
steps:
  - id: level
    script: |
      if event.data.total > 500 { "gold" } else { "silver" }
  - id: tell
    http: POST https://sink.example/tell
    body: { level: "${{ steps.level.output }}", order: "${{ event.data.id }}" }
"#;

#[tokio::test(start_paused = true)]
async fn an_event_that_matches_runs_to_its_end() {
    let bench = Bench::new(&[("notify", NOTIFY)]).await;
    bench.emit("order.paid", json!({"id": 7, "total": 600})).await;
    let run = bench.one(RunStatus::Succeeded).await;
    assert_eq!(run.step("level").output, json!("gold"));
    assert_eq!(run.step("tell").output["body"], json!({"seen": {"level": "gold", "order": 7}}));
    assert_eq!(bench.world.urls(), ["https://sink.example/tell"]);
}

#[tokio::test(start_paused = true)]
async fn an_event_whose_condition_is_false_says_so_and_starts_nothing() {
    let bench = Bench::new(&[("notify", NOTIFY)]).await;
    let event = bench.emit("order.paid", json!({"id": 7, "total": 50})).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(bench.rows().await.is_empty());
    let stored = bench.engine.event(&event).await.expect("read").expect("there");
    let matches = serde_json::to_value(stored.matches).expect("JSON");
    assert_eq!(matches[0]["outcome"], "condition_false");
}

#[tokio::test(start_paused = true)]
async fn the_first_trigger_that_holds_starts_the_workflow_once() {
    let yaml = r#"
on:
  - event: { topics: [go], if: event.data.n > 100 }
  - event: { topics: ["*"], if: event.data.n > 10 }
  - event: { topics: [go] }
steps:
  - script: event.data.n
"#;
    let bench = Bench::new(&[("several", yaml)]).await;
    let event = bench.emit("go", json!({"n": 50})).await;
    assert_eq!(bench.one(RunStatus::Succeeded).await.output(), json!(50));
    let stored = bench.engine.event(&event).await.expect("read").expect("there");
    assert_eq!(stored.matches.map(|matches| matches.len()), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_failing_call_is_tried_again_with_the_same_key() {
    let bench = Bench::new(&[("notify", NOTIFY)]).await;
    bench.world.answer("https://sink.example/tell", [unavailable(), unavailable()]);
    bench.emit("order.paid", json!({"id": 7, "total": 600})).await;
    let run = bench.one(RunStatus::Succeeded).await;
    assert_eq!(run.step("tell").attempts, 3);
    let asked = bench.world.asked();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|(_, key)| *key == asked[0].1));
}

#[tokio::test(start_paused = true)]
async fn exhausted_retries_park_the_run_and_a_retry_goes_on_at_the_failed_step() {
    let bench = Bench::new(&[("notify", NOTIFY)]).await;
    bench.world.answer("https://sink.example/tell", (0..5).map(|_| unavailable()));
    bench.emit("order.paid", json!({"id": 7, "total": 600})).await;
    let run = bench.one(RunStatus::Parked).await;
    assert_eq!(run.row.error.as_ref().map(|error| error.step.as_deref()), Some(Some("tell")));
    bench.engine.retry(&run.row.id, "ann", false).await.expect("retried");
    let run = bench.one(RunStatus::Succeeded).await;
    assert_eq!((run.row.retries, run.step("level").attempts, run.step("tell").attempts), (1, 1, 6));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_have_happened_parks_as_unknown_and_is_not_repeated_unasked() {
    let bench = Bench::new(&[("notify", NOTIFY)]).await;
    bench.world.answer("https://sink.example/tell", [lost()]);
    bench.emit("order.paid", json!({"id": 7, "total": 600})).await;
    let run = bench.one(RunStatus::Parked).await;
    assert_eq!(run.step("tell").status, StepStatus::Unknown);
    assert!(bench.engine.retry(&run.row.id, "ann", false).await.is_err());
    bench.engine.retry(&run.row.id, "ann", true).await.expect("retried");
    bench.one(RunStatus::Succeeded).await;
    let asked = bench.world.asked();
    assert_eq!((asked.len(), &asked[0].1), (2, &asked[1].1));
}

#[tokio::test(start_paused = true)]
async fn a_deferred_call_waits_in_storage_only_and_is_made_after_a_crash() {
    let yaml = r#"
on: { event: [go] }
grants: { http: ["sink.example"] }
steps:
  - id: work
    script: |
      let first = http::post("https://sink.example/a", #{ n: 1 }).body.seen.n;
      let second = http::post("https://sink.example/b", #{ n: 2 }).body.seen.n;
      first + second
"#;
    let mut bench = Bench::new(&[("d", yaml)]).await;
    let away = || Answer::Err(CallError::deferred("unreachable", "nobody answers", Some(3_600_000)));
    bench.world.answer("https://sink.example/b", [away(), away()]);
    bench.emit("go", json!({})).await;
    let run = bench.one(RunStatus::Waiting).await;
    let step = run.step("work");
    assert_eq!(step.error.as_ref().map(|error| error.message.as_str()), Some("nobody answers"));
    assert_eq!((step.attempts, step.calls.len(), bench.engine.in_memory()), (1, 2, (0, 0)));
    let metrics = bench.engine.metrics();
    let counted = (metrics.call_deferrals.load(Relaxed), metrics.call_errors.load(Relaxed));
    assert_eq!(counted, (1, 0), "put off is not failed");
    bench = bench.crash().await;
    bench.engine.retry(&run.row.id, "ann", false).await.expect("made at once");
    tokio::time::sleep(Duration::from_secs(60)).await;
    bench.one(RunStatus::Waiting).await;
    assert_eq!(bench.world.urls().len(), 3, "the first call was kept, the second one was asked for twice");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let run = bench.one(RunStatus::Succeeded).await;
    assert_eq!((run.step("work").attempts, run.row.retries, run.output()), (1, 0, json!(3)));
    let asked = bench.world.asked();
    assert!(asked.len() == 4 && asked[1..].iter().all(|(_, key)| *key == asked[1].1), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_run_runs_on_failure_and_says_why() {
    let yaml = r#"
on: { event: [go] }
grants: { http: ["sink.example"] }
steps:
  - fail: "no stock for ${{ event.data.sku }}"
on_failure:
  - id: alert
    http: POST https://sink.example/alert
    body: { text: "${{ failure.step }}: ${{ failure.message }}" }
"#;
    let bench = Bench::new(&[("f", yaml)]).await;
    bench.emit("go", json!({"sku": "A1"})).await;
    let run = bench.one(RunStatus::Failed).await;
    assert_eq!(run.row.error.as_ref().map(|error| error.message.as_str()), Some("no stock for A1"));
    let alert = run.step("on_failure/alert");
    assert_eq!(alert.output["body"]["seen"]["text"], json!("step1: no stock for A1"));
}

#[tokio::test(start_paused = true)]
async fn loops_branches_and_goto_find_their_way() {
    let yaml = r#"
on: { event: [go] }
grants: { http: ["sink.example"] }
steps:
  - id: each
    for_each: event.data.items
    parallel: 2
    steps:
      - id: kind
        choose:
          - if: item.qty > 1
            steps:
              - id: many
                script: '"many " + item.sku'
          - else:
              - script: '"one " + item.sku'
      - id: tell
        http: POST https://sink.example/${{ item.sku }}
        body: "${{ steps.kind.output }}"
        output: 'output.body.seen + " #" + index'
  - id: bad
    script: throw "oops"
    on_error: { goto: last }
  - id: between
    script: 1
  - id: last
    script: steps.each.output.len()
"#;
    let bench = Bench::new(&[("l", yaml)]).await;
    bench.emit("go", json!({"items": [{"sku": "A", "qty": 2}, {"sku": "B", "qty": 1}, {"sku": "C", "qty": 5}]})).await;
    let run = bench.one(RunStatus::Succeeded).await;
    assert_eq!(run.step("each").output, json!(["many A #0", "one B #1", "many C #2"]));
    assert_eq!(run.output(), json!(3));
    assert!(run.steps.iter().all(|step| step.id.as_str() != "between"));
}

#[tokio::test(start_paused = true)]
async fn a_script_sleeps_calls_and_keeps_state_durably() {
    let yaml = r#"
on: { event: [go] }
grants: { http: ["sink.example"], emit: [done] }
steps:
  - id: work
    script: |
      let n = state::increment("runs");
      let first = http::post("https://sink.example/a", #{ n: n }).body.seen.n;
      clock::sleep("2d");
      let second = http::post("https://sink.example/b", #{ n: n }).body.seen.n;
      events::emit("done", #{ n: n });
      first + second
"#;
    let mut bench = Bench::new(&[("s", yaml)]).await;
    bench.emit("go", json!({})).await;
    bench.one(RunStatus::Waiting).await;
    assert_eq!(bench.engine.in_memory(), (0, 0));
    bench = bench.crash().await;
    tokio::time::sleep(Duration::from_secs(2 * 24 * 3600)).await;
    let run = bench.one(RunStatus::Succeeded).await;
    assert_eq!(run.output(), json!(2));
    assert_eq!(bench.world.urls(), ["https://sink.example/a", "https://sink.example/b"]);
}

#[tokio::test(start_paused = true)]
async fn a_script_catches_a_failed_call() {
    let yaml = r#"
on: { event: [go] }
grants: { http: ["sink.example"] }
steps:
  - id: work
    script: |
      let caught = ();
      try { http::post("https://sink.example/a", #{}); } catch (e) { caught = `${e.code} ${e.status}`; }
      caught
  - id: denied
    script: |
      let host = "elsewhere.example";
      let caught = ();
      try { http::get(`https://${host}/`); } catch (e) { caught = e.code; }
      caught
"#;
    let bench = Bench::new(&[("s", yaml)]).await;
    bench.world.answer("https://sink.example/a", [unavailable()]);
    bench.emit("go", json!({})).await;
    let run = bench.one(RunStatus::Succeeded).await;
    assert_eq!(run.step("work").output, json!("status 503"));
    assert_eq!(run.output(), json!("denied"));
}

#[tokio::test(start_paused = true)]
async fn a_run_waits_for_an_event_and_gives_up_in_time() {
    let yaml = r#"
on: { event: [go] }
steps:
  - id: wait
    script: |
      let paid = events::wait_for(#{ event: "paid", "if": "incoming.data.id == event.data.id", timeout: "3d" });
      if paid == () { "late" } else { paid.data.by }
"#;
    let bench = Bench::new(&[("w", yaml)]).await;
    bench.emit("go", json!({"id": 1})).await;
    bench.until(&[RunStatus::Waiting]).await;
    bench.emit("go", json!({"id": 2})).await;
    bench.until(&[RunStatus::Waiting]).await;
    bench.emit("paid", json!({"id": 2, "by": "card"})).await;
    tokio::time::sleep(Duration::from_secs(3 * 24 * 3600)).await;
    let rows = bench.until(&[RunStatus::Succeeded]).await;
    let outputs = [bench.detail(&rows[0].id).await.output(), bench.detail(&rows[1].id).await.output()];
    assert_eq!(outputs, [json!("late"), json!("card")]);
}

#[tokio::test(start_paused = true)]
async fn emitted_events_start_workflows_and_loops_are_cut() {
    let yaml = r#"
on: { event: [ping] }
grants: { emit: [ping] }
steps:
  - emit: ping
    data: { n: "${{ event.data.n + 1 }}" }
"#;
    let bench = Bench::new(&[("loop", yaml)]).await;
    bench.emit("ping", json!({"n": 0})).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let rows = bench.until(&[RunStatus::Succeeded]).await;
    assert_eq!(rows.len(), 8);
}

#[tokio::test(start_paused = true)]
async fn timeouts_end_steps_and_cancel_ends_runs() {
    let yaml = r#"
on: { event: [go] }
grants: { http: ["sink.example"] }
steps:
  - id: slow
    script: http::get("https://sink.example/slow")
    timeout: 10s
    on_error: continue
  - id: long
    sleep: 3d
"#;
    let bench = Bench::new(&[("t", yaml)]).await;
    bench.world.answer("https://sink.example/slow", [Answer::Hang]);
    bench.emit("go", json!({})).await;
    let run = bench.one(RunStatus::Waiting).await;
    assert_eq!(run.step("slow").error.as_ref().map(|error| error.code.as_str()), Some("timeout"));
    bench.engine.cancel(&run.row.id, "ann").await.expect("cancelled");
    bench.one(RunStatus::Cancelled).await;
    assert!(bench.engine.cancel(&run.row.id, "ann").await.is_err());
    assert_eq!(bench.engine.counts().await.expect("counted").timers, 0);
}

#[tokio::test(start_paused = true)]
async fn a_schedule_comes_due_once() {
    let yaml = r#"
on: { schedule: "*/5 * * * *" }
steps:
  - script: event.data.scheduled
"#;
    let bench = Bench::new(&[("cron", yaml)]).await;
    tokio::time::sleep(Duration::from_secs(15 * 60)).await;
    assert_eq!(bench.until(&[RunStatus::Succeeded]).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn one_failed_iteration_of_a_run_that_succeeded_is_retried_alone() {
    let yaml = r##"
on: { event: [go] }
grants: { http: ["sink.example"] }
steps:
  - id: each
    for_each: "[1, 2, 3]"
    on_error: continue
    steps:
      - { id: one, http: "POST https://sink.example/one", body: "${{ item }}" }
      - { id: two, http: "POST https://sink.example/two/${{ item }}" }
  - { id: after, http: "POST https://sink.example/after" }
output: "#{ failed: steps.each.errors.len(), given: steps.each.output.len() }"
"##;
    let bench = Bench::new(&[("loop", yaml)]).await;
    let refused = Answer::Err(CallError::r#final("status", "404 Not Found"));
    bench.world.answer("https://sink.example/two/2", [refused]);
    bench.emit("go", json!({})).await;
    let run = bench.one(RunStatus::Succeeded).await;
    assert_eq!(run.output(), json!({"failed": 1, "given": 3}));
    assert_eq!(bench.world.asked().len(), 7);
    let bench = bench.crash().await;
    let which = |path: &str| vec![StepPath::new(path)];
    assert!(bench.engine.retry(&run.row.id, "ann", false).await.is_err(), "the run as a whole succeeded");
    assert!(bench.engine.retry_iterations(&run.row.id, "ann", which("each[0]")).await.is_err());
    bench.engine.retry_iterations(&run.row.id, "ann", which("each[1]")).await.expect("retried");
    let run = bench.one(RunStatus::Succeeded).await;
    assert_eq!((run.row.retries, run.output()), (1, json!({"failed": 0, "given": 3})));
    let asked = bench.world.asked();
    assert_eq!(asked[7..].iter().map(|(url, _)| url.as_str()).collect::<Vec<_>>(), ["https://sink.example/two/2"]);
    let before = asked[..7].iter().find(|(url, _)| url.ends_with("/two/2"));
    assert_eq!(before.map(|(_, key)| key), Some(&asked[7].1), "under its old identity");
}
