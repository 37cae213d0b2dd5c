//! Backups while commits go on, and what is restored from them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use cartwright_core::{
    id::{RunId, StepPath},
    run::{
        entry::TimerKind,
        row::{RunRow, RunStatus},
    },
    shard::{Fence, ShardId},
};
use cartwright_storage::{
    BackupPart, Batch, EventFilter, Expect, Mail, MailBody, MailKey, MemoryStorage, Options, RecordWrite, RunFilter,
    RunWrite, SledStorage, Storage, StorageError, Table, Wait, WaitKey,
};

use tokio::sync::Notify;

use super::{Fixture, make::*};

/// Everything there is, through the trait alone.
#[derive(Debug, PartialEq)]
struct Everything {
    runs: Vec<(RunRow, String)>,
    lists: Vec<Vec<RunId>>,
    events: Vec<String>,
    records: Vec<(Table, String, u64, Vec<u8>)>,
    shards: Vec<String>,
    counts: (Vec<u64>, u64, u64, u64, u64),
}

async fn everything(s: &dyn Storage) -> Everything {
    let rows = runs(s, &RunFilter::default()).await;
    let mut with_journals = Vec::new();
    for row in rows {
        with_journals.push((row.clone(), format!("{:?}", s.journal(&row.id).await.expect("read"))));
    }
    let mut lists = Vec::new();
    for status in [None, Some(RunStatus::Running), Some(RunStatus::Succeeded), Some(RunStatus::Waiting)] {
        for workflow in [None, Some(workflow("a")), Some(workflow("b"))] {
            for of in [None, Some(store("shop")), Some(store("other"))] {
                let filter = RunFilter { workflow: workflow.clone(), store: of, status, ..RunFilter::default() };
                lists.push(runs(s, &filter).await.into_iter().map(|row| row.id).collect());
            }
        }
    }
    let (mut events, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = s.query_events(&EventFilter::default(), cursor.as_deref(), 100).await.expect("read");
        events.extend(page.items.iter().map(|event| format!("{event:?}")));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let mut records = Vec::new();
    for table in Table::ALL {
        let found = s.records(table, "", None, 10_000).await.expect("read").into_iter();
        records.extend(found.map(|record| (table, record.key, record.version, record.value)));
    }
    let mut shards = Vec::new();
    for shard in STORES.map(ShardId::of) {
        let timers = s.due_timers(shard, at(i64::from(u32::MAX)), 9999).await.expect("read");
        let (inbox, outbox) = (s.inbox(shard, None, 9999).await, s.outbox(shard, 9999).await);
        let (mail, waits) = (s.mail(shard, None, 9999).await, s.waits(shard, "order.paid").await);
        let active = s.active_runs(shard, None, 9999).await;
        shards.push(format!("{timers:?} {inbox:?} {outbox:?} {mail:?} {waits:?} {active:?}"));
    }
    let counts = s.counts().await.expect("read");
    let counts = (counts.runs.to_vec(), counts.events, counts.inbox, counts.timers, counts.outbox);
    Everything { runs: with_journals, lists, events, records, shards, counts }
}

async fn runs(s: &dyn Storage, filter: &RunFilter) -> Vec<RunRow> {
    let (mut rows, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = s.query_runs(filter, cursor.as_deref(), 100).await.expect("read");
        rows.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return rows;
        }
    }
}

/// Commit number `n` of a writer: run `n` begins with everything that can wait, run `n - 1` goes on, `n - 2` ends and what
/// waited for it goes, and a record says `n`. What is there after any number of them can be told from that number.
fn step(n: i64, of: &str, seen: u64, rows: &mut Vec<RunRow>) -> (Batch, Vec<cartwright_storage::NewEvent>) {
    let mut dedupe = [of.as_bytes()[0]; 32];
    dedupe[..8].copy_from_slice(&n.to_le_bytes());
    let event = event_of(n * 90, Some(of), "order.created", "[7]");
    let events = vec![cartwright_storage::NewEvent { event, dedupe: Some(dedupe) }];
    // A table each: a new record's version follows from those deleted before in its table.
    let own_table = if of == "shop" { Table::Audit } else { Table::Answers };
    let row = row(&events[0].event, if n % 2 == 0 { "a" } else { "b" }, RunStatus::Running);
    let big = entry(u32::try_from(n).expect("small"));
    let mut batch = Batch {
        runs: vec![RunWrite { row: row.clone(), expected_len: 0, append: vec![big; 1 + n as usize % 300] }],
        matched: vec![(events[0].event.id.clone(), started(&row.id, "a"))],
        timers_set: vec![timer(&row.id, "t", TimerKind::Sleep, n)],
        waits_set: vec![wait_of(&row.id)],
        outbox: vec![new(event_of(n * 90, Some(of), "sent", "{}"))],
        mail: vec![mail_of(&row.id)],
        ..Batch::default()
    };
    let record = |table, key: String, value| RecordWrite { table, key, expect: Expect::Any, value };
    batch.records.push(record(Table::State, format!("{of}-n"), Some(format!("{n} {seen}").into_bytes())));
    batch.records.push(record(own_table, format!("{of}-{n}"), Some(vec![n as u8; 300])));
    if let Some(before) = rows.last_mut() {
        before.status = RunStatus::Waiting;
        let expected_len = 1 + (n as u64 - 1) % 300;
        batch.runs.push(RunWrite { row: before.clone(), expected_len, append: vec![entry(1)] });
    }
    if rows.len() > 1 {
        let place = rows.len() - 2;
        let ended = &mut rows[place];
        (ended.status, ended.finished) = (RunStatus::Succeeded, Some(at(n * 90)));
        let expected_len = 2 + (n as u64 - 2) % 300;
        batch.runs.push(RunWrite { row: ended.clone(), expected_len, append: vec![entry(2)] });
        batch.timers_clear.push(timer(&ended.id, "t", TimerKind::Sleep, 0).key);
        batch.waits_clear.push(wait_of(&ended.id).key);
        batch.mail_done.push(mail_of(&ended.id).key);
        batch.outbox_done.push(event_of((n - 2) * 90, Some(of), "sent", "{}").id);
        batch.records.push(record(own_table, format!("{of}-{}", n - 2), None));
    }
    rows.push(row);
    (batch, events)
}

fn wait_of(run: &RunId) -> Wait {
    let key = WaitKey { topic: "order.paid".into(), run: run.clone(), path: StepPath::new("w"), index: 0 };
    Wait { key, since: at(0), condition: None, scope: None }
}

fn mail_of(run: &RunId) -> Mail {
    Mail { key: MailKey { run: run.clone(), id: "m".into() }, body: MailBody::Cancel { by: "me".into() } }
}

/// Two writers that see each other's progress.
struct Writers {
    stop: AtomicBool,
    done: [AtomicU64; 2],
    /// One of them went on.
    moved: Notify,
}

const STORES: [&str; 2] = ["shop", "other"];

async fn write(storage: Arc<dyn Storage>, fence: Fence, writers: Arc<Writers>, me: usize) {
    let (of, mut rows) = (STORES[me], Vec::new());
    for n in 1.. {
        if writers.stop.load(Ordering::SeqCst) {
            return;
        }
        // What the other's commits had come to before this one began.
        let seen = writers.done[1 - me].load(Ordering::SeqCst);
        let (batch, events) = step(n, of, seen, &mut rows);
        storage.accept(events).await.expect("accepted");
        storage.commit(ShardId::of(of), fence, batch).await.expect("committed");
        writers.done[me].store(n as u64, Ordering::SeqCst);
        writers.moved.notify_one();
        tokio::task::yield_now().await;
    }
}

/// What storage has after so many commits of each writer. An event that was accepted and whose commit is not there yet
/// is in the inbox.
async fn expected(done: [i64; 2], seen: [Vec<u64>; 2], in_inbox: [bool; 2]) -> Everything {
    let model = MemoryStorage::new();
    for me in 0..2 {
        let shard = ShardId::of(STORES[me]);
        let fence = own(&*model, shard).await;
        let mut rows = Vec::new();
        for n in 1..=done[me] {
            let last = seen[me].get(n as usize - 1).copied().unwrap_or(0);
            let (batch, events) = step(n, STORES[me], last, &mut rows);
            model.accept(events).await.expect("accepted");
            model.commit(shard, fence, batch).await.expect("committed");
        }
        if in_inbox[me] {
            model.accept(step(done[me] + 1, STORES[me], 0, &mut rows).1).await.expect("accepted");
        }
    }
    everything(&*model).await
}

async fn progress(s: &dyn Storage, of: &str) -> (i64, u64) {
    let record = s.record(Table::State, &format!("{of}-n")).await.expect("read");
    let Some(record) = record else { return (0, 0) };
    let text = String::from_utf8(record.value).expect("text");
    let (n, seen) = text.split_once(' ').expect("two numbers");
    (n.parse().expect("a number"), seen.parse().expect("a number"))
}

/// Parts go through bytes, as they do in a file.
async fn restore(parts: &[Vec<u8>], into: &dyn Storage) {
    for part in parts {
        let part = BackupPart::from_bytes(part.clone()).expect("a part");
        into.restore(part).await.expect("restored");
    }
}

pub async fn a_backup_is_one_moment_while_writers_go_on(f: &mut dyn Fixture) {
    let storage = f.storage();
    let writers = Arc::new(Writers {
        stop: AtomicBool::new(false),
        done: [AtomicU64::new(0), AtomicU64::new(0)],
        moved: Notify::new(),
    });
    let mut tasks = Vec::new();
    for (me, of) in STORES.iter().enumerate() {
        let fence = own(&*storage, ShardId::of(of)).await;
        tasks.push(tokio::spawn(write(Arc::clone(&storage), fence, Arc::clone(&writers), me)));
    }
    let wait_for = async |more: u64| {
        let from = writers.done.each_ref().map(|done| done.load(Ordering::SeqCst));
        while writers.done.iter().zip(from).any(|(done, from)| done.load(Ordering::SeqCst) < from + more) {
            writers.moved.notified().await; // kept when it comes earlier: there is one who waits
        }
    };
    let mut backups = Vec::new();
    for _ in 0..3 {
        wait_for(30).await;
        let begin = writers.done.each_ref().map(|done| done.load(Ordering::SeqCst) as i64);
        let mut backup = storage.backup().await.expect("begun");
        let mut parts = Vec::new();
        while let Some(part) = backup.next().await.expect("a part") {
            parts.push(part.as_bytes().to_vec());
            wait_for(2).await; // it races with commits however fast the machine is
        }
        backups.push((begin, parts));
    }
    writers.stop.store(true, Ordering::SeqCst);
    for task in tasks {
        task.await.expect("a writer");
    }
    drop(storage);
    f.reopen().await;
    for (begin, parts) in backups {
        let folder = tempfile::tempdir().expect("a folder");
        let memory = MemoryStorage::new();
        restore(&parts, &*memory).await;
        let tiny = SledStorage::open(folder.path(), Options { memtable_bytes: 30_000 }).expect("opened");
        restore(&parts, &*tiny).await;
        let restored = everything(&*memory).await;
        assert_eq!(restored, everything(&*tiny).await, "memory and disk restore the same");
        drop(tiny);
        let again = SledStorage::open(folder.path(), Options::default()).expect("opened again");
        assert_eq!(restored, everything(&*again).await, "and it lasts");

        let ([one, other], mut in_inbox) =
            ([progress(&*memory, "shop").await, progress(&*memory, "other").await], [false; 2]);
        for (n, of) in STORES.iter().enumerate() {
            let waiting = memory.inbox(ShardId::of(of), None, 9).await.expect("read");
            in_inbox[n] = !waiting.is_empty();
        }
        assert!(one.0 >= begin[0] && other.0 >= begin[1], "what was acknowledged before it began is in it");
        assert!(other.0 as u64 >= one.1 && one.0 as u64 >= other.1, "a cause without its effect, not the reverse");
        // The last record's text is all of `seen` that lasts.
        let seen = |(n, last): (i64, u64)| (1..=n).map(|at| if at == n { last } else { 0 }).collect();
        assert_eq!(restored, expected([one.0, other.0], [seen(one), seen(other)], in_inbox).await);
        // It goes on: versions and lengths are as they were.
        let fence = own(&*again, ShardId::of("shop")).await;
        run(&*again, fence, &event(99_999_999), "a", RunStatus::Running).await;
    }
}

pub async fn an_empty_storage_is_backed_up_and_parts_are_checked(f: &mut dyn Fixture) {
    let mut backup = f.storage().backup().await.expect("begun");
    let memory = MemoryStorage::new();
    while let Some(part) = backup.next().await.expect("a part") {
        memory.restore(part).await.expect("restored");
    }
    assert_eq!(everything(&*memory).await, everything(&*MemoryStorage::new()).await);
    for bytes in [&b"x"[..], &[1, 255, 255, 255, 255], &[9, 0, 0, 0, 0]] {
        assert!(matches!(BackupPart::from_bytes(bytes.to_vec()), Err(StorageError::Corrupt { .. })), "{bytes:?}");
    }
}

pub async fn records_are_seen_in_parts(f: &mut dyn Fixture) {
    let write = |key: &str, value: Option<&[u8]>| RecordWrite {
        table: Table::Secrets,
        key: key.into(),
        expect: Expect::Any,
        value: value.map(<[u8]>::to_vec),
    };
    let storage = f.storage();
    storage.write_records(vec![write("a", Some(b"1")), write("b", Some(b"2"))]).await.expect("written");
    let mut backup = storage.backup().await.expect("begun");
    storage.write_records(vec![write("a", Some(b"3"))]).await.expect("written");
    storage.write_records(vec![write("b", None)]).await.expect("written");
    let mut last = std::collections::BTreeMap::new();
    while let Some(part) = backup.next().await.expect("a part") {
        for (table, key, value) in part.records().expect("records") {
            assert_eq!(table, Table::Secrets);
            last.insert(key, value);
        }
    }
    last.retain(|_, value| value.is_some());
    assert_eq!(last.into_iter().collect::<Vec<_>>(), [("a".to_owned(), Some(b"3".to_vec()))]);
}
