//! A gate's key as text: what the `key` of a workflow file gave for one event.

use crate::Json;

/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 1024;

/// The text of a key. A number and the same number as text are one key: WooCommerce sends both.
///
/// # Errors
/// In words for people: nothing (`()`), an empty text, or a text that is too long.
pub fn key_text(value: &Json) -> Result<String, String> {
    let text = match value {
        Json::Null => {
            return Err(
                "`key` gave () (nothing); name a field that every event has, or give a default with `??`".into()
            );
        }
        Json::String(text) => text.clone(),
        Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => value.to_string(),
    };
    if text.is_empty() {
        return Err("`key` gave an empty text; name a field that is not empty".into());
    }
    if text.len() > KEY_BYTES_MAX {
        return Err(format!("`key` gave {} bytes; at most {KEY_BYTES_MAX} are fine: name an id", text.len()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_and_texts_are_one_key_and_lists_are_keys_too() {
        for (value, text) in [
            (json!("61"), "61"),
            (json!(61), "61"),
            (json!(true), "true"),
            (json!(["a", 1]), r#"["a",1]"#),
            (json!({"b": 1, "a": 2}), r#"{"a":2,"b":1}"#),
        ] {
            assert_eq!(key_text(&value).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_is_no_key_says_why() {
        for (value, hint) in [(json!(null), "nothing"), (json!(""), "empty"), (json!("x".repeat(1025)), "1025 bytes")] {
            assert!(key_text(&value).unwrap_err().contains(hint), "{value}");
        }
    }
}
