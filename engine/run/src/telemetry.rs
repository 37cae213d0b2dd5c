//! What leaves the engine as traces: finished spans go into a bounded channel that whoever exports them reads. Nothing
//! here waits: what does not fit is dropped and counted.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use cartwright_core::time::Timestamp;
use tokio::sync::mpsc;

/// Spans that wait to be exported.
const SPANS_WAITING_MAX: usize = 8_192;

/// Something that took time within a trace.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the words are OpenTelemetry's")]
pub struct Span {
    pub trace: [u8; 16],
    pub id: [u8; 8],
    pub parent: Option<[u8; 8]>,
    /// A trace and a span elsewhere that caused this.
    pub link: Option<([u8; 16], [u8; 8])>,
    pub name: String,
    /// A request that we sent; otherwise something inside.
    pub is_client: bool,
    pub start: Timestamp,
    pub end: Timestamp,
    pub attributes: Vec<(&'static str, Attribute)>,
    /// A stable word that says why it failed.
    pub failed: Option<String>,
}

/// A value of a span's attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Attribute {
    Text(String),
    Number(i64),
}

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Attribute {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// Where spans go. All clones are the same.
#[derive(Clone)]
pub struct Telemetry {
    sender: mpsc::Sender<Span>,
    /// The share of traces that is kept, 0 to 1.
    sample_ratio: f64,
    counts: Arc<SpanCounts>,
}

/// Spans since the start.
#[derive(Debug, Default)]
pub struct SpanCounts {
    /// Taken by the collector.
    pub exported: AtomicU64,
    /// Thrown away: too many waited, or the collector was away.
    pub dropped: AtomicU64,
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("sample_ratio", &self.sample_ratio).finish_non_exhaustive()
    }
}

impl Telemetry {
    /// Spans come out of the receiver. `sample_ratio` is the share of runs that are traced, 0 to 1.
    pub fn new(sample_ratio: f64) -> (Self, mpsc::Receiver<Span>) {
        let (sender, receiver) = mpsc::channel(SPANS_WAITING_MAX);
        (Self { sender, sample_ratio, counts: Arc::default() }, receiver)
    }

    /// What became of spans.
    pub fn counts(&self) -> &Arc<SpanCounts> {
        &self.counts
    }

    /// Whether a trace is kept: the same answer for a run whenever it is asked.
    pub(crate) fn keeps(&self, trace: [u8; 16]) -> bool {
        let [a, b, c, d, ..] = trace;
        f64::from(u32::from_be_bytes([a, b, c, d])) < self.sample_ratio * (f64::from(u32::MAX) + 1.0)
    }

    pub(crate) fn send(&self, span: Span) {
        if self.sender.try_send(span).is_err() {
            self.counts.dropped.fetch_add(1, Relaxed);
        }
    }
}
