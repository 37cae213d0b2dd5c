//! Calls: what scripts, plugins and steps ask of the outside world, and what came of it.
//!
//! A call's identity is `(run, step path, index, generation)`. It is the idempotency key, so a repeated call carries
//! the same key as the first.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    Json,
    id::{RunId, StepPath},
    time::Timestamp,
};

/// One call of a host function with its arguments. Text in `args` may hold sealed secret marks (never plaintext);
/// only the runner opens them, at the moment of sending.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The host function's full name: `http::post`, `state::set`, `clock::sleep`.
    pub function: String,
    /// What the engine must do to make it.
    pub kind: CallKind,
    /// Its arguments, by position. Every `http::*` function and the `http` step give one map:
    /// `{method, url, headers?, query?, body?, form?, timeout_ms?, expect?: ["2xx"], parse?: auto|json|text|none}`.
    /// Every `woo::*` function and the `woo` step give one map, see [`crate::woo`].
    pub args: Vec<Json>,
    /// SHA-256 over function and arguments with secrets replaced by their names, 32 hex digits: how replay notices
    /// that a script asks something else than it did.
    pub fingerprint: String,
    /// One line for people, secrets replaced by their names: `POST https://hooks.slack.com/…`.
    pub summary: String,
}

/// What the engine must do to make a call, and what a crash in the middle of it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallKind {
    /// Answered inside the script's execution and journaled with its next entry: `clock::now`, `random::*`, `log::*`.
    Immediate,
    /// Reads or changes our own storage; its result and its effect are one commit: `state::*`, `events::emit`.
    Storage,
    /// Touches the world outside: journaled as intended before it starts.
    Outside {
        /// May be asked for again with the same key when a crash or a lost connection hides its outcome: because
        /// repeating is harmless, or because whoever makes it first finds out whether it happened (`woo::*`; such a
        /// repeat says so, see `again` of [`crate::run::decide::Effect::Call`]).
        repeatable: bool,
    },
    /// Waits for a time: `clock::sleep`.
    Sleep,
    /// Waits for an event: `events::wait_for`.
    Wait,
}

/// An earlier try of a call under the same key may have reached the other side: whoever makes the call finds out first
/// whether it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Again {
    /// The first moment at which such a try may have been sent: nothing it made is older.
    pub since: Timestamp,
    /// The last such moment (after a crash: the restart): how long a try can still be running counts from here.
    pub until: Timestamp,
}

impl Again {
    /// The time of both.
    pub fn and(self, other: Self) -> Self {
        Self { since: self.since.min(other.since), until: self.until.max(other.until) }
    }
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// It answered.
    Ok(Json),
    /// It failed.
    Err(CallError),
}

/// The code of an [`ErrorClass::Unknown`] failure of a repeat that sent nothing: it looked whether an earlier try happened
/// and could not tell. Looking again would not tell either.
pub const UNDECIDED: &str = "undecided";

/// A failed call, as scripts catch it (`#{ code, message, status }`) and as journals keep it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CallError {
    /// A stable word: `denied`, `timeout`, `connection`, `status`, `too_large`, `conflict`, `invalid`, …
    pub code: String,
    /// What happened and what to do, in words for people. Never holds a secret.
    pub message: String,
    /// The HTTP status, where there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What the engine may do about it.
    pub class: ErrorClass,
    /// The shortest wait before the next try that the other side asked for, in milliseconds (`Retry-After`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// What the engine may do about a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// Trying again cannot help (a 400, a denied call).
    Final,
    /// Nothing happened outside, or the other side said so; trying again may help (refused connection, 429, 5xx).
    Retryable,
    /// It may have happened and nobody can say (connection lost after sending something that must not be repeated).
    Unknown,
    /// Nobody but a person can mend it (a missing secret, revoked credentials): the run is parked.
    Park,
    /// It was not made, and nothing is wrong with it: the store cannot be reached, is in maintenance, asked for
    /// patience, or an earlier try of it may still be running there. It is made later (`retry_after_ms` at the
    /// earliest) and counts as no attempt.
    Deferred,
}

impl CallError {
    /// A failure that trying again cannot mend.
    pub fn r#final(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            status: None,
            class: ErrorClass::Final,
            retry_after_ms: None,
        }
    }

    /// A failure that may pass.
    pub fn retryable(code: &str, message: impl Into<String>) -> Self {
        Self { class: ErrorClass::Retryable, ..Self::r#final(code, message) }
    }

    /// A call that could not be made now and will be made later.
    pub fn deferred(code: &str, message: impl Into<String>, retry_after_ms: Option<u64>) -> Self {
        Self { class: ErrorClass::Deferred, retry_after_ms, ..Self::r#final(code, message) }
    }

    /// A call that was not granted. `missing` is the grant to add: `http: ["hooks.slack.com"]`.
    pub fn denied(missing: &str) -> Self {
        Self::r#final("denied", format!("denied: {missing}"))
    }
}

/// The idempotency key of a call: 40 hex digits, the same for every repeat of the same call.
pub fn idempotency_key(run: &RunId, step: &StepPath, index: u32, generation: u32) -> String {
    let mut hash = Sha256::new();
    hash.update(run.as_str());
    hash.update([0]);
    hash.update(step.as_str());
    hash.update([0]);
    hash.update(index.to_be_bytes());
    hash.update(generation.to_be_bytes());
    hex::encode(&hash.finalize()[..20])
}

/// The fingerprint of a function with its arguments in unrendered form.
pub fn fingerprint(function: &str, unrendered_args: &[Json]) -> String {
    let mut hash = Sha256::new();
    hash.update(function);
    for arg in unrendered_args {
        hash.update([0]);
        hash.update(arg.to_string());
    }
    hex::encode(&hash.finalize()[..16])
}
