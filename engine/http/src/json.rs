//! JSON from outside: body bytes come in, JSON text that later readers can rely on goes out.
//!
//! The text is parsed once (serde_json, which validates without recursion and builds nothing). Parsing does not refuse
//! all that later reading would: nesting beyond a limit, and halves of surrogate pairs. Whether a text can hold either
//! is told by counting bytes, which takes a fraction of a microsecond for an order; only one that can is looked over.

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

/// JSON text that is valid, shallow enough and made of whole characters.
pub fn accept(body: &[u8]) -> Result<Box<RawValue>, NotJson> {
    if body.is_empty() {
        return Err(NotJson::Empty);
    }
    let raw: Box<RawValue> = serde_json::from_slice(body).map_err(|error| match std::str::from_utf8(body) {
        Err(bad) => NotJson::NotText { offset: bad.valid_up_to() },
        Ok(_) => NotJson::Syntax { message: error.to_string() },
    })?;
    check(raw.get())?;
    Ok(raw)
}

/// Checks nesting and characters of a text that is known to be JSON.
pub fn check(json: &str) -> Result<(), NotJson> {
    let bytes = json.as_bytes();
    if may_nest_too_deep(bytes) || may_hold_surrogates(bytes) { look_over(bytes) } else { Ok(()) }
}

/// Whether there are more opening brackets than the depth may be. Those in texts count too, so this says yes too often
/// and never no too often. Counted in a byte per chunk, so that the compiler uses vector instructions.
fn may_nest_too_deep(bytes: &[u8]) -> bool {
    const CHUNK: usize = u8::MAX as usize;
    // `[` and `{` differ in one bit.
    let opening = |chunk: &[u8]| chunk.iter().fold(0, |count: u8, byte| count + u8::from(byte | 0x20 == b'{'));
    bytes.chunks(CHUNK).map(|chunk| usize::from(opening(chunk))).sum::<usize>() > MAX_JSON_DEPTH
}

/// Whether `\ud` or `\uD` stands anywhere. Without branches, for the same reason.
fn may_hold_surrogates(bytes: &[u8]) -> bool {
    let places = bytes.len().saturating_sub(2);
    let triples = bytes.iter().zip(&bytes[bytes.len().min(1)..]).zip(&bytes[bytes.len() - places..]);
    triples.fold(false, |found, ((a, b), c)| found | ((*a == b'\\') & (*b == b'u') & (c | 0x20 == b'd')))
}

fn look_over(bytes: &[u8]) -> Result<(), NotJson> {
    let mut depth = 0;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_string(bytes, at + 1)?,
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_JSON_DEPTH {
                    return Err(NotJson::TooDeep);
                }
            }
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    Ok(())
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

/// The UTF-16 unit written as `\u` and four hex digits at `at`, if one is.
fn unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: impl AsRef<[u8]>) -> Result<(), &'static str> {
        accept(body.as_ref()).map(drop).map_err(|refused| refused.code())
    }

    #[test]
    fn the_text_is_kept_as_it_came() {
        let raw = accept(b" {\"total\": 1.10, \"b\":1e2,\"x\":\"\\/\\u00fc\"}\n").expect("valid");
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
        for short in ["1", "[]", "{}", "\"a\""] {
            assert!(check(short).is_ok(), "{short}");
        }
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
        assert!(check(format!("[{}[]]", "[],".repeat(1000))).is_ok(), "many lists side by side are not deep");
        let between = format!("[\"{}\\\"\\\\\",{}]", "]".repeat(100), nested(MAX_JSON_DEPTH));
        assert_eq!(check(between), Err("body_too_deep"), "brackets in texts close nothing");
    }

    #[test]
    fn what_is_accepted_can_always_be_read() {
        for body in [r#"{"a":"\ud83d\ude00","n":-0.0e-99999}"#, r#"[1e400, {"a":{}}]"#] {
            let raw = accept(body.as_bytes()).expect("accepted");
            serde_json::from_str::<serde_json::Value>(raw.get()).expect("readable");
        }
    }
}
