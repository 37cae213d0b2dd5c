//! The client's process: reads stores and a plan from its input, calls the stores as planned through the engine's
//! client, prints what it measured about the calls and about itself.

use std::{
    io,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use cartwright_core::woo::WooRequest;
use cartwright_run::{
    Clock as _, Entropy as _, SystemClock, SystemEntropy,
    outbound::{HttpOutbound, OutboundOptions},
};
use cartwright_woo::{Ambience, Client, ClientOptions, Connection, Secret};
use serde::Deserialize;
use serde_json::{Value, json};

use super::shops::TROUBLES;
use crate::process;

/// Calls on their way in the plan `fast`.
const AT_ONCE: usize = 64;
/// Of one store in the plan `steady`, below what its lane allows, so that no call waits for it.
const STEADY_EVERY: Duration = Duration::from_millis(250);
/// No limit that a call could meet.
const NO_LIMIT: NonZeroU32 = NonZeroU32::new(1_000_000).expect("not zero");

/// One line on the input.
#[derive(Deserialize)]
struct Input {
    stores: Vec<Store>,
    plan: Plan,
}

#[derive(Deserialize)]
struct Store {
    id: String,
    url: String,
    key: String,
    secret: String,
    product: u64,
}

/// What is measured.
#[derive(Clone, Copy, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Plan {
    Fast { requests: usize },
    Usual { seconds: u64 },
    Steady { seconds: u64 },
}

/// What is called, and what came of it.
struct Bench {
    client: Client,
    stores: Vec<(Connection, u64)>,
    /// Numbers calls: every fourth writes, and each has a key of its own.
    number: AtomicU64,
    failed: AtomicU64,
}

/// `bench client`
pub(crate) fn main() {
    let mut line = String::new();
    io::stdin().read_line(&mut line).expect("a line");
    let input: Input = serde_json::from_str(&line).expect("stores and a plan");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    println!("{}", runtime.block_on(measure(&input)));
}

async fn measure(input: &Input) -> Value {
    let bench = Arc::new(Bench::new(input));
    let own = std::process::id();
    let (memory, cpu, begun) = (process::resident_mb(own), process::cpu(own), Instant::now());
    let mut latencies = match input.plan {
        Plan::Fast { requests } => bench.fast(requests).await,
        Plan::Usual { seconds } => bench.usual(begun + Duration::from_secs(seconds)).await,
        Plan::Steady { seconds } => bench.steady(begun + Duration::from_secs(seconds)).await,
    };
    let (elapsed, cpu) = (begun.elapsed(), process::cpu(own).saturating_sub(cpu));
    latencies.sort_unstable();
    let quantile = |share: f64| {
        let at = ((latencies.len() as f64 - 1.0) * share).round().max(0.0);
        latencies.get(at as usize).copied().unwrap_or_default().as_secs_f64() * 1e3
    };
    json!({
        "answered": latencies.len(),
        "failed": bench.failed.load(Ordering::Relaxed),
        "seconds": elapsed.as_secs_f64(),
        "cpu_ms": cpu.as_secs_f64() * 1e3,
        "p50_ms": quantile(0.5),
        "p99_ms": quantile(0.99),
        "memory_before_mb": memory,
        "memory_after_mb": process::resident_mb(own),
    })
}

impl Bench {
    fn new(input: &Input) -> Self {
        let allowed = vec!["127.0.0.0/8".parse().expect("a range")];
        let outbound = HttpOutbound::new(OutboundOptions { allowed, ..OutboundOptions::default() });
        let ambience =
            Ambience { now: Box::new(|| SystemClock.now()), random: Box::new(|bytes| SystemEntropy.fill(bytes)) };
        let options = match input.plan {
            Plan::Fast { .. } => {
                ClientOptions { requests_per_second: NO_LIMIT, burst: NO_LIMIT, ..ClientOptions::default() }
            }
            Plan::Usual { .. } | Plan::Steady { .. } => ClientOptions::default(),
        };
        let client = Client::new(Arc::new(outbound.expect("an HTTP client")), ambience, options);
        let connection = |store: &Store| Connection {
            id: store.id.parse().expect("an id"),
            url: store.url.parse().expect("an address"),
            key: Secret::new(store.key.as_str()),
            secret: Secret::new(store.secret.as_str()),
        };
        let stores = input.stores.iter().map(|store| (connection(store), store.product)).collect();
        Self { client, stores, number: AtomicU64::new(0), failed: AtomicU64::new(0) }
    }

    /// One call, and how long it took; nothing when it failed.
    async fn call(&self, place: usize) -> Option<Duration> {
        let (store, product) = &self.stores[place % self.stores.len()];
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let spec = if number % 4 == 3 {
            let body = json!({ "name": format!("Tea {number}"), "regular_price": "4.50" });
            json!({ "method": "POST", "path": "products", "body": body })
        } else {
            json!({ "path": format!("products/{product}") })
        };
        let request = WooRequest::parse(&spec).expect("a request");
        let begun = Instant::now();
        let done = self.client.call(store, &request, &format!("{number:040x}"), None).await;
        let took = begun.elapsed();
        if done.is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        done.is_ok().then_some(took)
    }

    /// So many calls, in turn over the stores.
    async fn fast(self: &Arc<Self>, requests: usize) -> Vec<Duration> {
        let next = Arc::new(AtomicUsize::new(0));
        let worker = |_| {
            let (bench, next) = (Arc::clone(self), Arc::clone(&next));
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    if place >= requests {
                        return latencies;
                    }
                    latencies.extend(bench.call(place).await);
                }
            })
        };
        joined((0..AT_ONCE).map(worker).collect()).await
    }

    /// Every store has two callers that call again at once, so that its lane is never idle.
    async fn usual(self: &Arc<Self>, end: Instant) -> Vec<Duration> {
        let caller = |place| {
            let bench = Arc::clone(self);
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while let Ok(took) = tokio::time::timeout_at(end.into(), bench.call(place)).await {
                    latencies.extend(took);
                }
                latencies
            })
        };
        joined((0..self.stores.len() * 2).map(caller).collect()).await
    }

    /// Every store is called at fixed times, whatever became of the call before. Those that may be in trouble are
    /// called and do not count.
    async fn steady(self: &Arc<Self>, end: Instant) -> Vec<Duration> {
        let begun = Instant::now();
        let caller = |place: usize| {
            let bench = Arc::clone(self);
            tokio::spawn(async move {
                let mut calls = Vec::new();
                // Spread over the first period, so that not all call at the same moment.
                let mut due = begun + STEADY_EVERY.mul_f64(place as f64 / bench.stores.len() as f64);
                while due < end {
                    tokio::time::sleep_until(due.into()).await;
                    let bench = Arc::clone(&bench);
                    calls.push(tokio::spawn(async move { bench.call(place).await }));
                    due += STEADY_EVERY;
                }
                let mut latencies = Vec::new();
                if place >= TROUBLES.len() {
                    for call in calls {
                        latencies.extend(call.await.expect("a call's task"));
                    }
                }
                latencies
            })
        };
        let callers = (0..self.stores.len()).map(caller).collect();
        let latencies = joined(callers).await;
        let healthy = self.stores.len() - TROUBLES.len();
        let wanted = healthy * usize::try_from((end - begun).as_millis() / STEADY_EVERY.as_millis()).unwrap_or(0);
        self.failed.store(wanted.saturating_sub(latencies.len()) as u64, Ordering::Relaxed);
        latencies
    }
}

async fn joined(tasks: Vec<tokio::task::JoinHandle<Vec<Duration>>>) -> Vec<Duration> {
    let mut all = Vec::new();
    for task in tasks {
        all.append(&mut task.await.expect("a caller's task"));
    }
    all
}
