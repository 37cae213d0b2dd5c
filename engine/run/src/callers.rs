//! Synchronous callers: who waits for what becomes of an event. What is heard comes from commits, so it is on stable storage
//! when it is told; nothing here is durable, and a run does not notice whether anybody listens.

use std::{collections::HashMap, sync::Arc, time::Duration};

use cartwright_core::{
    Json,
    event::MatchOutcome,
    id::{EventId, RunId},
    run::{
        answer::HttpAnswer,
        entry::{Entry, What},
        row::{RunRow, RunStatus},
    },
};
use cartwright_storage::{Batch, RunFilter, StorageError};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::{
    accept::{AcceptError, Acceptance, Incoming},
    engine::Engine,
};

/// What a caller hears of the run that its event started.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// Its `respond` step says this.
    Answer {
        /// The run.
        run: RunId,
        /// What to send.
        answer: HttpAnswer,
    },
    /// It ended without a word.
    Ended {
        /// The run.
        run: RunId,
        /// How.
        status: RunStatus,
        /// What it gave.
        output: Json,
    },
    /// It waits for a person.
    Parked {
        /// The run.
        run: RunId,
    },
    /// The event started nothing.
    NotStarted {
        /// Why, where a trigger was considered.
        outcome: Option<MatchOutcome>,
    },
    /// Nothing yet: it goes on.
    Nothing {
        /// The run, where it has begun.
        run: Option<RunId>,
    },
}

/// Those who wait.
#[derive(Default)]
pub(crate) struct Callers {
    waiting: Mutex<HashMap<EventId, Vec<oneshot::Sender<Heard>>>>,
}

impl Callers {
    /// A batch is on stable storage.
    pub(crate) fn committed(&self, batch: &Batch) {
        let mut waiting = self.waiting.lock();
        if waiting.is_empty() {
            return;
        }
        for (event, matches) in &batch.matched {
            let first = matches.first().map(|first| first.outcome.clone());
            // What a gate holds may start later; its callers wait on.
            let over = match &first {
                None => true,
                Some(outcome) => matches!(
                    outcome,
                    MatchOutcome::ConditionFalse { .. }
                        | MatchOutcome::ConditionFailed { .. }
                        | MatchOutcome::LoopCut
                        | MatchOutcome::Duplicate { .. }
                        | MatchOutcome::KeyFailed { .. }
                        | MatchOutcome::Dropped { .. }
                ),
            };
            if over {
                tell(&mut waiting, event, &Heard::NotStarted { outcome: first });
            }
        }
        for write in &batch.runs {
            if waiting.contains_key(&write.row.event)
                && let Some(heard) = heard_of(&write.row, &write.append)
            {
                tell(&mut waiting, &write.row.event, &heard);
            }
        }
    }

    fn listen(self: &Arc<Self>, event: &EventId) -> Ear {
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().entry(event.clone()).or_default().push(sender);
        Ear { callers: Arc::clone(self), event: event.clone(), receiver }
    }
}

fn tell(waiting: &mut HashMap<EventId, Vec<oneshot::Sender<Heard>>>, event: &EventId, heard: &Heard) {
    for caller in waiting.remove(event).into_iter().flatten() {
        // A caller that went away hears nothing.
        let _ = caller.send(heard.clone());
    }
}

/// What entries of a run say to a caller: its answer, or how it ended.
fn heard_of(row: &RunRow, entries: &[Entry]) -> Option<Heard> {
    let run = || row.id.clone();
    entries.iter().find_map(|entry| match &entry.what {
        What::Responded { answer, .. } => Some(Heard::Answer { run: run(), answer: answer.clone() }),
        What::RunFinished { status, output, .. } => {
            Some(Heard::Ended { run: run(), status: *status, output: output.clone() })
        }
        What::RunParked { .. } => Some(Heard::Parked { run: run() }),
        _ => None,
    })
}

/// A caller's place; giving it up tells nobody.
struct Ear {
    callers: Arc<Callers>,
    event: EventId,
    receiver: oneshot::Receiver<Heard>,
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.receiver.close();
        let mut waiting = self.callers.waiting.lock();
        if let Some(all) = waiting.get_mut(&self.event) {
            all.retain(|sender| !sender.is_closed());
            if all.is_empty() {
                waiting.remove(&self.event);
            }
        }
    }
}

impl Engine {
    /// Accepts an event and waits for what its run answers, at most `patience` long. The event is on stable storage when the
    /// wait begins, and its run goes on whatever happens to this future. A duplicate hears what the first one's run answers.
    pub async fn accept_and_wait(
        &self,
        incoming: Incoming,
        patience: Duration,
    ) -> Result<(Acceptance, Heard), AcceptError> {
        let new = self.inner.new_event(incoming)?;
        let mut ear = self.inner.callers.listen(&new.event.id);
        let inner = Arc::clone(&self.inner);
        // On a task of its own: a caller that goes away must not part accepting from starting.
        let accepted = tokio::spawn(async move { inner.accept_event(new).await }).await;
        let accepted = accepted.unwrap_or(Err(AcceptError::Stopping))?;
        if accepted.duplicate {
            ear = self.inner.callers.listen(&accepted.id);
            // Its run may have answered before anybody listened.
            if let Ok(Some(heard)) = self.said(&accepted.id).await {
                return Ok((accepted, heard));
            }
        }
        let heard = match tokio::time::timeout(patience, &mut ear.receiver).await {
            Ok(Ok(heard)) => heard,
            Ok(Err(_)) | Err(_) => {
                let run = self.run_of(&accepted.id).await.ok().flatten().map(|row| row.id);
                Heard::Nothing { run }
            }
        };
        Ok((accepted, heard))
    }

    async fn run_of(&self, event: &EventId) -> Result<Option<RunRow>, StorageError> {
        let filter = RunFilter { event: Some(event.clone()), ..RunFilter::default() };
        Ok(self.runs(&filter, None, 1).await?.items.into_iter().next())
    }

    /// What the run of an event has said so far.
    async fn said(&self, event: &EventId) -> Result<Option<Heard>, StorageError> {
        let Some(row) = self.run_of(event).await? else { return Ok(None) };
        let journal = self.inner.storage.journal(&row.id).await?;
        // A run that was parked and goes on is not over; one that began anew has not answered yet.
        let since = journal.iter().rposition(|entry| matches!(entry.what, What::RunRetried { input: Some(_), .. }));
        let current = &journal[since.unwrap_or(0)..];
        let heard = heard_of(&row, current);
        Ok(heard.filter(|heard| !matches!(heard, Heard::Parked { .. }) || row.status == RunStatus::Parked))
    }
}
