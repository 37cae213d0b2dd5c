//! What the door counts about itself since it started, and the page that `/metrics` shows: see `docs/metrics.md`.

mod exposition;
mod page;
mod plugins;
mod process;
mod requests;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use cartwright_core::id::StoreId;
use parking_lot::Mutex;

use self::requests::Requests;
pub(crate) use self::{page::page, requests::count};

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
    requests: Requests,
    refused: Mutex<BTreeMap<&'static str, u64>>,
    /// Deliveries to a store that exists whose signature is missing or wrong.
    unverified: Mutex<BTreeMap<StoreId, u64>>,
}

impl Metrics {
    /// Counts a refusal under its code. Codes are words of this crate, so there are few.
    pub(crate) fn refused(&self, code: &'static str) {
        *self.refused.lock().entry(code).or_default() += 1;
    }

    /// Counts a delivery that nobody vouches for. Only stores that exist are counted, so there are few.
    pub(crate) fn unverified(&self, store: &StoreId) {
        *self.unverified.lock().entry(store.clone()).or_default() += 1;
    }

    /// Refusals by code.
    pub(crate) fn refusals(&self) -> BTreeMap<&'static str, u64> {
        self.refused.lock().clone()
    }

    /// Unverified deliveries to one store.
    fn unverified_of(&self, store: &StoreId) -> u64 {
        self.unverified.lock().get(store).copied().unwrap_or_default()
    }

    /// Forgets stores that were removed.
    fn keep_stores(&self, exists: impl Fn(&StoreId) -> bool) {
        self.unverified.lock().retain(|store, _| exists(store));
    }
}
