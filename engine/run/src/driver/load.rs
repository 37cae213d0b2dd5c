//! How a driver comes by its run: handed over by the dispatcher, or read from storage.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use cartwright_core::{
    id::{RunId, StepPath},
    run::{
        apply::fold,
        decide::Input,
        entry::{Entry, What},
        state::RunState,
    },
    slots::Slot,
    time::Timestamp,
    workflow::Workflow,
};
use cartwright_storage::{Wait, WaitKey};
use futures_util::stream::FuturesUnordered;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::{
    Driver, Fresh, Stuck,
    plugins::Executions,
    rested::{Memory, Read},
    settle::Pending,
};
use crate::{
    inner::{Inner, Message},
    trace::{RunTrace, trace_id},
    views::{EventViews, inputs_view},
};

impl Driver {
    pub(super) async fn fresh(
        inner: Arc<Inner>,
        fresh: Fresh,
        mailbox: mpsc::UnboundedReceiver<Message>,
    ) -> Option<Self> {
        let permit = match fresh.permit {
            Some(permit) => permit,
            None => inner.room().await?,
        };
        let committed = if fresh.created.is_some() { 0 } else { fresh.state.len };
        let mut pending = Pending { prelude: fresh.prelude, ..Pending::default() };
        pending.entries.extend(fresh.created);
        let mut driver = Self::new(inner, mailbox, fresh.workflow, fresh.views, fresh.state, committed, permit);
        driver.pending = pending;
        driver.claim = fresh.claim;
        // Its caller may have ended it before it was there.
        if driver.state().parent.is_some()
            && let Err(error) = driver.read_mail().await
        {
            tracing::error!(run = %driver.run, %error, "a run's mail cannot be read; it is looked at again at the next start");
        }
        driver.inputs.push_back(resume());
        Some(driver)
    }

    pub(super) async fn stored(
        inner: Arc<Inner>,
        run: &RunId,
        mailbox: mpsc::UnboundedReceiver<Message>,
    ) -> Option<Self> {
        let permit = inner.room().await?;
        match load(&inner, run).await {
            Ok(Some(LoadedRun { memory, read, workflow, views, journal })) => {
                let committed = memory.0.len;
                let mut driver = Self::new(inner, mailbox, workflow, views, memory.0, committed, permit);
                (driver.waits, driver.read) = (memory.1, read);
                driver.trace_past(&journal);
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

    pub(super) fn new(
        inner: Arc<Inner>,
        mailbox: mpsc::UnboundedReceiver<Message>,
        workflow: Arc<Workflow>,
        views: Arc<EventViews>,
        state: RunState,
        committed: u64,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let trace = new_trace(&inner, &state.run, &views);
        Self {
            held: inner.is_held(),
            set: inner.workflows.load_full(),
            inner,
            mailbox,
            unread: None,
            inputs_view: inputs_view(&workflow, &views),
            workflow,
            views,
            run: state.run.clone(),
            slot: if committed == 0 { Slot::None } else { state.slot.clone() },
            state: Some(state),
            committed,
            read: None,
            inputs: VecDeque::new(),
            effects: VecDeque::new(),
            pending: Pending::default(),
            to_make: Vec::new(),
            calls: FuturesUnordered::new(),
            under_way: BTreeMap::new(),
            plugins: Executions::default(),
            replies: Vec::new(),
            waits: BTreeMap::new(),
            claim: None,
            trace,
            _permit: permit,
        }
    }
}

/// The trace of a run, when it is kept.
fn new_trace(inner: &Inner, run: &RunId, views: &EventViews) -> Option<RunTrace> {
    let kept = inner.options.telemetry.as_ref().is_some_and(|telemetry| telemetry.keeps(trace_id(run)));
    kept.then(|| RunTrace::new(run, views.event.json().clone()))
}

pub(super) fn resume() -> Input {
    Input::Resume { under_way: BTreeSet::new() }
}

type Waits = BTreeMap<(StepPath, u32), Wait>;

struct LoadedRun {
    memory: (RunState, Waits),
    read: Option<Read>,
    workflow: Arc<Workflow>,
    views: Arc<EventViews>,
    /// For its trace; empty where none is kept.
    journal: Vec<Entry>,
}

impl Driver {
    /// Remembers the run, which is about to rest, if that spares reading a long journal. Its state is gone then.
    pub(super) fn remember(&mut self, run: &RunId) {
        let is_traced = self.inner.options.telemetry.is_some();
        let Some(read) = self.read.filter(|read| !is_traced && read.allows(self.state())) else { return };
        if let Some(state) = self.state.take() {
            self.inner.rested.put(run.clone(), Memory { state, waits: std::mem::take(&mut self.waits), read });
        }
    }

    /// It does not rest yet.
    pub(super) async fn recall(&mut self, run: &RunId) -> Result<(), Stuck> {
        if self.state.is_some() {
            return Ok(());
        }
        let (state, waits) = match self.inner.rested.take(run) {
            Some(Memory { state, waits, .. }) => (state, waits),
            // Others pushed it out in this very moment.
            None => {
                let journal = self.inner.storage.journal(run).await?;
                let state = fold(&journal)?.ok_or(Stuck::Gone)?;
                (state, journal.iter().filter_map(|entry| wait_of(run, &entry.what)).collect())
            }
        };
        (self.state, self.waits) = (Some(state), waits);
        Ok(())
    }
}

/// Reads a run from storage. `None`: there is none, or nothing can be done with it.
async fn load(inner: &Inner, run: &RunId) -> Result<Option<LoadedRun>, Stuck> {
    let (state, waits, read, journal) = match inner.rested.take(run) {
        Some(Memory { state, waits, read }) => (state, waits, Some(read), Vec::new()),
        None => {
            let journal = inner.storage.journal(run).await?;
            let Some(state) = fold(&journal)? else { return Ok(None) };
            let waits = journal.iter().filter_map(|entry| wait_of(run, &entry.what)).collect();
            (state, waits, Read::of(&journal), journal)
        }
    };
    let set = inner.workflows.load_full();
    let (id, version) = (&state.workflow, &state.version);
    let found = inner.pinned.find(inner.storage.as_ref(), id, set.get(id), version).await?;
    let Some(workflow) = found else {
        tracing::error!(%run, workflow = %state.workflow, version = %state.version, "the definition a run is pinned to is gone");
        return Ok(None);
    };
    let Some(views) = EventViews::of_run(inner, &state).await? else {
        tracing::error!(%run, event = %state.event, "the event of a run is gone");
        return Ok(None);
    };
    Ok(Some(LoadedRun { memory: (state, waits), read, workflow, views: Arc::new(views), journal }))
}

/// The wait that an entry registered; a later one at the same place replaces it.
fn wait_of(run: &RunId, what: &What) -> Option<((StepPath, u32), Wait)> {
    let What::WaitSet { path, index, topic, condition, since, scope, .. } = what else { return None };
    let key = WaitKey { topic: topic.clone(), run: run.clone(), path: path.clone(), index: *index };
    // A journal of before does not say since when: whoever sent the event looked at that.
    let since = since.unwrap_or(Timestamp::from_millis(0));
    Some(((path.clone(), *index), Wait { key, since, condition: condition.clone(), scope: scope.clone() }))
}
