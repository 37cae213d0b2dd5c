//! What a crash leaves, and what the next process makes of it.

use std::time::Duration;

use cartwright_core::run::{apply::fold, row::RunStatus, steps::StepStatus};
use serde_json::json;

use super::{Answer, Bench};

fn posts(idempotent: bool) -> String {
    format!(
        r#"
on: {{ event: [go] }}
grants: {{ http: ["sink.example"] }}
steps:
  - id: tell
    http: POST https://sink.example/tell
    idempotent: {idempotent}
"#
    )
}

#[tokio::test(start_paused = true)]
async fn a_call_under_way_at_a_crash_is_unknown_unless_it_may_be_repeated() {
    for (idempotent, status) in [(true, RunStatus::Succeeded), (false, RunStatus::Parked)] {
        let bench = Bench::new(&[("p", &posts(idempotent))]).await;
        bench.world.answer("https://sink.example/tell", [Answer::Hang]);
        bench.emit("go", json!({})).await;
        bench.until(&[RunStatus::Running]).await;
        let bench = bench.crash().await;
        let run = bench.one(status).await;
        let asked = bench.world.asked();
        if idempotent {
            assert_eq!((asked.len(), &asked[0].1), (2, &asked[1].1));
        } else {
            assert_eq!((asked.len(), run.step("tell").status), (1, StepStatus::Unknown));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_accepted_event_is_matched_after_a_crash() {
    let bench = Bench::new(&[("p", &posts(true))]).await;
    // Accepted, and the process dies before anything else can happen.
    bench.emit("go", json!({})).await;
    let bench = bench.crash().await;
    bench.one(RunStatus::Succeeded).await;
}

#[tokio::test(start_paused = true)]
async fn every_prefix_of_a_journal_folds() {
    let bench = Bench::new(&[("p", &posts(true))]).await;
    bench.emit("go", json!({})).await;
    let run = bench.one(RunStatus::Succeeded).await;
    for end in 1..=run.journal.len() {
        fold(&run.journal[..end]).expect("a prefix is a journal");
    }
    assert!(fold(&run.journal[1..]).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_stopping_engine_begins_nothing_and_the_next_one_goes_on() {
    let yaml = r#"
on: { event: [go] }
grants: { http: ["sink.example"] }
steps:
  - { id: a, http: "GET https://sink.example/a" }
  - { id: nap, sleep: 1h }
  - { id: b, http: "GET https://sink.example/b" }
"#;
    let bench = Bench::new(&[("p", yaml)]).await;
    bench.emit("go", json!({})).await;
    bench.until(&[RunStatus::Waiting]).await;
    let storage = bench.storage.clone();
    bench.engine.stop(Duration::from_secs(1)).await.expect("stopped");
    drop(storage);
    let bench = bench.crash().await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    bench.one(RunStatus::Succeeded).await;
    assert_eq!(bench.world.urls(), ["https://sink.example/a", "https://sink.example/b"]);
}
