//! What all parts of a running engine share.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use arc_swap::ArcSwap;
use cartwright_core::{
    id::{RunId, StepPath},
    run::{decide::Input, entry::TimerKind},
    secret::SecretMarks,
    shard::{Fence, ShardId},
    workflow::WorkflowSet,
};
use cartwright_sandbox::Sandbox;
use cartwright_storage::Storage;
use cartwright_woo::{Vault, client::Client};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::{
    access::Access,
    answers::Answers,
    backup::Backups,
    callers::Callers,
    clock::{Clock, Entropy},
    definition::Pinned,
    dispatch::Queue,
    driver::{self, Rested, Start},
    engine::{Options, Parts},
    gates::AtGates,
    line::Line,
    live::Live,
    metrics::Metrics,
    outbound::Outbound,
    secrets::Secrets,
    slots,
    stores::Stores,
    timers::Timers,
};

/// Locks that keep runs from fighting over one key of a workflow's state.
const STATE_LOCKS: usize = 64;

/// The shared parts of an engine.
pub(crate) struct Inner {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) outbound: Arc<dyn Outbound>,
    /// Calls stores.
    pub(crate) client: Arc<Client>,
    pub(crate) sandbox: Sandbox,
    pub(crate) marks: SecretMarks,
    pub(crate) secrets: Secrets,
    pub(crate) stores: Stores,
    pub(crate) vault: Arc<Vault>,
    /// Held by whoever seals something until it is in storage.
    pub(crate) sealing: Arc<tokio::sync::Mutex<()>>,
    /// Held by the rotation that is under way.
    pub(crate) rotating: tokio::sync::Mutex<()>,
    pub(crate) access: Access,
    pub(crate) answers: Answers,
    pub(crate) options: Options,
    pub(crate) metrics: Metrics,
    /// Who waits for what a run answers.
    pub(crate) callers: Arc<Callers>,
    /// Tells what happened.
    pub(crate) told: Live,
    pub(crate) workflows: ArcSwap<WorkflowSet>,
    /// Counts up with each new set.
    pub(crate) workflows_changed: watch::Sender<u64>,
    pub(crate) pinned: Pinned,
    pub(crate) fences: Vec<Fence>,
    pub(crate) queue: Queue,
    pub(crate) timers: Timers,
    pub(crate) gates: AtGates,
    pub(crate) slot_locks: slots::Locks,
    pub(crate) state_locks: Vec<tokio::sync::Mutex<()>>,
    /// Runs that may be in memory at once.
    pub(crate) slots: Arc<Semaphore>,
    /// Runs that wait for one of them.
    pub(crate) line: Line,
    /// True while an engine that was restored from a backup begins nothing; see `hold`.
    pub(crate) held: watch::Sender<bool>,
    /// Backups that are read at the moment.
    pub(crate) backups: Backups,
    /// True once the engine is to stop.
    pub(crate) stopping: watch::Sender<bool>,
    live: Mutex<HashMap<RunId, mpsc::UnboundedSender<Message>>>,
    /// Runs that rest with long journals.
    pub(crate) rested: Rested,
    /// Whether runs of a shard may wait for events; false spares a look into storage for each event.
    may_wait: Vec<AtomicBool>,
}

/// What is said to a run's driver.
#[derive(Debug)]
pub(crate) enum Message {
    /// Go on from what storage has.
    Resume,
    /// A timer is due.
    Timer { path: StepPath, kind: TimerKind },
    /// A slot of the run's group may be free.
    Slot,
    /// Storage has mail for the run.
    Mail,
    /// A person asks something of it.
    Asked { what: Input, reply: Reply },
}

/// Answered once what was asked is durable, or why it cannot be done.
pub(crate) type Reply = oneshot::Sender<Result<(), String>>;

impl Inner {
    /// Over what storage holds: its stores, who may use it, the fences of all shards, and whether some run waits, perhaps for an event.
    pub(crate) fn new(
        parts: Parts,
        client: Arc<Client>,
        stores: Stores,
        access: Access,
        sealing: Arc<tokio::sync::Mutex<()>>,
        fences: Vec<Fence>,
        any_waiting: bool,
    ) -> Self {
        Self {
            answers: Answers::new(Arc::clone(&parts.storage)),
            secrets: Secrets::new(Arc::clone(&parts.storage), Arc::clone(&parts.vault), Arc::clone(&sealing)),
            vault: parts.vault,
            sealing,
            rotating: tokio::sync::Mutex::default(),
            callers: Arc::default(),
            told: Live::new(parts.entropy.as_ref()),
            storage: parts.storage,
            clock: parts.clock,
            entropy: parts.entropy,
            outbound: parts.outbound,
            client,
            sandbox: parts.sandbox,
            marks: parts.marks,
            stores,
            access,
            metrics: Metrics::default(),
            workflows: ArcSwap::from_pointee(WorkflowSet::default()),
            workflows_changed: watch::Sender::new(0),
            pinned: Pinned::default(),
            fences,
            queue: Queue::new(),
            timers: Timers::default(),
            gates: AtGates::default(),
            slot_locks: slots::Locks::default(),
            state_locks: (0..STATE_LOCKS).map(|_| tokio::sync::Mutex::default()).collect(),
            slots: Arc::new(Semaphore::new(parts.options.runs_in_memory_max)),
            line: Line::default(),
            stopping: watch::Sender::new(parts.options.paused),
            options: parts.options,
            held: watch::Sender::new(false),
            backups: Backups::default(),
            live: Mutex::default(),
            rested: Rested::default(),
            may_wait: ShardId::all().map(|_| AtomicBool::new(any_waiting)).collect(),
        }
    }

    /// Whether a run of this shard may wait for an event.
    pub(crate) fn may_wait(&self, shard: ShardId) -> bool {
        self.may_wait[usize::from(shard.number())].load(Ordering::Acquire)
    }

    /// A run of this shard is about to wait for an event.
    pub(crate) fn will_wait(&self, shard: ShardId) {
        self.may_wait[usize::from(shard.number())].store(true, Ordering::Release);
    }

    pub(crate) fn fence(&self, shard: ShardId) -> Fence {
        self.fences[usize::from(shard.number())]
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Whether a restored engine waits for the operator's word.
    pub(crate) fn is_held(&self) -> bool {
        *self.held.borrow()
    }

    /// Whether runs begin nothing now; what is asked of them is written all the same.
    pub(crate) fn holds_runs(&self) -> bool {
        self.is_stopping() || self.is_held()
    }

    /// Says something to a run; one that is not in memory is loaded for it.
    pub(crate) fn tell(self: &Arc<Self>, run: &RunId, message: Message) {
        let mut live = self.live.lock();
        let message = match live.get(run) {
            Some(sender) => match sender.send(message) {
                Ok(()) => return,
                Err(lost) => lost.0,
            },
            None => message,
        };
        let sender = self.spawn(run, Start::Stored(run.clone()));
        if sender.send(message).is_ok() {
            live.insert(run.clone(), sender);
        }
    }

    /// Begins to drive a run that was just created. `false`: it is driven already.
    pub(crate) fn begin(self: &Arc<Self>, run: &RunId, start: Start) -> bool {
        let mut live = self.live.lock();
        if live.contains_key(run) {
            return false;
        }
        let sender = self.spawn(run, start);
        live.insert(run.clone(), sender);
        true
    }

    fn spawn(self: &Arc<Self>, run: &RunId, start: Start) -> mpsc::UnboundedSender<Message> {
        let (sender, mailbox) = mpsc::unbounded_channel();
        tokio::spawn(driver::drive(Arc::clone(self), run.clone(), start, mailbox));
        sender
    }

    /// A driver wants to go; `false`: something was said to it in the meantime.
    pub(crate) fn leave(
        &self,
        run: &RunId,
        mailbox: &mut mpsc::UnboundedReceiver<Message>,
        unread: &mut Option<Message>,
    ) -> bool {
        let mut live = self.live.lock();
        if let Ok(message) = mailbox.try_recv() {
            *unread = Some(message);
            return false;
        }
        live.remove(run);
        true
    }

    /// A driver is gone without leaving (it panicked): the run can be loaded again.
    pub(crate) fn forget(&self, run: &RunId) {
        self.live.lock().remove(run);
    }

    /// How many runs are in memory.
    pub(crate) fn live_count(&self) -> usize {
        self.live.lock().len()
    }
}
