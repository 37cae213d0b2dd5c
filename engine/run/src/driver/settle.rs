//! How what a driver decided becomes true: one commit, then its calls; and what follows when the commit is a conflict.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use cartwright_core::{
    call::{CallError, CallOutcome, ErrorClass},
    id::{RunId, StepPath},
    run::{
        apply::{apply, fold},
        approval::Approval,
        decide::{Effect, Input},
        entry::{Entry, What},
        row::{RunError, RunStatus},
        state::RunState,
    },
    time::Timestamp,
};
use cartwright_storage::{
    Batch, CommitError, Mail, MailBody, MailKey, NewEvent, RecordWrite, RunWrite, Timer, TimerKey, Wait, WaitKey,
};
use futures_util::future::{AbortHandle, Abortable, FutureExt};

use super::{Driver, Stuck};
use crate::{approvals, commit::commit_until_done, host, inner::Message, metrics::Metrics, slots::Change, wait};

/// What the next commit holds besides the run itself.
#[derive(Clone, Default)]
pub(super) struct Pending {
    pub(super) prelude: Batch,
    pub(super) entries: Vec<Entry>,
    pub(super) timers: BTreeMap<TimerKey, Option<Timestamp>>,
    pub(super) waits: BTreeMap<(StepPath, u32), Option<Wait>>,
    pub(super) outbox: Vec<NewEvent>,
    pub(super) records: Vec<RecordWrite>,
    pub(super) mail: Vec<Mail>,
    pub(super) mail_done: Vec<MailKey>,
    pub(super) lookbacks: Vec<Wait>,
    pub(super) approvals: BTreeMap<StepPath, Option<Approval>>,
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
            && self.timers.is_empty()
            && self.waits.is_empty()
            && self.records.is_empty()
            && self.mail_done.is_empty()
            && self.prelude.matched.is_empty()
    }
}

/// What became of a commit.
pub(super) enum Committed {
    /// It is on stable storage, and what follows from it is under way.
    Done,
    /// Something was not as expected; nothing happened.
    Conflict {
        /// What.
        what: String,
    },
}

/// What follows a commit.
pub(super) struct After {
    pub(super) ended: bool,
    pub(super) unknown: u64,
    /// Runs to which mail went.
    pub(super) told: Vec<RunId>,
    pub(super) lookbacks: Vec<Wait>,
}

/// What the run that waits for this one is told, in the commit that ends it: both are in one shard.
fn mail_to_parent(state: &RunState) -> Option<Mail> {
    let (parent, outcome) = state.told_to_parent()?;
    let (path, child) = (parent.step.clone(), state.run.clone());
    let key = MailKey { run: parent.run.clone(), id: format!("child:{child}:{}", state.len) };
    Some(Mail { key, body: MailBody::Child { path, child, outcome } })
}

impl Driver {
    /// Commits what is pending; afterwards its calls are made and its askers answered.
    pub(super) async fn commit(&mut self) -> Result<(), Stuck> {
        if self.pending.is_empty() {
            self.answer_all();
            self.make_calls();
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        let committed = match self.gives_back() {
            true => self.commit_giving_back(pending).await?,
            false => self.try_commit(pending, None).await?,
        };
        match committed {
            Committed::Done => Ok(()),
            Committed::Conflict { what } => self.start_over(&what).await,
        }
    }

    /// One commit of what is decided, with the change of a slot that belongs to it.
    pub(super) async fn try_commit(&mut self, pending: Pending, slot: Option<&Change>) -> Result<Committed, Stuck> {
        let (traced, begun) = (self.trace.is_some().then(|| pending.entries.clone()), self.inner.clock.now());
        let (mut batch, after) = self.batch(pending);
        batch.records.extend(slot.into_iter().flat_map(|change| change.writes.iter().cloned()));
        let shard = self.state().shard;
        match commit_until_done(&self.inner, shard, batch).await {
            Ok(()) => {
                self.committed = self.state().len;
                self.slot_committed(slot);
                self.claim = None;
                self.trace_committed(traced.as_deref().unwrap_or_default(), begun);
                self.inner.metrics.steps_unknown.fetch_add(after.unknown, Relaxed);
                self.count(after.ended);
                self.answer_all();
                self.make_calls();
                for run in &after.told {
                    self.inner.tell(run, Message::Mail);
                }
                for wait in after.lookbacks {
                    self.look_back(&wait).await?;
                    self.pending.mail_done.push(look_back_mail(&wait).key);
                }
                Ok(Committed::Done)
            }
            Err(CommitError::Conflict { what }) => Ok(Committed::Conflict { what }),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn batch(&self, mut pending: Pending) -> (Batch, After) {
        // A wait that ended before it was registered is looked for no more.
        let waits = &pending.waits;
        pending.lookbacks.retain(|wait| matches!(waits.get(&(wait.key.path.clone(), wait.key.index)), Some(Some(_))));
        let state = self.state();
        let ended =
            pending.entries.iter().any(|entry| matches!(entry.what, What::RunFinished { .. } | What::RunParked { .. }));
        let has_ended = pending.entries.iter().any(|entry| matches!(entry.what, What::RunFinished { .. }));
        let unknown =
            pending.entries.iter().filter(|entry| matches!(entry.what, What::StepUnknown { .. })).count() as u64;
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
                None => batch.waits_clear.extend(self.waits.get(&(path, index)).map(|wait| wait.key.clone())),
            }
        }
        batch.outbox.extend(pending.outbox);
        batch.records.extend(pending.records);
        let approvals = pending.approvals.into_iter();
        batch.records.extend(approvals.map(|(path, asked)| approvals::write(state, &path, asked)));
        batch.mail_done.extend(pending.mail_done);
        batch.mail.extend(pending.mail);
        if has_ended {
            batch.mail.extend(mail_to_parent(state));
        }
        let told = batch.mail.iter().map(|mail| mail.key.run.clone()).filter(|run| *run != state.run).collect();
        // Whoever takes the run up after a crash looks back, too: what came before the wait was registered is not lost.
        batch.mail.extend(pending.lookbacks.iter().map(look_back_mail));
        (batch, After { ended, unknown, told, lookbacks: pending.lookbacks })
    }

    pub(super) fn count(&self, moved_to_end: bool) {
        if !moved_to_end {
            return;
        }
        let metrics = &self.inner.metrics;
        match self.state().status() {
            RunStatus::Succeeded => Metrics::add(&metrics.runs_succeeded),
            RunStatus::Failed => Metrics::add(&metrics.runs_failed),
            RunStatus::Cancelled => Metrics::add(&metrics.runs_cancelled),
            RunStatus::Parked => Metrics::add(&metrics.runs_parked),
            RunStatus::Queued | RunStatus::Running | RunStatus::Waiting => {}
        }
    }

    /// Entries are on disk: what they ended becomes spans.
    fn trace_committed(&mut self, entries: &[Entry], begun: Timestamp) {
        let (Some(trace), Some(telemetry)) = (&mut self.trace, &self.inner.options.telemetry) else { return };
        if !entries.is_empty() {
            telemetry.send(trace.commit(begun, self.inner.clock.now(), entries.len()));
        }
        for span in entries.iter().flat_map(|entry| trace.observe(entry)) {
            telemetry.send(span);
        }
    }

    /// Entries that were committed before: their spans were sent then.
    pub(super) fn trace_past(&mut self, journal: &[Entry]) {
        let Some(trace) = &mut self.trace else { return };
        for entry in journal {
            drop(trace.observe(entry));
        }
    }

    /// What people asked for is durable.
    pub(super) fn answer_all(&mut self) {
        for reply in self.replies.drain(..) {
            let _ = reply.send(Ok(()));
        }
    }

    /// Looks for an event that came before a wait was registered.
    pub(super) async fn look_back(&mut self, wait: &Wait) -> Result<(), Stuck> {
        if let Some(event) = wait::find_past(&self.inner, wait, self.state(), &self.views).await? {
            let outcome = CallOutcome::Ok(crate::views::event_view(&event));
            self.inputs.push_back(Input::Call { path: wait.key.path.clone(), index: wait.key.index, outcome });
        }
        Ok(())
    }

    /// Makes the calls whose intents are durable now.
    pub(super) fn make_calls(&mut self) {
        for effect in std::mem::take(&mut self.to_make) {
            let Effect::Call { path, index, call, key, again } = effect else { continue };
            let own = self.state().store.clone();
            let traceparent = self.trace.as_ref().and_then(|trace| trace.traceparent(&path, index));
            let (inner, workflow) = (Arc::clone(&self.inner), Arc::clone(&self.workflow));
            let generation = self.state().generation;
            let place = host::Place { run: self.run.clone(), path: path.clone(), index, generation };
            let work = host::make_call(inner, workflow, own, call, key, again, traceparent, place);
            let work = std::panic::AssertUnwindSafe(work).catch_unwind().map(|outcome| {
                outcome.unwrap_or_else(|_| {
                    let error = CallError::r#final(
                        "internal",
                        "the engine failed while making the call (a bug); it may have happened",
                    );
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
    pub(super) async fn start_over(&mut self, what: &str) -> Result<(), Stuck> {
        tracing::debug!(run = %self.state().run, what, "a commit was a conflict; deciding again");
        for reply in self.replies.drain(..) {
            let _ = reply.send(Err("the run moved in the same moment; look at it and try again".into()));
        }
        self.reload().await?;
        let under_way = self.steps_under_way();
        self.inputs.push_back(Input::Resume { under_way });
        Ok(())
    }

    pub(super) async fn reload(&mut self) -> Result<(), Stuck> {
        self.inputs.clear();
        self.effects.clear();
        self.to_make.clear();
        // What they were told may not be in the journal.
        self.plugins.abort(|_| true);
        self.pending = Pending::default();
        let run = match &self.state {
            Some(state) => state.run.clone(),
            None => self.run.clone(),
        };
        let journal = self.inner.storage.journal(&run).await?;
        let state = fold(&journal)?.ok_or(Stuck::Gone)?;
        self.committed = state.len;
        self.slot = state.slot.clone();
        self.state = Some(state);
        self.see_own_event().await?;
        Ok(())
    }

    /// A decision was impossible: a bug. The run waits for a person instead of moving on wrongly.
    pub(super) async fn park_broken(&mut self, reason: &str) -> Result<(), Stuck> {
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
}

/// The message that says that past events are still to be looked through for a wait.
fn look_back_mail(wait: &Wait) -> Mail {
    let WaitKey { run, path, index, .. } = wait.key.clone();
    Mail { key: MailKey { run, id: format!("look-back:{path}#{index}") }, body: MailBody::LookBack { path, index } }
}
