//! Calls with outside effect that may have happened although nobody saw an answer. Within a generation such a call is
//! asked for again under its own identity; a new generation gives every call a new one, so it may not begin while one of
//! these is left. Folded from the journal, and on the safe side: what cannot be told from it counts as possible.

use std::collections::BTreeMap;

use crate::{
    call::{CallError, CallOutcome, ErrorClass},
    id::StepPath,
};

/// The calls of one run, by idempotency key.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Unanswered(BTreeMap<String, Open>);

#[derive(Debug, Clone, PartialEq)]
struct Open {
    path: StepPath,
    index: u32,
    summary: String,
    /// A try before the last one may have arrived.
    maybe: bool,
}

impl Unanswered {
    /// One of them: the calling step and the call in words. `None`: all is known.
    pub fn first(&self) -> Option<(&StepPath, u32, &str)> {
        self.0.values().next().map(|open| (&open.path, open.index, open.summary.as_str()))
    }

    /// The calling steps.
    pub(super) fn paths(&self) -> impl Iterator<Item = &StepPath> {
        self.0.values().map(|open| &open.path)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A first or a later try leaves.
    pub(super) fn asked(&mut self, key: String, path: &StepPath, index: u32, summary: &str) {
        let open = || Open { path: path.clone(), index, summary: summary.to_owned(), maybe: false };
        self.0.entry(key).and_modify(|known| known.maybe = true).or_insert_with(open);
    }

    /// The last try was not made.
    pub(super) fn put_off(&mut self, key: &str) {
        if self.0.get(key).is_some_and(|open| !open.maybe) {
            self.0.remove(key);
        }
    }

    /// The last try was answered, or a person said what came of it.
    pub(super) fn answered(&mut self, key: &str, outcome: &CallOutcome, repeatable: bool) {
        match outcome {
            CallOutcome::Ok(_) => self.settled(key),
            CallOutcome::Err(error) if may_have_happened(error, repeatable) => {
                if let Some(open) = self.0.get_mut(key) {
                    open.maybe = true;
                }
            }
            CallOutcome::Err(_) => self.put_off(key),
        }
    }

    pub(super) fn settled(&mut self, key: &str) {
        self.0.remove(key);
    }
}

/// Of a call that may be repeated, a lost answer is written as a failure that may pass, like a connection that never stood.
fn may_have_happened(error: &CallError, repeatable: bool) -> bool {
    match error.class {
        ErrorClass::Unknown => true,
        ErrorClass::Retryable => repeatable && error.status.is_none(),
        ErrorClass::Final | ErrorClass::Park | ErrorClass::Deferred => false,
    }
}
