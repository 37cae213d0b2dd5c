//! The load generator: one thread, many kept-open connections, requests built before the clock starts, answers looked
//! at only for status and length. It shares the machine with what it measures, so it must cost little.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use cartwright_tests::{
    engine::webhook,
    orders,
    random::Random,
    wire::{content_length, head_end},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// How many stores send: the engine spreads stores over shards and limits each of them.
const STORES: u64 = 16;

/// The stores that send.
pub(crate) fn stores() -> impl Iterator<Item = String> {
    (0..STORES).map(|n| format!("shop-{n}"))
}

/// Requests in one block of memory.
pub(crate) struct Requests {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Requests {
    /// Signed webhooks with orders numbered from `first`.
    pub(crate) fn orders(first: u64, count: usize) -> Self {
        let mut random = Random::new(first);
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(count));
        for number in (first..).take(count) {
            let body = orders::body(number, &mut random);
            bytes.extend_from_slice(&webhook(&format!("shop-{}", number % STORES), "order.created", &body).bytes());
            ends.push(bytes.len());
        }
        Self { bytes, ends }
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        Some(&self.bytes[start..end])
    }
}

/// What came of sending them all.
pub(crate) struct Sent {
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// Answers other than 200, and broken connections.
    pub(crate) refused: u64,
    /// Sorted; from when a request was due to be sent until it was answered.
    latencies: Vec<Duration>,
}

impl Sent {
    /// Answered a second.
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that this share of the requests stayed below.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let at = ((self.latencies.len() as f64 - 1.0) * share).round().max(0.0);
        self.latencies.get(at as usize).copied().unwrap_or_default()
    }
}

/// Sends all requests over `connections`. With a `rate`, each has its time to be sent, late ones count as late (so a
/// slow answer is not hidden by waiting for it); without one, each connection sends when it has its answer.
pub(crate) fn send(address: SocketAddr, requests: Requests, connections: usize, rate: Option<f64>) -> Sent {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async move {
        let requests = Arc::new(requests);
        let next = Arc::new(AtomicU64::new(0));
        let begun = Instant::now();
        let tasks: Vec<_> = (0..connections)
            .map(|_| tokio::spawn(connection(address, requests.clone(), next.clone(), begun, rate)))
            .collect();
        let (mut latencies, mut refused) = (Vec::with_capacity(requests.len()), 0);
        for task in tasks {
            let (mut some, wrong) = task.await.expect("a connection's task").expect("the server answers");
            latencies.append(&mut some);
            refused += wrong;
        }
        let elapsed = begun.elapsed();
        latencies.sort_unstable();
        Sent { elapsed, refused, latencies }
    })
}

async fn connection(
    address: SocketAddr,
    requests: Arc<Requests>,
    next: Arc<AtomicU64>,
    begun: Instant,
    rate: Option<f64>,
) -> io::Result<(Vec<Duration>, u64)> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(4096);
    let (mut latencies, mut refused) = (Vec::new(), 0);
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(request) = requests.get(usize::try_from(index).unwrap_or(usize::MAX)) else {
            return Ok((latencies, refused));
        };
        let due = match rate {
            Some(rate) => {
                let due = begun + Duration::from_secs_f64(index as f64 / rate);
                tokio::time::sleep_until(due.into()).await;
                due
            }
            None => Instant::now(),
        };
        stream.write_all(request).await?;
        buffer.clear();
        loop {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some(head) = head_end(&buffer) else { continue };
            if buffer.len() >= head + content_length(&buffer[..head]).unwrap_or(0) {
                break;
            }
        }
        latencies.push(due.elapsed());
        if !buffer.starts_with(b"HTTP/1.1 200") {
            refused += 1;
        }
    }
}
