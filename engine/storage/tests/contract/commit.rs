//! Commits: all or nothing, in order.

use cartwright_core::{
    run::row::RunStatus::{self, Running, Succeeded, Waiting},
    shard::ShardId,
};
use cartwright_storage::{
    Batch, CommitError, Expect, Mail, MailBody, MailKey, Record, RecordWrite, RunWrite, Storage, StorageError, Table,
    Wait, WaitKey,
};
use tokio::task::JoinSet;

use super::{Fixture, make::*};
use cartwright_core::{id::StepPath, run::entry::TimerKind};

fn record(key: &str, expect: Expect, value: Option<&str>) -> RecordWrite {
    RecordWrite { table: Table::State, key: key.to_owned(), expect, value: value.map(|v| v.as_bytes().to_vec()) }
}

fn runs(runs: Vec<RunWrite>) -> Batch {
    Batch { runs, ..Batch::default() }
}

fn is_conflict(result: &Result<(), CommitError>) -> bool {
    matches!(result, Err(CommitError::Conflict { .. }))
}

pub async fn a_run_lives_from_begin_to_end(f: &mut dyn Fixture) {
    let fence = own(&*f.storage(), shard()).await;
    let e = event(1);
    let mut now = run(&*f.storage(), fence, &e, "w", Running).await;
    for (n, status) in [(1, Waiting), (2, Running), (3, Succeeded)] {
        now.status = status;
        now.retries = n;
        let write = RunWrite { row: now.clone(), expected_len: u64::from(n), append: vec![entry(n)] };
        f.storage().commit(shard(), fence, runs(vec![write])).await.expect("committed");
    }
    let row_only = RunWrite { row: now.clone(), expected_len: 4, append: vec![] };
    f.storage().commit(shard(), fence, runs(vec![row_only])).await.expect("a row may change alone");
    for _ in 0..2 {
        assert_eq!(f.storage().run(&now.id).await.expect("works"), Some(now.clone()));
        assert_eq!(f.storage().journal(&now.id).await.expect("works"), [0, 1, 2, 3].map(entry));
        let kept = f.storage().event(&e.id).await.expect("works").expect("kept");
        assert_eq!(kept.matches, Some(started(&now.id, "w")));
        assert!(f.storage().inbox(shard(), None, 9).await.expect("works").is_empty());
        f.reopen().await;
    }
    assert_eq!(f.storage().journal(&row(&event(2), "w", Running).id).await.expect("works"), []);
}

pub async fn a_wrong_length_is_a_conflict(f: &mut dyn Fixture) {
    let fence = own(&*f.storage(), shard()).await;
    let row = run(&*f.storage(), fence, &event(1), "w", Running).await;
    for expected_len in [0, 2, u64::MAX] {
        let write = RunWrite { row: row.clone(), expected_len, append: vec![entry(9)] };
        assert!(is_conflict(&f.storage().commit(shard(), fence, runs(vec![write])).await), "{expected_len}");
    }
    let unknown = RunWrite { row: super::make::row(&event(2), "w", Running), expected_len: 1, append: vec![entry(1)] };
    assert!(is_conflict(&f.storage().commit(shard(), fence, runs(vec![unknown])).await));
    assert_eq!(f.storage().journal(&row.id).await.expect("works").len(), 1);
}

pub async fn any_conflict_leaves_nothing(f: &mut dyn Fixture) {
    let mut fence = own(&*f.storage(), shard()).await;
    let old = run(&*f.storage(), fence, &event(1), "w", Running).await;
    let e = event(2);
    f.storage().accept(vec![new(e.clone())]).await.expect("works");
    f.storage().write_records(vec![record("there", Expect::Absent, Some("1"))]).await.expect("written");
    let before = counts(&*f.storage()).await;
    let begun = row(&e, "w", Running);
    let good = || Batch {
        runs: vec![begin(begun.clone())],
        matched: vec![(e.id.clone(), started(&begun.id, "w"))],
        timers_set: vec![timer(&begun.id, "a", TimerKind::Sleep, 5)],
        outbox: vec![new(event_of(9, Some("other"), "t", "{}"))],
        mail: vec![Mail {
            key: MailKey { run: begun.id.clone(), id: "c".to_owned() },
            body: MailBody::Cancel { by: "me".to_owned() },
        }],
        waits_set: vec![Wait {
            key: WaitKey { topic: "t".to_owned(), run: begun.id.clone(), path: StepPath::new("a"), index: 0 },
            since: at(0),
            condition: None,
            scope: None,
        }],
        records: vec![record("fresh", Expect::Absent, Some("x"))],
        ..Batch::default()
    };
    let with_run = |write| {
        let mut batch = good();
        batch.runs.push(write);
        batch
    };
    let with_record = |write| {
        let mut batch = good();
        batch.records.push(write);
        batch
    };
    let bad = [
        with_run(RunWrite { row: old.clone(), expected_len: 7, append: vec![entry(1)] }),
        with_record(record("there", Expect::Absent, Some("2"))),
        with_record(record("there", Expect::Version(2), Some("2"))),
        with_record(record("missing", Expect::Version(1), None)),
        Batch { matched: vec![(event(3).id, vec![])], ..good() },
    ];
    for (n, batch) in bad.into_iter().enumerate() {
        assert!(is_conflict(&f.storage().commit(shard(), fence, batch).await), "case {n}");
        let s = f.storage();
        assert_eq!(counts(&*s).await, before, "case {n}");
        assert!(s.run(&begun.id).await.expect("works").is_none());
        assert!(s.record(Table::State, "fresh").await.expect("works").is_none());
        assert!(s.waits(shard(), "t").await.expect("works").is_empty());
        assert!(s.mail_of(&begun.id).await.expect("works").is_empty());
        assert!(s.mail(shard(), None, 9).await.expect("works").is_empty());
        assert!(s.next_timer(shard()).await.expect("works").is_none());
        assert!(s.event(&e.id).await.expect("works").expect("kept").matches.is_none());
        drop(s);
        f.reopen().await;
        fence = own(&*f.storage(), shard()).await;
    }
    f.storage().commit(shard(), fence, good()).await.expect("the good part alone is fine");
}

async fn counts(storage: &dyn Storage) -> cartwright_storage::Counts {
    cartwright_storage::Counts { disk_bytes: 0, ..storage.counts().await.expect("works") }
}

pub async fn records_are_compared_and_set(f: &mut dyn Fixture) {
    let get = async |s: &dyn Storage| s.record(Table::State, "k").await.expect("works");
    let s = f.storage();
    assert_eq!(get(&*s).await, None);
    s.write_records(vec![record("k", Expect::Absent, Some("a"))]).await.expect("created");
    assert!(is_conflict(&s.write_records(vec![record("k", Expect::Absent, Some("b"))]).await));
    let first = get(&*s).await.expect("there");
    assert_eq!((first.version, &first.value[..]), (1, &b"a"[..]));
    s.write_records(vec![record("k", Expect::Version(1), Some("b"))]).await.expect("the right version");
    assert!(is_conflict(&s.write_records(vec![record("k", Expect::Version(1), Some("c"))]).await));
    s.write_records(vec![record("k", Expect::Any, Some(""))]).await.expect("any version");
    drop(s);
    f.reopen().await;
    assert_eq!(get(&*f.storage()).await, Some(Record { key: "k".to_owned(), version: 3, value: vec![] }));
    assert!(f.storage().record(Table::Meta, "k").await.expect("works").is_none(), "tables are apart");
    f.storage().write_records(vec![record("k", Expect::Version(3), None)]).await.expect("deleted");
    assert_eq!(get(&*f.storage()).await, None);
    f.storage().write_records(vec![record("k", Expect::Any, None)]).await.expect("deleting nothing is fine");
    let twice = vec![record("x", Expect::Any, Some("1")), record("x", Expect::Any, Some("2"))];
    assert!(f.storage().write_records(twice).await.is_err(), "one record twice in a commit means nothing");
}

pub async fn versions_never_repeat(f: &mut dyn Fixture) {
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..5 {
        for _ in 0..3 {
            f.storage().write_records(vec![record("k", Expect::Any, Some("v"))]).await.expect("written");
            let version = f.storage().record(Table::State, "k").await.expect("works").expect("there").version;
            assert!(seen.insert(version), "round {round}: version {version} was there before");
        }
        f.storage().write_records(vec![record("k", Expect::Any, None)]).await.expect("deleted");
        f.reopen().await;
    }
}

pub async fn records_are_listed_by_prefix(f: &mut dyn Fixture) {
    let keys = ["a", "w\0", "w\0a", "w\0b", "w\0bb", "w\0ü", "w\x01", "x"];
    let writes = keys.iter().map(|key| record(key, Expect::Absent, Some(key))).collect();
    f.storage().write_records(writes).await.expect("written");
    let list = async |prefix: &str, after: Option<&str>, limit| -> Vec<String> {
        let records = f.storage().records(Table::State, prefix, after, limit).await.expect("works");
        assert!(records.iter().all(|r| r.value == r.key.as_bytes()));
        records.into_iter().map(|r| r.key).collect()
    };
    assert_eq!(list("w\0", None, 9).await, ["w\0", "w\0a", "w\0b", "w\0bb", "w\0ü"]);
    assert_eq!(list("w\0", None, 2).await, ["w\0", "w\0a"]);
    assert_eq!(list("w\0", Some("w\0a"), 2).await, ["w\0b", "w\0bb"]);
    assert_eq!(list("w\0", Some("w\0ü"), 2).await, [""; 0]);
    assert_eq!(list("", None, 99).await.len(), keys.len());
    assert_eq!(list("w", Some("a"), 99).await.len(), 6);
}

pub async fn racing_commits_are_linear(f: &mut dyn Fixture) {
    const TASKS: u64 = 16;
    const ROUNDS: u64 = 8;
    let fence = own(&*f.storage(), shard()).await;
    f.storage().write_records(vec![record("n", Expect::Absent, Some("0"))]).await.expect("written");
    let mut racing = JoinSet::new();
    for task in 0..TASKS {
        let storage = f.storage();
        racing.spawn(async move {
            let mut done = 0;
            while done < ROUNDS {
                let now = storage.record(Table::State, "n").await.expect("works").expect("there");
                let number: u64 = String::from_utf8(now.value).expect("text").parse().expect("number");
                let write = record("n", Expect::Version(now.version), Some(&(number + 1).to_string()));
                let result = if task % 2 == 0 {
                    storage.write_records(vec![write]).await
                } else {
                    storage.commit(shard(), fence, Batch { records: vec![write], ..Batch::default() }).await
                };
                match result {
                    Ok(()) => {
                        done += 1;
                        let seen = storage.record(Table::State, "n").await.expect("works").expect("there");
                        assert!(seen.version > now.version, "a commit is seen once it resolved");
                    }
                    Err(CommitError::Conflict { .. }) => tokio::task::yield_now().await,
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    racing.join_all().await;
    let end = f.storage().record(Table::State, "n").await.expect("works").expect("there");
    assert_eq!(end.value, (TASKS * ROUNDS).to_string().as_bytes());
}

pub async fn long_journals_come_back_whole(f: &mut dyn Fixture) {
    let fence = own(&*f.storage(), shard()).await;
    let now = run(&*f.storage(), fence, &event(1), "w", Running).await;
    let mut all = vec![entry(0)];
    for (n, size) in [(1, 10), (2, 16_000), (3, 70_000), (4, 200_000), (5, 1), (6, 40_000)] {
        let mut long = entry(n);
        long.what = cartwright_core::run::entry::What::StepSkipped { path: StepPath::new("p".repeat(size)) };
        let write = RunWrite { row: now.clone(), expected_len: all.len() as u64, append: vec![long.clone(), entry(n)] };
        f.storage().commit(shard(), fence, runs(vec![write])).await.expect("committed");
        all.extend([long, entry(n)]);
        assert!(f.storage().journal(&now.id).await.expect("works") == all, "after {size} bytes");
    }
    f.reopen().await;
    assert!(f.storage().journal(&now.id).await.expect("works") == all, "after reopening");
}

pub async fn everything_survives(f: &mut dyn Fixture) {
    let fence = own(&*f.storage(), shard()).await;
    let mut rows = Vec::new();
    for n in 0..50 {
        let status = RunStatus::ALL[n as usize % 7];
        rows.push(run(&*f.storage(), fence, &event(n * 100), "w", status).await);
        let batch =
            Batch { timers_set: vec![timer(&rows[n as usize].id, "a", TimerKind::Retry, n)], ..Batch::default() };
        f.storage().commit(shard(), fence, batch).await.expect("committed");
    }
    let before = counts(&*f.storage()).await;
    for _ in 0..2 {
        f.reopen().await;
        assert_eq!(counts(&*f.storage()).await, before);
        assert_eq!(f.storage().due_timers(shard(), at(1000), 99).await.expect("works").len(), 50);
        for row in &rows {
            assert_eq!(f.storage().run(&row.id).await.expect("works").as_ref(), Some(row));
        }
    }
}

pub async fn bad_commits_are_refused_whole(f: &mut dyn Fixture) {
    let fence = own(&*f.storage(), shard()).await;
    let old = run(&*f.storage(), fence, &event(1), "w", Running).await;
    let foreign = row(&event_of(2, Some("other"), "t", "{}"), "w", Running);
    let mut moved = old.clone();
    moved.workflow = workflow("v");
    let bad = [
        runs(vec![begin(foreign)]),
        runs(vec![RunWrite { row: moved, expected_len: 1, append: vec![entry(1)] }]),
        runs(vec![RunWrite { row: row(&event(3), "w", Running), expected_len: 0, append: vec![] }]),
        runs(vec![begin(row(&event(4), "w", Running)), begin(row(&event(4), "w", Running))]),
        Batch { records: vec![record(&"k".repeat(5000), Expect::Any, None)], ..Batch::default() },
    ];
    for (n, batch) in bad.into_iter().enumerate() {
        let result = f.storage().commit(shard(), fence, batch).await;
        assert!(matches!(result, Err(CommitError::Storage(StorageError::Invalid { .. }))), "case {n}: {result:?}");
    }
    assert_eq!(f.storage().counts().await.expect("works").runs, [0, 1, 0, 0, 0, 0, 0]);
    assert_ne!(ShardId::of("other"), shard());
}

pub async fn matching_twice_is_a_conflict(f: &mut dyn Fixture) {
    let fence = own(&*f.storage(), shard()).await;
    let e = event(1);
    f.storage().accept(vec![new(e.clone())]).await.expect("works");
    let batch = || Batch { matched: vec![(e.id.clone(), vec![])], ..Batch::default() };
    f.storage().commit(shard(), fence, batch()).await.expect("once");
    assert!(is_conflict(&f.storage().commit(shard(), fence, batch()).await));
    assert_eq!(f.storage().event(&e.id).await.expect("works").expect("kept").matches, Some(vec![]));
}
