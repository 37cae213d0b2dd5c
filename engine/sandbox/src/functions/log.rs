//! `log::*`: lines for people, kept with the run.

use cartwright_core::{
    Json,
    call::{Call, CallKind},
};
use serde_json::json;

use super::{Answer, FunctionSpec, Prepared};

/// Longest line in characters; the rest is cut.
const LINE_MAX_CHARS: usize = 4_000;

const fn level(name: &'static str, signature: &'static str, doc: &'static str) -> FunctionSpec {
    FunctionSpec { name, signature, doc, arguments: 1..=2, answer: Answer::Log, prepare }
}

pub(super) const FUNCTIONS: &[FunctionSpec] = &[
    level("log::debug", "log::debug(message, [data])", "Writes a line that is shown only when asked for."),
    level("log::info", "log::info(message, [data])", "Writes a line."),
    level("log::warn", "log::warn(message, [data])", "Writes a warning."),
    level("log::error", "log::error(message, [data])", "Writes an error; the script goes on."),
];

#[expect(clippy::needless_pass_by_value, reason = "as FunctionSpec::prepare")]
fn prepare(_: &str, args: Vec<Json>) -> Result<Prepared, String> {
    let part = |value: &Json| match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let line = args.iter().map(part).collect::<Vec<_>>().join(" ");
    let line: String = line.chars().take(LINE_MAX_CHARS).collect();
    Ok(Prepared { kind: CallKind::Immediate, args: vec![Json::String(line.clone())], summary: line })
}

/// What is kept of a line: `{level, message}`.
pub(super) fn line(call: &Call) -> Json {
    let level = call.function.rsplit("::").next().unwrap_or("info");
    json!({ "level": level, "message": call.args.first() })
}
