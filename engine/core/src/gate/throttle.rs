//! `throttle`: at most `limit` starts in any span of `per`, in the order of arrival, none dropped.
//!
//! An event gets a place in a time table when it arrives; the run is created at once and begins then. An engine that was
//! stopped for an hour could not keep that table: all places of that hour would be taken in one moment. So places are
//! *nominal*, and the table has a *shift*: a run that wakes late moves the whole rest of the table by as much as it is
//! late, and those after it find that they are too early and sleep on. Real starts are then at least as far apart as
//! their places.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::Timestamp;

/// The pace of one gate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// The last places that were given, oldest first, as many as `limit`.
    places: Times,
    /// How much later than its place a run begins, in milliseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    shift_ms: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde wants")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// Where an event's run stands in the time table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its name in the table: what [`Pace::wake`] asks for.
    pub nominal: Timestamp,
    /// When it begins as things are.
    pub begins: Timestamp,
}

/// What a run that wakes may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Begin.
    Begin,
    /// Sleep until then, and ask again.
    Until(Timestamp),
}

/// How late a timer may be without moving the table: a twentieth of `per`, at most 200 ms. Places are so much further
/// apart than `per`, so that it holds for real starts.
pub fn late_after(per: Duration) -> Duration {
    (per / 20).min(Duration::from_millis(200))
}

impl Pace {
    /// An event arrives at `now`: the place of its run. One that begins not later than `now` begins at once.
    pub fn reserve(&mut self, limit: u32, per: Duration, now: Timestamp) -> Place {
        if self.idle_at(per) <= now {
            *self = Self::default();
        }
        let nominal = self.places.next(limit, per + late_after(per), self.nominal(now));
        self.places.push(nominal, limit);
        Place { nominal, begins: self.real(nominal) }
    }

    /// A run with this place wakes at `now`.
    pub fn wake(&mut self, per: Duration, nominal: Timestamp, now: Timestamp) -> Wake {
        let begins = self.real(nominal);
        if begins > now {
            return Wake::Until(begins);
        }
        if now.since(begins) > late_after(per) {
            self.shift_ms = now.as_millis().saturating_sub(nominal.as_millis());
        }
        Wake::Begin
    }

    /// When the run with this place begins as things are.
    pub fn real(&self, nominal: Timestamp) -> Timestamp {
        nominal.plus(Duration::from_millis(self.shift_ms.unsigned_abs()))
    }

    fn nominal(&self, now: Timestamp) -> Timestamp {
        Timestamp::from_millis(now.as_millis().saturating_sub(self.shift_ms))
    }

    /// From when on the gate remembers nothing that matters, as long as no run wakes late.
    pub fn idle_at(&self, per: Duration) -> Timestamp {
        let last = self.places.0.last().map(|last| self.real(*last));
        last.map_or(Timestamp::default(), |last| last.plus(per).plus(late_after(per) * 2))
    }
}

/// Times in order. Kept as milliseconds, each after the one before: a thousand of them are a few kilobytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Times(Vec<Timestamp>);

impl Times {
    /// The first place from `at` on that is not before the last one and leaves `limit` in any span of `per`.
    fn next(&self, limit: u32, per: Duration, at: Timestamp) -> Timestamp {
        let after_last = self.0.last().map_or(at, |last| at.max(*last));
        let before = self.0.len().checked_sub(limit as usize).and_then(|index| self.0.get(index));
        before.map_or(after_last, |before| after_last.max(before.plus(per)))
    }

    fn push(&mut self, at: Timestamp, limit: u32) {
        self.0.push(at);
        let excess = self.0.len().saturating_sub(limit as usize);
        self.0.drain(..excess);
    }
}

impl Serialize for Times {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut last = 0;
        serializer.collect_seq(self.0.iter().map(|at| at.as_millis() - std::mem::replace(&mut last, at.as_millis())))
    }
}

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let steps = Vec::<i64>::deserialize(deserializer)?;
        let time = |at: &mut i64, step: i64| {
            *at = at.saturating_add(step);
            Some(Timestamp::from_millis(*at))
        };
        Ok(Self(steps.into_iter().scan(0, time).collect()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// Plays arrivals against a gate; the engine is down from `down.0` to `down.1`. Gives the starts in order, each with
    /// the number of its arrival.
    fn play(arrivals: &[i64], limit: u32, per: Duration, down: (i64, i64)) -> Vec<(i64, usize)> {
        let (mut pace, mut starts) = (Pace::default(), Vec::new());
        // What waits: due, number, place.
        let mut timers: Vec<(i64, usize, Timestamp)> = Vec::new();
        let mut arrivals =
            arrivals.iter().map(|at| if (down.0..down.1).contains(at) { down.1 } else { *at }).enumerate().peekable();
        loop {
            timers.sort_unstable();
            let wake = timers.first().map(|(due, ..)| if (down.0..down.1).contains(due) { down.1 } else { *due });
            match (wake, arrivals.peek()) {
                (Some(at), next) if next.is_none_or(|(_, arrival)| at <= *arrival) => {
                    let (_, number, place) = timers.remove(0);
                    match pace.wake(per, place, ms(at)) {
                        Wake::Begin => starts.push((at, number)),
                        Wake::Until(later) => timers.push((later.as_millis(), number, place)),
                    }
                }
                (_, Some(_)) => {
                    let (number, at) = arrivals.next().expect("peeked");
                    let place = pace.reserve(limit, per, ms(at));
                    match place.begins.as_millis() {
                        begins if begins <= at => starts.push((at, number)),
                        begins => timers.push((begins, number, place.nominal)),
                    }
                }
                _ => return starts,
            }
            pace = serde_json::from_str(&serde_json::to_string(&pace).expect("JSON")).expect("its own form");
        }
    }

    fn check(starts: &[(i64, usize)], count: usize, limit: u32, per: i64) -> Result<(), TestCaseError> {
        let order: Vec<usize> = starts.iter().map(|(_, number)| *number).collect();
        prop_assert_eq!(order, (0..count).collect::<Vec<_>>(), "each starts once, in order");
        for window in starts.windows(limit as usize + 1) {
            prop_assert!(window[limit as usize].0 - window[0].0 >= per, "too many in {:?}", window);
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn no_window_has_more_than_the_limit_nothing_is_lost_and_the_order_stays(
            gaps in proptest::collection::vec(0i64..40, 1..60),
            limit in 1u32..5,
            per in 1i64..120,
            down in (0i64..1_500, 0i64..1_500),
        ) {
            let arrivals: Vec<i64> = gaps.iter().scan(0, |at, gap| Some({ *at += gap; *at })).collect();
            let span = Duration::from_millis(per as u64);
            check(&play(&arrivals, limit, span, (0, 0)), arrivals.len(), limit, per)?;
            check(&play(&arrivals, limit, span, (down.0, down.0 + down.1)), arrivals.len(), limit, per)?;
        }

        #[test]
        fn a_start_that_may_be_at_once_is_not_delayed(gaps in proptest::collection::vec(35i64..90, 1..40)) {
            let arrivals: Vec<i64> = gaps.iter().scan(0, |at, gap| Some({ *at += gap; *at })).collect();
            let starts = play(&arrivals, 3, Duration::from_millis(90), (0, 0));
            prop_assert_eq!(starts.iter().map(|(at, _)| *at).collect::<Vec<_>>(), arrivals);
        }
    }

    #[test]
    fn a_backlog_goes_out_in_bursts_of_the_limit() {
        let starts = play(&[0, 0, 0, 0, 0], 2, Duration::from_millis(100), (0, 0));
        assert_eq!(starts.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 0, 105, 105, 210]);
    }

    #[test]
    fn an_engine_that_was_down_does_not_start_what_waited_all_at_once() {
        let starts = play(&[0, 0, 0, 0, 500, 900], 1, Duration::from_millis(100), (50, 1_000));
        // The ones that came while it was down are looked at when it is up again.
        assert_eq!(starts.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 1_000, 1_105, 1_210, 1_315, 1_420]);
    }

    #[test]
    fn an_idle_gate_is_known_to_be_idle() {
        let mut pace = Pace::default();
        pace.reserve(1, Duration::from_millis(100), ms(1_000));
        assert_eq!(pace.idle_at(Duration::from_millis(100)), ms(1_110));
    }
}
