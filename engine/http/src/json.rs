//! JSON from outside: body bytes come in, JSON text that later readers can rely on goes out.
//!
//! The text is parsed once (serde_json, which validates without recursion and builds nothing), then looked over byte by
//! byte for what parsing does not refuse but later reading would: nesting beyond the limit and halves of surrogate
//! pairs. The same look notes which well-known keys stand at the top.

use serde_json::value::RawValue;

/// Nesting that WooCommerce stays far below (an order has 6) and every later reader can take (serde_json stops at 128).
pub const MAX_JSON_DEPTH: usize = 64;

/// Why bytes are not taken as JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotJson {
    /// No body.
    #[error("the body is empty")]
    Empty,
    /// Bytes that are no text.
    #[error("the body is not UTF-8 text (first bad byte at offset {offset})")]
    NotText {
        /// Where.
        offset: usize,
    },
    /// Text that is not JSON.
    #[error("the body is not valid JSON: {message}")]
    Syntax {
        /// What serde_json says, with line and column; it quotes nothing of the body.
        message: String,
    },
    /// Lists and maps in each other.
    #[error("the body nests deeper than {MAX_JSON_DEPTH} levels")]
    TooDeep,
    /// `"\ud800"` is no character.
    #[error("a text in the body holds half of a surrogate pair (offset {offset})")]
    LoneSurrogate {
        /// Where.
        offset: usize,
    },
}

impl NotJson {
    /// The stable word for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "body_empty",
            Self::NotText { .. } => "body_not_text",
            Self::Syntax { .. } | Self::LoneSurrogate { .. } => "body_not_json",
            Self::TooDeep => "body_too_deep",
        }
    }
}

/// Which keys a top-level object has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct TopKeys {
    pub id: bool,
    pub code: bool,
    pub data: bool,
}

/// JSON text that is valid, shallow enough and made of whole characters.
pub fn accept(body: &[u8]) -> Result<(Box<RawValue>, TopKeys), NotJson> {
    if body.is_empty() {
        return Err(NotJson::Empty);
    }
    let raw: Box<RawValue> = serde_json::from_slice(body).map_err(|error| match std::str::from_utf8(body) {
        Err(bad) => NotJson::NotText { offset: bad.valid_up_to() },
        Ok(_) => NotJson::Syntax { message: error.to_string() },
    })?;
    let top = look_over(raw.get())?;
    Ok((raw, top))
}

/// Checks text that is known to be JSON; see the top of this file.
pub fn look_over(json: &str) -> Result<TopKeys, NotJson> {
    let bytes = json.as_bytes();
    let mut top = TopKeys::default();
    let mut depth = 0;
    let mut top_is_object = false;
    let mut key_is_next = false;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let end = end_of_string(bytes, at + 1)?;
                if depth == 1 && std::mem::take(&mut key_is_next) {
                    match &bytes[at + 1..end] {
                        b"id" => top.id = true,
                        b"code" => top.code = true,
                        b"data" => top.data = true,
                        _ => {}
                    }
                }
                at = end;
            }
            opening @ (b'{' | b'[') => {
                depth += 1;
                if depth > MAX_JSON_DEPTH {
                    return Err(NotJson::TooDeep);
                }
                if depth == 1 {
                    top_is_object = opening == b'{';
                    key_is_next = top_is_object;
                }
            }
            b'}' | b']' => depth -= 1,
            b',' if depth == 1 => key_is_next = top_is_object,
            _ => {}
        }
        at += 1;
    }
    Ok(top)
}

/// Offset of the closing quote of a string whose inside begins at `at`. The text is valid JSON, so there is one and
/// every `\u` has four hex digits.
fn end_of_string(bytes: &[u8], mut at: usize) -> Result<usize, NotJson> {
    loop {
        match bytes[at] {
            b'"' => return Ok(at),
            b'\\' if bytes[at + 1] == b'u' => {
                let length = match unit(bytes, at) {
                    Some(0xd800..=0xdbff) if matches!(unit(bytes, at + 6), Some(0xdc00..=0xdfff)) => 12,
                    Some(0xd800..=0xdfff) => return Err(NotJson::LoneSurrogate { offset: at }),
                    _ => 6,
                };
                at += length;
            }
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The UTF-16 unit written as `\uXXXX` at `at`, if one is.
fn unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: impl AsRef<[u8]>) -> Result<TopKeys, &'static str> {
        accept(body.as_ref()).map(|(_, top)| top).map_err(|refused| refused.code())
    }

    #[test]
    fn top_keys_are_those_of_the_outermost_object() {
        let keys = |id, code, data| Ok(TopKeys { id, code, data });
        assert_eq!(check(r#"{"id":61}"#), keys(true, false, false));
        assert_eq!(check(r#"{"code":"x","message":"y","data":{"status":404,"id":1}}"#), keys(false, true, true));
        assert_eq!(check(r#"{"a":{"id":1},"b":["id",{"code":2}],"c":"data"}"#), keys(false, false, false));
        assert_eq!(check(r#" { "a" : [1,2,{}] , "id" : null } "#), keys(true, false, false));
        assert_eq!(check(r#"{"a":"\",\"id\":\"","b":"x\\"}"#), keys(false, false, false));
        for text in [r#"["id","code"]"#, r#""id""#, "1", "null", "{}", "[]"] {
            assert_eq!(check(text), keys(false, false, false), "{text}");
        }
    }

    #[test]
    fn the_text_is_kept_as_it_came() {
        let (raw, _) = accept(b" {\"total\": 1.10, \"b\":1e2,\"x\":\"\\/\\u00fc\"}\n").expect("valid");
        assert_eq!(raw.get(), r#"{"total": 1.10, "b":1e2,"x":"\/\u00fc"}"#);
    }

    #[test]
    fn bad_bodies_are_refused_by_name() {
        for (body, code) in [
            (&b""[..], "body_empty"),
            (b" ", "body_not_json"),
            (b"webhook_id=4", "body_not_json"),
            (b"{\"a\":1", "body_not_json"),
            (b"{\"a\":1}}", "body_not_json"),
            (b"{a:1}", "body_not_json"),
            (b"{\"a\":\"\x01\"}", "body_not_json"),
            (b"\xef\xbb\xbf{}", "body_not_json"),
            (b"{\"a\":\"\xff\"}", "body_not_text"),
            (b"{\"a\":\"\xc3\"}", "body_not_text"),
            (br#"{"a":"\ud800"}"#, "body_not_json"),
            (br#"{"a":"\udc00\ud800"}"#, "body_not_json"),
            (br#"{"a":"\ud83d\u0041"}"#, "body_not_json"),
            (br#"{"\ud800":1}"#, "body_not_json"),
        ] {
            assert_eq!(check(body), Err(code), "{}", String::from_utf8_lossy(body));
        }
        assert!(check(r#"{"a":"\ud83d\ude00 \\ud800"}"#).is_ok());
    }

    #[test]
    fn nesting_is_refused_at_the_limit_and_harmless_far_beyond() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(check(nested(MAX_JSON_DEPTH)).is_ok());
        assert_eq!(check(nested(MAX_JSON_DEPTH + 1)), Err("body_too_deep"));
        assert_eq!(check(nested(500_000)), Err("body_too_deep"));
        assert_eq!(check("[".repeat(1_000_000)), Err("body_not_json"));
        assert_eq!(check(format!("{}1{}", r#"{"a":"#.repeat(65), "}".repeat(65))), Err("body_too_deep"));
        assert!(check(format!("[\"{}\"]", "[".repeat(1000))).is_ok(), "brackets in texts are text");
    }

    #[test]
    fn what_is_accepted_can_always_be_read() {
        for body in [r#"{"a":"\ud83d\ude00","n":-0.0e-99999}"#, r#"[1e400, {"a":{}}]"#] {
            let (raw, _) = accept(body.as_bytes()).expect("accepted");
            serde_json::from_str::<serde_json::Value>(raw.get()).expect("readable");
        }
    }
}
