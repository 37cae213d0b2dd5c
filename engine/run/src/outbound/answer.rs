//! What came back, or did not: an answer becomes `{status, headers, body}` or an error, and a lost connection becomes
//! the most careful thing that can be said about it.

use std::{error::Error as _, time::Duration};

use cartwright_core::{
    Json,
    call::{CallError, ErrorClass},
};
use cartwright_woo::transport::TransportFailure;
use chrono::DateTime;
use reqwest::{
    Response,
    header::{CONTENT_TYPE, DATE, HeaderMap, LOCATION, RETRY_AFTER},
};
use serde_json::{Map, json};

use super::{
    MAX_HEADERS,
    address::DeniedAddress,
    spec::{Parse, Prepared},
};

/// Of an unexpected answer's body, shown in the error.
const MAX_SNIPPET_CHARS: usize = 200;
/// A longer wait than this is not honoured.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// Statuses by which the other side says that trying again may help.
const RETRYABLE_STATUSES: [u16; 8] = [408, 425, 429, 500, 502, 503, 504, 509];

/// Reads an answer that is not a redirect to follow.
pub(super) async fn read(
    response: Response,
    prepared: &Prepared,
    repeatable: bool,
    max_bytes: usize,
) -> Result<Json, CallError> {
    let status = response.status().as_u16();
    let expected = prepared.expects(status);
    let headers = response.headers().clone();
    let host = host_of(&prepared.url);
    let body = match body(response, max_bytes).await {
        Ok(body) => body,
        // The status alone says enough about an answer that is a failure anyway.
        Err(_) if !expected => Vec::new(),
        Err(BodyError::TooLarge) => {
            let message = format!(
                "{host} answered {status} with a body of more than {max_bytes} bytes; ask for less (a page, fewer fields)"
            );
            return Err(CallError { status: Some(status), ..CallError::r#final("too_large", message) });
        }
        Err(BodyError::Cut(error)) => {
            let error = lost(
                &error,
                &host,
                &format!("it had answered {status}, but the connection was lost before the body's end"),
                repeatable,
            );
            return Err(CallError { status: Some(status), ..error });
        }
    };
    if !expected {
        return Err(unexpected(status, &headers, &body, &host));
    }
    let body = parse(body, &headers, prepared.parse).map_err(|error| CallError { status: Some(status), ..error })?;
    Ok(json!({ "status": status, "headers": header_map(&headers), "body": body }))
}

pub(super) enum BodyError {
    TooLarge,
    Cut(reqwest::Error),
}

/// The whole body, read no further than the limit.
pub(super) async fn body(mut response: Response, max_bytes: usize) -> Result<Vec<u8>, BodyError> {
    let announced = response.content_length().unwrap_or(0);
    if announced > max_bytes as u64 {
        return Err(BodyError::TooLarge);
    }
    let mut body = Vec::with_capacity(usize::try_from(announced).unwrap_or(0));
    while let Some(chunk) = response.chunk().await.map_err(BodyError::Cut)? {
        if body.len() + chunk.len() > max_bytes {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn parse(body: Vec<u8>, headers: &HeaderMap, parse: Parse) -> Result<Json, CallError> {
    let is_json = || {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        essence == "application/json" || essence.ends_with("+json")
    };
    match parse {
        Parse::None => Ok(Json::Null),
        Parse::Json => serde_json::from_slice(&body).map_err(|error| {
            CallError::r#final(
                "invalid_answer",
                format!("the answer is not JSON ({error}); it begins: {}", snippet(&body)),
            )
        }),
        Parse::Auto if body.is_empty() => Ok(Json::Null),
        Parse::Auto if is_json() => Ok(serde_json::from_slice(&body).unwrap_or_else(|_| text(body))),
        Parse::Auto | Parse::Text => Ok(text(body)),
    }
}

fn text(body: Vec<u8>) -> Json {
    Json::String(String::from_utf8(body).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

fn header_map(headers: &HeaderMap) -> Map<String, Json> {
    let mut map = Map::new();
    for (name, value) in headers.iter().take(MAX_HEADERS) {
        let value = String::from_utf8_lossy(value.as_bytes());
        match map.get_mut(name.as_str()) {
            Some(Json::String(known)) => {
                known.push_str(", ");
                known.push_str(&value);
            }
            _ => {
                map.insert(name.as_str().to_owned(), Json::String(value.into_owned()));
            }
        }
    }
    map
}

fn unexpected(status: u16, headers: &HeaderMap, body: &[u8], host: &str) -> CallError {
    let mut message = format!("{host} answered {status}");
    if (300..400).contains(&status) && headers.contains_key(LOCATION) {
        message.push_str(", a redirect that is not followed for this method; use the new address");
    }
    let snippet = snippet(body);
    if !snippet.is_empty() {
        message.push_str(": ");
        message.push_str(&snippet);
    }
    let retryable = RETRYABLE_STATUSES.contains(&status);
    CallError {
        code: "status".into(),
        message,
        status: Some(status),
        class: if retryable { ErrorClass::Retryable } else { ErrorClass::Final },
        retry_after_ms: if retryable { retry_after(headers) } else { None },
    }
}

/// Seconds, or a date read against the answer's own `Date`, so that clocks need not agree.
fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let limit = u64::try_from(MAX_RETRY_AFTER.as_millis()).unwrap_or(u64::MAX);
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(seconds.saturating_mul(1000).min(limit));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?;
    let now = DateTime::parse_from_rfc2822(headers.get(DATE)?.to_str().ok()?).ok()?;
    let millis = (until - now).num_milliseconds().max(0);
    u64::try_from(millis).ok().map(|millis| millis.min(limit))
}

/// The start of a body on one line.
fn snippet(body: &[u8]) -> String {
    // Four bytes a character at most, so that a large body is not read as a whole.
    let head = &body[..body.len().min(MAX_SNIPPET_CHARS * 4)];
    let text = String::from_utf8_lossy(head);
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    let mut short: String = line.chars().take(MAX_SNIPPET_CHARS).collect();
    if short.len() < line.len() || head.len() < body.len() {
        short.push('…');
    }
    short
}

pub(super) fn host_of(url: &reqwest::Url) -> String {
    url.host_str().unwrap_or("the host").to_owned()
}

/// What a request that got no answer means.
pub(super) fn failed(error: &reqwest::Error, host: &str, repeatable: bool) -> CallError {
    if let Some(denied) = cause::<DeniedAddress>(error) {
        return CallError::r#final("denied", denied.to_string());
    }
    if error.is_connect() {
        // Nothing was sent: TCP or TLS never stood.
        return CallError::retryable("connection", format!("cannot connect to {host}: {}", reason(error)));
    }
    if error.is_builder() {
        return CallError::r#final("invalid", format!("the request to {host} cannot be made: {}", reason(error)));
    }
    lost(error, host, "the connection was lost after the request was sent, before an answer came", repeatable)
}

/// No answer in time.
pub(super) fn timed_out(host: &str, timeout: Duration, repeatable: bool) -> CallError {
    let message = format!("{host} gave no complete answer within {} ms", timeout.as_millis());
    maybe(CallError::retryable("timeout", message), repeatable)
}

/// The same as said by a test: no connection was there to look at.
pub(super) fn unanswered(failure: TransportFailure, host: &str, timeout: Duration, repeatable: bool) -> CallError {
    match failure {
        TransportFailure::Timeout => timed_out(host, timeout, repeatable),
        TransportFailure::Lost | TransportFailure::TooLarge | TransportFailure::NotHttp => {
            let what = "the connection was lost after the request was sent, before an answer came";
            maybe(CallError::retryable("connection", format!("{host}: {what}")), repeatable)
        }
        TransportFailure::Dns | TransportFailure::Denied | TransportFailure::Connect | TransportFailure::Tls => {
            CallError::retryable("connection", format!("cannot connect to {host}"))
        }
    }
}

fn lost(error: &reqwest::Error, host: &str, what: &str, repeatable: bool) -> CallError {
    maybe(CallError::retryable("connection", format!("{host}: {what} ({})", reason(error))), repeatable)
}

fn maybe(mut error: CallError, repeatable: bool) -> CallError {
    if !repeatable {
        error.class = ErrorClass::Unknown;
        error.message.push_str("; whether it took effect cannot be known from here: look at the receiver");
    }
    error
}

fn cause<T: std::error::Error + 'static>(error: &reqwest::Error) -> Option<&T> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        source = error.source();
    }
    None
}

/// The innermost cause; the outer ones only repeat the address, which may hold secrets.
fn reason(error: &reqwest::Error) -> String {
    let Some(mut inner) = error.source() else { return "no reason given".into() };
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
