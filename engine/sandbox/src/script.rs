//! Scripts as durable functions: executed from their start each time, with the calls that are already answered handed
//! back, until they end or ask for a call that nobody has made yet.

use cartwright_core::{
    Json,
    call::{Call, CallError, CallOutcome, ErrorClass},
    evaluate::Scope,
    time::Timestamp,
    workflow::Script,
};
use rhai::{Dynamic, EvalAltResult};

use crate::{
    Sandbox,
    compile::{self, Compiled, Ended},
    error::{Cause, Described, describe, innermost},
    functions::{Calls, Halt, HostSession, Replayed, Stop},
    limits::{INLINE_OPERATIONS_MAX, INLINE_WALL, SCRIPT_STACK_BYTES},
    session::{Exhausted, Session},
    source::Source,
    value::{Secrets, from_json, to_json},
};

/// A call that this step has made so far, as journaled.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Host function.
    pub function: String,
    /// As in [`Call::fingerprint`].
    pub fingerprint: String,
    /// `None`: intended or waiting, not resolved.
    pub outcome: Option<CallOutcome>,
}

/// An immediate call that was answered while the script ran.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// From 0 in order of calling.
    pub index: u32,
    /// Host function.
    pub function: String,
    /// As in [`Call::fingerprint`].
    pub fingerprint: String,
    /// The answer; for `log::*` it is `{level, message}`.
    pub outcome: CallOutcome,
}

/// Who answers immediate calls. Time is asked for once and randomness drawn once for each stretch of a script.
pub trait Immediate {
    /// The time now.
    fn now(&mut self) -> Timestamp;
    /// Fills with random bytes.
    fn random(&mut self, bytes: &mut [u8]);
    /// A line that the script newly logged.
    fn log(&mut self, level: &str, message: &str);
}

/// What came of running a script. `immediate` are the calls newly answered, in order.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields are explained by the variants")]
pub enum ScriptOutcome {
    /// It ended with this value.
    Done { value: Json, immediate: Vec<Resolved> },
    /// This call has to be made, then the script run again.
    Suspended { index: u32, call: Call, immediate: Vec<Resolved> },
    /// It failed; `call` is the host call whose failure it did not catch.
    Failed { error: CallError, call: Option<u32>, immediate: Vec<Resolved> },
    /// It asks something else than it did when the journal was written.
    Nondeterministic { index: u32, recorded: String, asked: String },
}

/// A finished evaluation.
struct Finished {
    result: Result<Dynamic, Ended>,
    session: Option<Session>,
}

impl Sandbox {
    /// Runs a script with the whole budget of [`crate::Limits::script`]. Blocks for as long as that allows.
    pub fn run_script(
        &self,
        script: &Script,
        scope: &Scope<'_>,
        recorded: &[Recorded],
        immediate: &mut dyn Immediate,
    ) -> ScriptOutcome {
        let operations = self.inner.limits.script.operations;
        let compiled = match self.compiled(script) {
            Ok(compiled) => compiled,
            Err(error) => return ScriptOutcome::Failed { error, call: None, immediate: Vec::new() },
        };
        let session = self.session(compiled, scope, recorded, immediate, operations);
        let rhai_scope = compiled.rhai_scope(scope, &self.inner.marks);
        // Values may nest deeper than an ordinary stack can drop.
        let finished = std::thread::scope(|threads| {
            std::thread::Builder::new()
                .name("script".into())
                .stack_size(SCRIPT_STACK_BYTES)
                .spawn_scoped(threads, || self.evaluate(compiled, rhai_scope, session))
                .map(|thread| thread.join())
        });
        match finished {
            Ok(Ok((outcome, _))) => announced(outcome, immediate),
            Ok(Err(_)) => internal("the evaluator gave up"),
            Err(_) => internal("no thread could be started"),
        }
    }

    /// Runs a script here and now with a small budget of operations, at most 10,000; `None` when that is used up, as if it had never
    /// run: [`Sandbox::run_script`] then runs it where blocking is allowed.
    pub fn run_script_bounded(
        &self,
        script: &Script,
        scope: &Scope<'_>,
        recorded: &[Recorded],
        immediate: &mut dyn Immediate,
        operations: u64,
    ) -> Option<ScriptOutcome> {
        let compiled = match self.compiled(script) {
            Ok(compiled) => compiled,
            Err(error) => return Some(ScriptOutcome::Failed { error, call: None, immediate: Vec::new() }),
        };
        let operations = operations.min(INLINE_OPERATIONS_MAX);
        let session = self.session(compiled, scope, recorded, immediate, operations).within(INLINE_WALL);
        let rhai_scope = compiled.rhai_scope(scope, &self.inner.marks);
        let (outcome, exhausted) = self.evaluate(compiled, rhai_scope, session);
        match exhausted {
            Some(_) => None,
            None => Some(announced(outcome, immediate)),
        }
    }

    fn compiled<'a>(&self, script: &'a Script) -> Result<&'a Compiled, CallError> {
        let inner = &*self.inner;
        compile::cached(&script.compiled, &script.source, &inner.scripts, &inner.limits.script, false)
            .map_err(|error| error.for_script(&Source::new(&script.source)))
    }

    fn session(
        &self,
        compiled: &Compiled,
        scope: &Scope<'_>,
        recorded: &[Recorded],
        immediate: &mut dyn Immediate,
        operations: u64,
    ) -> Session {
        let inner = &*self.inner;
        let mut seed = [0; 32];
        if compiled.source.text.contains("random") {
            immediate.random(&mut seed);
        }
        let secrets = scope.secrets.map(<[String]>::to_vec).unwrap_or_default();
        let recorded = recorded.iter().map(replayed);
        let mut calls = Calls::new(inner.marks.clone(), secrets, recorded, inner.limits.host_calls);
        calls.stretch(immediate.now(), seed);
        let max_bytes = inner.limits.output_bytes;
        let host = HostSession { calls, max_bytes, failures: std::collections::BTreeMap::new(), stop: None };
        Session::new(compiled.values(scope, &inner.marks, true), operations, inner.limits.script.wall, Some(host))
    }

    fn evaluate(
        &self,
        compiled: &Compiled,
        scope: rhai::Scope<'static>,
        session: Session,
    ) -> (ScriptOutcome, Option<Exhausted>) {
        let (result, session) = compile::evaluate(&self.inner.scripts, compiled, scope, session);
        let exhausted = session.as_ref().and_then(|session| session.exhausted);
        (self.outcome(compiled, Finished { result, session }), exhausted)
    }

    fn outcome(&self, compiled: &Compiled, finished: Finished) -> ScriptOutcome {
        let Finished { result, session } = finished;
        let Some((exhausted, mut host)) = session.and_then(|s| s.host.map(|host| (s.exhausted, host))) else {
            return internal("its state was lost");
        };
        let immediate = host.calls.take_immediate();
        let failed = |described: Described| described.for_script(&compiled.source);
        if let Some(exhausted) = exhausted {
            let error = failed(Described::limit(match exhausted {
                Exhausted::Operations => "the script takes more operations than allowed",
                Exhausted::Time => "the script takes longer than allowed",
            }));
            return ScriptOutcome::Failed { error, call: None, immediate };
        }
        match host.stop.take() {
            Some(Stop::Suspended { index, call }) => return ScriptOutcome::Suspended { index, call, immediate },
            Some(Stop::Halted(Halt::TooManyCalls, _)) => {
                let message = format!("the script makes more than {} calls", host.calls.max_calls);
                return ScriptOutcome::Failed { error: failed(Described::limit(message)), call: None, immediate };
            }
            Some(Stop::Halted(Halt::Nondeterministic { index, recorded, asked }, position)) => {
                let line = compiled.source.offset(position).map(|at| compiled.source.line_and_column(at).0);
                let asked = line.map_or(asked.clone(), |line| format!("{asked} (line {line})"));
                return ScriptOutcome::Nondeterministic { index, recorded, asked };
            }
            None => {}
        }
        let (value, error) = match result {
            Err(Ended::Panicked) => return with_immediate(internal("the evaluator gave up"), immediate),
            Err(Ended::Failed(error)) => (Dynamic::UNIT, Some(error)),
            Ok(value) => (value, None),
        };
        let described = error.as_ref().map(|error| describe(error, &compiled.source));
        let limit = described.as_ref().is_some_and(|d| d.cause == Cause::Limit);
        if let (Some((index, recorded)), false) = (host.calls.unasked(), limit) {
            let asked = match &described {
                Some(described) => format!("the script fails before it: {}", described.message),
                None => "the script ends before it".to_owned(),
            };
            return ScriptOutcome::Nondeterministic { index, recorded: recorded.to_owned(), asked };
        }
        if let (Some(error), Some(described)) = (&error, described) {
            if let EvalAltResult::ErrorRuntime(value, _) = innermost(error)
                && let Some((index, error)) = host.failed_call(value)
            {
                return ScriptOutcome::Failed { error, call: Some(index), immediate };
            }
            let mut error = failed(described);
            error.message = self.inner.marks.redact(&error.message);
            return ScriptOutcome::Failed { error, call: None, immediate };
        }
        match to_json(&value, Secrets::Refuse, self.inner.limits.output_bytes) {
            Ok(json) => ScriptOutcome::Done { value: self.inner.marks.redact_json(&json), immediate },
            Err(message) => {
                let error = CallError { class: ErrorClass::Final, ..CallError::r#final("output", message) };
                ScriptOutcome::Failed { error, call: None, immediate }
            }
        }
    }
}

fn replayed(recorded: &Recorded) -> Replayed<Dynamic> {
    Replayed {
        function: recorded.function.clone(),
        fingerprint: recorded.fingerprint.clone(),
        outcome: recorded.outcome.as_ref().map(|outcome| match outcome {
            CallOutcome::Ok(value) => Ok(from_json(value)),
            CallOutcome::Err(error) => Err(error.clone()),
        }),
    }
}

fn internal(what: &str) -> ScriptOutcome {
    let described = Described::internal(what);
    let error = CallError::r#final(described.cause.code(), described.message);
    ScriptOutcome::Failed { error, call: None, immediate: Vec::new() }
}

fn with_immediate(outcome: ScriptOutcome, kept: Vec<Resolved>) -> ScriptOutcome {
    match outcome {
        ScriptOutcome::Failed { error, call, .. } => ScriptOutcome::Failed { error, call, immediate: kept },
        other => other,
    }
}

/// Tells `immediate` the lines that were newly logged.
fn announced(outcome: ScriptOutcome, immediate: &mut dyn Immediate) -> ScriptOutcome {
    let (ScriptOutcome::Done { immediate: made, .. }
    | ScriptOutcome::Suspended { immediate: made, .. }
    | ScriptOutcome::Failed { immediate: made, .. }) = &outcome
    else {
        return outcome;
    };
    for call in made.iter().filter(|call| call.function.starts_with("log::")) {
        if let CallOutcome::Ok(line) = &call.outcome {
            let text = |key: &str| line.get(key).and_then(Json::as_str).unwrap_or_default();
            immediate.log(text("level"), text("message"));
        }
    }
    outcome
}
