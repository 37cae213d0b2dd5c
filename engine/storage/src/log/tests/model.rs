//! Random operations, and a model to compare with.

use std::sync::Arc;

use cartwright_core::{
    event::{Event, Source},
    id::{EventId, RunId, StepPath, Version},
    run::{
        entry::{Entry, TimerKind, What},
        row::{RunRow, RunStatus},
    },
    shard::{Fence, ShardId},
    time::Timestamp,
};

use crate::{
    Batch, Expect, MemoryStorage, NewEvent, RecordWrite, RunWrite, Storage, StorageError, Table, Timer, TimerKey,
    embedded::{
        key::{Key, META},
        view::{Range, View},
    },
};

/// A repeatable source of numbers (splitmix64, <https://prng.di.unimi.it/splitmix64.c>).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// One operation, the same for every storage.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Accept(i64),
    /// Run, entries that it must have, bytes to append, status.
    Run(i64, u64, usize, RunStatus),
    Timer(i64, Option<i64>),
    Record(u64, bool),
}

pub(super) fn shard() -> ShardId {
    ShardId::of("shop")
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_795_000_000_000 + millis)
}

fn event(n: i64) -> Event {
    let data = format!(r#"{{"n":{n},"text":"{}"}}"#, "x".repeat(n as usize % 97));
    Event {
        id: EventId::derived(at(n), &["e"]),
        topic: "t".to_owned(),
        store: Some("shop".parse().expect("valid")),
        time: at(n),
        source: Source::Api,
        hops: 0,
        data: Arc::from(serde_json::value::RawValue::from_string(data).expect("JSON")),
    }
}

fn run_id(n: i64) -> RunId {
    RunId::derived(at(n), &event(n).id, &"w".parse().expect("valid"))
}

/// `count` operations that mostly succeed; runs get at most the lengths that earlier operations gave them.
pub(super) fn ops(seed: u64, count: usize) -> Vec<Op> {
    let mut random = Random(seed);
    let mut lengths = [0u64; 5];
    let make = |_| match random.below(10) {
        0..=2 => Op::Accept(random.below(40) as i64),
        3..=6 => {
            let run = random.below(5) as usize;
            let expected = lengths[run];
            lengths[run] += 1;
            let size = [20, 300, 9_000, 40_000][random.below(12).saturating_sub(8) as usize];
            Op::Run(run as i64, expected, size, RunStatus::ALL[random.below(7) as usize])
        }
        7 => Op::Timer(random.below(5) as i64, None),
        8 => Op::Timer(random.below(5) as i64, Some(random.below(1000) as i64)),
        _ => Op::Record(random.below(4), random.below(3) == 0),
    };
    (0..count).map(make).collect()
}

/// Takes the shard.
pub(super) async fn own(storage: &dyn Storage) -> Fence {
    storage.acquire(shard(), "me", at(0), Timestamp::MAX).await.expect("works").expect("free")
}

/// Does it. An error that is not the storage's (a conflict) is an outcome like any other.
pub(super) async fn apply(storage: &dyn Storage, fence: Fence, op: &Op) -> Result<(), StorageError> {
    let batch = match op {
        Op::Accept(n) => {
            let new = NewEvent { event: event(*n), dedupe: Some([*n as u8; 32]) };
            return storage.accept(vec![new]).await.map(drop);
        }
        Op::Run(n, expected_len, size, status) => {
            let row = RunRow {
                id: run_id(*n),
                workflow: "w".parse().expect("valid"),
                version: Version::of(&[]),
                status: *status,
                store: Some("shop".parse().expect("valid")),
                event: event(*n).id,
                shard: shard(),
                retries: *expected_len as u32,
                started: at(*n),
                finished: status.is_ended().then_some(at(*n)),
                error: None,
                delayed_until: None,
            };
            let append = vec![Entry { at: at(0), what: What::StepSkipped { path: StepPath::new("p".repeat(*size)) } }];
            Batch { runs: vec![RunWrite { row, expected_len: *expected_len, append }], ..Batch::default() }
        }
        Op::Timer(n, due) => {
            let key = TimerKey { run: run_id(*n), path: StepPath::new("a"), kind: TimerKind::Sleep };
            match due {
                Some(due) => Batch { timers_set: vec![Timer { key, due: at(*due) }], ..Batch::default() },
                None => Batch { timers_clear: vec![key], ..Batch::default() },
            }
        }
        Op::Record(n, delete) => {
            let value = (!delete).then(|| vec![*n as u8; 10]);
            let write = RecordWrite { table: Table::State, key: n.to_string(), expect: Expect::Any, value };
            Batch { records: vec![write], ..Batch::default() }
        }
    };
    match storage.commit(shard(), fence, batch).await {
        Err(crate::CommitError::Storage(error)) => Err(error),
        _ => Ok(()),
    }
}

/// Everything a view shows but what only one backend has.
pub(super) fn dump(view: &View) -> Vec<(Key, Vec<u8>)> {
    let all = Range { from: std::ops::Bound::Unbounded, to: std::ops::Bound::Unbounded };
    let mut items = view.scan(all, false, usize::MAX).expect("it reads");
    items.retain(|(key, _)| key[0] != META || key[1] == b'f');
    items
}

/// What the model has after each number of operations, from none to all.
pub(super) async fn states(ops: &[Op]) -> Vec<Vec<(Key, Vec<u8>)>> {
    let model = MemoryStorage::new();
    let fence = own(&*model).await;
    let mut states = vec![dump(model.view().expect("alive"))];
    for op in ops {
        apply(&*model, fence, op).await.expect("memory works");
        states.push(dump(model.view().expect("alive")));
    }
    states
}
