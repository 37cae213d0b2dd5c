//! Executes a script step with the calls its journal has, and tells `decide` how that ended.

use cartwright_core::{
    id::StepPath,
    run::{
        decide::{Context, ResolvedCall, ScriptEnd, ScriptResult, locate, scope_at},
        state::RunState,
    },
    time::Timestamp,
    workflow::StepKind,
};
use cartwright_sandbox::{Immediate, Recorded, Resolved, ScriptOutcome};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::{clock::Entropy, inner::Inner};

/// Operations that are executed right away; a script that needs more moves off the async workers.
const INLINE_OPERATIONS_MAX: u64 = 10_000;

/// Executes the script of a step. `None`: the step is no script any more, which only a bug could cause.
pub(crate) fn execute(inner: &Inner, context: &Context<'_>, state: &RunState, path: &StepPath) -> Option<ScriptResult> {
    let (step, frame) = locate(context.workflow, state, path)?;
    let StepKind::Script(script) = &step.kind else { return None };
    let recorded = recorded(state, path);
    let names = &context.workflow.grants.secrets;
    scope_at(context, state, &frame, |scope| {
        let scope = cartwright_core::evaluate::Scope { secrets: Some(names), ..scope };
        let live = || Live { now: context.now, entropy: inner.entropy.as_ref(), run: state.run.as_str(), path };
        if let Some(outcome) =
            inner.sandbox.run_script_bounded(script, &scope, &recorded, &mut live(), INLINE_OPERATIONS_MAX)
        {
            return Some(result(outcome));
        }
        let run = || inner.sandbox.run_script(script, &scope, &recorded, &mut live());
        let outcome = match Handle::try_current().map(|handle| handle.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(run),
            // The simulator has one thread, and nobody else to wait for.
            _ => run(),
        };
        Some(result(outcome))
    })
}

/// The calls that a step has made so far.
pub(crate) fn recorded(state: &RunState, path: &StepPath) -> Vec<Recorded> {
    let calls = state.calls(path).iter();
    let recorded = calls.map(|call| Recorded {
        function: call.function.clone(),
        fingerprint: call.fingerprint.clone(),
        outcome: call.outcome.clone(),
    });
    recorded.collect()
}

/// Answers calls that need nothing but the engine's clock, randomness and log.
struct Live<'a> {
    now: Timestamp,
    entropy: &'a dyn Entropy,
    run: &'a str,
    path: &'a StepPath,
}

impl Immediate for Live<'_> {
    fn now(&mut self) -> Timestamp {
        self.now
    }

    fn random(&mut self, bytes: &mut [u8]) {
        self.entropy.fill(bytes);
    }

    fn log(&mut self, level: &str, message: &str) {
        // The journal keeps the line; this is for whoever watches the engine.
        tracing::debug!(run = self.run, step = %self.path, level, message, "script");
    }
}

pub(crate) fn result(outcome: ScriptOutcome) -> ScriptResult {
    match outcome {
        ScriptOutcome::Done { value, immediate } => {
            ScriptResult { immediate: calls(immediate), end: ScriptEnd::Done(value) }
        }
        ScriptOutcome::Suspended { index, call, immediate } => {
            ScriptResult { immediate: calls(immediate), end: ScriptEnd::Call { index, call } }
        }
        ScriptOutcome::Failed { error, call, immediate } => {
            ScriptResult { immediate: calls(immediate), end: ScriptEnd::Failed { error, call } }
        }
        ScriptOutcome::Nondeterministic { index, recorded, asked } => {
            ScriptResult { immediate: Vec::new(), end: ScriptEnd::Nondeterministic { index, recorded, asked } }
        }
    }
}

fn calls(resolved: Vec<Resolved>) -> Vec<ResolvedCall> {
    let call =
        |Resolved { index, function, fingerprint, outcome }| ResolvedCall { index, function, fingerprint, outcome };
    resolved.into_iter().map(call).collect()
}
