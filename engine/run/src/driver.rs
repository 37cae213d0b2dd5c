//! Drives one run: feeds what happens to `decide`, commits what comes out, then makes the effects real.
//!
//! A driver lives only while its run is doing something. A run that waits for a time, an event or a person is in
//! storage and nowhere else.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use cartwright_core::{
    call::{CallError, CallOutcome, ErrorClass},
    id::{RunId, StepPath},
    run::{
        apply::{Illegal, apply, fold},
        decide::{Context, DecideError, Decision, Effect, Input, decide},
        entry::{Entry, What},
        row::{RunError, RunStatus},
        state::{Phase, RunState},
    },
    time::Timestamp,
    workflow::Workflow,
};
use cartwright_storage::{
    Batch, CommitError, MailBody, MailKey, NewEvent, RecordWrite, RunWrite, StorageError, Timer, TimerKey, Wait, WaitKey,
};
use futures_util::{
    StreamExt,
    future::{AbortHandle, Abortable, Aborted, BoxFuture, FutureExt},
    stream::FuturesUnordered,
};
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::{
    commit::commit_until_done,
    dispatch::Claim,
    host,
    inner::{Inner, Message, Reply},
    metrics::Metrics,
    script, views::EventViews, wait,
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
    views: Arc<EventViews>,
    /// `None` only while a decision is being made.
    state: Option<RunState>,
    /// How many entries storage has.
    committed: u64,
    inputs: VecDeque<Input>,
    pending: Pending,
    /// What the last decisions asked for, in order.
    effects: VecDeque<Effect>,
    /// Calls whose intent is in `pending`.
    to_make: Vec<Effect>,
    calls: FuturesUnordered<BoxFuture<'static, Answer>>,
    under_way: BTreeMap<(StepPath, u32), AbortHandle>,
    replies: Vec<Reply>,
    /// The topics of registered waits, which their removal must name.
    wait_topics: BTreeMap<(StepPath, u32), String>,
    claim: Option<Claim>,
    _permit: OwnedSemaphorePermit,
}

/// What the next commit holds besides the run itself.
#[derive(Default)]
struct Pending {
    prelude: Batch,
    entries: Vec<Entry>,
    timers: BTreeMap<TimerKey, Option<Timestamp>>,
    waits: BTreeMap<(StepPath, u32), Option<Wait>>,
    outbox: Vec<NewEvent>,
    records: Vec<RecordWrite>,
    mail_done: Vec<MailKey>,
    lookbacks: Vec<Wait>,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.entries.is_empty()
            && self.timers.is_empty()
            && self.waits.is_empty()
            && self.records.is_empty()
            && self.mail_done.is_empty()
            && self.prelude.matched.is_empty()
    }
}

/// What follows a commit.
struct After {
    ended: bool,
    lookbacks: Vec<Wait>,
}

/// Why a run stopped moving; it is taken up again at the next start.
#[derive(Debug, thiserror::Error)]
enum Stuck {
    #[error("its journal cannot be folded: {0}")]
    Journal(#[from] Illegal),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error("its journal is gone")]
    Gone,
}

impl From<StorageError> for Stuck {
    fn from(error: StorageError) -> Self {
        Self::Commit(error.into())
    }
}

impl Driver {
    async fn fresh(inner: Arc<Inner>, fresh: Fresh, mailbox: mpsc::UnboundedReceiver<Message>) -> Option<Self> {
        let permit = match fresh.permit {
            Some(permit) => permit,
            None => Arc::clone(&inner.slots).acquire_owned().await.ok()?,
        };
        let committed = if fresh.created.is_some() { 0 } else { fresh.state.len };
        let mut pending = Pending { prelude: fresh.prelude, ..Pending::default() };
        pending.entries.extend(fresh.created);
        let mut driver = Self::new(inner, mailbox, fresh.workflow, fresh.views, fresh.state, committed, permit);
        driver.pending = pending;
        driver.claim = fresh.claim;
        driver.inputs.push_back(resume());
        Some(driver)
    }

    async fn stored(inner: Arc<Inner>, run: &RunId, mailbox: mpsc::UnboundedReceiver<Message>) -> Option<Self> {
        let permit = Arc::clone(&inner.slots).acquire_owned().await.ok()?;
        match load(&inner, run).await {
            Ok(Some((state, workflow, views, wait_topics))) => {
                let committed = state.len;
                let mut driver = Self::new(inner, mailbox, workflow, views, state, committed, permit);
                driver.wait_topics = wait_topics;
                driver.inputs.push_back(resume());
                Some(driver)
            }
            Ok(None) => {
                inner.forget(run);
                None
            }
            Err(error) => {
                tracing::error!(%run, %error, "a run cannot be loaded");
                inner.forget(run);
                None
            }
        }
    }

    fn new(
        inner: Arc<Inner>,
        mailbox: mpsc::UnboundedReceiver<Message>,
        workflow: Arc<Workflow>,
        views: Arc<EventViews>,
        state: RunState,
        committed: u64,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            inner,
            mailbox,
            unread: None,
            workflow,
            views,
            run: state.run.clone(),
            state: Some(state),
            committed,
            inputs: VecDeque::new(),
            effects: VecDeque::new(),
            pending: Pending::default(),
            to_make: Vec::new(),
            calls: FuturesUnordered::new(),
            under_way: BTreeMap::new(),
            replies: Vec::new(),
            wait_topics: BTreeMap::new(),
            claim: None,
            _permit: permit,
        }
    }

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
            if !self.inputs.is_empty() || !self.effects.is_empty() {
                continue;
            }
            let run = self.state().run.clone();
            let at_rest = self.under_way.is_empty() && self.unread.is_none();
            if at_rest && self.inner.leave(&run, &mut self.mailbox, &mut self.unread) {
                return Ok(());
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
            Message::Mail => self.read_mail().await?,
            Message::Cancel { by, reply } => {
                self.replies.push(reply);
                self.inputs.push_back(Input::Cancel { by });
            }
            Message::Retry { by, repeat_unknown, reply } => {
                self.replies.push(reply);
                self.inputs.push_back(Input::Retry { by, repeat_unknown });
            }
        }
        Ok(())
    }

    async fn read_mail(&mut self) -> Result<(), Stuck> {
        let run = self.state().run.clone();
        for mail in self.inner.storage.mail_of(&run).await? {
            let MailBody::Event { path, index, event } = mail.body else { continue };
            if let Some(stored) = self.inner.storage.event(&event).await? {
                let outcome = CallOutcome::Ok(crate::views::event_view(&stored.event));
                if self.state().waits.contains(&(path.clone(), index)) {
                    self.inputs.push_back(Input::Call { path, index, outcome });
                }
            }
            self.pending.mail_done.push(mail.key);
        }
        Ok(())
    }

    async fn decide(&mut self, input: Input) -> Result<(), Stuck> {
        let state = self.state.take().expect("a driver has its state between decisions");
        let context = self.context();
        match decide(state, &context, input) {
            Ok(decision) => self.absorb(decision),
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

    fn context(&self) -> Context<'_> {
        Context {
            workflow: &self.workflow,
            event: &self.views.event,
            store: self.views.store.as_ref(),
            evaluate: &self.inner.sandbox,
            marks: &self.inner.marks,
            now: self.inner.clock.now(),
            hold: self.inner.is_stopping(),
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
        for key in decision.waits_clear {
            self.pending.waits.insert(key, None);
        }
        self.pending.outbox.extend(decision.emits.into_iter().map(|event| {
            let dedupe = Some(Sha256::digest(event.id.as_str()).into());
            NewEvent { event, dedupe }
        }));
        self.effects.extend(decision.effects);
    }

    async fn take_effect(&mut self, effect: Effect) -> Result<(), Stuck> {
        match effect {
            // A stopping engine begins nothing; the script is executed again when the run is taken up.
            Effect::RunScript { .. } if self.inner.is_stopping() => {}
            Effect::RunScript { path, attempt } => {
                Metrics::add(&self.inner.metrics.scripts);
                if let Some(result) = script::execute(&self.inner, &self.context(), self.state(), &path) {
                    self.inputs.push_back(Input::Script { path, attempt, result });
                }
            }
            Effect::Store { path, index, call } => {
                let inner = Arc::clone(&self.inner);
                // Nothing else of this engine may come between reading the state and committing its change.
                let _held = host::lock_state(&inner, &self.workflow.id, &call).await;
                let (outcome, write) = host::store_call(&inner, &self.workflow.id, &call).await?;
                self.pending.records.extend(write);
                self.decide(Input::Stored { path, call: host::resolved(index, call, outcome) }).await?;
                self.commit().await?;
            }
            Effect::Wait { path, index, topic, condition, since } => {
                let key = WaitKey { topic, run: self.state().run.clone(), path: path.clone(), index };
                self.wait_topics.insert((path.clone(), index), key.topic.clone());
                let wait = Wait { key, since, condition };
                self.pending.lookbacks.push(wait.clone());
                self.pending.waits.insert((path, index), Some(wait));
            }
            Effect::Abort { path } => self.abort(&path),
            call @ Effect::Call { .. } => self.to_make.push(call),
        }
        Ok(())
    }

    /// Commits what is pending; afterwards its calls are made and its askers answered.
    async fn commit(&mut self) -> Result<(), Stuck> {
        if self.pending.is_empty() {
            self.answer_all();
            self.make_calls();
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        let (batch, after) = self.batch(pending);
        let shard = self.state().shard;
        match commit_until_done(&self.inner, shard, batch).await {
            Ok(()) => {
                self.committed = self.state().len;
                self.claim = None;
                self.count(after.ended);
                self.answer_all();
                self.make_calls();
                for wait in after.lookbacks {
                    self.look_back(&wait).await?;
                }
                Ok(())
            }
            Err(CommitError::Conflict { what }) => self.start_over(&what).await,
            Err(error) => Err(error.into()),
        }
    }

    fn batch(&self, pending: Pending) -> (Batch, After) {
        let state = self.state();
        let ended = pending.entries.iter().any(|entry| matches!(entry.what, What::RunFinished { .. } | What::RunParked { .. }));
        let mut batch = pending.prelude;
        if !pending.entries.is_empty() {
            let (row, append) = (state.row(), pending.entries);
            batch.runs.push(RunWrite { row, expected_len: self.committed, append });
        }
        for (key, due) in pending.timers {
            match due {
                Some(due) => batch.timers_set.push(Timer { key, due }),
                None => batch.timers_clear.push(key),
            }
        }
        for ((path, index), wait) in pending.waits {
            match wait {
                Some(wait) => batch.waits_set.push(wait),
                None => batch.waits_clear.extend(self.topic_of(&path, index).map(|topic| WaitKey {
                    topic,
                    run: state.run.clone(),
                    path,
                    index,
                })),
            }
        }
        batch.outbox.extend(pending.outbox);
        batch.records.extend(pending.records);
        batch.mail_done.extend(pending.mail_done);
        (batch, After { ended, lookbacks: pending.lookbacks })
    }

    fn topic_of(&self, path: &StepPath, index: u32) -> Option<String> {
        self.wait_topics.get(&(path.clone(), index)).cloned()
    }

    fn count(&self, moved_to_end: bool) {
        if !moved_to_end {
            return;
        }
        let metrics = &self.inner.metrics;
        match self.state().status() {
            RunStatus::Succeeded => Metrics::add(&metrics.runs_succeeded),
            RunStatus::Failed => Metrics::add(&metrics.runs_failed),
            RunStatus::Cancelled => Metrics::add(&metrics.runs_cancelled),
            RunStatus::Parked => {
                Metrics::add(&metrics.runs_parked);
                if matches!(&self.state().phase, Phase::Parked { error, .. } if error.code == "unknown") {
                    Metrics::add(&metrics.steps_unknown);
                }
            }
            RunStatus::Queued | RunStatus::Running | RunStatus::Waiting => {}
        }
    }

    /// What people asked for is durable.
    fn answer_all(&mut self) {
        for reply in self.replies.drain(..) {
            let _ = reply.send(Ok(()));
        }
    }

    async fn look_back(&mut self, wait: &Wait) -> Result<(), Stuck> {
        if let Some(event) = wait::find_past(&self.inner, wait, &self.state().store, &self.views).await? {
            let outcome = CallOutcome::Ok(crate::views::event_view(&event));
            self.inputs.push_back(Input::Call { path: wait.key.path.clone(), index: wait.key.index, outcome });
        }
        Ok(())
    }

    /// Makes the calls whose intents are durable now.
    fn make_calls(&mut self) {
        for effect in std::mem::take(&mut self.to_make) {
            let Effect::Call { path, index, call, key } = effect else { continue };
            let work = host::make_call(Arc::clone(&self.inner), Arc::clone(&self.workflow), call, key);
            let work = std::panic::AssertUnwindSafe(work).catch_unwind().map(|outcome| {
                outcome.unwrap_or_else(|_| {
                    let error = CallError::r#final("internal", "the engine failed while making the call (a bug); it may have happened");
                    CallOutcome::Err(CallError { class: ErrorClass::Unknown, ..error })
                })
            });
            let (handle, registration) = AbortHandle::new_pair();
            let work = Abortable::new(work, registration);
            self.under_way.insert((path.clone(), index), handle);
            self.calls.push(async move { (path, index, work.await) }.boxed());
        }
    }

    /// Someone else moved the run, or the state it wants to change: read again and decide again.
    async fn start_over(&mut self, what: &str) -> Result<(), Stuck> {
        tracing::debug!(run = %self.state().run, what, "a commit was a conflict; deciding again");
        for reply in self.replies.drain(..) {
            let _ = reply.send(Err("the run moved in the same moment; look at it and try again".into()));
        }
        self.reload().await?;
        let under_way = self.under_way.keys().map(|(path, _)| path.clone()).collect();
        self.inputs.push_back(Input::Resume { under_way });
        Ok(())
    }

    async fn reload(&mut self) -> Result<(), Stuck> {
        self.inputs.clear();
        self.effects.clear();
        self.to_make.clear();
        self.pending = Pending::default();
        let run = match &self.state {
            Some(state) => state.run.clone(),
            None => self.run.clone(),
        };
        let journal = self.inner.storage.journal(&run).await?;
        let state = fold(&journal)?.ok_or(Stuck::Gone)?;
        self.committed = state.len;
        self.state = Some(state);
        Ok(())
    }

    /// A decision was impossible: a bug. The run waits for a person instead of moving on wrongly.
    async fn park_broken(&mut self, reason: &str) -> Result<(), Stuck> {
        tracing::error!(run = %self.run, reason, "a decision was impossible (a bug); the run is parked");
        self.reload().await?;
        self.abort(&StepPath::new(""));
        let message = format!("the engine could not decide what comes next (a bug, please report it): {reason}");
        let error = RunError { step: None, code: "internal".into(), message };
        let entry = Entry { at: self.inner.clock.now(), what: What::RunParked { error } };
        self.state = Some(apply(self.state.take(), &entry)?);
        self.pending.entries.push(entry);
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
        self.to_make.retain(|effect| !matches!(effect, Effect::Call { path, .. } if hit(path)));
        self.inputs.retain(|input| !matches!(input, Input::Call { path, .. } | Input::Script { path, .. } if hit(path)));
    }
}

fn resume() -> Input {
    Input::Resume { under_way: BTreeSet::new() }
}

type LoadedRun = (RunState, Arc<Workflow>, Arc<EventViews>, BTreeMap<(StepPath, u32), String>);

/// Reads a run from storage. `None`: there is none, or nothing can be done with it.
async fn load(inner: &Inner, run: &RunId) -> Result<Option<LoadedRun>, Stuck> {
    let journal = inner.storage.journal(run).await?;
    let Some(state) = fold(&journal)? else { return Ok(None) };
    let set = inner.workflows.load_full();
    let found = inner.pinned.find(inner.storage.as_ref(), set.get(&state.workflow), &state.version).await?;
    let Some(workflow) = found else {
        tracing::error!(%run, workflow = %state.workflow, version = %state.version, "the definition a run is pinned to is gone");
        return Ok(None);
    };
    let Some(stored) = inner.storage.event(&state.event).await? else {
        tracing::error!(%run, event = %state.event, "the event of a run is gone");
        return Ok(None);
    };
    let store = stored.event.store.as_ref().and_then(|id| inner.stores.get(id));
    let views = Arc::new(EventViews::new(&stored.event, store.as_ref()));
    let topics = journal.into_iter().filter_map(|entry| match entry.what {
        What::WaitSet { path, index, topic, .. } => Some(((path, index), topic)),
        _ => None,
    });
    Ok(Some((state, workflow, views, topics.collect())))
}
