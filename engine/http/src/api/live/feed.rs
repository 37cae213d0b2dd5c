//! One subscriber's feed: items come out of the ring, those that are wanted and theirs to see go on to the wire, in
//! batches. Between them it looks whether the subscriber may still listen.

use std::{sync::Arc, time::Duration};

use cartwright_core::access::Right;
use cartwright_run::live::{Gap, LiveItem, LiveKind, Subscription};
use tokio::time::Instant;

use super::{
    filter::{Filter, area},
    places::Place,
};
use crate::{caller::Caller, door::Door, serve::Stopping};

/// Items of a batch, which is all that is held for a client.
const BATCH_ITEMS_MAX: usize = 256;
/// About the memory of a batch, in bytes.
const BATCH_BYTES_MAX: usize = 128 * 1024;
/// Between two batches: a busy engine's items travel together rather than each in a packet of its own.
const BATCH_PAUSE: Duration = Duration::from_millis(10);
/// Without an item for so long, a sign of life is sent.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often it is looked at whether the subscriber may still listen.
const RENEW_EVERY: Duration = Duration::from_secs(2);

/// A subscriber's items.
pub(super) struct Feed {
    door: Arc<Door>,
    caller: Caller,
    filter: Filter,
    subscription: Subscription,
    stopping: Option<Stopping>,
    /// Kinds of which the caller sees everything, whatever its store.
    sees_all: [bool; LiveKind::ALL.len()],
    not_before: Instant,
    renew_at: Instant,
    heartbeat_at: Instant,
    _place: Place,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    /// To be sent.
    Batch(Option<Gap>, Vec<Arc<LiveItem>>),
    /// Nothing happened for a while.
    Heartbeat,
    /// The stream is over.
    End(End),
}

/// Why a stream is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The engine stops.
    Stopping,
    /// The token was revoked or has expired, the session is over, or the person may no longer see anything.
    Over,
}

impl Feed {
    pub(super) fn new(
        door: Arc<Door>,
        caller: Caller,
        filter: Filter,
        stopping: Option<Stopping>,
        place: Place,
    ) -> Self {
        let (subscription, now) = (door.engine.listen(filter.last.as_ref()), Instant::now());
        let sees_all = sees_all(&caller);
        let (renew_at, heartbeat_at) = (now + RENEW_EVERY, now + HEARTBEAT);
        Self {
            door,
            caller,
            filter,
            subscription,
            stopping,
            sees_all,
            not_before: now,
            renew_at,
            heartbeat_at,
            _place: place,
        }
    }

    /// The id up to which everything was given.
    pub(super) fn position(&self) -> String {
        self.subscription.position()
    }

    /// Whether it goes on from where an earlier stream ended.
    pub(super) fn resumes(&self) -> bool {
        self.filter.last.is_some()
    }

    /// Resolves once the engine stops.
    pub(super) fn stopped(&self) -> impl Future<Output = ()> + use<> {
        let stopping = self.stopping.clone();
        async move {
            match stopping {
                Some(stopping) => stopping.wait().await,
                None => std::future::pending().await,
            }
        }
    }

    /// What comes next. Nothing is lost when it is dropped before it resolves.
    pub(super) async fn next(&mut self) -> Next {
        let stopped = self.stopped();
        let mut stopped = std::pin::pin!(stopped);
        loop {
            if Instant::now() < self.not_before {
                tokio::select! {
                    biased;
                    () = &mut stopped => return Next::End(End::Stopping),
                    () = tokio::time::sleep_until(self.not_before) => {}
                }
            }
            let now = Instant::now();
            if now >= self.renew_at {
                self.renew_at = now + RENEW_EVERY;
                if let Err(end) = self.renew() {
                    return Next::End(end);
                }
            }
            let taken = self.subscription.take(BATCH_ITEMS_MAX, BATCH_BYTES_MAX);
            let any = !taken.is_empty();
            let items: Vec<_> = taken.items.into_iter().filter(|item| self.is_wanted(item)).collect();
            if taken.gap.is_some() || !items.is_empty() {
                (self.not_before, self.heartbeat_at) = (now + BATCH_PAUSE, now + HEARTBEAT);
                return Next::Batch(taken.gap, items);
            }
            if now >= self.heartbeat_at {
                self.heartbeat_at = now + HEARTBEAT;
                return Next::Heartbeat;
            }
            if any {
                // Nothing of it was wanted: the rest of the ring, but not before others had their turn.
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                biased;
                () = &mut stopped => return Next::End(End::Stopping),
                () = self.subscription.wait() => {}
                () = tokio::time::sleep_until(self.renew_at.min(self.heartbeat_at)) => {}
            }
        }
    }

    fn is_wanted(&self, item: &LiveItem) -> bool {
        let everywhere = LiveKind::ALL.iter().position(|kind| *kind == item.kind).is_some_and(|at| self.sees_all[at]);
        self.filter.fits(item)
            && (everywhere || self.caller.reaches(&self.door, area(item.kind), Right::Read, item.store.as_ref()))
    }

    /// Looks again who listens: their rights may have changed, or be gone.
    fn renew(&mut self) -> Result<(), End> {
        if self.door.engine.is_stopping() {
            return Err(End::Stopping);
        }
        let principal = self.caller.still(&self.door).ok_or(End::Over)?;
        self.caller.principal = principal;
        self.caller.meets(super::super::LIVE).map_err(|_| End::Over)?;
        self.sees_all = sees_all(&self.caller);
        Ok(())
    }
}

fn sees_all(caller: &Caller) -> [bool; LiveKind::ALL.len()] {
    LiveKind::ALL.map(|kind| caller.principal.may_everywhere(area(kind), Right::Read))
}
