//! What waits to be delivered, and when it is: Action Scheduler's way, without a clock, a thread or a socket.
//!
//! An event becomes one action for each webhook that hears of it, unless the same one is pending. Actions are worked
//! on in runs. A run starts with a request to the shop (WP-Cron knows no other clock) once a minute has passed, takes
//! batches of 25, and ends after 30 s. What a delivery says, and to whom, is decided when it is made, not here.

use std::collections::VecDeque;

use serde_json::Value;

/// How often WP-Cron starts a run.
pub const RUN_EVERY_MS: i64 = 60_000;
/// How long a run may take.
pub const RUN_LASTS_MS: i64 = 30_000;
/// How many actions a run claims at a time.
pub const BATCH: usize = 25;

/// When runs happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// Once a minute, if somebody asks for something.
    WpCron,
    /// With every request: `woocommerce_deliver_webhook_async` is off, or a busy shop's cron seen from afar.
    AtOnce,
    /// Never: the shop cannot reach its own cron.
    Broken,
}

/// One delivery to make.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// The webhook's id.
    pub webhook: u64,
    /// The hook's first argument: an object's id, mostly.
    pub arg: Value,
}

/// The actions of one shop.
#[derive(Debug)]
pub struct Queue {
    timing: Timing,
    pending: VecDeque<Action>,
    next_run: i64,
    /// A run is on until then.
    running_until: Option<i64>,
}

impl Queue {
    /// Nothing waits; the first run comes a minute after `now`, in milliseconds.
    pub fn new(timing: Timing, now: i64) -> Self {
        Self { timing, pending: VecDeque::new(), next_run: now + RUN_EVERY_MS, running_until: None }
    }

    /// Changes when runs happen.
    pub fn set_timing(&mut self, timing: Timing) {
        self.timing = timing;
    }

    /// Adds a delivery; false when the same one is pending already.
    pub fn push(&mut self, action: Action) -> bool {
        let new = !self.pending.contains(&action);
        if new {
            self.pending.push_back(action);
        }
        new
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Somebody asked the shop for something at `now`: that may start a run.
    pub fn traffic(&mut self, now: i64) {
        match self.timing {
            Timing::AtOnce => self.start(now),
            Timing::WpCron if now >= self.next_run => {
                // The schedule keeps its phase, however late a run is.
                let late = (now - self.next_run).rem_euclid(RUN_EVERY_MS);
                self.next_run = now - late + RUN_EVERY_MS;
                self.start(now);
            }
            Timing::WpCron | Timing::Broken => {}
        }
    }

    /// Starts a run whatever the time: somebody pressed "Run" or called the cron by hand.
    pub fn start(&mut self, now: i64) {
        self.running_until = Some(now + RUN_LASTS_MS);
    }

    /// The next batch of the run that is on, if one is and anything waits. A run that finds nothing, or that has lasted
    /// long enough, ends.
    pub fn claim(&mut self, now: i64) -> Vec<Action> {
        let on = self.running_until.is_some_and(|until| now < until) && !self.pending.is_empty();
        if !on {
            self.running_until = None;
            return Vec::new();
        }
        let count = BATCH.min(self.pending.len());
        self.pending.drain(..count).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn action(webhook: u64, id: u64) -> Action {
        Action { webhook, arg: json!(id) }
    }

    #[test]
    fn pending_duplicates_coalesce_until_they_are_claimed() {
        let mut queue = Queue::new(Timing::AtOnce, 0);
        assert!(queue.push(action(1, 7)));
        assert!(!queue.push(action(1, 7)), "the same object, still pending");
        assert!(queue.push(action(2, 7)), "another webhook");
        queue.traffic(0);
        assert_eq!(queue.claim(0).len(), 2);
        assert!(queue.push(action(1, 7)), "the earlier one is on its way");
    }

    #[test]
    fn nothing_is_delivered_without_traffic_or_before_a_minute_is_over() {
        let mut queue = Queue::new(Timing::WpCron, 0);
        queue.push(action(1, 7));
        assert!(queue.claim(RUN_EVERY_MS * 10).is_empty(), "nobody asked for anything");
        queue.traffic(RUN_EVERY_MS - 1);
        assert!(queue.claim(RUN_EVERY_MS - 1).is_empty());
        queue.traffic(RUN_EVERY_MS);
        assert_eq!(queue.claim(RUN_EVERY_MS).len(), 1);
    }

    #[test]
    fn the_schedule_keeps_its_phase() {
        let mut queue = Queue::new(Timing::WpCron, 0);
        queue.traffic(RUN_EVERY_MS * 5 + 59_000);
        assert!(queue.claim(RUN_EVERY_MS * 5 + 59_000).is_empty());
        queue.push(action(1, 7));
        queue.traffic(RUN_EVERY_MS * 6);
        assert_eq!(queue.claim(RUN_EVERY_MS * 6).len(), 1, "one second after a late run comes the next");
    }

    #[test]
    fn a_run_takes_batches_and_ends_after_its_time() {
        let mut queue = Queue::new(Timing::WpCron, 0);
        for id in 0..60 {
            queue.push(action(1, id));
        }
        let start = RUN_EVERY_MS;
        queue.traffic(start);
        assert_eq!(queue.claim(start).len(), BATCH);
        assert_eq!(queue.claim(start + RUN_LASTS_MS - 1).len(), BATCH);
        assert!(queue.claim(start + RUN_LASTS_MS).is_empty(), "a slow receiver used the run up");
        assert_eq!(queue.len(), 10);
        queue.traffic(start + RUN_EVERY_MS);
        assert_eq!(queue.claim(start + RUN_EVERY_MS).len(), 10);
    }

    #[test]
    fn a_broken_cron_delivers_nothing_until_somebody_starts_it() {
        let mut queue = Queue::new(Timing::Broken, 0);
        queue.push(action(1, 7));
        queue.traffic(RUN_EVERY_MS * 9);
        assert!(queue.claim(RUN_EVERY_MS * 9).is_empty());
        queue.start(RUN_EVERY_MS * 9);
        assert_eq!(queue.claim(RUN_EVERY_MS * 9).len(), 1);
    }
}
