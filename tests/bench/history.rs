//! `history`: lists over a long history, through the storage the engine has by default. Runs are put in through `commit`
//! in large batches by several tasks; `--runs N` and `--folder DIR` (kept; else a temporary one) change how many and where.
//! "After reopen" is the first answer of a storage that was just opened; the system's file cache stays as it is.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
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
/// Tasks that fill at the same time, as drivers commit at the same time.
const FILLERS: u64 = 8;
/// Times that each list is asked for while it is warm.
const ASKED: usize = 60;
/// The made-up time of the first run, and how far the next is from it, in milliseconds.
const BEGIN_MILLIS: u64 = 1_700_000_000_000;
const STEP_MILLIS: u64 = 40;
/// Filling ends with an error after so long.
const FILL_TIMEOUT: Duration = Duration::from_secs(3 * 3600);
/// Purging is watched for so long.
const PURGE_TIME: Duration = Duration::from_secs(15);

/// Fills, asks, and purges.
pub(crate) fn lists(report: &mut Report, arguments: &[String]) {
    let value = |name: &str| arguments.windows(2).find(|pair| pair[0] == name).map(|pair| pair[1].clone());
    let runs = value("--runs").map_or(DEFAULT_RUNS, |text| text.parse().expect("--runs takes a number"));
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = value("--folder").map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        fill(report, &folder, runs).await;
        let storage = open(report, &folder);
        ask(report, &*storage, runs).await;
        purge(report, &storage, runs).await;
        storage.close().await.expect("closed");
    });
}

fn open(report: &mut Report, folder: &Path) -> Arc<SledStorage> {
    let begun = Instant::now();
    let storage = SledStorage::open(folder, Options::default()).expect("opened");
    report.add("history: opened", begun.elapsed().as_secs_f64() * 1000.0, "ms", "");
    storage
}

fn at(n: u64) -> Timestamp {
    Timestamp::from_millis(i64::try_from(BEGIN_MILLIS + n * STEP_MILLIS).expect("in range"))
}

/// Stores take turns; of each store's runs every other one is of the first workflow, and the rest are spread.
fn workflow_of(n: u64) -> WorkflowId {
    let turn = n / STORES;
    let number = if turn.is_multiple_of(2) { 0 } else { turn / 2 % WORKFLOWS };
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

fn event_id(n: u64) -> EventId {
    EventId::derived(at(n), &[&n.to_string()])
}

fn one(n: u64, of: &StoreId) -> (NewEvent, RunWrite, (EventId, Vec<Match>)) {
    let (time, workflow, status) = (at(n), workflow_of(n), status_of(n));
    let event = Event {
        id: event_id(n),
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
        delayed_until: None,
    };
    let entry = |step: &str| Entry { at: time, what: What::StepSkipped { path: StepPath::new(step) } };
    let append = ["read", "check", "notify", "note"].map(entry).to_vec();
    let started = Match { workflow, outcome: MatchOutcome::Started { run: row.id.clone() } };
    let matched = (event.id.clone(), vec![started]);
    (NewEvent { event, dedupe: None }, RunWrite { row, expected_len: 0, append }, matched)
}

/// The fences of all shards, by number.
async fn own(storage: &dyn Storage) -> Vec<Fence> {
    let mut fences = Vec::new();
    for shard in ShardId::all() {
        let fence = storage.acquire(shard, "bench", at(0), Timestamp::MAX).await.expect("works");
        fences.push(fence.expect("nobody else owns it"));
    }
    fences
}

/// Puts these runs of one store in.
async fn put(storage: &dyn Storage, fences: &[Fence], numbers: impl Iterator<Item = u64>, of: &StoreId) {
    let (mut events, mut batch) = (Vec::new(), Batch::default());
    for n in numbers {
        let (event, run, matched) = one(n, of);
        events.push(event);
        batch.runs.push(run);
        batch.matched.push(matched);
    }
    let shard = ShardId::of(of.as_str());
    storage.accept(events).await.expect("accepted");
    storage.commit(shard, fences[usize::from(shard.number())], batch).await.expect("committed");
}

async fn fill(report: &mut Report, folder: &Path, runs: u64) {
    let storage = open(report, folder);
    let fences = Arc::new(own(&*storage).await);
    let begun = Instant::now();
    // A round gives each store one commit; its runs lie between those of the others in time.
    let rounds = runs.div_ceil(RUNS_PER_COMMIT * STORES);
    let next = Arc::new(AtomicU64::new(0));
    let fillers = (0..FILLERS).map(|_| {
        let (storage, fences, next) = (Arc::clone(&storage), Arc::clone(&fences), Arc::clone(&next));
        tokio::spawn(async move {
            loop {
                let commit = next.fetch_add(1, Ordering::Relaxed);
                let (round, number) = (commit / STORES, commit % STORES);
                if round >= rounds {
                    return;
                }
                let first = round * RUNS_PER_COMMIT * STORES + number;
                let numbers = (0..RUNS_PER_COMMIT).map(|turn| first + turn * STORES).filter(|n| *n < runs);
                put(&*storage, &fences, numbers, &store(number)).await;
                if commit % 400 == 399 {
                    println!("{} runs after {:?}", (commit + 1) * RUNS_PER_COMMIT, begun.elapsed());
                    assert!(begun.elapsed() < FILL_TIMEOUT, "filling takes too long");
                }
            }
        })
    });
    for filler in fillers.collect::<Vec<_>>() {
        filler.await.expect("filled");
    }
    report.add("history: filled", runs as f64 / begun.elapsed().as_secs_f64(), "runs/s", "");
    let begun = Instant::now();
    storage.close().await.expect("closed");
    drop(storage);
    report.add("history: closed", begun.elapsed().as_secs_f64(), "s", "");
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

/// Each field, each pair of fields, and all of them; each again in a span of time in the middle. Parked runs are rare where
/// their workflow and their store have many.
fn lists_of(runs: u64) -> Vec<(String, RunFilter)> {
    let event = event_id(runs / 2 + runs / 20);
    let workflows = [None, Some("flow-0"), Some("flow-7")];
    let statuses = [None, Some(RunStatus::Succeeded), Some(RunStatus::Failed), Some(RunStatus::Parked)];
    let mut lists = Vec::new();
    for event in [None, Some(event)] {
        for workflow in workflows {
            for store in [None, Some(store(13))] {
                for status in statuses {
                    // What one event started is a handful of runs, whatever else is asked of them: pairs are enough.
                    let others = usize::from(workflow.is_some()) + usize::from(store.is_some());
                    if event.is_some() && others + usize::from(status.is_some()) > 1 {
                        continue;
                    }
                    let words = [
                        event.as_ref().map(|_| "event".to_owned()),
                        workflow.map(str::to_owned),
                        store.as_ref().map(ToString::to_string),
                        status.map(|status| status.as_str().to_owned()),
                    ];
                    let words: Vec<_> = words.into_iter().flatten().collect();
                    let name = if words.is_empty() { "all".to_owned() } else { words.join(" + ") };
                    let workflow = workflow.map(|id| id.parse().expect("an id"));
                    let (store, event) = (store.clone(), event.clone());
                    lists.push((name, RunFilter { workflow, store, status, event, ..RunFilter::default() }));
                }
            }
        }
    }
    lists
}

/// Asks for the newest 50 of each list and prints a table.
async fn ask(report: &mut Report, storage: &dyn Storage, runs: u64) {
    let (since, until) = (Some(at(runs / 2)), Some(at(runs / 2 + runs / 10)));
    let spans = |(name, filter): (String, RunFilter)| {
        [(format!("{name}, in a span"), RunFilter { since, until, ..filter.clone() }), (name, filter)]
    };
    let lists: Vec<_> = lists_of(runs).into_iter().flat_map(spans).collect();
    let mut first = Vec::new();
    for (_, filter) in &lists {
        first.push(asked(storage, filter, 1).await.1[0]);
    }
    println!("{:<44} {:>4} {:>12} {:>10} {:>10}   in ms", "newest 50 of", "rows", "after reopen", "p50", "p99");
    let mut slowest = [(Duration::ZERO, String::new()), (Duration::ZERO, String::new())];
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    for ((name, filter), first) in lists.iter().zip(first) {
        let (rows, took) = asked(storage, filter, ASKED).await;
        let (p50, p99) = (took[took.len() / 2], took[took.len() * 99 / 100]);
        println!("{name:<44} {rows:>4} {:>12.2} {:>10.2} {:>10.2}", millis(first), millis(p50), millis(p99));
        for (slowest, time) in slowest.iter_mut().zip([first, p99]) {
            if time > slowest.0 {
                *slowest = (time, name.clone());
            }
        }
    }
    for ((time, name), when) in slowest.into_iter().zip(["after reopen", "warm p99"]) {
        report.add(format!("history: newest 50 of {runs}, slowest {when} ({name})"), millis(time), "ms", "< 50");
    }
}

/// How many rows a list gives, and how long it took each time, shortest first.
async fn asked(storage: &dyn Storage, filter: &RunFilter, times: usize) -> (usize, Vec<Duration>) {
    let (mut took, mut rows) = (Vec::new(), 0);
    for _ in 0..times {
        let begun = Instant::now();
        rows = storage.query_runs(filter, None, 50).await.expect("a page").items.len();
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    (rows, took)
}

/// The longest commit while old history goes, beside the longest while nothing goes.
async fn purge(report: &mut Report, storage: &Arc<SledStorage>, runs: u64) {
    let fences = own(&**storage).await;
    let quiet = Instant::now();
    let (next, longest) = commit_while(storage, &fences, runs, || quiet.elapsed() < PURGE_TIME / 10).await;
    report.add("history: longest accept and commit, nothing else", longest.as_secs_f64() * 1000.0, "ms", "");
    let (stop, purging) = (Arc::new(AtomicBool::new(false)), Arc::clone(storage));
    let over = Arc::clone(&stop);
    let task = tokio::spawn(async move {
        let (begun, mut gone) = (Instant::now(), 0);
        while begun.elapsed() < PURGE_TIME {
            let purge = Purge { before: at(runs / 2), keep_runs: u64::MAX, budget: 500 };
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
    let (_, longest) = commit_while(storage, &fences, next, || !stop.load(Ordering::SeqCst)).await;
    let (gone, took) = task.await.expect("purged");
    report.add("history: purged", gone as f64 / took.as_secs_f64(), "runs/s", "");
    report.add("history: longest accept and commit while retention purges", longest.as_secs_f64() * 1000.0, "ms", "");
}

/// Puts runs in one after the other; gives the number of the next, and how long the slowest took.
async fn commit_while(
    storage: &Arc<SledStorage>,
    fences: &[Fence],
    first: u64,
    more: impl Fn() -> bool,
) -> (u64, Duration) {
    let (mut next, mut longest) = (first, Duration::ZERO);
    while more() {
        let begun = Instant::now();
        put(&**storage, fences, std::iter::once(next), &store(0)).await;
        longest = longest.max(begun.elapsed());
        next += 1;
    }
    (next, longest)
}
