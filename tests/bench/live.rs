//! The live stream under load: 5,000 events a second, told to 50 clients of which one reads nothing until the end.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use cartwright_core::time::Timestamp;
use cartwright_run::{Clock as _, SystemClock};
use cartwright_tests::{engine::Engine, environment, wire::Request};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::watch,
};

use crate::{
    load::{self, Requests},
    process,
    report::Report,
};

const CLIENTS: usize = 50;
const EVENTS_PER_SECOND: f64 = 5_000.0;
/// Long enough for the ring to go past the client that reads nothing.
const SECONDS: u64 = 20;
/// Every so many items a client looks at the time.
const SAMPLE_EVERY: u64 = 20;
/// For the last items to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a client saw.
#[derive(Default)]
struct Seen {
    items: u64,
    gaps: u64,
    latencies: Vec<Duration>,
}

pub(crate) fn stream(report: &mut Report) {
    let seconds = environment::number("CARTWRIGHT_BENCH_SECONDS", SECONDS);
    let count = (seconds as f64 * EVENTS_PER_SECOND) as usize;
    let mut engine = Engine::new(&[("other.yaml", "on: { woo: [customer.deleted] }\nsteps:\n  - stop: never\n")]);
    load::stores().for_each(|store| engine.add_store(&store));
    engine.start();
    let request = Request::new("GET", "/api/v1/live?kind=event");
    let request = request.header("Authorization", &format!("Bearer {}", engine.token())).bytes();
    let mut stalled = TcpStream::connect(engine.address()).expect("connected");
    stalled.write_all(&request).expect("asked");
    let readers = Readers::start(engine.address(), &request, count as u64);
    let requests = Requests::orders(1, count);
    let (cpu, begun) = (process::cpu(engine.pid()), Instant::now());
    let sent = load::send(engine.address(), requests, 32, Some(EVENTS_PER_SECOND));
    assert_eq!(sent.refused, 0, "every webhook is accepted");
    let cpu = process::cpu(engine.pid()).saturating_sub(cpu).as_secs_f64() / begun.elapsed().as_secs_f64();
    let memory = process::resident_mb(engine.pid());
    let all = readers.end();
    let mut latencies: Vec<Duration> = all.iter().flat_map(|seen| seen.latencies.iter().copied()).collect();
    latencies.sort_unstable();
    let quantile = |share: f64| {
        let at = ((latencies.len() as f64 - 1.0) * share).max(0.0) as usize;
        latencies.get(at).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    };
    let (least, gaps) =
        (all.iter().map(|seen| seen.items).min().unwrap_or_default(), all.iter().map(|seen| seen.gaps).sum::<u64>());
    report.add("live: events accepted a second", sent.rate(), "/s", ">= 5000");
    report.add(
        format!("live: items that the slowest of {} clients got", all.len()),
        least as f64,
        "items",
        count.to_string(),
    );
    report.add("live: gaps of clients that read", gaps as f64, "", "0");
    report.add("live: from accepted to the client, p50", quantile(0.5), "ms", "");
    report.add("live: from accepted to the client, p99", quantile(0.99), "ms", "< 100");
    report.add("live: webhook answered meanwhile, p99", sent.quantile(0.99).as_secs_f64() * 1e3, "ms", "");
    report.add("live: engine CPU", cpu * 100.0, "% of 1", "");
    report.add("live: resident memory", memory, "MB", "");
    let late = read_late(stalled, count as u64);
    report.add("live: items that the stalled client got when it read at last", late.items as f64, "items", "");
    report.add("live: gaps it was told of", late.gaps as f64, "", "1");
}

/// Clients that read as fast as they can, in a thread of their own.
struct Readers {
    thread: thread::JoinHandle<Vec<Seen>>,
    stop: watch::Sender<bool>,
}

impl Readers {
    fn start(address: SocketAddr, request: &[u8], count: u64) -> Self {
        let (stop, stopped) = watch::channel(false);
        let request = request.to_vec();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let clients: Vec<_> = (1..CLIENTS)
                    .map(|_| tokio::spawn(client(address, request.clone(), count, stopped.clone())))
                    .collect();
                let mut all = Vec::new();
                for client in clients {
                    all.push(client.await.expect("a client's task"));
                }
                all
            })
        });
        // Time for all to be let in.
        thread::sleep(Duration::from_secs(1));
        Self { thread, stop }
    }

    fn end(self) -> Vec<Seen> {
        self.stop.send_replace(true);
        self.thread.join().expect("the readers' thread")
    }
}

/// Reads until all items are there, or for [`PATIENCE`] after everything was sent.
async fn client(address: SocketAddr, request: Vec<u8>, count: u64, mut stopped: watch::Receiver<bool>) -> Seen {
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("connected");
    stream.write_all(&request).await.expect("asked");
    let (mut seen, mut buffer) = (Seen::default(), Vec::with_capacity(256 * 1024));
    let over = async {
        let _ = stopped.wait_for(|stop| *stop).await;
        tokio::time::sleep(PATIENCE).await;
    };
    let mut over = std::pin::pin!(over);
    while seen.items < count {
        let read = tokio::select! {
            read = stream.read_buf(&mut buffer) => read.unwrap_or_default(),
            () = &mut over => 0,
        };
        if read == 0 {
            break;
        }
        look(&mut buffer, &mut seen, true);
    }
    seen
}

/// Counts whole lines; what is left of the last one stays.
fn look(buffer: &mut Vec<u8>, seen: &mut Seen, timed: bool) {
    let Some(end) = buffer.iter().rposition(|byte| *byte == b'\n') else { return };
    for line in buffer[..end].split(|byte| *byte == b'\n') {
        if line == b"event: gap" {
            seen.gaps += 1;
        }
        // A gap's item names its kind otherwise.
        if !line.starts_with(b"data: ") || !line.windows(14).any(|part| part == b"\"kind\":\"event\"") {
            continue;
        }
        seen.items += 1;
        if timed && seen.items.is_multiple_of(SAMPLE_EVERY) {
            let text = String::from_utf8_lossy(line);
            let time = text.split("\"time\":\"").nth(1).and_then(|rest| Timestamp::parse(rest.split('"').next()?));
            seen.latencies.extend(time.map(|time| SystemClock.now().since(time)));
        }
    }
    buffer.drain(..=end);
}

/// The client that read nothing so far reads what there is.
fn read_late(mut stream: TcpStream, count: u64) -> Seen {
    stream.set_read_timeout(Some(Duration::from_secs(3))).expect("a timeout");
    let (mut seen, mut buffer, mut piece) = (Seen::default(), Vec::new(), vec![0; 256 * 1024]);
    while let Ok(read @ 1..) = stream.read(&mut piece) {
        buffer.extend_from_slice(&piece[..read]);
        look(&mut buffer, &mut seen, false);
        if seen.items >= count {
            break;
        }
    }
    seen
}
