//! Measures the embedded storage with the commits of a small run: an event of 4 KB is accepted, matched and begun,
//! a call is intended, resolved, and the run ends: one accept and three commits.
//!
//! ```text
//! cargo run --release -p cartwright-storage --example storage_bench -- runs [seconds] [tasks] [folder]
//! cargo run --release -p cartwright-storage --example storage_bench -- churn [seconds] [folder]
//! cargo run --release -p cartwright-storage --example storage_bench -- history [runs] [folder]
//! ```
//!
//! `runs`: as fast as it goes. `churn`: the same with retention of 20,000 runs, with the disk's size each second.
//! `history`: fills, then times queries and reopening.
#![expect(clippy::print_stdout, reason = "a program whose output is a table")]

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use cartwright_core::{
    call::CallOutcome,
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
use serde_json::json;

const STORES: u64 = 20;
const WORKFLOWS: u64 = 10;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |n: usize, default: u64| args.get(n).and_then(|text| text.parse().ok()).unwrap_or(default);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build()?;
    let mode = args.first().map_or("runs", String::as_str);
    let folder = |n: usize| args.get(n).map_or_else(|| PathBuf::from("storage-bench-data"), PathBuf::from);
    match mode {
        "churn" => runtime.block_on(load(&folder(2), number(1, 30), 64, Some(20_000))),
        "history" => runtime.block_on(history(&folder(2), number(1, 1_000_000))),
        _ => runtime.block_on(load(&folder(3), number(1, 10), number(2, 64), None)),
    }
}

struct Bench {
    storage: Arc<SledStorage>,
    fences: Vec<Fence>,
    next: AtomicU64,
    done: AtomicU64,
    data: Arc<serde_json::value::RawValue>,
    begin_millis: i64,
    begin: Instant,
}

impl Bench {
    async fn open(folder: &Path) -> Result<Arc<Self>> {
        let storage = SledStorage::open(folder, Options::default())?;
        let mut fences = Vec::new();
        for shard in ShardId::all() {
            let fence = storage.acquire(shard, "bench", at(0), Timestamp::MAX).await?;
            fences.push(fence.context("the shard is free")?);
        }
        let items: Vec<_> = (0..14).map(|n| json!({"id": n, "name": "A product with a name of some length", "sku": format!("SKU-{n}-{:x}", n * 7919),
            "price": "19.90", "meta_data": [{"key": "_reduced_stock", "value": n}, {"key": "color", "value": "mixed-case Text 123"}]})).collect();
        let order = json!({"id": 4711, "status": "processing", "line_items": items, "billing": {"first_name": "Ada", "email": "ada@example.test"}});
        let data = Arc::from(serde_json::value::to_raw_value(&order)?);
        let now = std::process::id(); // new ids each time, without reading a clock
        let begin_millis = 1_795_000_000_000 + i64::from(now) * 86_400_000;
        Ok(Arc::new(Self {
            storage,
            fences,
            next: AtomicU64::new(0),
            done: AtomicU64::new(0),
            data,
            begin_millis,
            begin: Instant::now(),
        }))
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.begin_millis).plus(self.begin.elapsed())
    }

    async fn one_run(&self, at: Timestamp) -> Result<()> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let store: StoreId = format!("shop-{}", n % STORES).parse()?;
        let workflow: WorkflowId = format!("flow-{}", n % WORKFLOWS).parse()?;
        let id = EventId::derived(at, &[&n.to_string()]);
        let event = Event {
            id: id.clone(),
            topic: "order.created".to_owned(),
            store: Some(store.clone()),
            time: at,
            source: Source::Woo { webhook: "12".to_owned(), delivery: n.to_string() },
            hops: 0,
            data: Arc::clone(&self.data),
        };
        let shard = event.shard();
        let fence = self.fences[usize::from(shard.number())];
        let mut key = [0; 32];
        key[..16].copy_from_slice(
            &(u128::from(n) << 64 | u128::from(self.begin_millis as u64))
                .wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
                .to_be_bytes(),
        );
        self.storage.accept(vec![NewEvent { event, dedupe: Some(key) }]).await?;
        let run = RunId::derived(at, &id, &workflow);
        let version = Version::of(&[workflow.as_str().as_bytes()]);
        let path = StepPath::new("notify");
        let entry = |what| Entry { at, what };
        let mut row = RunRow {
            id: run.clone(),
            workflow: workflow.clone(),
            version: version.clone(),
            status: RunStatus::Running,
            store: Some(store.clone()),
            event: id.clone(),
            shard,
            retries: 0,
            started: at,
            finished: None,
            error: None,
            delayed_until: None,
        };
        let fingerprint = "0123456789abcdef0123456789abcdef".to_owned();
        let first = vec![
            entry(What::RunStarted {
                run: run.clone(),
                workflow: workflow.clone(),
                version,
                event: id.clone(),
                store: Some(store),
                shard,
                hops: 0,
                events: Vec::new(),
                parent: None,
            }),
            entry(What::StepStarted { path: path.clone(), attempt: 1, kind: "http".to_owned() }),
            entry(What::CallIntended {
                path: path.clone(),
                index: 0,
                function: "http::post".to_owned(),
                fingerprint: fingerprint.clone(),
                summary: "POST https://hooks.example.test/orders".to_owned(),
                repeatable: true,
            }),
        ];
        let matches = vec![Match { workflow, outcome: MatchOutcome::Started { run: run.clone() } }];
        let begin = Batch {
            runs: vec![RunWrite { row: row.clone(), expected_len: 0, append: first }],
            matched: vec![(id, matches)],
            ..Batch::default()
        };
        self.storage.commit(shard, fence, begin).await?;
        let outcome = CallOutcome::Ok(
            json!({"status": 200, "headers": {"content-type": "application/json"}, "body": {"ok": true, "id": n}}),
        );
        let resolved = vec![entry(What::CallResolved {
            path: path.clone(),
            index: 0,
            function: "http::post".to_owned(),
            fingerprint,
            outcome,
        })];
        let batch =
            Batch { runs: vec![RunWrite { row: row.clone(), expected_len: 3, append: resolved }], ..Batch::default() };
        self.storage.commit(shard, fence, batch).await?;
        row.status = RunStatus::Succeeded;
        row.finished = Some(at);
        let end = vec![
            entry(What::StepSucceeded { path, output: json!({"ok": true}), undo: false }),
            entry(What::RunFinished { status: RunStatus::Succeeded, output: json!({"ok": true}), error: None }),
        ];
        let batch = Batch { runs: vec![RunWrite { row, expected_len: 4, append: end }], ..Batch::default() };
        self.storage.commit(shard, fence, batch).await?;
        self.done.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// CPU seconds of this process so far.
fn cpu_seconds() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<f64> = after_name.split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect();
    (fields.get(11).unwrap_or(&0.0) + fields.get(12).unwrap_or(&0.0)) / TICKS_PER_SECOND
}

fn memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}

async fn load(folder: &Path, seconds: u64, tasks: u64, keep_runs: Option<u64>) -> Result<()> {
    let bench = Bench::open(folder).await?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..tasks {
        let bench = Arc::clone(&bench);
        running.spawn(async move {
            while Instant::now() < end {
                bench.one_run(bench.now()).await?;
            }
            anyhow::Ok(())
        });
    }
    if let Some(keep_runs) = keep_runs {
        let bench = Arc::clone(&bench);
        running.spawn(async move {
            while Instant::now() < end {
                // What is older than what `keep_runs` leaves: events go with their runs.
                let newest = RunFilter::default();
                let page = bench.storage.query_runs(&newest, None, 1).await?;
                drop(page);
                let before = Timestamp::from_millis(bench.now().as_millis() - 5_000);
                let purged = bench.storage.purge(Purge { before, keep_runs, budget: 1024 }).await?;
                if !purged.more {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
            Ok(())
        });
    }
    println!("second | runs/s | CPU ms a run | disk MiB | memory MiB | runs kept");
    let (mut runs, mut cpu) = (0, cpu_seconds());
    for second in 1..=seconds {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (runs_now, cpu_now) = (bench.done.load(Ordering::Relaxed), cpu_seconds());
        let counts = bench.storage.counts().await?;
        let per_run = (cpu_now - cpu) * 1000.0 / (runs_now - runs).max(1) as f64;
        let kept: u64 = counts.runs.iter().sum();
        println!(
            "{second} | {} | {per_run:.3} | {} | {} | {kept}",
            runs_now - runs,
            counts.disk_bytes >> 20,
            memory_mib()
        );
        (runs, cpu) = (runs_now, cpu_now);
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    let closing = Instant::now();
    bench.storage.close().await?;
    println!("closed in {:?}; disk {} MiB", closing.elapsed(), disk_mib(folder));
    Ok(())
}

fn disk_mib(folder: &Path) -> u64 {
    let Ok(files) = std::fs::read_dir(folder) else { return 0 };
    let size = |file: std::fs::DirEntry| match file.metadata() {
        Ok(data) if data.is_dir() => disk_mib(&file.path()) << 20,
        Ok(data) => data.len(),
        Err(_) => 0,
    };
    files.flatten().map(size).sum::<u64>() >> 20
}

async fn history(folder: &Path, runs: u64) -> Result<()> {
    let bench = Bench::open(folder).await?;
    let begin = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for task in 0..64 {
        let bench = Arc::clone(&bench);
        running.spawn(async move {
            for n in 0..runs / 64 {
                // Ten runs a second of made-up time.
                bench.one_run(Timestamp::from_millis(bench.begin_millis + ((n * 64 + task) * 100) as i64)).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    println!(
        "{runs} runs in {:?}; disk {} MiB, memory {} MiB",
        begin.elapsed(),
        bench.storage.counts().await?.disk_bytes >> 20,
        memory_mib()
    );
    let storage = Arc::clone(&bench.storage);
    drop(bench);
    drop(storage); // as a crash would: the log is not moved to sled
    let opening = Instant::now();
    let storage = SledStorage::open(folder, Options::default())?;
    println!("opened in {:?}", opening.elapsed());
    let (workflow, store) = (Some("flow-3".parse()?), Some("shop-13".parse()?));
    let status = Some(RunStatus::Succeeded);
    let filters = [
        ("all", RunFilter::default()),
        ("workflow", RunFilter { workflow: workflow.clone(), ..RunFilter::default() }),
        ("store", RunFilter { store: store.clone(), ..RunFilter::default() }),
        ("status", RunFilter { status, ..RunFilter::default() }),
        ("workflow+store", RunFilter { workflow: workflow.clone(), store: store.clone(), ..RunFilter::default() }),
        ("workflow+status", RunFilter { workflow: workflow.clone(), status, ..RunFilter::default() }),
        ("store+status", RunFilter { store: store.clone(), status, ..RunFilter::default() }),
        ("all three", RunFilter { workflow, store, status, ..RunFilter::default() }),
        ("status parked (none)", RunFilter { status: Some(RunStatus::Parked), ..RunFilter::default() }),
    ];
    for (name, filter) in filters {
        let mut times = Vec::new();
        let mut found = 0;
        for _ in 0..5 {
            let asking = Instant::now();
            found = storage.query_runs(&filter, None, 50).await?.items.len();
            times.push(asking.elapsed());
        }
        println!("{name}: {found} rows, first {:?}, then {:?}", times[0], times[4]);
    }
    storage.close().await?;
    Ok(())
}
