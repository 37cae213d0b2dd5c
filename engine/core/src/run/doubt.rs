//! Calls that may have reached the other side although nobody saw the answer: what their next try must say
//! (`again` of [`Effect::Call`](super::decide::Effect::Call)), so that whoever makes it looks first. Folded from the
//! journal like everything else of a run.

use std::collections::BTreeMap;

use crate::{
    call::Again,
    id::StepPath,
    run::state::{CallState, RunState, StepState},
    time::Timestamp,
};

/// Doubts about the calls of one run.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Doubts {
    /// By step and index: when tries without a known answer may have been sent.
    calls: BTreeMap<(StepPath, u32), Again>,
    /// Containers that failed as a whole and may begin again with the calls they made: when they ran.
    redone: BTreeMap<StepPath, Again>,
}

impl Doubts {
    /// When earlier tries of this call may have been sent; `None`: nothing was sent, its answer is known, or nobody could
    /// find out about it anyway.
    pub fn of(&self, path: &StepPath, index: u32) -> Option<Again> {
        if self.calls.is_empty() { None } else { self.calls.get(&(path.clone(), index)).copied() }
    }

    /// A call is intended: below a container that begins again, it may have been made before.
    pub(super) fn inherit(&mut self, path: &StepPath, index: u32) {
        let above = self.redone.iter().filter(|(container, _)| is_at_or_below(path, container.as_str()));
        if let Some(again) = above.map(|(_, again)| *again).reduce(Again::and) {
            self.raise(path, index, again);
        }
    }

    /// A try may have been sent at these times.
    pub(super) fn raise(&mut self, path: &StepPath, index: u32, again: Again) {
        let known = self.calls.entry((path.clone(), index)).or_insert(again);
        *known = known.and(again);
    }

    /// The call is answered, or a person accepts that it may happen twice.
    pub(super) fn settle(&mut self, path: &StepPath, index: u32) {
        if !self.calls.is_empty() {
            self.calls.remove(&(path.clone(), index));
        }
    }

    /// A container failed as a whole: what its steps did is forgotten, and done again when a person retries.
    pub(super) fn redo(&mut self, container: &StepPath, again: Again) {
        let known = self.redone.entry(container.clone()).or_insert(again);
        *known = known.and(again);
    }

    /// What stands at a path or below it ended well and is not asked for again.
    pub(super) fn forget(&mut self, path: &str) {
        self.calls.retain(|(of, _), _| !is_at_or_below(of, path));
        self.redone.retain(|of, _| !is_at_or_below(of, path));
    }
}

fn is_at_or_below(path: &StepPath, above: &str) -> bool {
    path.as_str().strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '/']))
}

impl RunState {
    /// Everything stops at `at`: what is under way may still arrive.
    pub(super) fn doubt_what_is_under_way(&mut self, at: Timestamp) {
        for (path, step) in &self.steps {
            if let StepState::Active(active) = step {
                doubt_open(&mut self.doubts, path, &active.calls, at);
            }
        }
    }
}

/// Calls that were asked for and have no answer, of a step that stops waiting for them.
pub(super) fn doubt_open(doubts: &mut Doubts, path: &StepPath, calls: &[CallState], at: Timestamp) {
    for (index, call) in (0..).zip(calls) {
        if call.outcome.is_none() && call.repeatable && !call.is_deferred() {
            doubts.raise(path, index, Again { since: call.asked, until: at });
        }
    }
}
