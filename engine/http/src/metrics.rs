//! What the door counts about itself since it started, and how `/metrics` writes it: the Prometheus text format,
//! version 0.0.4.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use parking_lot::Mutex;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Counters of the door.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// Creation pings answered.
    pub(crate) pings: Counter,
    refused: Mutex<BTreeMap<&'static str, u64>>,
}

impl Metrics {
    /// Counts a refusal under its code. Codes are words of this crate, so there are few.
    pub(crate) fn refused(&self, code: &'static str) {
        *self.refused.lock().entry(code).or_default() += 1;
    }

    /// Refusals by code.
    pub(crate) fn refusals(&self) -> BTreeMap<&'static str, u64> {
        self.refused.lock().clone()
    }
}

/// Metrics as text.
#[derive(Debug, Default)]
pub(crate) struct Exposition(String);

impl Exposition {
    /// One metric with its values by label. `kind` is `counter` or `gauge`.
    pub(crate) fn metric<'a>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        values: impl IntoIterator<Item = (Option<(&'a str, &'a str)>, f64)>,
    ) {
        let out = &mut self.0;
        // Writing to a String cannot fail.
        let _ = writeln!(out, "# HELP cartwright_{name} {help}\n# TYPE cartwright_{name} {kind}");
        for (label, value) in values {
            let _ = match label {
                None => writeln!(out, "cartwright_{name} {value}"),
                Some((label, text)) => writeln!(out, "cartwright_{name}{{{label}=\"{}\"}} {value}", escape(text)),
            };
        }
    }

    /// One number.
    pub(crate) fn number(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.metric(name, kind, help, [(None, value)]);
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_written_as_prometheus_reads_them() {
        let mut text = Exposition::default();
        text.metric(
            "runs",
            "gauge",
            "Runs by status.",
            [(Some(("status", "queued")), 0.0), (Some(("status", "a\"b")), 2.0)],
        );
        text.number("commit_seconds_total", "counter", "Time.", 1.5);
        assert_eq!(
            text.into_text(),
            "# HELP cartwright_runs Runs by status.\n# TYPE cartwright_runs gauge\n\
             cartwright_runs{status=\"queued\"} 0\ncartwright_runs{status=\"a\\\"b\"} 2\n\
             # HELP cartwright_commit_seconds_total Time.\n# TYPE cartwright_commit_seconds_total counter\n\
             cartwright_commit_seconds_total 1.5\n"
        );
    }

    #[test]
    fn refusals_are_counted_by_code() {
        let metrics = Metrics::default();
        metrics.refused("a");
        metrics.refused("b");
        metrics.refused("a");
        assert_eq!(metrics.refusals(), BTreeMap::from([("a", 2), ("b", 1)]));
    }
}
