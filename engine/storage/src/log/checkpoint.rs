//! Moves what the log holds to its final place, on a thread of its own: a frozen table goes into sled, sled is made
//! durable, and only then the segments that said the same go. A crash between any two of these leaves the segments,
//! and replaying them over what sled has got by then gives the same state.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
};

use parking_lot::{Condvar, Mutex};

use crate::{
    StorageError,
    embedded::view::{Table, View},
    log::{Hooks, base::SledBase, keep::Keep, queue::Queue, segment},
};

/// A point in a checkpoint where tests end the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Before each part of the table.
    Part,
    /// The table is in sled, not yet durable.
    Filled,
    /// Durable; the segments are still there.
    Durable,
    /// Before each segment goes.
    Remove,
}

/// Between the committer, which freezes tables, and the checkpointer.
#[derive(Default)]
pub(crate) struct Handoff {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    job: Option<Job>,
    busy: bool,
    stop: bool,
}

struct Job {
    table: Arc<Table>,
    /// The last segment that the table covers.
    through: u64,
}

impl Handoff {
    /// Asks for a checkpoint; the last one must be done.
    pub(crate) fn give(&self, table: Arc<Table>, through: u64) {
        self.state.lock().job = Some(Job { table, through });
        self.changed.notify_all();
    }

    /// Waits until nothing is being written.
    pub(crate) fn wait_until_done(&self) {
        let mut state = self.state.lock();
        while (state.job.is_some() || state.busy) && !state.stop {
            self.changed.wait(&mut state);
        }
    }

    /// Ends the thread, between two parts if it is in the middle of a table.
    pub(crate) fn stop(&self) {
        self.state.lock().stop = true;
        self.changed.notify_all();
    }

    fn stopped(&self) -> bool {
        self.state.lock().stop
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if state.stop {
                return None;
            }
            if let Some(job) = state.job.take() {
                state.busy = true;
                return Some(job);
            }
            self.changed.wait(&mut state);
        }
    }

    fn done(&self) {
        self.state.lock().busy = false;
        self.changed.notify_all();
    }
}

/// What the thread works with.
pub(crate) struct Checkpointer {
    pub(crate) handoff: Arc<Handoff>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) view: Arc<View>,
    pub(crate) base: SledBase,
    pub(crate) folder: PathBuf,
    pub(crate) hooks: Hooks,
    pub(crate) keep: Arc<Keep>,
}

impl Checkpointer {
    /// The thread's life.
    pub(crate) fn run(self) {
        while let Some(job) = self.handoff.next() {
            // sled panics on some disk errors. Its state is unknown then, and the log still has everything.
            let result = catch_unwind(AssertUnwindSafe(|| self.checkpoint(&job)));
            let problem = match result {
                Ok(Ok(true)) => {
                    self.view.thaw();
                    self.handoff.done();
                    continue;
                }
                Ok(Ok(false)) => "storage is closed".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "sled failed while it was written; everything is in the log: check disk space, then restart"
                    .to_owned(),
            };
            tracing::error!(problem, "a checkpoint did not finish");
            self.queue.stop(&problem);
            self.handoff.stop();
            return;
        }
    }

    /// `false`: told to stop in the middle.
    fn checkpoint(&self, job: &Job) -> Result<bool, StorageError> {
        let go_on = |step| !self.handoff.stopped() && self.hooks.step.as_ref().is_none_or(|hook| hook(step));
        if !self.base.fill(&job.table, || go_on(Step::Part))? {
            return Ok(false);
        }
        self.base.set_applied(job.through)?;
        if !go_on(Step::Filled) {
            return Ok(false);
        }
        self.base.make_durable()?;
        if !go_on(Step::Durable) {
            return Ok(false);
        }
        for number in (1..=job.through).rev() {
            let path = segment::path(&self.folder, number);
            if !path.exists() {
                break;
            }
            if self.keep.holds(number) {
                continue; // a backup reads it; a later checkpoint removes it
            }
            if !go_on(Step::Remove) {
                return Ok(false);
            }
            if let Err(error) = self.hooks.files.remove(&path) {
                // Harmless: opening removes what sled has already.
                tracing::warn!(%error, segment = number, "an old log segment stays");
            }
        }
        Ok(true)
    }
}
