//! `wait_for` steps: an event before, while and after a wait is registered ends it, once, whatever dies in between.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use cartwright_core::run::{entry::What, row::RunStatus, steps::StepStatus};
use cartwright_storage::{
    Storage,
    memory::{Fault, Write},
};
use serde_json::json;

use super::Bench;

const PAID: &str = r#"
on: { event: [go] }
vars: { least: 10 }
steps:
  - id: want
    script: event.data.id
  - id: wait
    wait_for:
      event: paid
      if: incoming.data.id == steps.want.output && incoming.data.total >= vars.least && event.data.id == 1
      timeout: 3d
      lookback: 10m
    output: output?.data?.by
"#;

async fn paid(bench: &Bench, id: u64, by: &str) {
    bench.emit("paid", json!({"id": id, "total": 10.5, "by": by})).await;
}

#[tokio::test(start_paused = true)]
async fn the_event_that_comes_is_the_output_and_others_are_not() {
    let mut bench = Bench::new(&[("w", PAID)]).await;
    bench.emit("go", json!({"id": 1})).await;
    let run = bench.one(RunStatus::Waiting).await;
    assert_eq!(run.step("wait").status, StepStatus::Waiting);
    paid(&bench, 2, "another").await;
    bench.emit("paid", json!({"id": 1, "total": 9.99})).await;
    bench.emit("paid", json!({"what": "no such fields"})).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    bench = bench.crash().await;
    bench.one(RunStatus::Waiting).await;
    assert_eq!(bench.engine.in_memory(), (0, 0), "it waits in storage only");
    paid(&bench, 1, "card").await;
    let run = bench.one(RunStatus::Succeeded).await;
    assert_eq!(run.output(), json!("card"));
    assert_eq!(bench.engine.counts().await.expect("counted").timers, 0);
    let waits = bench.storage.waits(run.row.shard, "paid").await.expect("read");
    assert!(waits.is_empty(), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_in_time_gives_nothing() {
    let bench = Bench::new(&[("w", PAID)]).await;
    bench.emit("go", json!({"id": 1})).await;
    bench.until(&[RunStatus::Waiting]).await;
    tokio::time::sleep(Duration::from_secs(3 * 24 * 3600)).await;
    assert_eq!(bench.one(RunStatus::Succeeded).await.output(), json!(null));
}

#[tokio::test(start_paused = true)]
async fn an_event_of_just_before_counts_as_far_as_lookback_goes() {
    for (minutes, status) in [(9, RunStatus::Succeeded), (11, RunStatus::Waiting)] {
        let bench = Bench::new(&[("w", PAID)]).await;
        paid(&bench, 1, "early").await;
        tokio::time::sleep(Duration::from_secs(minutes * 60)).await;
        bench.emit("go", json!({"id": 1})).await;
        let run = bench.one(status).await;
        if status == RunStatus::Succeeded {
            assert_eq!(run.output(), json!("early"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_between_the_runs_own_and_its_wait_counts() {
    let yaml = PAID.replace("  - id: wait\n", "  - sleep: 5m\n  - id: wait\n");
    let bench = Bench::new(&[("w", &yaml)]).await;
    bench.emit("go", json!({"id": 1})).await;
    bench.until(&[RunStatus::Waiting]).await;
    paid(&bench, 1, "between").await;
    assert_eq!(bench.one(RunStatus::Succeeded).await.output(), json!("between"));
}

#[tokio::test(start_paused = true)]
async fn what_started_the_run_does_not_end_its_wait() {
    let yaml = "on: { event: [go] }\nsteps:\n  - id: wait\n    wait_for: { event: go, timeout: 1h, lookback: 1d }\n";
    let bench = Bench::new(&[("w", yaml)]).await;
    bench.emit("go", json!({"n": 1})).await;
    bench.one(RunStatus::Waiting).await;
    tokio::time::sleep(Duration::from_secs(2 * 3600)).await;
    assert_eq!(bench.one(RunStatus::Succeeded).await.output(), json!(null));
}

#[tokio::test(start_paused = true)]
async fn each_iteration_waits_for_its_own_item_side_by_side() {
    let yaml = r#"
on: { event: [go] }
steps:
  - id: each
    for_each: event.data.ids
    parallel: 3
    steps:
      - id: both
        parallel:
          paid: [{ id: p, wait_for: { event: paid, if: incoming.data.id == item }, output: output.data.by }]
          shipped: [{ id: s, wait_for: { event: shipped, if: incoming.data.at == index }, output: output.data.by }]
"#;
    let mut bench = Bench::new(&[("w", yaml)]).await;
    bench.emit("go", json!({"ids": [7, 8, 9]})).await;
    bench.one(RunStatus::Waiting).await;
    for (id, at) in [(9, 0), (7, 2), (8, 1)] {
        paid(&bench, id, &format!("p{id}")).await;
        bench = bench.crash().await;
        // Ids are made of the time and of a counter that begins again with the process.
        tokio::time::sleep(Duration::from_secs(1)).await;
        bench.emit("shipped", json!({"at": at, "by": format!("s{at}")})).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let run = bench.one(RunStatus::Succeeded).await;
    let both = |id: u64, at: u64| json!({"paid": format!("p{id}"), "shipped": format!("s{at}")});
    assert_eq!(run.output(), json!([both(7, 0), both(8, 1), both(9, 2)]));
}

/// The process dies at its `nth` commit from now, before or after the disk has it; `false`: there was none.
async fn dying(bench: Bench, nth: u32, fault: Fault, then: impl AsyncFnOnce(&Bench)) -> (Bench, bool) {
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    bench.storage.set_faults(Some(Arc::new(move |write| {
        let here = write == Write::Commit && counted.fetch_add(1, SeqCst) == nth;
        if here { fault } else { Fault::None }
    })));
    then(&bench).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let died = count.load(SeqCst) > nth;
    (bench.crash().await, died)
}

/// An event that came just before, while the run with its wait is written: found whichever commit is the last.
#[tokio::test(start_paused = true)]
async fn a_kill_at_any_commit_loses_no_event_that_came_before() {
    for fault in [Fault::Crash, Fault::ApplyThenCrash] {
        for nth in 0.. {
            let bench = Bench::new(&[("w", PAID)]).await;
            paid(&bench, 1, "early").await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            let go = async |bench: &Bench| drop(bench.emit("go", json!({"id": 1})).await);
            let (bench, died) = dying(bench, nth, fault, go).await;
            let run = bench.one(RunStatus::Succeeded).await;
            assert_eq!(run.output(), json!("early"), "{fault:?} {nth}");
            came_once(&run);
            if !died {
                assert!(nth >= 2, "it died {nth} times only");
                break;
            }
        }
    }
}

/// An event that comes while the run waits.
#[tokio::test(start_paused = true)]
async fn a_kill_at_any_commit_loses_no_event_that_comes_later() {
    for fault in [Fault::Crash, Fault::ApplyThenCrash] {
        for nth in 0.. {
            let bench = Bench::new(&[("w", PAID)]).await;
            bench.emit("go", json!({"id": 1})).await;
            bench.until(&[RunStatus::Waiting]).await;
            tokio::time::sleep(Duration::from_secs(3600)).await;
            let (bench, died) = dying(bench, nth, fault, async |bench: &Bench| paid(bench, 1, "card").await).await;
            let run = bench.one(RunStatus::Succeeded).await;
            assert_eq!(run.output(), json!("card"), "{fault:?} {nth}");
            came_once(&run);
            if !died {
                assert!(nth >= 2, "it died {nth} times only");
                break;
            }
        }
    }
}

fn came_once(run: &crate::RunDetail) {
    let came = run.journal.iter().filter(|entry| matches!(entry.what, What::CallResolved { .. }));
    assert_eq!(came.count(), 1, "{:#?}", run.journal);
}
