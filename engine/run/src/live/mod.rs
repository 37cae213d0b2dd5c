//! What happens, told live: facts come in after they are on stable storage ([`accept`](crate::accept),
//! [`commit`](crate::commit)) or were seen ([`store_call`](crate::store_call)), and subscribers read them from one ring.
//!
//! Read in this order: [`item`] (what is told), [`facts`] (items of a commit), [`ring`] (who keeps up and who does not).
//! Nothing here is durable: a subscriber that was away too long is told that there is a gap and asks the API.

mod facts;
mod files;
mod health;
mod item;
mod ring;
#[cfg(test)]
mod tests;

use cartwright_core::{
    call::CallError,
    event::{Event, Match},
    id::{EventId, StoreId},
    time::Timestamp,
};
use cartwright_storage::Batch;

use self::{facts::Shown, health::Health, ring::Ring};
use crate::clock::Entropy;

pub use files::{FileChange, WorkflowNews};
pub use item::{LiveItem, LiveKind, STATUSES};
pub use ring::{Gap, InvalidLastId, LastId, Subscription, Taken};

/// Items kept for those who come back.
const RING_ITEMS_MAX: usize = 65_536;
/// Memory for them.
const RING_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What a gate made of an event.
pub(crate) struct Gated {
    pub(crate) event: EventId,
    pub(crate) store: Option<StoreId>,
    pub(crate) one: Match,
}

/// The one place that everything is told to.
pub(crate) struct Live {
    ring: Ring,
    shown: Shown,
    health: Health,
}

impl Live {
    /// For one start of the engine.
    pub(crate) fn new(entropy: &dyn Entropy) -> Self {
        let mut start = [0; 6];
        entropy.fill(&mut start);
        let ring = Ring::new(&hex::encode(start), RING_ITEMS_MAX, RING_BYTES_MAX);
        Self { ring, shown: Shown::default(), health: Health::default() }
    }

    /// Listens: to what comes, or from `last` on. Costs nothing but a place in the ring.
    pub(crate) fn subscribe(&self, last: Option<&LastId>) -> Subscription {
        self.ring.subscribe(last, || self.shown.forget())
    }

    /// An event is on stable storage.
    pub(crate) fn accepted(&self, now: Timestamp, event: &Event) {
        self.ring.publish(now, || vec![facts::of_event(event)]);
    }

    /// A batch is on stable storage.
    pub(crate) fn committed(&self, now: Timestamp, batch: &Batch) {
        if !batch.runs.is_empty() {
            self.ring.publish(now, || facts::of_batch(batch, &self.shown));
        }
    }

    /// Gates took events of a store, on stable storage.
    pub(crate) fn gated(&self, now: Timestamp, told: &[Gated]) {
        if !told.is_empty() {
            self.ring.publish(now, || told.iter().filter_map(|one| facts::of_gate(now, one)).collect());
        }
    }

    /// Workflow files changed, and what runs with them.
    pub(crate) fn files_changed(&self, now: Timestamp, news: Vec<WorkflowNews>) {
        self.ring.publish(now, || news.into_iter().map(|one| facts::of_workflow(now, one)).collect());
    }

    /// A call to a store ended.
    pub(crate) fn called(&self, now: Timestamp, store: &StoreId, failed: Option<&CallError>) {
        if let Some(change) = self.health.learn(store, failed) {
            self.ring.publish(now, || vec![facts::of_store(now, store, change)]);
        }
    }
}
