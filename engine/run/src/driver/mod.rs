//! Drives one run: feeds what happens to `decide`, commits what comes out, then makes the effects real.
//!
//! A driver lives only while its run is doing something. A run that waits for a time, an event or a person is in
//! storage; what was folded from a long journal may be remembered besides ([`rested`]).

mod load;
mod plugins;
mod rested;
mod settle;
mod slot;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use cartwright_core::{
    call::CallOutcome,
    evaluate::Prepared,
    event::Event,
    id::{RunId, StepPath},
    run::{
        apply::Illegal,
        decide::{Context, DecideError, Decision, Effect, Input, decide},
        entry::Entry,
        state::RunState,
    },
    slots::Slot,
    workflow::{Workflow, WorkflowSet},
};
use cartwright_storage::{
    Batch, CommitError, Mail, MailBody, MailKey, NewEvent, RunWrite, StorageError, TimerKey, Wait, WaitKey,
};
use futures_util::{
    StreamExt,
    future::{AbortHandle, Aborted, BoxFuture, FutureExt},
    stream::FuturesUnordered,
};
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

pub(crate) use self::rested::Rested;
use self::settle::Pending;
use crate::{
    dispatch::Claim,
    host,
    inner::{Inner, Message, Reply},
    metrics::Metrics,
    script,
    trace::RunTrace,
    views::{EventViews, event_view, inputs_view},
    wait,
};

/// How a driver comes by its run.
pub(crate) enum Start {
    /// It was just created; its first commit creates it in storage.
    Fresh(Box<Fresh>),
    /// It is in storage.
    Stored(RunId),
}

/// A run that was just created.
pub(crate) struct Fresh {
    pub(crate) state: RunState,
    /// `run_started`, unless it was committed already.
    pub(crate) created: Option<Entry>,
    pub(crate) workflow: Arc<Workflow>,
    pub(crate) views: Arc<EventViews>,
    /// What else becomes true in the run's first commit.
    pub(crate) prelude: Batch,
    pub(crate) permit: Option<OwnedSemaphorePermit>,
    /// Held until the event is out of the inbox.
    pub(crate) claim: Option<Claim>,
}

impl Fresh {
    /// The write that creates the run; its driver then goes on from there.
    pub(crate) fn creation(&mut self) -> RunWrite {
        RunWrite { row: self.state.row(), expected_len: 0, append: self.created.take().into_iter().collect() }
    }
}

/// Drives a run until it ends or waits.
pub(crate) async fn drive(inner: Arc<Inner>, run: RunId, start: Start, mailbox: mpsc::UnboundedReceiver<Message>) {
    let task = std::panic::AssertUnwindSafe(drive_inner(Arc::clone(&inner), &run, start, mailbox));
    if task.catch_unwind().await.is_err() {
        tracing::error!(%run, "a run's driver panicked; the run is taken up again at the next start. Please report this bug");
        inner.forget(&run);
    }
}

async fn drive_inner(inner: Arc<Inner>, run: &RunId, start: Start, mailbox: mpsc::UnboundedReceiver<Message>) {
    let driver = match start {
        Start::Fresh(fresh) => Driver::fresh(inner, *fresh, mailbox).await,
        Start::Stored(run) => Driver::stored(inner, &run, mailbox).await,
    };
    let Some(mut driver) = driver else { return };
    if let Err(error) = driver.run_to_rest().await {
        tracing::error!(%run, %error, "a run stopped moving; it is taken up again at the next start");
        driver.inner.forget(run);
    }
}

type Answer = (StepPath, u32, Result<CallOutcome, Aborted>);

struct Driver {
    inner: Arc<Inner>,
    mailbox: mpsc::UnboundedReceiver<Message>,
    /// Taken out of the mailbox and not looked at yet.
    unread: Option<Message>,
    run: RunId,
    workflow: Arc<Workflow>,
    /// What can be called.
    set: Arc<WorkflowSet>,
    views: Arc<EventViews>,
    /// `inputs`, or what is wrong with what was given.
    inputs_view: Result<Option<Prepared>, String>,
    /// `None` only while a decision is being made.
    state: Option<RunState>,
    /// How many entries storage has.
    committed: u64,
    /// The journal when it was read, where it was long.
    read: Option<rested::Read>,
    /// Its slot, as storage has it.
    slot: Slot,
    inputs: VecDeque<Input>,
    pending: Pending,
    /// What the last decisions asked for, in order.
    effects: VecDeque<Effect>,
    /// Calls whose intent is in `pending`.
    to_make: Vec<Effect>,
    calls: FuturesUnordered<BoxFuture<'static, Answer>>,
    under_way: BTreeMap<(StepPath, u32), AbortHandle>,
    /// Plugins that are executing, or wait in memory for a call.
    plugins: plugins::Executions,
    replies: Vec<Reply>,
    /// Its waits, as they were last registered.
    waits: BTreeMap<(StepPath, u32), Wait>,
    claim: Option<Claim>,
    /// It was loaded while the engine was held, so nothing of it was begun.
    held: bool,
    /// The run's trace, when it is kept.
    trace: Option<RunTrace>,
    _permit: OwnedSemaphorePermit,
}

/// Why a run stopped moving; it is taken up again at the next start.
#[derive(Debug, thiserror::Error)]
enum Stuck {
    #[error("its journal cannot be folded: {0}")]
    Journal(#[from] Illegal),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error("its event is gone")]
    EventGone,
    #[error("its journal is gone")]
    Gone,
}

impl From<StorageError> for Stuck {
    fn from(error: StorageError) -> Self {
        Self::Commit(error.into())
    }
}

impl Driver {
    fn state(&self) -> &RunState {
        self.state.as_ref().expect("a driver has its state between decisions")
    }

    /// The one loop: decide, do what needs no commit, commit, act, wait for what comes of it.
    async fn run_to_rest(&mut self) -> Result<(), Stuck> {
        loop {
            if let Some(input) = self.inputs.pop_front() {
                self.decide(input).await?;
                continue;
            }
            if let Some(effect) = self.effects.pop_front() {
                self.take_effect(effect).await?;
                continue;
            }
            self.commit().await?;
            if !self.inputs.is_empty() || !self.effects.is_empty() || !self.pending.is_empty() {
                continue;
            }
            let run = self.state().run.clone();
            let at_rest = self.under_way.is_empty() && self.plugins.at_rest() && self.unread.is_none();
            if at_rest {
                self.remember(&run);
                if self.inner.leave(&run, &mut self.mailbox, &mut self.unread) {
                    return Ok(());
                }
                self.recall(&run).await?;
            }
            self.wait().await?;
        }
    }

    async fn wait(&mut self) -> Result<(), Stuck> {
        let message = match self.unread.take() {
            Some(message) => Some(message),
            None => tokio::select! {
                biased;
                message = self.mailbox.recv() => message,
                Some((path, index, answer)) = self.calls.next() => {
                    self.call_ended(path, index, answer);
                    None
                }
                Some(stretch) = self.plugins.next() => {
                    self.plugin_paused(stretch);
                    None
                }
            },
        };
        match message {
            Some(message) => self.hear(message).await,
            None => Ok(()),
        }
    }

    fn call_ended(&mut self, path: StepPath, index: u32, answer: Result<CallOutcome, Aborted>) {
        let Ok(outcome) = answer else { return };
        if self.under_way.remove(&(path.clone(), index)).is_some() {
            self.inputs.push_back(Input::Call { path, index, outcome });
        }
    }

    async fn hear(&mut self, message: Message) -> Result<(), Stuck> {
        match message {
            // It was loaded while the engine was held, which now is over.
            Message::Resume if self.held && !self.inner.is_held() => {
                self.held = false;
                self.inputs.push_back(load::resume());
            }
            // Loading was all that was wanted: `stored` begins with a resume.
            Message::Resume => {}
            Message::Timer { path, kind } => {
                if !self.state().timers.contains_key(&(path.clone(), kind)) {
                    // Out of date: storage has it still, the run does not.
                    self.pending.timers.insert(TimerKey { run: self.run.clone(), path, kind }, None);
                } else {
                    self.inputs.push_back(Input::Timer { path, kind });
                }
            }
            Message::Slot if self.state().slot.is_wanted() => {
                let under_way = self.steps_under_way();
                self.inputs.push_back(Input::Resume { under_way });
            }
            Message::Slot => {}
            Message::Mail => self.read_mail().await?,
            Message::Asked { what, reply } => {
                self.replies.push(reply);
                self.inputs.push_back(what);
            }
        }
        Ok(())
    }

    async fn read_mail(&mut self) -> Result<(), Stuck> {
        let run = self.state().run.clone();
        for mail in self.inner.storage.mail_of(&run).await? {
            // Read before, and not committed yet.
            if self.pending.mail_done.contains(&mail.key) {
                continue;
            }
            match mail.body {
                MailBody::Event { path, index, event } => {
                    let stored = self.inner.storage.event(&event).await?;
                    if let (Some(wait), Some(stored)) = (self.open_wait(path, index), stored) {
                        self.came(&wait, &stored.event);
                    }
                }
                MailBody::LookBack { path, index } => {
                    if let Some(wait) = self.open_wait(path, index) {
                        self.look_back(&wait).await?;
                    }
                }
                MailBody::Child { path, child, outcome } => {
                    self.inputs.push_back(Input::Child { path, child, outcome });
                }
                MailBody::Cancel { by } if !self.state().status().is_ended() => {
                    self.inputs.push_back(Input::Cancel { by });
                }
                MailBody::Cancel { .. } => {}
            }
            self.pending.mail_done.push(mail.key);
        }
        Ok(())
    }

    /// A wait that is registered and has not ended.
    fn open_wait(&self, path: StepPath, index: u32) -> Option<Wait> {
        let key = (path, index);
        if self.state().waits.contains(&key) { self.waits.get(&key).cloned() } else { None }
    }

    /// An event was sent to a wait of this run.
    fn came(&mut self, wait: &Wait, event: &Event) {
        let incoming = event_view(event);
        if wait::is_for(&self.inner, wait, event, &incoming, &self.views) {
            let (path, index) = (wait.key.path.clone(), wait.key.index);
            self.inputs.push_back(Input::Call { path, index, outcome: CallOutcome::Ok(incoming) });
        }
    }

    async fn decide(&mut self, input: Input) -> Result<(), Stuck> {
        self.set = self.inner.workflows.load_full();
        let state = self.state.take().expect("a driver has its state between decisions");
        let context = self.context();
        match decide(state, &context, input) {
            Ok(decision) => {
                self.absorb(decision);
                if self.see_own_event().await? {
                    self.inputs.push_front(load::resume());
                }
            }
            Err(DecideError::Refused { reason, state }) => {
                self.state = Some(*state);
                for reply in self.replies.drain(..) {
                    let _ = reply.send(Err(reason.clone()));
                }
            }
            Err(DecideError::Illegal(illegal)) => return self.park_broken(&illegal.to_string()).await,
        }
        Ok(())
    }

    /// Sees the event with the data of the run's generation; whether that is another than before.
    async fn see_own_event(&mut self) -> Result<bool, Stuck> {
        if self.state().generation == self.views.generation {
            return Ok(false);
        }
        self.views = Arc::new(EventViews::of_run(&self.inner, self.state()).await?.ok_or(Stuck::EventGone)?);
        self.inputs_view = inputs_view(&self.workflow, &self.views);
        Ok(true)
    }

    fn context(&self) -> Context<'_> {
        Context {
            workflow: &self.workflow,
            event: &self.views.event,
            events: self.views.events.as_ref(),
            store: self.views.store.as_ref(),
            inputs: self.inputs_view.as_ref().map(Option::as_ref).map_err(String::as_str),
            workflows: Some(&self.set),
            evaluate: &self.inner.sandbox,
            marks: &self.inner.marks,
            now: self.inner.clock.now(),
            hold: self.inner.holds_runs(),
        }
    }

    fn absorb(&mut self, decision: Decision) {
        let run = decision.state.run.clone();
        self.state = Some(decision.state);
        self.pending.entries.extend(decision.entries);
        for (path, kind, due) in decision.timers_set {
            self.pending.timers.insert(TimerKey { run: run.clone(), path, kind }, Some(due));
        }
        for (path, kind) in decision.timers_clear {
            self.pending.timers.insert(TimerKey { run: run.clone(), path, kind }, None);
        }
        for path in decision.approvals_clear {
            self.pending.approvals.insert(path, None);
        }
        for (path, asked) in decision.approvals_set {
            self.pending.approvals.insert(path, Some(asked));
        }
        for key in decision.waits_clear {
            self.pending.waits.insert(key, None);
        }
        self.pending.outbox.extend(decision.emits.into_iter().map(|event| {
            let dedupe = Some(Sha256::digest(event.id.as_str()).into());
            NewEvent { event, dedupe }
        }));
        for child in decision.cancels {
            let key = MailKey { run: child, id: format!("parent:{run}") };
            self.pending.mail.push(Mail { key, body: MailBody::Cancel { by: format!("{run}, which called it") } });
        }
        self.effects.extend(decision.effects);
    }

    async fn take_effect(&mut self, effect: Effect) -> Result<(), Stuck> {
        match effect {
            // A stopping or held engine begins nothing; the script is executed again when the run is taken up.
            Effect::RunScript { .. } if self.inner.holds_runs() => {}
            Effect::Slot if self.inner.holds_runs() => {}
            Effect::Slot => self.ask_slot().await?,
            Effect::RunScript { path, attempt } => {
                if self.is_plugin(&path) {
                    return self.run_plugin(path, attempt).await;
                }
                Metrics::add(&self.inner.metrics.scripts);
                if let Some(result) = script::execute(&self.inner, &self.context(), self.state(), &path) {
                    self.inputs.push_back(Input::Script { path, attempt, result });
                }
            }
            Effect::Store { path, index, call } => {
                let inner = Arc::clone(&self.inner);
                // Nothing else of this engine may come between reading the state and committing its change.
                let _held = host::lock_state(&inner, &self.workflow.id, &call).await;
                let (outcome, write) = match host::known(&inner, &self.run, &path, index, &call) {
                    Some(outcome) => (outcome, None),
                    None => host::store_call(&inner, &self.workflow.id, &call).await?,
                };
                self.pending.records.extend(write);
                self.decide(Input::Stored { path, call: host::resolved(index, call, outcome) }).await?;
                self.commit().await?;
            }
            Effect::Wait { path, index, topic, condition, scope, since } => {
                let key = WaitKey { topic, run: self.state().run.clone(), path: path.clone(), index };
                let wait = Wait { key, since, condition, scope };
                self.waits.insert((path.clone(), index), wait.clone());
                self.pending.lookbacks.push(wait.clone());
                self.pending.waits.insert((path, index), Some(wait));
            }
            Effect::Answer => self.commit().await?,
            Effect::Abort { path } => self.abort(&path),
            call @ Effect::Call { .. } => self.to_make.push(call),
        }
        Ok(())
    }

    /// Stops calls at or below a path. Effects still in the queue were asked for afterwards and stay.
    fn abort(&mut self, below: &StepPath) {
        let prefix = below.as_str();
        let hit = |path: &StepPath| {
            let rest = path.as_str().strip_prefix(prefix);
            rest.is_some_and(|rest| prefix.is_empty() || rest.is_empty() || rest.starts_with(['[', '.']))
        };
        self.under_way.retain(|(path, _), handle| {
            if hit(path) {
                handle.abort();
            }
            !hit(path)
        });
        self.plugins.abort(|path| hit(path));
        self.to_make.retain(|effect| !matches!(effect, Effect::Call { path, .. } if hit(path)));
        self.inputs
            .retain(|input| !matches!(input, Input::Call { path, .. } | Input::Script { path, .. } if hit(path)));
    }
}
