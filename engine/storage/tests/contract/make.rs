//! Things to put into storage.

use std::sync::Arc;

use cartwright_core::{
    event::{Event, Match, MatchOutcome, Source},
    id::{EventId, RunId, StepPath, StoreId, Version, WorkflowId},
    run::{
        entry::{Entry, TimerKind, What},
        row::{RunRow, RunStatus},
    },
    shard::{Fence, ShardId},
    time::Timestamp,
};
use cartwright_storage::{Batch, NewEvent, RunWrite, Storage, Timer, TimerKey};

pub fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_795_000_000_000 + millis)
}

pub fn store(name: &str) -> StoreId {
    name.parse().expect("a valid name")
}

pub fn workflow(name: &str) -> WorkflowId {
    name.parse().expect("a valid name")
}

/// The shard of store `shop`, which most cases use.
pub fn shard() -> ShardId {
    ShardId::of("shop")
}

/// An event of store `shop`; `n` is its time in milliseconds and makes its id.
pub fn event(n: i64) -> Event {
    event_of(n, Some("shop"), "order.created", r#"{"id":1}"#)
}

pub fn event_of(n: i64, of: Option<&str>, topic: &str, data: &str) -> Event {
    Event {
        id: EventId::derived(at(n), &[&n.to_string(), topic, of.unwrap_or("")]),
        topic: topic.to_owned(),
        store: of.map(store),
        time: at(n),
        source: Source::Api,
        hops: 0,
        data: Arc::from(serde_json::value::RawValue::from_string(data.to_owned()).expect("JSON")),
    }
}

pub fn new(event: Event) -> NewEvent {
    NewEvent { event, dedupe: None }
}

pub fn keyed(event: Event, key: u8) -> NewEvent {
    NewEvent { event, dedupe: Some([key; 32]) }
}

/// The row of the run that `event` starts of `workflow`.
pub fn row(event: &Event, of: &str, status: RunStatus) -> RunRow {
    let workflow = workflow(of);
    RunRow {
        id: RunId::derived(event.time, &event.id, &workflow),
        version: Version::of(&[of.as_bytes()]),
        workflow,
        status,
        store: event.store.clone(),
        event: event.id.clone(),
        shard: event.shard(),
        retries: 0,
        started: event.time,
        finished: status.is_ended().then_some(event.time),
        error: None,
        delayed_until: None,
    }
}

/// An entry that is told from others by `n`.
pub fn entry(n: u32) -> Entry {
    Entry { at: at(i64::from(n)), what: What::StepSkipped { path: StepPath::new(n.to_string()) } }
}

/// A new run with one entry.
pub fn begin(row: RunRow) -> RunWrite {
    RunWrite { row, expected_len: 0, append: vec![entry(0)] }
}

pub fn started(run: &RunId, of: &str) -> Vec<Match> {
    vec![Match { workflow: workflow(of), outcome: MatchOutcome::Started { run: run.clone() } }]
}

pub fn timer(run: &RunId, path: &str, kind: TimerKind, due: i64) -> Timer {
    Timer { key: TimerKey { run: run.clone(), path: StepPath::new(path), kind }, due: at(due) }
}

/// Owns a shard.
pub async fn own(storage: &dyn Storage, shard: ShardId) -> Fence {
    let fence = storage.acquire(shard, "me", at(0), at(1_000_000)).await.expect("storage works");
    fence.expect("nobody else owns it")
}

/// Accepts an event and starts a run of `of` with this status for it.
pub async fn run(storage: &dyn Storage, fence: Fence, event: &Event, of: &str, status: RunStatus) -> RunRow {
    storage.accept(vec![new(event.clone())]).await.expect("accepted");
    let row = row(event, of, status);
    let batch = Batch {
        runs: vec![begin(row.clone())],
        matched: vec![(event.id.clone(), started(&row.id, of))],
        ..Batch::default()
    };
    storage.commit(event.shard(), fence, batch).await.expect("committed");
    row
}
