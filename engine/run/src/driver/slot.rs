//! A run's slot: asked for, waited for, given back, each in one commit with the run's entries.
//!
//! The group is read and written under a lock of this process, and its counters carry the version that was read. When
//! another node was faster, only the group's part is made anew: the run's own part of the commit (a call's outcome, say)
//! stays as it is and is committed with it.

use std::sync::Arc;

use cartwright_core::{
    run::{
        apply::{apply, fold},
        decide::{Input, SlotAnswer, wanted_slot},
    },
    slots::{Position, Slot, next_to_wake},
};

use super::{
    Driver, Stuck,
    settle::{Committed, Pending},
};
use crate::{
    inner::Message,
    slots::{self, Change, Seen},
};

impl Driver {
    /// Asks for the slot that the run wants, until there is an answer that is durable.
    pub(super) async fn ask_slot(&mut self) -> Result<(), Stuck> {
        if self.slot != Slot::None && self.gives_back() {
            self.commit().await?;
        }
        loop {
            let Some((group, asked)) = wanted_slot(self.state(), &self.workflow) else { return Ok(()) };
            let inner = Arc::clone(&self.inner);
            let _only = inner.slot_locks.of(&group).await;
            let seen = slots::read(inner.storage.as_ref(), &group).await?;
            let now = self.slot.position().map_or(Position::Out, |(_, position)| position);
            let answer = slots::answer(inner.storage.as_ref(), self.state(), &seen, now, &asked).await?;
            let waits_on = matches!(answer, SlotAnswer::Queued { .. }) && matches!(self.slot, Slot::Queued(_));
            if waits_on || self.decide_slot(answer, &seen, asked.limit).await? {
                if matches!(self.slot, Slot::Queued(_)) {
                    slots::replace_older(&inner, &self.run, &group, &asked).await?;
                }
                return Ok(());
            }
        }
    }

    /// Decides what follows from an answer and commits it with the group's change. `false`: the group has changed
    /// meanwhile, and all is as it was before the answer.
    async fn decide_slot(&mut self, answer: SlotAnswer, seen: &Seen, limit: u32) -> Result<bool, Stuck> {
        let (kept, effects) = (self.pending.clone(), self.effects.len());
        let under_way = self.steps_under_way();
        self.decide(Input::Slot { answer, under_way }).await?;
        let pending = std::mem::take(&mut self.pending);
        let change = self.change(seen, limit);
        match self.try_commit(pending, change.as_ref()).await? {
            Committed::Done => Ok(true),
            Committed::Conflict { .. } if seen.is_outdated(self.inner.storage.as_ref()).await? => {
                self.effects.truncate(effects);
                self.take_back(kept).await?;
                Ok(false)
            }
            Committed::Conflict { what } => self.start_over(&what).await.map(|()| true),
        }
    }

    /// The run as it was with no more than this decided.
    async fn take_back(&mut self, kept: Pending) -> Result<(), Stuck> {
        let mut state = fold(&self.inner.storage.journal(&self.run).await?)?;
        for entry in &kept.entries {
            state = Some(apply(state, entry)?);
        }
        self.state = Some(state.ok_or(Stuck::Gone)?);
        self.pending = kept;
        Ok(())
    }

    /// Commits what changes the run's position in its group without a question: it ended, was parked, or waits.
    pub(super) async fn commit_giving_back(&mut self, pending: Pending) -> Result<Committed, Stuck> {
        let Some((group, _)) = self.slot.position() else { return self.try_commit(pending, None).await };
        let (inner, group) = (Arc::clone(&self.inner), group.clone());
        loop {
            let _only = inner.slot_locks.of(&group).await;
            let seen = slots::read(inner.storage.as_ref(), &group).await?;
            let change = self.change(&seen, 0);
            match self.try_commit(pending.clone(), change.as_ref()).await? {
                Committed::Conflict { .. } if seen.is_outdated(inner.storage.as_ref()).await? => {}
                settled => return Ok(settled),
            }
        }
    }

    /// Whether what is pending takes the run out of a position that storage has.
    pub(super) fn gives_back(&self) -> bool {
        self.slot.position().is_some() && self.slot.position() != self.state().slot.position()
    }

    /// What the run's change of position, since its last commit, makes of its group.
    fn change(&self, seen: &Seen, limit: u32) -> Option<Change> {
        let position = |slot| Slot::position(slot).map_or(Position::Out, |(_, position)| position);
        let (from, to) = (position(&self.slot), position(&self.state().slot));
        (from != to).then(|| seen.change(&self.run, (from, to), limit, self.inner.clock.now()))
    }

    /// A change of the group is durable: whoever can have a slot now is told.
    pub(super) fn slot_committed(&mut self, change: Option<&Change>) {
        let after = self.state().slot.clone();
        let before = std::mem::replace(&mut self.slot, after);
        let Some(change) = change else { return };
        self.inner.metrics.slots.moved(&before, &self.slot);
        if let Some(next) = next_to_wake(&change.head, change.first.as_ref())
            && *next != self.run
        {
            self.inner.tell(next, Message::Slot);
        }
    }
}
