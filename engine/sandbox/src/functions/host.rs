//! A host call from a script: recorded calls are answered from the record, immediate ones here and now, and the first
//! that nobody has answered yet ends this stretch of the script.

use std::collections::BTreeMap;

use cartwright_core::{
    Json,
    call::{Call, CallError, CallKind, CallOutcome, fingerprint},
    secret::SecretMarks,
    time::Timestamp,
};
use rhai::{Dynamic, EvalAltResult, Map, NativeCallContext, Position};
use sha2::{Digest, Sha256};

use super::{Answer, FunctionSpec, random};
use crate::{
    error::{Failure, fail},
    library::dates::Date,
    script::Resolved,
    secret::Secret,
    session,
    value::{Secrets, from_json, to_json},
};

/// A recorded call, its outcome ready for the script.
pub(crate) struct Replayed {
    pub(crate) function: String,
    pub(crate) fingerprint: String,
    pub(crate) outcome: Option<Result<Dynamic, CallError>>,
}

/// The host side of one evaluation of a script.
pub(crate) struct HostSession {
    pub(crate) marks: SecretMarks,
    /// Names that `secrets::get` may give.
    pub(crate) secrets: Vec<String>,
    pub(crate) recorded: Vec<Replayed>,
    /// Index of the next call.
    pub(crate) next: u32,
    pub(crate) max_calls: u32,
    pub(crate) max_bytes: usize,
    pub(crate) now: Timestamp,
    pub(crate) random: Draws,
    /// Immediate calls newly answered.
    pub(crate) immediate: Vec<Resolved>,
    /// Failures handed to the script, by call index.
    pub(crate) failures: BTreeMap<u32, CallError>,
    /// Why the script must not go on.
    pub(crate) stop: Option<Stop>,
}

/// Why a script must not go on.
pub(crate) enum Stop {
    /// This call has to be made first.
    Suspended { index: u32, call: Call },
    /// It asks something else than it did.
    Nondeterministic { index: u32, recorded: String, asked: String, position: Position },
    /// Too many calls.
    TooManyCalls,
}

/// Random bytes that follow from a seed: SHA-256 in counter mode.
pub(crate) struct Draws {
    seed: [u8; 32],
    count: u64,
}

impl Draws {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self { seed, count: 0 }
    }

    pub(crate) fn next(&mut self) -> [u8; 16] {
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.count.to_be_bytes());
        self.count += 1;
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.finalize()[..16]);
        bytes
    }
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
        let mut json = Vec::with_capacity(args.len());
        for arg in args {
            let arg = to_json(arg, policy, self.max_bytes).map_err(Refusal::Fail)?;
            json.push(if policy == Secrets::Mark { arg } else { self.marks.redact_json(&arg) });
        }
        let prepared = (spec.prepare)(spec.name, json).map_err(Refusal::Fail)?;
        if spec.answer == Answer::Secret {
            return self.secret(&prepared.args);
        }
        let index = self.next;
        if index >= self.max_calls {
            self.stop = Some(Stop::TooManyCalls);
            return Err(Refusal::Stop);
        }
        self.next += 1;
        let redacted: Vec<_> = prepared.args.iter().map(|arg| self.marks.redact_json(arg)).collect();
        let call = Call {
            function: spec.name.to_owned(),
            kind: prepared.kind,
            fingerprint: fingerprint(spec.name, &redacted),
            args: prepared.args,
            summary: super::summary(&self.marks.redact(&prepared.summary)),
        };
        match usize::try_from(index).ok().and_then(|at| self.recorded.get(at)) {
            Some(record) if record.function != call.function || record.fingerprint != call.fingerprint => {
                let same = record.function == call.function;
                let recorded =
                    if same { format!("{} with other arguments", call.function) } else { record.function.clone() };
                let asked = if same { call.summary } else { format!("{}: {}", call.function, call.summary) };
                self.stop = Some(Stop::Nondeterministic { index, recorded, asked, position });
                Err(Refusal::Stop)
            }
            Some(Replayed { outcome: Some(Ok(value)), .. }) => Ok(finish(spec, value.clone())),
            Some(Replayed { outcome: Some(Err(error)), .. }) => {
                let error = error.clone();
                Err(self.throw(index, error))
            }
            Some(Replayed { outcome: None, .. }) => self.suspend(index, call),
            None if call.kind == CallKind::Immediate => self.answer(spec, index, call),
            None => self.suspend(index, call),
        }
    }

    fn suspend(&mut self, index: u32, call: Call) -> Result<Dynamic, Refusal> {
        self.stop = Some(Stop::Suspended { index, call });
        Err(Refusal::Stop)
    }

    fn answer(&mut self, spec: &FunctionSpec, index: u32, call: Call) -> Result<Dynamic, Refusal> {
        let value = match spec.answer {
            Answer::Now => Json::String(self.now.to_string()),
            Answer::Random(kind) => random::draw(kind, &call.args, self.random.next()).map_err(Refusal::Fail)?,
            Answer::Log => super::log::line(&call),
            Answer::Engine { .. } | Answer::Secret => Json::Null,
        };
        let result = finish(spec, from_json(&value));
        self.immediate.push(Resolved {
            index,
            function: call.function,
            fingerprint: call.fingerprint,
            outcome: CallOutcome::Ok(value),
        });
        Ok(result)
    }

    fn throw(&mut self, index: u32, error: CallError) -> Refusal {
        let mut map = Map::new();
        map.insert("code".into(), error.code.clone().into());
        map.insert("message".into(), error.message.clone().into());
        map.insert("status".into(), error.status.map_or(Dynamic::UNIT, |status| i64::from(status).into()));
        let mut value = Dynamic::from_map(map);
        // Says later whose failure an uncaught error is; see `failed_call`.
        value.set_tag(i32::try_from(index).unwrap_or(i32::MAX - 1) + 1);
        self.failures.insert(index, error);
        Refusal::Throw(value)
    }

    fn secret(&self, args: &[Json]) -> Result<Dynamic, Refusal> {
        let name = args.first().and_then(Json::as_str).unwrap_or_default();
        if self.secrets.iter().any(|granted| granted == name) {
            return Ok(Dynamic::from(Secret::named(&self.marks, name)));
        }
        let mut map = Map::new();
        map.insert("code".into(), "denied".into());
        map.insert("message".into(), format!("denied: secrets: [{name}]").into());
        map.insert("status".into(), Dynamic::UNIT);
        Err(Refusal::Throw(Dynamic::from_map(map)))
    }

    /// The host call whose failure this thrown value is.
    pub(crate) fn failed_call(&self, thrown: &Dynamic) -> Option<(u32, CallError)> {
        let index = u32::try_from(thrown.tag().checked_sub(1)?).ok()?;
        self.failures.get(&index).map(|error| (index, error.clone()))
    }
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
