//! The canonical map of a call becomes a request whose every part is valid. Messages name keys and headers, never
//! values: these may hold secrets.

use std::time::Duration;

use bytes::Bytes;
use cartwright_core::{Json, call::CallError};
use reqwest::{
    Method, Url,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT},
};
use serde_json::Map;

use super::{DEFAULT_TIMEOUT, MAX_HEADER_BYTES, MAX_HEADERS, MAX_TIMEOUT, OutboundRequest};

/// A request ready to be sent.
pub(super) struct Prepared {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
    pub(super) timeout: Duration,
    pub(super) expect: Vec<(u16, u16)>,
    pub(super) parse: Parse,
}

/// How the answer's body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parse {
    Auto,
    Json,
    Text,
    None,
}

impl Prepared {
    pub(super) fn expects(&self, status: u16) -> bool {
        self.expect.iter().any(|(from, to)| (*from..=*to).contains(&status))
    }
}

/// Set by the engine or by the connection; a workflow that set them could talk past the checks.
const OWN_HEADERS: [&str; 11] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "proxy-authorization",
    "proxy-connection",
];

const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

const KEYS: [&str; 9] = ["method", "url", "headers", "query", "body", "form", "timeout_ms", "expect", "parse"];

pub(super) fn prepare(request: &OutboundRequest, max_body_bytes: usize) -> Result<Prepared, CallError> {
    let Json::Object(spec) = &request.spec else {
        return Err(invalid("an HTTP call needs a map with `method` and `url`"));
    };
    if let Some(key) = spec.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let key: String = key.chars().take(40).collect();
        return Err(invalid(format!("an HTTP call has no `{key}`; it takes {}", KEYS.join(", "))));
    }
    let method = method(spec.get("method"))?;
    let url = url(spec)?;
    let mut headers = headers(spec.get("headers"))?;
    let body = body(spec, &mut headers)?;
    if body.as_ref().is_some_and(|body| body.len() > max_body_bytes) {
        return Err(CallError::r#final(
            "too_large",
            format!("the request's body is over {max_body_bytes} bytes; send less, or in parts"),
        ));
    }
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(concat!("Cartwright/", env!("CARGO_PKG_VERSION"))));
    if !headers.contains_key("idempotency-key") {
        let key = HeaderValue::from_str(&request.idempotency_key)
            .map_err(|_| invalid("the idempotency key is not a header value"))?;
        headers.insert(HeaderName::from_static("idempotency-key"), key);
    }
    let parse = match spec.get("parse").unwrap_or(&Json::Null) {
        Json::Null => Parse::Auto,
        Json::String(word) if word == "auto" => Parse::Auto,
        Json::String(word) if word == "json" => Parse::Json,
        Json::String(word) if word == "text" => Parse::Text,
        Json::String(word) if word == "none" => Parse::None,
        _ => return Err(invalid("`parse` is one of auto, json, text, none")),
    };
    Ok(Prepared {
        method,
        url,
        headers,
        body,
        timeout: timeout(spec.get("timeout_ms"))?,
        expect: expect(spec.get("expect"))?,
        parse,
    })
}

/// Whether this method may be used on this host and port.
pub(super) fn granted(prepared: &Prepared, request: &OutboundRequest) -> Result<(), CallError> {
    let host = prepared.url.host_str().ok_or_else(|| invalid("`url` has no host"))?;
    let port = prepared.url.port_or_known_default().ok_or_else(|| invalid("`url` has no port"))?;
    (request.allow)(prepared.method.as_str(), host, port).map_err(|why| CallError::r#final("denied", why))
}

pub(super) fn invalid(message: impl Into<String>) -> CallError {
    CallError::r#final("invalid", message)
}

fn method(value: Option<&Json>) -> Result<Method, CallError> {
    let text = match value {
        None | Some(Json::Null) => "GET",
        Some(Json::String(text)) => text,
        Some(_) => return Err(invalid("`method` must be text")),
    };
    METHODS
        .into_iter()
        .find(|method| method.as_str().eq_ignore_ascii_case(text))
        .ok_or_else(|| invalid("`method` is one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"))
}

fn url(spec: &Map<String, Json>) -> Result<Url, CallError> {
    let Some(Json::String(text)) = spec.get("url") else { return Err(invalid("`url` must be text")) };
    // The URL standard drops line breaks and tabs silently; here they are a mistake or an attack.
    if text.trim() != text || text.chars().any(char::is_control) {
        return Err(invalid("`url` holds spaces around it, line breaks or control characters"));
    }
    let mut url = Url::parse(text).map_err(|error| invalid(format!("`url` is not an address: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid("`url` must start with https:// or http://"));
    }
    url.set_fragment(None);
    match spec.get("query") {
        None | Some(Json::Null) => {}
        Some(Json::Object(query)) if query.is_empty() => {}
        Some(Json::Object(query)) => {
            let pairs = pairs(query, "query")?;
            url.query_pairs_mut().extend_pairs(pairs);
        }
        Some(_) => return Err(invalid("`query` must be a map")),
    }
    Ok(url)
}

/// A map of texts, numbers, bools or lists of them; `null` leaves a key out.
fn pairs(map: &Map<String, Json>, what: &str) -> Result<Vec<(String, String)>, CallError> {
    let mut pairs = Vec::with_capacity(map.len());
    for (key, value) in map {
        let items = match value {
            Json::Array(items) => items.as_slice(),
            single => std::slice::from_ref(single),
        };
        for item in items {
            match scalar(item) {
                Some(text) => pairs.push((key.clone(), text)),
                None if item.is_null() => {}
                None => return Err(invalid(format!("`{what}` takes texts, numbers, bools and lists of them"))),
            }
        }
    }
    Ok(pairs)
}

fn scalar(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(bool) => Some(bool.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

fn headers(value: Option<&Json>) -> Result<HeaderMap, CallError> {
    let map = match value {
        None | Some(Json::Null) => return Ok(HeaderMap::with_capacity(8)),
        Some(Json::Object(map)) => map,
        Some(_) => return Err(invalid("`headers` must be a map")),
    };
    let pairs = pairs(map, "headers")?;
    let bytes: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
    if pairs.len() > MAX_HEADERS || bytes > MAX_HEADER_BYTES {
        return Err(invalid(format!("too many headers: at most {MAX_HEADERS} with {MAX_HEADER_BYTES} bytes together")));
    }
    let mut headers = HeaderMap::with_capacity(pairs.len() + 4);
    for (name, value) in pairs {
        let Ok(header) = HeaderName::from_bytes(name.as_bytes()) else {
            return Err(invalid("a header's name may hold letters, digits and `-` only"));
        };
        if OWN_HEADERS.contains(&header.as_str()) {
            return Err(invalid(format!("the header `{header}` is set by the engine; leave it out")));
        }
        let value = HeaderValue::from_bytes(value.as_bytes())
            .map_err(|_| invalid(format!("the header `{header}` holds a line break or a control character")))?;
        headers.append(header, value);
    }
    Ok(headers)
}

fn body(spec: &Map<String, Json>, headers: &mut HeaderMap) -> Result<Option<Bytes>, CallError> {
    let given = |key: &str| spec.get(key).filter(|value| !value.is_null());
    let (bytes, content_type) = match (given("body"), given("form")) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(invalid("give `body` or `form`, not both")),
        (Some(Json::String(text)), None) => (Bytes::from(text.clone()), "text/plain; charset=utf-8"),
        (Some(json), None) => (Bytes::from(json.to_string()), "application/json"),
        (None, Some(Json::Object(form))) => {
            let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs(form, "form")?).finish();
            (Bytes::from(text), "application/x-www-form-urlencoded")
        }
        (None, Some(_)) => return Err(invalid("`form` must be a map")),
    };
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(content_type));
    Ok(Some(bytes))
}

fn timeout(value: Option<&Json>) -> Result<Duration, CallError> {
    let limit = u64::try_from(MAX_TIMEOUT.as_millis()).unwrap_or(u64::MAX);
    match value {
        None | Some(Json::Null) => Ok(DEFAULT_TIMEOUT),
        Some(value) => match value.as_u64() {
            Some(millis) if (1..=limit).contains(&millis) => Ok(Duration::from_millis(millis)),
            _ => Err(invalid("an HTTP call's timeout is between 1ms and 10m")),
        },
    }
}

fn expect(value: Option<&Json>) -> Result<Vec<(u16, u16)>, CallError> {
    let items = match value {
        None | Some(Json::Null) => return Ok(vec![(200, 299)]),
        Some(Json::Array(items)) => items.as_slice(),
        Some(single) => std::slice::from_ref(single),
    };
    let pattern = |item: &Json| {
        let text = scalar(item)?;
        let text = text.trim();
        if let Some(hundred) = text.strip_suffix("xx") {
            let hundred = hundred.parse::<u16>().ok().filter(|digit| (1..=5).contains(digit))? * 100;
            return Some((hundred, hundred + 99));
        }
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let (from, to) = (from.parse().ok()?, to.parse().ok()?);
        (from <= to && (100..=599).contains(&from) && to <= 599).then_some((from, to))
    };
    let bad = || invalid("`expect` is a status (404), a class (2xx), a range (200-204), or a list of these");
    let patterns: Option<Vec<_>> = items.iter().map(pattern).collect();
    patterns.filter(|patterns| !patterns.is_empty()).ok_or_else(bad)
}
