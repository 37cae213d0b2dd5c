//! Events become runs: takes accepted events, considers the workflows that listen, and begins a run for each match.
//!
//! Events come through a bounded queue in memory; what does not fit stays in storage's inbox and is read from there when
//! the queue is empty. The inbox entry goes in the same commit that creates the runs, so no crash can part them.

mod called;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use cartwright_core::{
    evaluate::{Evaluate, Scope},
    event::{Event, Match, MatchOutcome, Source},
    id::{EventId, RunId},
    run::{
        apply::apply,
        decide::HOPS_MAX,
        entry::{Entry, What},
    },
    shard::ShardId,
    time::Timestamp,
    trigger,
    workflow::{Trigger, Workflow},
};
use cartwright_storage::{Batch, CommitError, Mail, StorageError};
use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};

use self::called::{not_started, parent_of, stood_in, told_to_caller};
use crate::{
    commit::commit_until_done,
    driver::{Fresh, Start},
    gates,
    inner::{Inner, Message},
    metrics::Metrics,
    views::{EventViews, inputs_view},
    wait,
};

/// Accepted events held in memory before their turn.
const QUEUE_EVENTS_MAX: usize = 4096;
/// Events taken from the queue before a shard that is behind has its turn.
const QUEUE_EVENTS_IN_A_ROW: usize = 256;
/// Events that start nothing, taken out of the inbox in one commit.
const UNHEARD_EVENTS_MAX: usize = 128;
/// Events read from the inbox at once.
const INBOX_PAGE: usize = 128;

/// Accepted events on their way to being matched.
pub(crate) struct Queue {
    sender: mpsc::Sender<Event>,
    receiver: Mutex<Option<mpsc::Receiver<Event>>>,
    /// Shards whose inbox may hold events that are not in the queue.
    behind: Mutex<BTreeSet<ShardId>>,
    /// The shard whose inbox is being read.
    draining: Mutex<Option<ShardId>>,
    /// Events in the queue or being matched, with when they were accepted: an inbox scan leaves them alone.
    claimed: Mutex<BTreeMap<EventId, Timestamp>>,
    wake: Notify,
}

impl Queue {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE_EVENTS_MAX);
        Self {
            sender,
            receiver: Mutex::new(Some(receiver)),
            behind: Mutex::default(),
            draining: Mutex::default(),
            claimed: Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// Takes an event that storage has in its inbox.
    pub(crate) fn push(&self, event: Event) {
        let (shard, id) = (event.shard(), event.id.clone());
        self.claimed.lock().insert(id.clone(), event.time);
        if self.sender.try_send(event).is_err() {
            self.claimed.lock().remove(&id);
            self.look_at(shard);
        }
    }

    /// Says that a shard's inbox holds events.
    pub(crate) fn look_at(&self, shard: ShardId) {
        self.behind.lock().insert(shard);
        self.wake.notify_one();
    }

    fn next_behind(&self) -> Option<ShardId> {
        self.behind.lock().pop_first()
    }

    /// When the oldest event that memory knows of was accepted, and the shards whose inbox may hold older ones.
    pub(crate) fn oldest(&self) -> (Option<Timestamp>, BTreeSet<ShardId>) {
        // Ids sort by the time of acceptance.
        let claimed = self.claimed.lock().first_key_value().map(|(_, time)| *time);
        let mut behind = self.behind.lock().clone();
        behind.extend(*self.draining.lock());
        (claimed, behind)
    }

    pub(crate) fn depth(&self) -> usize {
        QUEUE_EVENTS_MAX - self.sender.capacity()
    }
}

/// Matches events until the engine stops.
pub(crate) async fn dispatch(inner: Arc<Inner>) {
    let Some(mut receiver) = inner.queue.receiver.lock().take() else { return };
    let mut stopping = inner.stopping.subscribe();
    let mut in_a_row = 0;
    let mut unheard = Unheard::default();
    while !inner.is_stopping() {
        // What did not fit into the queue is older than what comes into it now.
        let behind = if in_a_row >= QUEUE_EVENTS_IN_A_ROW { inner.queue.next_behind() } else { None };
        let turn = match behind {
            Some(shard) => Turn::Inbox(shard),
            None => match receiver.try_recv() {
                Ok(event) => Turn::Event(event),
                Err(_) if unheard.count > 0 => Turn::Flush,
                Err(_) => match inner.queue.next_behind() {
                    Some(shard) => Turn::Inbox(shard),
                    None => tokio::select! {
                        biased;
                        _ = stopping.wait_for(|stop| *stop) => return,
                        event = receiver.recv() => event.map_or(Turn::Nothing, Turn::Event),
                        () = inner.queue.wake.notified() => Turn::Nothing,
                    },
                },
            },
        };
        match turn {
            Turn::Event(event) => {
                in_a_row += 1;
                let claim = Claim { inner: Arc::clone(&inner), event: event.id.clone() };
                if is_unheard(&inner, &event) {
                    unheard.add(event, claim);
                } else {
                    begin_matching(&inner, event, claim).await;
                }
                if unheard.count >= UNHEARD_EVENTS_MAX {
                    unheard.flush(&inner);
                }
            }
            Turn::Flush => unheard.flush(&inner),
            Turn::Inbox(shard) => {
                in_a_row = 0;
                *inner.queue.draining.lock() = Some(shard);
                drain_inbox(&inner, shard).await;
                *inner.queue.draining.lock() = None;
            }
            Turn::Nothing => {}
        }
    }
}

/// What the dispatcher does next.
enum Turn {
    Event(Event),
    Inbox(ShardId),
    Flush,
    Nothing,
}

/// Whether no workflow listens to an event and no run may wait for it: most of what a busy store sends.
fn is_unheard(inner: &Inner, event: &Event) -> bool {
    if matches!(event.source, Source::Call { .. }) {
        return false;
    }
    let store = event.store.as_ref().and_then(|id| inner.stores.get(id));
    let tags = store.as_ref().map_or(&[][..], |store| store.tags.as_slice());
    let nobody_waits = match &event.store {
        Some(_) => !inner.may_wait(event.shard()),
        None => !ShardId::all().any(|shard| inner.may_wait(shard)),
    };
    nobody_waits && trigger::listeners(&inner.workflows.load(), event, tags).is_empty()
}

/// Events that start nothing: taken out of the inbox many at once.
#[derive(Default)]
struct Unheard {
    by_shard: BTreeMap<ShardId, Vec<(EventId, Claim)>>,
    count: usize,
}

impl Unheard {
    fn add(&mut self, event: Event, claim: Claim) {
        self.by_shard.entry(event.shard()).or_default().push((event.id, claim));
        self.count += 1;
    }

    fn flush(&mut self, inner: &Arc<Inner>) {
        self.count = 0;
        for (shard, events) in std::mem::take(&mut self.by_shard) {
            let inner = Arc::clone(inner);
            tokio::spawn(async move {
                let matched = events.iter().map(|(id, _)| (id.clone(), Vec::new())).collect();
                let batch = Batch { matched, ..Batch::default() };
                if let Err(error) = commit_until_done(&inner, shard, batch).await {
                    tracing::warn!(%error, "events that nobody listens to stay in the inbox for now");
                    inner.queue.look_at(shard);
                }
            });
        }
    }
}

async fn drain_inbox(inner: &Arc<Inner>, shard: ShardId) {
    let mut after = None;
    loop {
        let page = match inner.storage.inbox(shard, after.as_ref(), INBOX_PAGE).await {
            Ok(page) => page,
            Err(error) => {
                tracing::error!(%error, shard = shard.number(), "the inbox cannot be read; accepted events wait");
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                inner.queue.look_at(shard);
                return;
            }
        };
        let Some(last) = page.last() else { return };
        after = Some(last.id.clone());
        for event in page {
            if inner.is_stopping() {
                return;
            }
            let Some(claim) = Claim::new(inner, &event) else { continue };
            begin_matching(inner, event, claim).await;
        }
    }
}

/// Waits for room for a run, then matches on a task of its own.
async fn begin_matching(inner: &Arc<Inner>, event: Event, claim: Claim) {
    let Ok(permit) = Arc::clone(&inner.slots).acquire_owned().await else { return };
    let turn = gates::line_up(inner, &event);
    let inner = Arc::clone(inner);
    tokio::spawn(async move { match_event(&inner, event, claim, permit, turn).await });
}

/// Keeps an inbox scan from taking an event that is being matched already.
pub(crate) struct Claim {
    inner: Arc<Inner>,
    event: EventId,
}

impl Claim {
    fn new(inner: &Arc<Inner>, event: &Event) -> Option<Self> {
        let mut claimed = inner.queue.claimed.lock();
        if claimed.contains_key(&event.id) {
            return None;
        }
        claimed.insert(event.id.clone(), event.time);
        drop(claimed);
        Some(Self { inner: Arc::clone(inner), event: event.id.clone() })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.inner.queue.claimed.lock().remove(&self.event);
    }
}

async fn match_event(
    inner: &Arc<Inner>,
    event: Event,
    claim: Claim,
    permit: OwnedSemaphorePermit,
    turn: Option<gates::Turn>,
) {
    let stood_in = stood_in(inner, &event).await;
    let considered = match &stood_in {
        None => consider(inner, &event),
        Some(_) => Considered::nothing(inner, &event),
    };
    let mail = match wait::mail_for(inner, &event, &considered.views).await {
        Ok(mut mail) => {
            let told = match stood_in {
                None => not_started(&event, &considered.matches),
                Some(outcome) => outcome.and_then(|outcome| told_to_caller(&event, outcome)),
            };
            if let Some(told) = told {
                mail.entry(event.shard()).or_default().push(told);
            }
            mail
        }
        Err(error) => return give_back(inner, &event, &error),
    };
    // Mail is kept once however often it is sent, so it may go before the event leaves the inbox.
    for (shard, mail) in mail {
        if let Err(error) = send(inner, shard, mail).await {
            return give_back(inner, &event, &error);
        }
    }
    if !considered.gated.is_empty() {
        return pass_gates(inner, event, considered, turn).await;
    }
    drop(turn);
    let mut batch = Batch { matched: vec![(event.id.clone(), considered.matches)], ..Batch::default() };
    let mut fresh = considered.fresh;
    if fresh.len() == 1 {
        // The usual case: the run's first commit takes the event out of the inbox.
        let first = fresh.remove(0);
        let run = first.state.run.clone();
        let start = Fresh { prelude: batch, permit: Some(permit), claim: Some(claim), ..first };
        Metrics::add(&inner.metrics.runs_started);
        inner.begin(&run, Start::Fresh(Box::new(start)));
        return;
    }
    for fresh in &mut fresh {
        batch.runs.push(fresh.creation());
    }
    drop(permit);
    match commit_until_done(inner, event.shard(), batch).await {
        Ok(()) => {}
        // Matched before, by a process that was killed: its runs exist and recovery drives them.
        Err(CommitError::Conflict { .. }) => return,
        Err(error) => return give_back(inner, &event, &error),
    }
    begin_all(inner, fresh);
}

fn begin_all(inner: &Arc<Inner>, fresh: Vec<Fresh>) {
    for fresh in fresh {
        Metrics::add(&inner.metrics.runs_started);
        let run = fresh.state.run.clone();
        inner.begin(&run, Start::Fresh(Box::new(fresh)));
    }
}

/// Some of the workflows that took the event have gates; the runs of the others begin in the same commit.
async fn pass_gates(inner: &Arc<Inner>, event: Event, considered: Considered, turn: Option<gates::Turn>) {
    let Considered { matches, mut fresh, gated, .. } = considered;
    let runs: Vec<_> = fresh.iter_mut().map(Fresh::creation).collect();
    match gates::through(inner, &event, &matches, &runs, &gated, turn).await {
        Ok(gates::Through::Done) => begin_all(inner, fresh),
        // By a process that was killed: its runs exist and recovery drives them.
        Ok(gates::Through::Before) => {}
        Err(error) => give_back(inner, &event, &error),
    }
}

async fn send(inner: &Arc<Inner>, shard: ShardId, mail: Vec<Mail>) -> Result<(), CommitError> {
    let told: Vec<RunId> = mail.iter().map(|mail| mail.key.run.clone()).collect();
    commit_until_done(inner, shard, Batch { mail, ..Batch::default() }).await?;
    for run in told {
        inner.tell(&run, Message::Mail);
    }
    Ok(())
}

fn give_back(inner: &Inner, event: &Event, error: &dyn std::error::Error) {
    tracing::error!(%error, event = %event.id, "an event could not be matched; it stays in the inbox");
    inner.queue.look_at(event.shard());
}

/// What came of considering an event.
struct Considered {
    views: Arc<EventViews>,
    matches: Vec<Match>,
    fresh: Vec<Fresh>,
    /// Workflows that took the event, whose gates have the last word.
    gated: Vec<gates::Gated>,
}

impl Considered {
    /// Nobody is asked.
    fn nothing(inner: &Inner, event: &Event) -> Self {
        let store = event.store.as_ref().and_then(|id| inner.stores.get(id));
        let views = Arc::new(EventViews::new(event, store.as_ref()));
        Self { views, matches: Vec::new(), fresh: Vec::new(), gated: Vec::new() }
    }
}

fn consider(inner: &Inner, event: &Event) -> Considered {
    let set = inner.workflows.load_full();
    let store = event.store.as_ref().and_then(|id| inner.stores.get(id));
    let tags = store.as_ref().map_or(&[][..], |store| store.tags.as_slice());
    let views = Arc::new(EventViews::new(event, store.as_ref()));
    let mut matches = Vec::new();
    let mut fresh = Vec::new();
    let mut gated: Vec<gates::Gated> = Vec::new();
    // A workflow with several fitting triggers starts once, for the first whose conditions hold.
    for (workflow, trigger) in trigger::listeners(&set, event, tags) {
        let same = matches.last().is_some_and(|last: &Match| last.workflow == workflow.id);
        let taken = same && matches.last().is_some_and(|last| last.outcome.is_taken());
        if taken || gated.last().is_some_and(|last| last.workflow.id == workflow.id) {
            continue;
        }
        let mut outcome = decide_match(inner, event, &views, workflow, trigger);
        // Whoever called it waits for it: nothing holds it back.
        let is_called = matches!(event.source.first(), Source::Call { .. });
        if !trigger.gates.is_empty() && outcome.is_taken() && !is_called {
            match gates::keys(inner, event, &views, trigger) {
                Ok(keys) if !keys.is_empty() => {
                    if same {
                        matches.pop();
                    }
                    let (gates, trigger) = (trigger.gates.clone(), trigger.name.clone());
                    gated.push(gates::Gated { workflow: Arc::clone(workflow), trigger, gates, keys });
                    continue;
                }
                Ok(_) => {}
                Err(failed) => outcome = failed,
            }
        }
        if let MatchOutcome::Started { run } = &outcome {
            fresh.push(new_run(inner, event, run.clone(), workflow, &views));
        }
        if same {
            matches.pop();
        }
        matches.push(Match { workflow: workflow.id.clone(), outcome });
    }
    Considered { views, matches, fresh, gated }
}

fn decide_match(
    inner: &Inner,
    event: &Event,
    views: &EventViews,
    workflow: &Arc<Workflow>,
    trigger: &Trigger,
) -> MatchOutcome {
    if event.hops >= HOPS_MAX {
        tracing::warn!(event = %event.id, topic = event.topic, workflow = %workflow.id, "a loop of emitted events was cut");
        return MatchOutcome::LoopCut;
    }
    // What is wrong with inputs fails the run, where it is seen; here it would start nothing without a word.
    let inputs = inputs_view(workflow, views).unwrap_or_default();
    let (event_view, store) = (Some(&views.event), views.store.as_ref());
    let scope = Scope { event: event_view, store, inputs: inputs.as_ref(), ..Scope::default() };
    // A call means the workflow, not what it listens to.
    let is_called = matches!(event.source.first(), Source::Call { .. });
    for condition in trigger::conditions(workflow, trigger).filter(|_| !is_called) {
        match inner.sandbox.condition(condition, &scope) {
            Ok(true) => {}
            Ok(false) => return MatchOutcome::ConditionFalse { condition: condition.source.to_string() },
            Err(error) => {
                let error = error.to_string();
                return MatchOutcome::ConditionFailed { condition: condition.source.to_string(), error };
            }
        }
    }
    MatchOutcome::Started { run: RunId::derived(event.time, &event.id, &workflow.id) }
}

fn new_run(inner: &Inner, event: &Event, run: RunId, workflow: &Arc<Workflow>, views: &Arc<EventViews>) -> Fresh {
    let what = What::RunStarted {
        run,
        workflow: workflow.id.clone(),
        version: workflow.version.clone(),
        event: event.id.clone(),
        store: event.store.clone(),
        shard: event.shard(),
        hops: event.hops,
        events: Vec::new(),
        parent: parent_of(event),
    };
    let entry = Entry { at: inner.clock.now(), what };
    let state = apply(None, &entry).expect("a journal may begin with run_started");
    Fresh {
        state,
        created: Some(entry),
        workflow: Arc::clone(workflow),
        views: Arc::clone(views),
        prelude: Batch::default(),
        permit: None,
        claim: None,
    }
}

/// Whether storage refused for a while, so that trying again may help.
pub(crate) fn may_pass(error: &StorageError) -> bool {
    matches!(error, StorageError::Unavailable { .. })
}
