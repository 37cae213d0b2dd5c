//! What a `respond` step says to whoever waits: a status, headers and a body that may be sent as they are. Values come from
//! templates; what cannot be an answer is refused before it is written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Json;

/// Largest body of an answer, in bytes; it is kept in the run's journal.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Most headers of an answer.
pub const ANSWER_HEADERS_MAX: usize = 64;
/// Longest value of a header, in bytes.
const HEADER_BYTES_MAX: usize = 4096;

/// An answer to a synchronous caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct HttpAnswer {
    /// 200 to 599.
    pub status: u16,
    /// Names in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Text goes as it stands, anything else as JSON; `null`: no body.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    #[cfg_attr(feature = "schema", schema(value_type = crate::Json))]
    pub body: Json,
}

impl HttpAnswer {
    /// An answer of these values, or why they are none.
    pub fn new(status: &Json, headers: &Json, body: Json) -> Result<Self, String> {
        let status = status_of(status)?;
        let headers = headers_of(headers)?;
        if matches!(status, 204 | 205 | 304) && !body.is_null() {
            return Err(format!("an answer with status {status} has no body"));
        }
        let size = body.as_str().map_or_else(|| body.to_string().len(), str::len);
        if size > ANSWER_BYTES_MAX {
            return Err(format!("the body has {size} bytes; {ANSWER_BYTES_MAX} is the most"));
        }
        Ok(Self { status, headers, body })
    }

    /// The headers that go out with it: its own, and what follows from its body where it does not say otherwise.
    pub fn sent_headers(&self) -> BTreeMap<String, String> {
        let kind = match &self.body {
            Json::Null => None,
            Json::String(_) => Some("text/plain; charset=utf-8"),
            _ => Some("application/json"),
        };
        let usual = kind.map(|kind| ("content-type", kind)).into_iter().chain([("cache-control", "no-store")]);
        let mut headers: BTreeMap<_, _> = usual.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        headers.extend(self.headers.clone());
        headers
    }
}

/// A status that can end a request.
pub(crate) fn status_of(status: &Json) -> Result<u16, String> {
    let number = match status {
        Json::Null => Some(200),
        Json::Number(number) => number.as_u64().and_then(|number| u16::try_from(number).ok()),
        Json::String(text) if text.len() == 3 => text.parse().ok(),
        _ => None,
    };
    match number {
        Some(100..=199) => Err(format!("the status {status} only announces an answer; use 200 to 599")),
        Some(status @ 200..=599) => Ok(status),
        _ => Err(format!("`{}` is no HTTP status; use 200 to 599", short(status))),
    }
}

fn headers_of(headers: &Json) -> Result<BTreeMap<String, String>, String> {
    let map = match headers {
        Json::Null => return Ok(BTreeMap::new()),
        Json::Object(map) if map.len() <= ANSWER_HEADERS_MAX => map,
        Json::Object(map) => {
            return Err(format!("{} headers are too many; {ANSWER_HEADERS_MAX} is the most", map.len()));
        }
        other => return Err(format!("`headers` is a map of texts, not {}", short(other))),
    };
    let mut all = BTreeMap::new();
    for (name, value) in map {
        let lower = name.to_ascii_lowercase();
        header_name(&lower)?;
        let value = match value {
            Json::Null => continue,
            Json::String(text) => text.trim().to_owned(),
            Json::Number(number) => number.to_string(),
            Json::Bool(value) => value.to_string(),
            other => return Err(format!("the header `{lower}` is text, not {}", short(other))),
        };
        // Visible ASCII, spaces and tabs: no line break can end the header and begin another.
        if value.len() > HEADER_BYTES_MAX || !value.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) {
            return Err(format!(
                "the value of the header `{lower}` has characters that headers cannot have, or is too long"
            ));
        }
        if all.insert(lower.clone(), value).is_some() {
            return Err(format!("the header `{lower}` is given twice"));
        }
    }
    Ok(all)
}

/// Whether a workflow may set a header, by its name in lower case.
pub(crate) fn header_name(lower: &str) -> Result<(), String> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if lower.is_empty() || lower.len() > 100 || !lower.bytes().all(token) {
        return Err(format!("`{}` is not a header's name", lower.chars().take(60).collect::<String>().escape_debug()));
    }
    if RESERVED.contains(&lower) || lower.starts_with("proxy-") || lower.starts_with("sec-") {
        return Err(format!("the header `{lower}` is the engine's to set"));
    }
    Ok(())
}

/// What belongs to the connection, to the server, or to what browsers let the engine's address do (its pages for people
/// stand at the same one: a workflow sets no cookies there, and what it sends does not run as a page).
const RESERVED: &[&str] = &[
    "connection",
    "content-length",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "server",
    "date",
    "via",
    "alt-svc",
    "set-cookie",
    "content-security-policy",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "strict-transport-security",
    "clear-site-data",
    "service-worker-allowed",
];

fn short(value: &Json) -> String {
    value.to_string().chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_can_be_sent_as_they_are() {
        let fine =
            HttpAnswer::new(&json!("201"), &json!({"X-Kind": 7, "Location": " /a ", "x-none": null}), json!({"a": 1}));
        let headers = [("location", "/a"), ("x-kind", "7")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(fine, Ok(HttpAnswer { status: 201, headers: headers.into(), body: json!({"a": 1}) }));
        assert_eq!(HttpAnswer::new(&Json::Null, &Json::Null, Json::Null).map(|answer| answer.status), Ok(200));
        assert!(HttpAnswer::new(&json!(204), &Json::Null, Json::Null).is_ok());
    }

    #[test]
    fn what_cannot_be_an_answer_is_refused() {
        for status in [
            json!(99),
            json!(100),
            json!(199),
            json!(600),
            json!(-200),
            json!(200.5),
            json!("2xx"),
            json!(true),
            json!(70000),
        ] {
            assert!(HttpAnswer::new(&status, &Json::Null, Json::Null).is_err(), "{status}");
        }
        for headers in [
            json!([]),
            json!("x: y"),
            json!({"": "x"}),
            json!({"a b": "x"}),
            json!({"x\r\ny": "x"}),
            json!({"x": "a\r\nset-cookie: b"}),
            json!({"x": "a\u{0}"}),
            json!({"x": "ü"}),
            json!({"x": ["a"]}),
            json!({"x": "a".repeat(5000)}),
            json!({"A": "1", "a": "2"}),
            json!({"Content-Length": "3"}),
            json!({"Transfer-Encoding": "chunked"}),
            json!({"Connection": "close"}),
            json!({"Server": "x"}),
            json!({"Set-Cookie": "a=b"}),
            json!({"Content-Security-Policy": "x"}),
            json!({"Proxy-Authenticate": "x"}),
            (0..65).map(|n| (format!("x-{n}"), json!("y"))).collect::<Json>(),
        ] {
            assert!(HttpAnswer::new(&Json::Null, &headers, Json::Null).is_err(), "{headers}");
        }
        assert!(HttpAnswer::new(&json!(204), &Json::Null, json!("x")).is_err());
        assert!(HttpAnswer::new(&json!(200), &Json::Null, json!("x".repeat(ANSWER_BYTES_MAX + 1))).is_err());
    }
}
