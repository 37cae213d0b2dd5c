//! The core of a host call, the same for scripts and plugins: arguments become canonical, the call gets its index and
//! fingerprint, a recorded one is answered from the record, an immediate one here and now, and the first that nobody
//! has answered yet has to be made. Works on JSON; `V` is what recorded answers were turned into by whoever asks.

use std::collections::VecDeque;

use cartwright_core::{
    Json,
    call::{Call, CallError, CallKind, CallOutcome, fingerprint},
    secret::SecretMarks,
    time::Timestamp,
};
use sha2::{Digest, Sha256};

use super::{Answer, FunctionSpec, random};
use crate::script::Resolved;

/// A recorded call, its outcome ready for whoever asks.
pub(crate) struct Replayed<V> {
    pub(crate) function: String,
    pub(crate) fingerprint: String,
    pub(crate) outcome: Option<Result<V, CallError>>,
}

/// The host calls of one execution.
pub(crate) struct Calls<V> {
    pub(crate) marks: SecretMarks,
    /// Names that `secrets::get` may give.
    pub(crate) secrets: Vec<String>,
    /// What was recorded and not asked for yet.
    recorded: VecDeque<Replayed<V>>,
    /// Index of the next call.
    next: u32,
    pub(crate) max_calls: u32,
    now: Timestamp,
    random: Draws,
    /// Immediate calls newly answered.
    immediate: Vec<Resolved>,
}

/// What comes of asking for a call.
pub(crate) enum Next<V> {
    /// It is recorded with this outcome.
    Recorded { index: u32, outcome: Result<V, CallError> },
    /// It was answered here and now.
    Answered(Json),
    /// A secret: nothing of it is kept.
    Secret { name: String, granted: bool },
    /// It has to be made.
    Make { index: u32, call: Call },
    /// Its arguments cannot be right.
    Invalid(String),
    /// The execution must not go on.
    Halt(Halt),
}

/// Why an execution must not go on.
#[derive(Debug, Clone)]
pub(crate) enum Halt {
    /// It asks something else than it did.
    Nondeterministic { index: u32, recorded: String, asked: String },
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

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length.next_multiple_of(16));
        while bytes.len() < length {
            bytes.extend(self.next());
        }
        bytes.truncate(length);
        bytes
    }
}

impl<V> Calls<V> {
    pub(crate) fn new(
        marks: SecretMarks,
        secrets: Vec<String>,
        recorded: impl Iterator<Item = Replayed<V>>,
        max_calls: u32,
    ) -> Self {
        Self {
            marks,
            secrets,
            recorded: recorded.collect(),
            next: 0,
            max_calls,
            now: Timestamp::default(),
            random: Draws::new([0; 32]),
            immediate: Vec::new(),
        }
    }

    /// Begins a stretch: the time that stands still in it, and the seed of its randomness.
    pub(crate) fn stretch(&mut self, now: Timestamp, seed: [u8; 32]) {
        self.now = now;
        self.random = Draws::new(seed);
    }

    /// Asks for a call. Text in `args` may hold marks, which stay only where the engine opens them.
    pub(crate) fn ask(&mut self, spec: &FunctionSpec, mut args: Vec<Json>) -> Next<V> {
        if spec.answer != (Answer::Engine { secrets: true }) {
            args = args.iter().map(|arg| self.marks.redact_json(arg)).collect();
        }
        let prepared = match (spec.prepare)(spec.name, args) {
            Ok(prepared) => prepared,
            Err(message) => return Next::Invalid(message),
        };
        if spec.answer == Answer::Secret {
            let name = prepared.args.first().and_then(Json::as_str).unwrap_or_default().to_owned();
            let granted = self.secrets.contains(&name);
            return Next::Secret { name, granted };
        }
        let index = self.next;
        if index >= self.max_calls {
            return Next::Halt(Halt::TooManyCalls);
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
        match self.recorded.pop_front() {
            Some(record) if record.function != call.function || record.fingerprint != call.fingerprint => {
                let same = record.function == call.function;
                let recorded = if same { format!("{} with other arguments", call.function) } else { record.function };
                let asked = if same { call.summary } else { format!("{}: {}", call.function, call.summary) };
                Next::Halt(Halt::Nondeterministic { index, recorded, asked })
            }
            Some(Replayed { outcome: Some(outcome), .. }) => Next::Recorded { index, outcome },
            Some(Replayed { outcome: None, .. }) => Next::Make { index, call },
            None if call.kind == CallKind::Immediate => self.answer(spec, index, call),
            None => Next::Make { index, call },
        }
    }

    /// The recorded call that would have to come next, when the execution ends without asking for it.
    pub(crate) fn unasked(&self) -> Option<(u32, &str)> {
        self.recorded.front().map(|record| (self.next, record.function.as_str()))
    }

    /// Immediate calls newly answered since this was last asked.
    pub(crate) fn take_immediate(&mut self) -> Vec<Resolved> {
        std::mem::take(&mut self.immediate)
    }

    fn answer(&mut self, spec: &FunctionSpec, index: u32, call: Call) -> Next<V> {
        let value = match spec.answer {
            Answer::Now => Json::String(self.now.to_string()),
            Answer::Random(kind) => match random::draw(kind, &call.args, &mut self.random) {
                Ok(value) => value,
                Err(message) => return Next::Invalid(message),
            },
            Answer::Log => super::log::line(&call),
            Answer::Engine { .. } | Answer::Secret => Json::Null,
        };
        self.immediate.push(Resolved {
            index,
            function: call.function,
            fingerprint: call.fingerprint,
            outcome: CallOutcome::Ok(value.clone()),
        });
        Next::Answered(value)
    }
}
