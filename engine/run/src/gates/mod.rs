//! Gates of triggers at work: `dedupe`, `debounce`, `collect`, `throttle`. What they decide is in `core/gate`; here it
//! becomes true.
//!
//! An event whose conditions held goes through the gates of its trigger ([`pass`]) in the commit that takes it out of the
//! inbox: its outcome, the gates' records, the timers and the run become true together. What is held is in storage and
//! nowhere else; its moment is a timer that comes to [`fire`] instead of to a run. A commit that is a conflict is
//! considered again from what storage has.

mod desk;
mod fire;
mod list;
mod pass;
mod plan;
mod turns;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU64},
};

use cartwright_core::{
    evaluate::{Evaluate, Scope},
    event::{Event, MatchOutcome, Source},
    gate::{GateKind, key_text},
    trigger,
    workflow::{Gates as Policies, Trigger, TriggerKind, Workflow},
};
use cartwright_storage::StorageError;

pub(crate) use fire::{count_held, fired};
pub use list::HeldGroup;
pub(crate) use list::held;
pub(crate) use pass::{Through, through};
pub(crate) use turns::{Turn, Turns};

use crate::{inner::Inner, views::EventViews};

/// What gates have in memory.
#[derive(Default)]
pub(crate) struct AtGates {
    turns: Arc<Turns>,
    /// Groups that are held.
    held: AtomicU64,
}

impl AtGates {
    /// How many groups are held.
    pub(crate) fn held(&self) -> u64 {
        self.held.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// The keys of a trigger's gates for one event, of those gates that count for it.
pub(crate) type Keys = BTreeMap<GateKind, Option<String>>;

/// A trigger that took an event and has gates.
pub(crate) struct Gated {
    pub(crate) workflow: Arc<Workflow>,
    pub(crate) trigger: String,
    pub(crate) gates: Policies,
    pub(crate) keys: Keys,
}

/// A place in the lines of the workflows with gates that may take this event; `None`: there are none.
pub(crate) fn line_up(inner: &Inner, event: &Event) -> Option<Turn> {
    let set = inner.workflows.load();
    if !set.has_gates() {
        return None;
    }
    let store = event.store.as_ref().and_then(|id| inner.stores.get(id));
    let tags = store.as_ref().map_or(&[][..], |store| store.tags.as_slice());
    let listeners = trigger::listeners(&set, event, tags);
    let gated = listeners.iter().filter(|(_, trigger)| !trigger.gates.is_empty());
    let mut lines: Vec<String> = gated.map(|(workflow, _)| format!("workflow/{}", workflow.id)).collect();
    lines.dedup();
    (!lines.is_empty()).then(|| inner.gates.turns.take(lines))
}

/// The keys that an event has at a trigger's gates, or what is wrong with one.
pub(crate) fn keys(inner: &Inner, event: &Event, views: &EventViews, trigger: &Trigger) -> Result<Keys, MatchOutcome> {
    let scope = Scope { event: Some(&views.event), store: views.store.as_ref(), ..Scope::default() };
    let now = wants_it_now(event, trigger);
    let mut keys = Keys::new();
    for (gate, key) in trigger.gates.iter().filter(|(gate, _)| !now || *gate == GateKind::Throttle) {
        let text = match key {
            None => None,
            Some(key) => {
                let value = inner.sandbox.template(key, &scope).map_err(|error| error.to_string());
                let text = value.and_then(|value| key_text(&value));
                Some(text.map_err(|error| MatchOutcome::KeyFailed { gate, error })?)
            }
        };
        keys.insert(gate, text);
    }
    Ok(keys)
}

/// Whether a person asked for this run: replays, and starts by hand of a workflow that waits for something else. They
/// are not taken for duplicates and do not wait for others; a limit holds for them too.
fn wants_it_now(event: &Event, trigger: &Trigger) -> bool {
    match event.source {
        Source::Replay { .. } => true,
        Source::Manual { .. } => !matches!(trigger.kind, TriggerKind::Manual),
        _ => false,
    }
}

/// Why a plan could not be made true.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GateError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Commit(#[from] cartwright_storage::CommitError),
    #[error("its gates change faster than they can be read")]
    Restless,
}
