//! Failures on both sides of the interface: what the engine says of a call, and what a plugin says of itself.

use cartwright_core::call::{CallError, ErrorClass};

use super::{
    bindings::types::{Failure, Rejection},
    limits::{FAILURE_MAX_CHARS, REJECTION_MAX_CHARS},
};

/// A failed host call, as the plugin sees it.
pub(super) fn to_guest(error: &CallError) -> Failure {
    let rate_limited = error.status == Some(429) || error.code == "rate_limited";
    match error.code.as_str() {
        "denied" => Failure::Denied(error.message.strip_prefix("denied: ").unwrap_or(&error.message).to_owned()),
        _ if error.class == ErrorClass::Unknown => Failure::Unknown,
        _ if rate_limited => Failure::RateLimited(error.retry_after_ms.unwrap_or_default()),
        "timeout" => Failure::Timeout,
        "invalid" => Failure::Invalid(error.message.clone()),
        _ => match error.status {
            Some(status) => Failure::Rejected(Rejection { status, body: cut(&error.message, REJECTION_MAX_CHARS) }),
            None => Failure::Other(error.message.clone()),
        },
    }
}

/// What a plugin says of itself. Time and patience may help, nothing else does.
pub(super) fn from_guest(failure: &Failure) -> CallError {
    let text = |text: &str, otherwise: &str| match text.trim() {
        "" => otherwise.to_owned(),
        text => cut(text, FAILURE_MAX_CHARS),
    };
    match failure {
        Failure::Denied(missing) => CallError::denied(&text(missing, "the plugin does not say what is missing")),
        Failure::Timeout => CallError::retryable("timeout", "the plugin got no answer in time"),
        Failure::RateLimited(wait) => CallError {
            retry_after_ms: Some(*wait).filter(|wait| *wait > 0),
            ..CallError::retryable("rate_limited", "the plugin was asked for patience")
        },
        Failure::Rejected(Rejection { status, body }) => CallError {
            status: Some(*status),
            ..CallError::r#final("rejected", text(body, &format!("the plugin was answered {status}")))
        },
        Failure::Invalid(why) => CallError::r#final("invalid", text(why, "the plugin says that its input is invalid")),
        Failure::Unknown => {
            CallError::r#final("unknown", "the plugin says that something may have happened, and nobody can say")
        }
        Failure::Other(what) => CallError::r#final("plugin", text(what, "the plugin failed without saying why")),
    }
}

fn cut(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
