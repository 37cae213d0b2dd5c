//! How much the engine itself costs: events are accepted, matched, scripted, "called" (an outbound that answers at
//! once) and kept on sled, without HTTP on either side. Prints runs a second and CPU a run.
//!
//! `cargo run --release -p cartwright-run --example engine_bench -- [runs] [events in flight]`
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use cartwright_core::{Json, call::CallError, event::Source, secret::SecretMarks};
use cartwright_run::{
    Definition, Engine, Incoming, Loaded, Options, Parts, SystemClock, SystemEntropy,
    outbound::{NoTransport, Outbound, OutboundRequest},
};
use cartwright_sandbox::{Limits, Sandbox};
use cartwright_storage::SledStorage;
use cartwright_woo::Vault;
use serde_json::{json, value::to_raw_value};
use tokio::sync::{Notify, Semaphore};

const WORKFLOW: &str = r#"
on: { event: [order.paid] }
grants: { http: ["127.0.0.1"] }
if: number(event.data.total) > 100
steps:
  - id: score
    script: |
      let items = event.data.line_items;
      #{ order: event.data.id, level: if items.len() > 2 { "gold" } else { "silver" } }
  - id: tell
    http: POST http://127.0.0.1:9/tell
    body: { order: "${{ steps.score.output.order }}", level: "${{ steps.score.output.level }}" }
"#;

#[derive(Default)]
struct Counting {
    calls: AtomicU64,
    wanted: AtomicU64,
    done: Notify,
}

#[async_trait]
impl Outbound for Counting {
    async fn send(&self, _request: OutboundRequest) -> Result<Json, CallError> {
        if self.calls.fetch_add(1, Relaxed) + 1 == self.wanted.load(Relaxed) {
            self.done.notify_one();
        }
        Ok(json!({"status": 200, "headers": {"content-type": "text/plain"}, "body": "ok"}))
    }
}

fn order() -> Json {
    let address = json!({"first_name": "Ada", "last_name": "Example", "company": "", "address_1": "1 Some Street",
        "address_2": "", "city": "Anytown", "state": "", "postcode": "12345", "country": "DE", "email": "ada@shop.example",
        "phone": "000"});
    let item = json!({"id": 24, "name": "A notebook", "product_id": 21, "variation_id": 0, "quantity": 1, "tax_class": "",
        "subtotal": "32.50", "subtotal_tax": "6.18", "total": "32.50", "total_tax": "6.18", "taxes": [{"id": 1, "total": "6.18",
        "subtotal": "6.18"}], "meta_data": [], "sku": "SKU-010", "price": 32.5, "image": {"id": "", "src": ""}});
    json!({"id": 58, "status": "processing", "currency": "EUR", "total": "238.68", "number": "58", "billing": address,
        "shipping": address, "line_items": vec![item; 6], "meta_data": [{"id": 1, "key": "note", "value": "x".repeat(600)}]})
}

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().expect("utime") + fields[12].parse::<f64>().expect("stime");
    ticks / 100.0
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1).filter_map(|arg| arg.parse::<u64>().ok());
    let (runs, in_flight) = (args.next().unwrap_or(20_000), args.next().unwrap_or(64));
    let folder = tempfile::tempdir().expect("a folder");
    let marks = SecretMarks::new([7; 32]);
    let outbound = Arc::new(Counting::default());
    outbound.wanted.store(runs, Relaxed);
    let storage = SledStorage::open(folder.path(), cartwright_storage::Options::default()).expect("opens");
    let parts = Parts {
        storage,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        outbound: Arc::clone(&outbound) as Arc<dyn Outbound>,
        stores: Arc::new(NoTransport),
        sandbox: Sandbox::new(Limits::default(), marks.clone()),
        marks,
        vault: Arc::new(Vault::in_memory().expect("randomness")),
        options: Options::default(),
    };
    let definition =
        Definition { id: "bench".parse().expect("an id"), source: WORKFLOW.into(), files: BTreeMap::new() };
    let workflow = definition.parse().0.expect("valid");
    let engine = Engine::start(parts, vec![Loaded { definition, workflow }]).await.expect("starts");
    let data: Arc<serde_json::value::RawValue> = Arc::from(to_raw_value(&order()).expect("JSON"));
    println!("order: {} bytes, {runs} runs, {in_flight} events in flight", data.get().len());

    let (started, cpu) = (Instant::now(), cpu_seconds());
    let slots = Arc::new(Semaphore::new(usize::try_from(in_flight).expect("small")));
    for _ in 0..runs {
        let permit = Arc::clone(&slots).acquire_owned().await.expect("open");
        let (engine, data) = (engine.clone(), Arc::clone(&data));
        tokio::spawn(async move {
            let incoming =
                Incoming { topic: "order.paid".into(), store: None, source: Source::Api, data, dedupe: None };
            engine.accept(incoming).await.expect("accepted");
            drop(permit);
        });
    }
    let accepted = started.elapsed();
    outbound.done.notified().await;
    let succeeded = || async { engine.counts().await.expect("counts").runs[4] };
    while succeeded().await < runs {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (took, used) = (started.elapsed(), cpu_seconds() - cpu);
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let n = runs as f64;
    println!("accepted in {accepted:?}, completed in {took:?}");
    println!("{:.0} runs/s, {:.3} ms CPU a run", n / took.as_secs_f64(), used * 1000.0 / n);
    println!("{:?}", engine.metrics());
    engine.stop(Duration::from_secs(5)).await.expect("stops");
}
