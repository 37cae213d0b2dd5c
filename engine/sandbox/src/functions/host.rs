//! A host call from a script: [`super::calls`] with Rhai's values and errors around it.

use std::collections::BTreeMap;

use cartwright_core::call::{Call, CallError};
use rhai::{Dynamic, EvalAltResult, Map, NativeCallContext, Position};

use super::{
    Answer, FunctionSpec,
    calls::{Calls, Halt, Next},
};
use crate::{
    error::{Failure, fail},
    library::dates::Date,
    secret::Secret,
    session,
    value::{Secrets, from_json, to_json},
};

/// The host side of one evaluation of a script.
pub(crate) struct HostSession {
    /// Recorded answers are ready for the script.
    pub(crate) calls: Calls<Dynamic>,
    pub(crate) max_bytes: usize,
    /// Failures handed to the script, by call index.
    pub(crate) failures: BTreeMap<u32, CallError>,
    /// Why the script must not go on.
    pub(crate) stop: Option<Stop>,
}

/// Why a script must not go on.
pub(crate) enum Stop {
    /// This call has to be made first.
    Suspended { index: u32, call: Call },
    /// Found at this place.
    Halted(Halt, Position),
}

/// Makes a call of `spec` from a script.
pub(crate) fn call(
    spec: &'static FunctionSpec,
    ctx: &NativeCallContext<'_>,
    args: &[Dynamic],
) -> Result<Dynamic, Failure> {
    let position = ctx.call_position();
    let answer = session::with(|session| match session.host.as_mut() {
        Some(host) => host.call(spec, args, position),
        None => Err(Refusal::Fail("host functions cannot be called here".into())),
    });
    match answer.unwrap_or_else(|| Err(Refusal::Fail("host functions cannot be called here".into()))) {
        Ok(value) => Ok(value),
        Err(Refusal::Fail(message)) => {
            let mut failure = fail(format!("{}: {message}", spec.name));
            failure.set_position(position);
            Err(failure)
        }
        Err(Refusal::Throw(value)) => Err(EvalAltResult::ErrorRuntime(value, position).into()),
        Err(Refusal::Stop) => Err(EvalAltResult::ErrorTerminated(Dynamic::UNIT, position).into()),
    }
}

enum Refusal {
    Fail(String),
    Throw(Dynamic),
    Stop,
}

impl HostSession {
    fn call(&mut self, spec: &'static FunctionSpec, args: &[Dynamic], position: Position) -> Result<Dynamic, Refusal> {
        if self.stop.is_some() {
            return Err(Refusal::Stop);
        }
        let policy = match spec.answer {
            Answer::Engine { secrets: true } => Secrets::Mark,
            Answer::Log => Secrets::Hide,
            _ => Secrets::Refuse,
        };
        let args: Result<_, _> = args.iter().map(|arg| to_json(arg, policy, self.max_bytes)).collect();
        match self.calls.ask(spec, args.map_err(Refusal::Fail)?) {
            Next::Recorded { outcome: Ok(value), .. } => Ok(finish(spec, value)),
            Next::Recorded { index, outcome: Err(error) } => Err(self.throw(index, error)),
            Next::Answered(value) => Ok(finish(spec, from_json(&value))),
            Next::Secret { name, granted: true } => Ok(Dynamic::from(Secret::named(&self.calls.marks, &name))),
            Next::Secret { name, granted: false } => {
                Err(Refusal::Throw(thrown(&CallError::denied(&format!("secrets: [{name}]")))))
            }
            Next::Make { index, call } => self.stop(Stop::Suspended { index, call }),
            Next::Invalid(message) => Err(Refusal::Fail(message)),
            Next::Halt(halt) => self.stop(Stop::Halted(halt, position)),
        }
    }

    fn stop(&mut self, why: Stop) -> Result<Dynamic, Refusal> {
        self.stop = Some(why);
        Err(Refusal::Stop)
    }

    fn throw(&mut self, index: u32, error: CallError) -> Refusal {
        let mut value = thrown(&error);
        // Says later whose failure an uncaught error is; see `failed_call`.
        value.set_tag(i32::try_from(index).unwrap_or(i32::MAX - 1) + 1);
        self.failures.insert(index, error);
        Refusal::Throw(value)
    }

    /// The host call whose failure this thrown value is.
    pub(crate) fn failed_call(&self, thrown: &Dynamic) -> Option<(u32, CallError)> {
        let index = u32::try_from(thrown.tag().checked_sub(1)?).ok()?;
        self.failures.get(&index).map(|error| (index, error.clone()))
    }
}

/// What a script catches.
fn thrown(error: &CallError) -> Dynamic {
    let mut map = Map::new();
    map.insert("code".into(), error.code.clone().into());
    map.insert("message".into(), error.message.clone().into());
    map.insert("status".into(), error.status.map_or(Dynamic::UNIT, |status| i64::from(status).into()));
    Dynamic::from_map(map)
}

/// What the script sees of an answer.
fn finish(spec: &FunctionSpec, value: Dynamic) -> Dynamic {
    match spec.answer {
        Answer::Log => Dynamic::UNIT,
        Answer::Now => match value.as_immutable_string_ref().ok().and_then(|text| Date::parse(&text, None)) {
            Some(date) => Dynamic::from(date),
            None => value.flatten_clone(),
        },
        _ => value,
    }
}
