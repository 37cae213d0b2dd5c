//! How long things took, counted into buckets. Observing costs a search among a few bounds and two atomic additions.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Upper bounds of what a disk needs: from a tenth of a millisecond to ten seconds, in microseconds.
const DISK_MICROS: [u64; 14] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 10_000_000];
/// Upper bounds of lateness that people notice: from a millisecond to an hour, in microseconds.
const LATENESS_MICROS: [u64; 10] =
    [1_000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000, 60_000_000, 600_000_000, 3_600_000_000];

/// Counts of durations by bucket since the start.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One for each bound and one for what is beyond them; not cumulative.
    counts: Vec<AtomicU64>,
    sum_micros: AtomicU64,
}

/// A histogram at one moment, as Prometheus wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramView {
    /// Upper bounds in seconds with how many observations were at most that; the last bound is infinite.
    pub buckets: Vec<(f64, u64)>,
    /// Of all observations, in seconds.
    pub sum_seconds: f64,
}

impl HistogramView {
    /// How many observations there are.
    pub fn count(&self) -> u64 {
        self.buckets.last().map_or(0, |(_, count)| *count)
    }
}

impl Histogram {
    /// For writes and the waits for them.
    pub(crate) fn of_disk() -> Self {
        Self::new(&DISK_MICROS)
    }

    /// For how late something was.
    pub(crate) fn of_lateness() -> Self {
        Self::new(&LATENESS_MICROS)
    }

    fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum_micros: AtomicU64::new(0) }
    }

    /// One more.
    pub(crate) fn observe(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = self.bounds.partition_point(|bound| *bound < micros);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Relaxed);
        }
        self.sum_micros.fetch_add(micros, Relaxed);
    }

    /// What was counted. Observations made meanwhile may be in the sum and not yet in the buckets, or the other way.
    pub fn view(&self) -> HistogramView {
        let bounds = self.bounds.iter().map(|micros| *micros as f64 / 1e6).chain([f64::INFINITY]);
        let mut total = 0;
        let buckets = bounds.zip(&self.counts).map(|(bound, count)| {
            total += count.load(Relaxed);
            (bound, total)
        });
        HistogramView { buckets: buckets.collect(), sum_seconds: self.sum_micros.load(Relaxed) as f64 / 1e6 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_counted_at_and_below_their_bound() {
        let histogram = Histogram::of_disk();
        for micros in [0, 100, 101, 10_000_000, 10_000_001] {
            histogram.observe(Duration::from_micros(micros));
        }
        let view = histogram.view();
        assert_eq!(view.buckets.len(), DISK_MICROS.len() + 1);
        assert_eq!(view.buckets[..2], [(0.0001, 2), (0.00025, 3)]);
        assert_eq!(view.buckets[13..], [(10.0, 4), (f64::INFINITY, 5)]);
        assert_eq!(view.count(), 5);
        assert!((view.sum_seconds - 20.000_202).abs() < 1e-9, "{view:?}");
    }

    #[test]
    fn bounds_grow() {
        assert!(DISK_MICROS.is_sorted() && LATENESS_MICROS.is_sorted());
    }
}
