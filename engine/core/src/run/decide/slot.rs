//! Slots of `concurrency`: a run whose workflow limits how many move at once asks for one before its first step, and
//! again when it was parked or gave it back. While it has none, what ends is written down and nothing is begun.

use std::collections::BTreeSet;

use super::{Decider, Effect, begin::kind_of, scope::Frame};
use crate::{
    Json,
    id::{RunId, StepPath},
    run::{
        apply::Illegal,
        entry::What,
        row::{RunError, RunStatus},
        state::{Phase, RunState},
    },
    slots::{Ask, Group, KEY_BYTES_MAX, Lane, Place, Slot},
    workflow::{Concurrency, SlotScope, Workflow},
};

/// What a group says to a run that asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotAnswer {
    /// The slot is the run's.
    Taken,
    /// It waits.
    Queued {
        /// How many stand in the queue already.
        ahead: u64,
    },
    /// `on_limit: skip`, and no slot is free.
    Skipped {
        /// Who holds one.
        holder: Option<RunId>,
    },
    /// `on_limit: fail`, and no slot is free.
    Full {
        /// Who holds one.
        holder: Option<RunId>,
    },
    /// `queue_max` runs wait already.
    QueueFull {
        /// How many.
        waiting: u64,
    },
    /// No slot is free, and a run that waits for this one holds one: it would wait for itself.
    WaitsForItself {
        /// The run that called this one, or called who called it.
        caller: RunId,
    },
    /// `on_limit: replace`, and a run of a later event is there already.
    Outdated {
        /// That run.
        by: RunId,
    },
}

/// The slot that a run wants: its group and what it asks for. `None`: it wants none now.
pub fn wanted_slot(state: &RunState, workflow: &Workflow) -> Option<(Group, Ask)> {
    let concurrency = workflow.concurrency.as_ref()?;
    let standing = state.slot.standing().filter(|_| state.slot.is_wanted())?;
    let ask = Ask {
        place: standing.place.clone(),
        limit: concurrency.limit,
        on_limit: concurrency.on_limit,
        queue_max: concurrency.queue_max,
        again: standing.place != Place::first(&state.run),
    };
    Some((standing.group.clone(), ask))
}

impl Decider<'_> {
    /// Whether nothing may begin now.
    pub(super) fn holds(&self) -> bool {
        self.context.hold || !self.has_slot()
    }

    /// Whether the run may move, as far as slots go.
    pub(super) fn has_slot(&self) -> bool {
        self.context.workflow.concurrency.is_none() || self.state().slot.is_held()
    }

    /// A run that could go on asks for the slot it lacks.
    pub(super) fn want_slot(&mut self) -> Result<(), Illegal> {
        let Some(concurrency) = &self.context.workflow.concurrency else { return Ok(()) };
        if matches!(self.state().phase, Phase::Parked { .. } | Phase::Ended { .. }) {
            return Ok(());
        }
        // `throttle` comes first.
        if self.state().delayed_until().is_some() {
            return Ok(());
        }
        match &self.state().slot {
            Slot::Held(_) => return Ok(()),
            Slot::Asked(_) | Slot::Queued(_) => {}
            Slot::None => self.ask_for_slot(concurrency)?,
            // It goes on waiting until something happens to it.
            Slot::Lent(_) if self.entries.is_empty() && !self.state().can_move() => return Ok(()),
            Slot::Lent(standing) => {
                let group = standing.group.clone();
                let place = Place::again(Lane::Returning, &self.state().run, self.context.now);
                self.record(What::SlotAsked { group, place })?;
            }
        }
        if !self.context.hold && self.state().slot.is_wanted() {
            self.effects.push(Effect::Slot);
        }
        Ok(())
    }

    fn ask_for_slot(&mut self, concurrency: &Concurrency) -> Result<(), Illegal> {
        let state = self.state();
        let place = match state.slot_asked {
            false => Place::first(&state.run),
            true => Place::again(Lane::Beginning, &state.run, self.context.now),
        };
        let store = state.store.clone().filter(|_| concurrency.scope == SlotScope::Store);
        let workflow = state.workflow.clone();
        match self.slot_key(concurrency) {
            Ok(key) => self.record(What::SlotAsked { group: Group { workflow, store, key }, place }),
            // Its steps, those of `on_failure` too, may move only with a slot, and nobody knows of which group.
            Err(message) => {
                let message = format!("`concurrency.key`: {message}");
                self.end(
                    RunStatus::Failed,
                    Json::Null,
                    Some(RunError { step: None, code: "expression".into(), message }),
                )
            }
        }
    }

    fn slot_key(&self, concurrency: &Concurrency) -> Result<String, String> {
        let Some(key) = &concurrency.key else { return Ok(String::new()) };
        let key = match self.render(key, &Frame::root("")).map_err(|error| error.to_string())? {
            Json::String(text) => text,
            Json::Number(number) => number.to_string(),
            Json::Bool(value) => value.to_string(),
            other => return Err(format!("gives {}; give a text or a number", kind_of(&other))),
        };
        match key.len() {
            0 => Err("gives an empty text; give something that names what must not happen at once".into()),
            1..=KEY_BYTES_MAX => Ok(key),
            bytes => Err(format!("gives {bytes} bytes of text; at most {KEY_BYTES_MAX} make a key")),
        }
    }

    /// Takes what the group says; with a slot the run goes on where it was.
    pub(super) fn slot_answered(&mut self, answer: SlotAnswer, under_way: &BTreeSet<StepPath>) -> Result<(), Illegal> {
        if !self.state().slot.is_wanted() {
            return Ok(());
        }
        let what = self.state().slot.standing().map(|standing| standing.group.to_string()).unwrap_or_default();
        let limit = self.context.workflow.concurrency.as_ref().map_or(1, |concurrency| concurrency.limit);
        let full = |holder: Option<RunId>| {
            let slots = if limit == 1 { "the slot".to_owned() } else { format!("all {limit} slots") };
            let holder = holder.map(|run| format!(", one by {run}")).unwrap_or_default();
            format!("{slots} of {what} taken{}", if limit == 1 { holder.replace(", one by", " by") } else { holder })
        };
        let (status, code, message) = match answer {
            SlotAnswer::Taken => {
                self.record(What::SlotTaken {})?;
                self.resume(under_way)?;
                return self.advance();
            }
            SlotAnswer::Queued { ahead } => {
                return match self.state().slot {
                    Slot::Asked(_) => self.record(What::SlotQueued { ahead }),
                    _ => Ok(()),
                };
            }
            SlotAnswer::Skipped { holder } => {
                (RunStatus::Cancelled, "skipped", format!("{}; `on_limit: skip`", full(holder)))
            }
            SlotAnswer::Full { holder } => {
                (RunStatus::Failed, "concurrency", format!("{}; `on_limit: fail`", full(holder)))
            }
            SlotAnswer::WaitsForItself { caller } => {
                let message = format!(
                    "{caller} waits for this run and holds a slot of {what} that this run needs, so neither would ever go on; \
                     raise `limit`, give the called run another `key`, or use `hold_while_waiting: false`"
                );
                (RunStatus::Failed, "concurrency", message)
            }
            SlotAnswer::QueueFull { waiting } => (
                RunStatus::Failed,
                "queue_full",
                format!("{waiting} runs wait already for a slot of {what} (`queue_max`)"),
            ),
            SlotAnswer::Outdated { by } => {
                let message = format!("replaced by {by}, a run of a later event in the same `concurrency` group");
                (RunStatus::Cancelled, "replaced", message)
            }
        };
        self.end(status, Json::Null, Some(RunError { step: None, code: code.into(), message }))
    }

    /// With `hold_while_waiting: false` a run that waits for a time, an event, a person or a store lets others move.
    pub(super) fn lend_slot(&mut self) -> Result<(), Illegal> {
        let keeps = self.context.workflow.concurrency.as_ref().is_none_or(|concurrency| concurrency.hold_while_waiting);
        if keeps || !self.state().slot.is_held() {
            return Ok(());
        }
        match self.state().status() {
            RunStatus::Waiting if !self.state().can_move() => self.record(What::SlotFreed {}),
            _ => Ok(()),
        }
    }
}
