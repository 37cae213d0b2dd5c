//! `history`: lists over a long history, through the storage the engine has by default. Runs are put in through `commit`
//! in large batches; `--runs N` and `--folder DIR` (kept; else a temporary one) change how many and where.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use cartwright_core::{
    event::{Event, Match, MatchOutcome, Source},
    id::{EventId, RunId, StepPath, StoreId, Version, WorkflowId},
    run::{
        entry::{Entry, What},
        row::{RunRow, RunStatus},
    },
    shard::{Fence, ShardId},
    time::Timestamp,
};
use cartwright_storage::{Batch, NewEvent, Options, Purge, RunFilter, RunWrite, SledStorage, Storage};

use crate::report::Report;

const DEFAULT_RUNS: u64 = 10_000_000;
const RUNS_PER_COMMIT: u64 = 256;
const STORES: u64 = 100;
const WORKFLOWS: u64 = 20;
/// One run in so many is parked: rare in a workflow that has millions.
const PARKED_EVERY: u64 = 20_011;
/// Times that each list is asked for while it is warm.
const ASKED: usize = 60;
/// The made-up time of the first run, and how far the next is from it, in milliseconds.
const BEGIN_MILLIS: u64 = 1_700_000_000_000;
const STEP_MILLIS: u64 = 40;
/// Filling ends with an error after so long.
const FILL_TIMEOUT: Duration = Duration::from_secs(3 * 3600);

/// Fills, asks, and purges.
pub(crate) fn lists(report: &mut Report, arguments: &[String]) {
    let value = |name: &str| arguments.windows(2).find(|pair| pair[0] == name).map(|pair| pair[1].clone());
    let runs = value("--runs").map_or(DEFAULT_RUNS, |text| text.parse().expect("--runs takes a number"));
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = value("--folder").map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        fill(report, &folder, runs).await;
        let storage = open(&folder);
        ask(report, &*storage, runs, "cold").await;
        ask(report, &*storage, runs, "warm").await;
        purge(report, &storage, runs).await;
        storage.close().await.expect("closed");
    });
}

fn open(folder: &Path) -> Arc<SledStorage> {
    let begun = Instant::now();
    let storage = SledStorage::open(folder, Options::default()).expect("opened");
    println!("opened in {:?}", begun.elapsed());
    storage
}

fn at(n: u64) -> Timestamp {
    Timestamp::from_millis(i64::try_from(BEGIN_MILLIS + n * STEP_MILLIS).expect("in range"))
}

/// Every other run is of the first workflow; the rest are spread.
fn workflow_of(n: u64) -> WorkflowId {
    let number = if n.is_multiple_of(2) { 0 } else { n / 2 % WORKFLOWS };
    format!("flow-{number}").parse().expect("an id")
}

fn store(number: u64) -> StoreId {
    format!("shop-{number}").parse().expect("an id")
}

fn status_of(n: u64) -> RunStatus {
    match n {
        n if n % PARKED_EVERY == 7 => RunStatus::Parked,
        n if n % 97 == 3 => RunStatus::Failed,
        _ => RunStatus::Succeeded,
    }
}

fn one(n: u64, of: &StoreId) -> (NewEvent, RunWrite, (EventId, Vec<Match>)) {
    let (time, workflow, status) = (at(n), workflow_of(n), status_of(n));
    let event = Event {
        id: EventId::derived(time, &[&n.to_string()]),
        topic: "order.created".into(),
        store: Some(of.clone()),
        time,
        source: Source::Api,
        hops: 0,
        data: Arc::from(serde_json::value::to_raw_value(&serde_json::json!({ "id": n })).expect("JSON")),
    };
    let row = RunRow {
        id: RunId::derived(time, &event.id, &workflow),
        version: Version::of(&[workflow.as_str().as_bytes()]),
        workflow: workflow.clone(),
        status,
        store: Some(of.clone()),
        event: event.id.clone(),
        shard: event.shard(),
        retries: 0,
        started: time,
        finished: status.is_ended().then_some(time),
        error: None,
    };
    let entry = |step: &str| Entry { at: time, what: What::StepSkipped { path: StepPath::new(step) } };
    let append = ["read", "check", "notify", "note"].map(entry).to_vec();
    let started = Match { workflow, outcome: MatchOutcome::Started { run: row.id.clone() } };
    let matched = (event.id.clone(), vec![started]);
    (NewEvent { event, dedupe: None }, RunWrite { row, expected_len: 0, append }, matched)
}

async fn own(storage: &dyn Storage, shard: ShardId) -> Fence {
    let fence = storage.acquire(shard, "bench", at(0), Timestamp::MAX).await.expect("works");
    fence.expect("nobody else owns it")
}

/// Puts `count` runs of one store in.
async fn put(storage: &dyn Storage, fence: Fence, from: u64, count: u64, of: &StoreId) {
    let (mut events, mut batch) = (Vec::new(), Batch::default());
    for n in from..from + count {
        let (event, run, matched) = one(n, of);
        events.push(event);
        batch.runs.push(run);
        batch.matched.push(matched);
    }
    storage.accept(events).await.expect("accepted");
    storage.commit(ShardId::of(of.as_str()), fence, batch).await.expect("committed");
}

async fn fill(report: &mut Report, folder: &Path, runs: u64) {
    let storage = open(folder);
    let mut fences = Vec::new();
    for number in 0..STORES {
        fences.push(own(&*storage, ShardId::of(store(number).as_str())).await);
    }
    let begun = Instant::now();
    for (batch, from) in (0..runs).step_by(RUNS_PER_COMMIT as usize).enumerate() {
        let number = batch as u64 % STORES;
        let count = RUNS_PER_COMMIT.min(runs - from);
        put(&*storage, fences[number as usize], from, count, &store(number)).await;
        if batch % 4096 == 4095 {
            println!("{from} runs after {:?}", begun.elapsed());
            assert!(begun.elapsed() < FILL_TIMEOUT, "filling takes too long");
        }
    }
    report.add("history: filled", runs as f64 / begun.elapsed().as_secs_f64(), "runs/s", "");
    storage.close().await.expect("closed");
    drop(storage);
    report.add("history: disk", folder_bytes(folder) as f64 / runs as f64, "B/run", "");
}

fn folder_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("read").flatten();
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => folder_bytes(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    });
    bytes.sum()
}

/// Each field and each pair; each again in a span of time in the middle. Parked runs are rare where their workflow and
/// their store have many.
async fn ask(report: &mut Report, storage: &dyn Storage, runs: u64, temperature: &str) {
    let workflow = || Some("flow-0".parse().expect("an id"));
    let of = || Some(store(13));
    let filter = |workflow, store, status| RunFilter { workflow, store, status, ..RunFilter::default() };
    let parked = Some(RunStatus::Parked);
    let failed = Some(RunStatus::Failed);
    let kinds = [
        ("all", filter(None, None, None)),
        ("workflow", filter(workflow(), None, None)),
        ("store", filter(None, of(), None)),
        ("status failed", filter(None, None, failed)),
        ("status parked", filter(None, None, parked)),
        ("workflow + store", filter(workflow(), of(), None)),
        ("workflow + status failed", filter(workflow(), None, failed)),
        ("workflow + status parked", filter(workflow(), None, parked)),
        ("store + status failed", filter(None, of(), failed)),
        ("store + status parked", filter(None, of(), parked)),
        ("workflow + store + parked", filter(workflow(), of(), parked)),
    ];
    let (since, until) = (Some(at(runs / 2)), Some(at(runs / 2 + runs / 10)));
    let mut slowest = (Duration::ZERO, String::new());
    for (name, filter) in kinds {
        for (when, filter) in [("", filter.clone()), (", in a span", RunFilter { since, until, ..filter })] {
            let times = if temperature == "cold" { 1 } else { ASKED };
            let mut took = Vec::new();
            let mut found = 0;
            for _ in 0..times {
                let begun = Instant::now();
                found = storage.query_runs(&filter, None, 50).await.expect("a page").items.len();
                took.push(begun.elapsed());
            }
            took.sort_unstable();
            let (p50, p99) = (took[took.len() / 2], took[took.len() * 99 / 100]);
            println!("{temperature} {name}{when}: {found} rows, p50 {p50:?}, p99 {p99:?}");
            slowest = slowest.max((p99, format!("{name}{when}")));
        }
    }
    let what = format!("history: newest 50 of {runs}, {temperature}, slowest ({})", slowest.1);
    report.add(what, slowest.0.as_secs_f64() * 1000.0, "ms", "< 50");
}

/// The longest commit while a tenth of the history goes.
async fn purge(report: &mut Report, storage: &Arc<SledStorage>, runs: u64) {
    let of = store(0);
    let fence = own(&**storage, ShardId::of(of.as_str())).await;
    let (stop, purging) = (Arc::new(AtomicBool::new(false)), Arc::clone(storage));
    let over = Arc::clone(&stop);
    let task = tokio::spawn(async move {
        let (begun, mut gone) = (Instant::now(), 0);
        loop {
            let purge = Purge { before: at(runs / 10), keep_runs: u64::MAX, budget: 500 };
            let purged = purging.purge(purge).await.expect("purged");
            gone += purged.runs;
            if !purged.more {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await; // as the engine's retention does
        }
        over.store(true, Ordering::SeqCst);
        (gone, begun.elapsed())
    });
    let (mut next, mut longest) = (runs, Duration::ZERO);
    while !stop.load(Ordering::SeqCst) {
        let begun = Instant::now();
        put(&**storage, fence, next, 1, &of).await;
        longest = longest.max(begun.elapsed());
        next += 1;
    }
    let (gone, took) = task.await.expect("purged");
    println!("{gone} runs were purged in {took:?}, {} committed meanwhile", next - runs);
    report.add("history: longest accept and commit while retention purges", longest.as_secs_f64() * 1000.0, "ms", "");
}
