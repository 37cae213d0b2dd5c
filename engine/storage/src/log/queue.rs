//! Where callers leave their requests for the committer, and where everyone learns that storage has stopped.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::{
    CommitError, Counts, StorageError,
    embedded::stage::{Answer, Request},
};

/// Requests that may wait; more means that the disk cannot keep up, and callers should slow down.
pub(crate) const MAX_WAITING: usize = 16 * 1024;

/// A request and who waits for its answer.
pub(crate) struct Waiting {
    pub(crate) request: Request,
    pub(crate) reply: oneshot::Sender<Result<Answer, CommitError>>,
}

/// Shared by callers, committer and checkpointer.
#[derive(Default)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    /// Something waits, or it is time to stop.
    arrived: Condvar,
    /// Fast form of `inner.stopped`.
    stopped: AtomicBool,
    pub(crate) counts: Mutex<Counts>,
}

#[derive(Default)]
struct Inner {
    waiting: Vec<Waiting>,
    /// No new requests; those that wait are answered.
    closing: bool,
    /// Nothing is answered any more, for this reason.
    stopped: Option<String>,
}

impl Queue {
    /// Leaves a request.
    pub(crate) fn push(
        &self,
        request: Request,
    ) -> Result<oneshot::Receiver<Result<Answer, CommitError>>, StorageError> {
        let (reply, answer) = oneshot::channel();
        let mut inner = self.inner.lock();
        if inner.closing || inner.stopped.is_some() {
            return Err(inner.refusal());
        }
        if inner.waiting.len() >= MAX_WAITING {
            let reason = format!("{MAX_WAITING} writes wait for the disk already; try again in a moment");
            return Err(StorageError::Unavailable { reason, source: None });
        }
        inner.waiting.push(Waiting { request, reply });
        let first = inner.waiting.len() == 1;
        drop(inner);
        if first {
            self.arrived.notify_one();
        }
        Ok(answer)
    }

    /// Everything that waits, once something does; `None`: it is time to stop.
    pub(crate) fn take(&self) -> Option<Vec<Waiting>> {
        let mut inner = self.inner.lock();
        loop {
            if inner.stopped.is_some() {
                return None;
            }
            if !inner.waiting.is_empty() {
                return Some(std::mem::take(&mut inner.waiting));
            }
            if inner.closing {
                return None;
            }
            self.arrived.wait(&mut inner);
        }
    }

    /// Takes no more requests.
    pub(crate) fn begin_close(&self) {
        self.inner.lock().closing = true;
        self.arrived.notify_all();
    }

    /// Answers nothing any more; who waits is told that nobody knows.
    pub(crate) fn stop(&self, reason: &str) {
        let mut inner = self.inner.lock();
        inner.closing = true;
        inner.stopped.get_or_insert_with(|| reason.to_owned());
        self.stopped.store(true, Ordering::SeqCst);
        let waiting = std::mem::take(&mut inner.waiting);
        let refusal = || inner.refusal();
        for one in waiting {
            one.reply.send(Err(refusal().into())).ok(); // the caller may have gone
        }
        drop(inner);
        self.arrived.notify_all();
    }

    /// An error once nothing is answered any more.
    pub(crate) fn check(&self) -> Result<(), StorageError> {
        if self.stopped.load(Ordering::Relaxed) { Err(self.inner.lock().refusal()) } else { Ok(()) }
    }

    /// What to say to whom is not answered.
    pub(crate) fn refusal(&self) -> StorageError {
        self.inner.lock().refusal()
    }
}

impl Inner {
    fn refusal(&self) -> StorageError {
        let reason = self.stopped.clone().unwrap_or_else(|| "storage is closed".to_owned());
        StorageError::Unavailable { reason, source: None }
    }
}
