//! What operators see of each store's calls: its lane, what was put off, and when it last answered well. Held in memory
//! while the process lives; goes to the metrics.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
};

use cartwright_core::{
    Json,
    call::{CallError, ErrorClass},
    id::StoreId,
    time::Timestamp,
};

use super::Client;

/// One store's lane at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LaneView {
    /// Requests that wait for their turn.
    pub waiting: usize,
    /// Requests that were sent and have no answer yet.
    pub on_their_way: usize,
    /// Requests a second it is asked now; below the full rate while its host asks for patience.
    pub rate_per_second: f64,
    /// Requests a second it is asked when all is well.
    pub full_rate_per_second: f64,
    /// Calls put off since it was first called: it was away, asked for patience, or had too many waiting.
    pub deferrals: u64,
    /// When a call to it last succeeded; `None`: not since the start.
    pub last_success: Option<Timestamp>,
}

/// What came of a store's calls.
#[derive(Debug, Default)]
pub(super) struct Tally {
    deferrals: AtomicU64,
    /// Milliseconds since the epoch; 0: never.
    last_success: AtomicI64,
}

impl Tally {
    pub(super) fn count(&self, made: &Result<Json, CallError>, now: Timestamp) {
        match made {
            Ok(_) => self.last_success.store(now.as_millis(), Relaxed),
            Err(error) if error.class == ErrorClass::Deferred => drop(self.deferrals.fetch_add(1, Relaxed)),
            Err(_) => {}
        }
    }
}

impl Client {
    /// How a store's lane is.
    pub fn lane(&self, store: &StoreId) -> LaneView {
        let memory = self.stores.lock().get(store).map(Arc::clone);
        let tally = memory.as_ref().map(|memory| &memory.tally);
        let look = match &memory {
            Some(memory) => memory.lane.look(),
            None => super::lane::Lane::new(&self.options).look(),
        };
        LaneView {
            waiting: look.waiting,
            on_their_way: look.on_their_way,
            rate_per_second: look.rate_per_second,
            full_rate_per_second: look.full_rate_per_second,
            deferrals: tally.map_or(0, |tally| tally.deferrals.load(Relaxed)),
            last_success: tally
                .map(|tally| tally.last_success.load(Relaxed))
                .filter(|millis| *millis != 0)
                .map(Timestamp::from_millis),
        }
    }
}
