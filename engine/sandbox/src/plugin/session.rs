//! The host side of one execution of a plugin: what it has asked, what it was told, and why it must not go on.

use cartwright_core::{
    Json,
    call::{Call, CallError, CallOutcome, ErrorClass},
};

use super::{bindings::types::Failure, failure, limits::PluginLimits, meter::Meter, secrets::PluginSecret};
use crate::{
    functions::{self, Answer, Calls, Halt, Next},
    plugin::secrets::Plaintexts,
};

/// What an execution has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Wasm instructions, about.
    pub fuel: u64,
    /// Bytes of memory at their most.
    pub memory_peak_bytes: usize,
    /// Time on the processor, replays included.
    pub processor: std::time::Duration,
}

/// The host side of one execution.
pub(super) struct Session {
    pub(super) calls: Calls<Json>,
    pub(super) plain: Plaintexts,
    secrets: Vec<PluginSecret>,
    /// It describes itself, and may ask for nothing.
    describes: bool,
    /// Failures that were handed out, with the calls that they are of.
    failures: Vec<(Option<u32>, Failure, CallError)>,
    /// A call that has to be made and that nobody was told of yet.
    pub(super) asked: Option<(u32, Call)>,
    /// The call that the guest waits for.
    waiting: Option<u32>,
    /// Its outcome.
    pub(super) answer: Option<CallOutcome>,
    /// Why it must not go on.
    pub(super) halted: Option<Halt>,
    pub(super) meter: Meter,
    pub(super) usage: Usage,
}

/// What comes of asking.
pub(super) enum Asked {
    /// This is the answer.
    Answer(Result<Json, Failure>),
    /// It has to be made first; the answer comes later.
    Wait,
    /// The guest is ended.
    End(Ending),
}

/// Why a guest is ended in the middle of a call; the reason is kept in the session.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ending {
    #[error("the plugin may not go on")]
    Halted,
    #[error("`describe` must not make host calls; it makes `{0}`")]
    Describes(&'static str),
    #[error("{function}: {message}")]
    Wrong { function: &'static str, message: String },
}

impl Session {
    pub(super) fn new(calls: Calls<Json>, secrets: Vec<PluginSecret>, describes: bool) -> Self {
        Self {
            plain: Plaintexts::new(&secrets, &calls.marks),
            calls,
            secrets,
            describes,
            failures: Vec::new(),
            asked: None,
            waiting: None,
            answer: None,
            halted: None,
            meter: Meter::default(),
            usage: Usage::default(),
        }
    }

    /// The guest asks for a call of `function`.
    pub(super) fn ask(&mut self, function: &'static str, args: Vec<Json>) -> Asked {
        if self.describes {
            return Asked::End(Ending::Describes(function));
        }
        let Some(spec) = functions::named(function) else {
            return Asked::End(Ending::Wrong { function, message: "there is no such host function".into() });
        };
        let opened = spec.answer == Answer::Engine { secrets: true };
        let clean = |arg| if opened { self.plain.mark(arg) } else { self.plain.blot(arg) };
        // Names of secrets are no secrets, and may well look like some.
        let args = if spec.answer == Answer::Secret { args } else { args.into_iter().map(clean).collect() };
        match self.calls.ask(spec, args) {
            Next::Recorded { outcome: Ok(value), .. } | Next::Answered(value) => Asked::Answer(Ok(value)),
            Next::Recorded { index, outcome: Err(error) } => Asked::Answer(Err(self.failed(Some(index), error))),
            Next::Secret { name, granted } => Asked::Answer(self.secret(&name, granted)),
            Next::Make { index, mut call } => {
                call.summary = self.plain.blot_text(call.summary);
                self.asked = Some((index, call));
                self.waiting = Some(index);
                Asked::Wait
            }
            Next::Invalid(message) => Asked::Answer(Err(Failure::Invalid(message))),
            Next::Halt(halt) => {
                self.halted = Some(halt);
                Asked::End(Ending::Halted)
            }
        }
    }

    /// Whether the guest waits for the outcome of this call.
    pub(super) fn waits_for(&self, index: u32) -> bool {
        self.waiting == Some(index)
    }

    /// The outcome of the call that the guest waits for, once it is there.
    pub(super) fn answered(&mut self) -> Option<Result<Json, Failure>> {
        let outcome = self.answer.take()?;
        let index = self.waiting.take();
        Some(match outcome {
            CallOutcome::Ok(value) => Ok(value),
            CallOutcome::Err(error) => Err(self.failed(index, error)),
        })
    }

    fn failed(&mut self, index: Option<u32>, error: CallError) -> Failure {
        let failure = failure::to_guest(&error);
        self.failures.push((index, failure.clone(), error));
        failure
    }

    fn secret(&mut self, name: &str, granted: bool) -> Result<Json, Failure> {
        if !granted {
            let error = CallError::denied(&format!("secrets: [{name}]"));
            return Err(self.failed(None, error));
        }
        match self.secrets.iter().find(|secret| secret.name == name).and_then(|secret| secret.plaintext.clone()) {
            Some(plaintext) => Ok(Json::String(plaintext)),
            None => {
                let message = format!(
                    "the secret `{name}` is not set; set it with `cartwright secret set {name}`, then retry the run"
                );
                let error = CallError { class: ErrorClass::Park, ..CallError::r#final("secret", message) };
                Err(self.failed(None, error))
            }
        }
    }

    /// What a failure that the plugin gives means: that of the last host call which gave the same one, or its own.
    pub(super) fn own_failure(&self, given: &Failure) -> (CallError, Option<u32>) {
        if let Some((index, _, error)) = self.failures.iter().rev().find(|(_, failure, _)| failure == given) {
            return (error.clone(), *index);
        }
        let mut error = failure::from_guest(given);
        error.message = self.calls.marks.redact(&self.plain.blot_text(error.message));
        (error, None)
    }

    /// Calls, granted names and limits of an execution.
    pub(super) fn calls(
        marks: &cartwright_core::secret::SecretMarks,
        secrets: &[PluginSecret],
        recorded: &[crate::Recorded],
        limits: &PluginLimits,
    ) -> Calls<Json> {
        let names = secrets.iter().map(|secret| secret.name.clone()).collect();
        let recorded = recorded.iter().map(|record| functions::Replayed {
            function: record.function.clone(),
            fingerprint: record.fingerprint.clone(),
            outcome: record.outcome.clone().map(|outcome| match outcome {
                CallOutcome::Ok(value) => Ok(value),
                CallOutcome::Err(error) => Err(error),
            }),
        });
        Calls::new(marks.clone(), names, recorded, limits.host_calls)
    }
}
