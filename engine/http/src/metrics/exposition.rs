//! Metrics as text: the Prometheus text format, version 0.0.4.

use std::fmt::Write;

use cartwright_run::HistogramView;

/// A label's name and value.
pub(crate) type Label<'a> = (&'static str, &'a str);

/// The page while it is written. Each metric's help and type stand before its values, and it is written once.
#[derive(Debug, Default)]
pub(crate) struct Exposition(String);

impl Exposition {
    /// Something that goes up and down, with its values by labels.
    pub(crate) fn gauges<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = ([Label<'a>; N], f64)>,
    ) {
        self.family(name, "gauge", help, values);
    }

    /// Something that only grows since the start, with its values by labels. `name` ends in `_total`.
    pub(crate) fn counters<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = ([Label<'a>; N], u64)>,
    ) {
        self.family(name, "counter", help, values.into_iter().map(|(labels, value)| (labels, value as f64)));
    }

    /// Time that only grows, with its values by labels. `name` ends in `_seconds_total`.
    pub(crate) fn seconds<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = ([Label<'a>; N], f64)>,
    ) {
        self.family(name, "counter", help, values);
    }

    /// One number that goes up and down.
    pub(crate) fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.gauges(name, help, [([], value)]);
    }

    /// One that may not be known.
    pub(crate) fn known_gauge(&mut self, name: &str, help: &str, value: Option<f64>) {
        self.gauges(name, help, value.map(|value| ([], value)));
    }

    /// One number that only grows.
    pub(crate) fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.counters(name, help, [([], value)]);
    }

    /// One number that only grows and may not be known.
    pub(crate) fn known_counter(&mut self, name: &str, help: &str, value: Option<f64>) {
        self.family(name, "counter", help, value.map(|value| ([], value)));
    }

    /// Durations by bucket.
    pub(crate) fn histogram(&mut self, name: &str, help: &str, view: &HistogramView) {
        self.head(name, "histogram", help);
        for (bound, count) in &view.buckets {
            let bound = number(*bound);
            self.sample(&format!("{name}_bucket"), &[("le", &bound)], *count as f64);
        }
        self.sample(&format!("{name}_sum"), &[], view.sum_seconds);
        self.sample(&format!("{name}_count"), &[], view.count() as f64);
    }

    fn family<'a, const N: usize>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        values: impl IntoIterator<Item = ([Label<'a>; N], f64)>,
    ) {
        self.head(name, kind, help);
        for (labels, value) in values {
            self.sample(name, &labels, value);
        }
    }

    // Writing to a String cannot fail.
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {}\n# TYPE {name} {kind}", help.replace('\\', "\\\\"));
    }

    fn sample(&mut self, name: &str, labels: &[Label<'_>], value: f64) {
        self.0.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{before}{label}=\"{}\"", escape(text));
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {}", number(value));
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

fn number(value: f64) -> String {
    if value.is_infinite() { if value > 0.0 { "+Inf".into() } else { "-Inf".into() } } else { value.to_string() }
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
        text.gauges(
            "runs",
            "Runs by status.",
            [([("status", "queued"), ("a", "b")], 0.0), ([("status", "a\"b\\\n"), ("a", "")], 2.5)],
        );
        text.counter("calls_total", "Calls.", 7);
        text.known_gauge("age_seconds", "Age.", None);
        let view = HistogramView { buckets: vec![(0.5, 1), (f64::INFINITY, 3)], sum_seconds: 1.5 };
        text.histogram("commit_seconds", "Time.", &view);
        assert_eq!(
            text.into_text(),
            "# HELP runs Runs by status.\n# TYPE runs gauge\n\
             runs{status=\"queued\",a=\"b\"} 0\nruns{status=\"a\\\"b\\\\\\n\",a=\"\"} 2.5\n\
             # HELP calls_total Calls.\n# TYPE calls_total counter\ncalls_total 7\n\
             # HELP age_seconds Age.\n# TYPE age_seconds gauge\n\
             # HELP commit_seconds Time.\n# TYPE commit_seconds histogram\n\
             commit_seconds_bucket{le=\"0.5\"} 1\ncommit_seconds_bucket{le=\"+Inf\"} 3\n\
             commit_seconds_sum 1.5\ncommit_seconds_count 3\n"
        );
    }
}
