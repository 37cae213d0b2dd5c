//! The promise: an event is on stable storage, once, before anyone is told that it was accepted.
//!
//! Comes from http (verified webhooks, HTTP triggers, the API), from schedules and from runs that emit; goes to
//! [`dispatch`](crate::dispatch).

use std::{sync::Arc, time::Duration};

use cartwright_core::{
    event::{Event, Source},
    id::{EventId, StoreId},
};
use cartwright_storage::{Accepted, NewEvent, StorageError};
use serde_json::value::RawValue;

use crate::{inner::Inner, metrics::Metrics};

/// An event that is not accepted yet.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// What happened.
    pub topic: String,
    /// About which store.
    pub store: Option<StoreId>,
    /// Where it came from.
    pub source: Source,
    /// JSON text.
    pub data: Arc<RawValue>,
    /// What makes it the same as another one of this store; `None`: never a duplicate.
    pub dedupe: Option<[u8; 32]>,
}

/// An accepted event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// Its id; of the first one for a duplicate.
    pub id: EventId,
    /// It was accepted before.
    pub duplicate: bool,
}

/// Why an event was not accepted. Nothing of it was kept; the sender may send it again.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The engine is stopping.
    #[error("the engine is stopping; send it again in a moment")]
    Stopping,
    /// Storage cannot keep it.
    #[error("the event cannot be kept now: {source}")]
    Unavailable {
        /// When to try again.
        retry_after: Duration,
        /// Why.
        #[source]
        source: StorageError,
    },
}

impl Inner {
    /// Accepts one event: durable when it resolves.
    pub(crate) async fn accept(self: &Arc<Self>, incoming: Incoming) -> Result<Acceptance, AcceptError> {
        let new = self.new_event(incoming)?;
        self.accept_event(new).await
    }

    /// Gives an event its id and its time.
    pub(crate) fn new_event(&self, incoming: Incoming) -> Result<NewEvent, AcceptError> {
        if self.is_stopping() {
            return Err(AcceptError::Stopping);
        }
        let now = self.clock.now();
        let mut entropy = [0; 10];
        self.entropy.fill(&mut entropy);
        let event = Event {
            id: EventId::new(now, entropy),
            topic: incoming.topic,
            store: incoming.store,
            time: now,
            source: incoming.source,
            hops: 0,
            data: incoming.data,
        };
        Ok(NewEvent { event, dedupe: incoming.dedupe })
    }

    /// Accepts an event that has its id.
    pub(crate) async fn accept_event(self: &Arc<Self>, new: NewEvent) -> Result<Acceptance, AcceptError> {
        let event = new.event.clone();
        let started = tokio::time::Instant::now();
        let accepted = self.storage.accept(vec![new]).await.map_err(|source| {
            tracing::error!(error = %source, "an event was refused: storage is not available");
            AcceptError::Unavailable { retry_after: Duration::from_secs(5), source }
        })?;
        self.metrics.times.accept.observe(started.elapsed());
        match accepted.into_iter().next() {
            Some(Accepted::Duplicate(id)) => {
                Metrics::add(&self.metrics.events_duplicate);
                Ok(Acceptance { id, duplicate: true })
            }
            Some(Accepted::New(id)) => {
                Metrics::add(&self.metrics.events_accepted);
                self.told.accepted(self.clock.now(), &event);
                self.queue.push(event);
                Ok(Acceptance { id, duplicate: false })
            }
            None => Err(AcceptError::Unavailable {
                retry_after: Duration::from_secs(5),
                source: StorageError::Corrupt { reason: "storage gave no answer for an event".into() },
            }),
        }
    }
}
