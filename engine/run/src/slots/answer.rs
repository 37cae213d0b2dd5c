//! What a group says to a run that asks, with the names of others where they matter.

use std::sync::Arc;

use cartwright_core::{
    id::RunId,
    run::{
        child::Parent,
        decide::{Input, SlotAnswer},
        entry::What,
        state::RunState,
    },
    slots::{Answer, Ask, Group, Position, Refusal, ask},
    workflow::OnLimit,
};
use cartwright_storage::{Storage, StorageError};
use tokio::sync::oneshot;

use super::{Seen, holders, is_holder, queue};
use crate::inner::{Inner, Message};

/// Answers a run that is at `now` in a group as it was seen.
pub(crate) async fn answer(
    storage: &dyn Storage,
    state: &RunState,
    seen: &Seen,
    now: Position<'_>,
    asked: &Ask,
) -> Result<SlotAnswer, StorageError> {
    let (run, group) = (&state.run, &seen.head.group);
    Ok(match ask(&seen.head, seen.first(), now, asked) {
        Answer::Taken => SlotAnswer::Taken,
        Answer::Queued => match (
            holding_caller(storage, state.parent.as_ref(), group).await?,
            later_run(storage, run, group, asked).await?,
        ) {
            (Some(caller), _) => SlotAnswer::WaitsForItself { caller },
            (None, Some(by)) => SlotAnswer::Outdated { by },
            (None, None) => SlotAnswer::Queued { ahead: seen.head.waiting },
        },
        Answer::Refused(Refusal::QueueFull) => SlotAnswer::QueueFull { waiting: seen.head.waiting },
        Answer::Refused(Refusal::Skipped) => SlotAnswer::Skipped { holder: holder(storage, group).await? },
        Answer::Refused(Refusal::Full) => SlotAnswer::Full { holder: holder(storage, group).await? },
    })
}

/// A run that waits for this one, itself or through others, and holds a slot of the group.
async fn holding_caller(
    storage: &dyn Storage,
    parent: Option<&Parent>,
    group: &Group,
) -> Result<Option<RunId>, StorageError> {
    let mut waits = parent.cloned();
    while let Some(parent) = waits.filter(|parent| parent.awaited && parent.chain.contains(&group.workflow)) {
        if is_holder(storage, group, &parent.run).await? {
            return Ok(Some(parent.run));
        }
        let journal = storage.journal(&parent.run).await?;
        waits = journal.into_iter().next().and_then(|entry| match entry.what {
            What::RunStarted { parent, .. } => parent,
            _ => None,
        });
    }
    Ok(None)
}

async fn holder(storage: &dyn Storage, group: &Group) -> Result<Option<RunId>, StorageError> {
    Ok(holders(storage, group, 1).await?.into_iter().next().map(|(run, _)| run))
}

/// The last run of the group, when runs of later events have or want all slots and the latest count: whoever was
/// matched late must not take their place.
async fn later_run(
    storage: &dyn Storage,
    run: &RunId,
    group: &Group,
    asked: &Ask,
) -> Result<Option<RunId>, StorageError> {
    if asked.on_limit != OnLimit::Replace || asked.again {
        return Ok(None);
    }
    let mut later: Vec<RunId> = holders(storage, group, usize::MAX).await?.into_iter().map(|(run, _)| run).collect();
    later.extend(queue(storage, group, usize::MAX).await?.into_iter().map(|waiter| waiter.run));
    later.retain(|other| other > run);
    Ok(if later.len() >= asked.limit as usize { later.into_iter().max() } else { None })
}

/// `on_limit: replace`: while a run waits for its first slot, those before it end: all of the queue, and as many
/// holders as stand in its way, the oldest first. Said again whenever the run is taken up, so no crash can lose it.
pub(crate) async fn replace_older(
    inner: &Arc<Inner>,
    run: &RunId,
    group: &Group,
    asked: &Ask,
) -> Result<(), StorageError> {
    if asked.on_limit != OnLimit::Replace || asked.again {
        return Ok(());
    }
    let storage = inner.storage.as_ref();
    let holders = holders(storage, group, usize::MAX).await?;
    let too_many = (holders.len() + 1).saturating_sub(asked.limit as usize);
    let queue = queue(storage, group, usize::MAX).await?.into_iter().map(|waiter| waiter.run);
    let older = holders.into_iter().map(|(run, _)| run).take(too_many).chain(queue);
    for older in older.filter(|older| older < run) {
        let (reply, _) = oneshot::channel();
        inner.tell(&older, Message::Asked { what: Input::Replace { by: run.clone() }, reply });
    }
    Ok(())
}
