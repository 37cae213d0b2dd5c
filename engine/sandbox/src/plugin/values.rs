//! JSON as plugins give and take it: text, within limits of size and depth.

use cartwright_core::Json;

use super::bindings::types::Failure;
use crate::limits::OUTPUT_MAX_DEPTH;

/// JSON from a plugin's text.
pub(super) fn parsed(text: &str, what: &str) -> Result<Json, Failure> {
    read(text).map_err(|problem| Failure::Invalid(format!("{what} {problem}")))
}

/// As [`parsed`], `null` when absent.
pub(super) fn member(text: Option<&str>, what: &str) -> Result<Json, Failure> {
    text.map_or(Ok(Json::Null), |text| parsed(text, what))
}

/// JSON, or what is wrong with the text, to follow a subject: `is not JSON: …`.
pub(super) fn read(text: &str) -> Result<Json, String> {
    let value: Json = serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
    match depth(&value) > OUTPUT_MAX_DEPTH {
        true => Err(format!("has lists and maps inside each other more than {OUTPUT_MAX_DEPTH} levels deep")),
        false => Ok(value),
    }
}

/// JSON as text.
pub(super) fn printed(value: &Json) -> String {
    value.to_string()
}

/// JSON as text, nothing for `null`.
pub(super) fn optional(value: &Json) -> Option<String> {
    (!value.is_null()).then(|| value.to_string())
}

/// Levels of lists and maps inside each other; the parser allows 128 at most.
fn depth(value: &Json) -> usize {
    match value {
        Json::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Json::Object(map) => 1 + map.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}
