//! What a crash leaves, and what the next process makes of it.

use std::{sync::Arc, time::Duration};

use cartwright_core::{
    event::{Event, Source},
    id::EventId,
    run::{apply::fold, row::RunStatus, steps::StepStatus},
    shard::ShardId,
    time::Timestamp,
};
use cartwright_storage::{Batch, MemoryStorage, NewEvent, Storage};
use serde_json::{json, value::to_raw_value};
use tokio::time::Instant;

use super::{Answer, Bench};
use crate::Options;

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
async fn every_event_in_the_outbox_is_delivered_after_a_crash() {
    const EVENTS: u64 = 300;
    let storage = MemoryStorage::new();
    let (shard, now) = (ShardId::all().next().expect("shards"), Timestamp::from_millis(1));
    let fence = storage.acquire(shard, "the one before", now, now).await.expect("taken").expect("free");
    let outbox = (0..EVENTS).map(|number| {
        let mut entropy = [0; 10];
        entropy[2..].copy_from_slice(&number.to_be_bytes());
        let (topic, source) = ("nobody.listens".into(), Source::Api);
        let data = Arc::from(to_raw_value(&number).expect("JSON"));
        let id = EventId::new(now, entropy);
        NewEvent { event: Event { id, topic, store: None, time: now, source, hops: 1, data }, dedupe: None }
    });
    let batch = Batch { outbox: outbox.collect(), ..Batch::default() };
    storage.commit(shard, fence, batch).await.expect("committed");
    let bench = Bench::over(storage.reopen(), Arc::default(), Instant::now(), Vec::new(), Options::default()).await;
    for _ in 0..100 {
        let counts = bench.storage.counts().await.expect("counted");
        if counts.outbox == 0 && counts.inbox == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let counts = bench.storage.counts().await.expect("counted");
    assert_eq!((counts.outbox, counts.inbox, counts.events), (0, 0, EVENTS));
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
