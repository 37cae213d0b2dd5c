//! Plugins of one run: each executes beside the driver until it ends or asks for a call that nobody has made yet. While
//! such a call is made the instance stays in memory where there is room; otherwise, and while it sleeps or waits for an
//! event, it is dropped and executed again from its start with what is recorded.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::poll_fn,
    task::Poll,
};

use cartwright_core::{
    id::StepPath,
    run::{
        decide::{Input, ScriptEnd, locate},
        state::StepState,
    },
    workflow::StepKind,
};
use cartwright_sandbox::plugin::Execution;
use futures_util::{
    StreamExt,
    future::{AbortHandle, Abortable, Aborted, BoxFuture, FutureExt},
    stream::FuturesUnordered,
};

use super::{Driver, Stuck};
use crate::plugin::{self, Stretch};

/// Plugins of a run that are executing, or wait in memory.
#[derive(Default)]
pub(super) struct Executions {
    executing: FuturesUnordered<Abortable<BoxFuture<'static, Stretch>>>,
    handles: BTreeMap<StepPath, AbortHandle>,
    waiting: BTreeMap<StepPath, Waiting>,
}

/// An instance in the middle of a host call.
struct Waiting {
    attempt: u32,
    /// Of the call.
    index: u32,
    execution: Execution,
}

impl Executions {
    pub(super) fn at_rest(&self) -> bool {
        self.executing.is_empty()
    }

    /// The next stretch that ends; never while nothing executes. Aborted ones are left out.
    pub(super) async fn next(&mut self) -> Option<Stretch> {
        loop {
            match self.executing.next().await {
                Some(Ok(stretch)) => return Some(stretch),
                Some(Err(Aborted)) => {}
                None => return None,
            }
        }
    }

    /// Ends and forgets those at the paths that are meant.
    pub(super) fn abort(&mut self, meant: impl Fn(&StepPath) -> bool) {
        self.waiting.retain(|path, _| !meant(path));
        self.handles.retain(|path, handle| {
            if meant(path) {
                handle.abort();
            }
            !meant(path)
        });
    }

    /// The instance that waits for this call, if it is still the same try.
    fn take(&mut self, path: &StepPath, attempt: u32, calls: usize) -> Option<(u32, Execution)> {
        let waiting = self.waiting.remove(path)?;
        let next = waiting.attempt == attempt && waiting.index as usize + 1 == calls;
        next.then_some((waiting.index, waiting.execution))
    }
}

impl Driver {
    /// Whether a path names a plugin's step.
    pub(super) fn is_plugin(&self, path: &StepPath) -> bool {
        let found = locate(&self.workflow, self.state(), path);
        found.is_some_and(|(step, _)| matches!(step.kind, StepKind::Plugin(_)))
    }

    /// Steps that something is done for at the moment.
    pub(super) fn steps_under_way(&self) -> BTreeSet<StepPath> {
        self.under_way.keys().map(|(path, _)| path).chain(self.plugins.handles.keys()).cloned().collect()
    }

    /// Executes a plugin's step from where it is. What takes no longer than a moment is done at once, so that its entries
    /// travel in the commit that follows anyway.
    pub(super) async fn run_plugin(&mut self, path: StepPath, attempt: u32) -> Result<(), Stuck> {
        if self.plugins.handles.contains_key(&path) {
            return Ok(());
        }
        let Some(future) = self.stretch(&path, attempt) else { return Ok(()) };
        let (handle, registration) = AbortHandle::new_pair();
        let mut future = Abortable::new(future, registration);
        match poll_fn(|context| Poll::Ready(future.poll_unpin(context))).await {
            Poll::Ready(Ok(stretch)) => self.plugin_paused(stretch),
            Poll::Ready(Err(Aborted)) => {}
            Poll::Pending => {
                self.plugins.handles.insert(path, handle);
                self.plugins.executing.push(future);
            }
        }
        Ok(())
    }

    fn stretch(&mut self, path: &StepPath, attempt: u32) -> Option<BoxFuture<'static, Stretch>> {
        let active =
            matches!(self.state().steps.get(path), Some(StepState::Active(active)) if active.attempt == attempt);
        if !active {
            return None;
        }
        let outcome = self.state().calls(path).last().and_then(|call| call.outcome.clone());
        let calls = self.state().calls(path).len();
        if let Some((index, execution)) = self.plugins.take(path, attempt, calls)
            && let Some(outcome) = outcome
        {
            let at = (path, attempt);
            let resumed =
                plugin::Resumed::new(&self.inner, &self.context(), self.state(), at, execution, (index, outcome));
            return Some(resumed.run().boxed());
        }
        let task = plugin::prepare(&self.inner, &self.context(), self.state(), path, attempt)?;
        Some(task.run().boxed())
    }

    /// A plugin ended, or asks for a call.
    pub(super) fn plugin_paused(&mut self, stretch: Stretch) {
        let Stretch { path, attempt, execution, result } = stretch;
        self.plugins.handles.remove(&path);
        if let (ScriptEnd::Call { index, .. }, Some(execution)) = (&result.end, execution)
            && execution.is_live()
        {
            let waiting = Waiting { attempt, index: *index, execution };
            self.plugins.waiting.insert(path.clone(), waiting);
        }
        self.inputs.push_back(Input::Script { path, attempt, result });
    }
}
