//! What an answer's body is: JSON, JSON with other text around it, nothing, or a page for people.
//!
//! WordPress writes JSON, but whatever else runs in the same PHP process may write too: notices and warnings before or
//! after it, a byte order mark, the HTML of a firewall instead of it.

use cartwright_core::Json;
use zeroize::Zeroizing;

use super::text;

/// Places at which JSON is looked for inside other text: each costs up to one pass over the body.
const STARTS_MAX: usize = 64;
/// Of what stood around the JSON, in characters.
const AROUND_CHARS_MAX: usize = 200;
/// Of a page, in bytes: its marks stand near its beginning.
const PAGE_BYTES_MAX: usize = 64 * 1024;

/// A body, read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reading {
    /// JSON, and what stood around it.
    Json {
        /// The document.
        value: Json,
        /// What was left out: the beginning, without tags.
        around: Option<String>,
    },
    /// Nothing.
    Empty,
    /// Anything else, most often HTML: the beginning.
    Page(String),
}

/// Reads a body. Never fails: what is not JSON is a page.
pub(super) fn read(body: &[u8]) -> Reading {
    let clean = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    if clean.is_empty() {
        return Reading::Empty;
    }
    if let Ok(value) = serde_json::from_slice(clean) {
        return Reading::Json { value, around: None };
    }
    let text = String::from_utf8_lossy(clean);
    if !is_page(&text)
        && let Some((value, start, end)) = document(&text)
    {
        let around = format!("{} {}", &text[..start], &text[end..]);
        return Reading::Json { value, around: Some(text::plain(&around, AROUND_CHARS_MAX)) };
    }
    let mut end = text.len().min(PAGE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Reading::Page(text[..end].to_owned())
}

/// Whole pages may hold JSON in their scripts, which is no answer.
fn is_page(text: &str) -> bool {
    const MARKS: [&str; 4] = ["<!doctype", "<html", "<head", "<?xml"];
    let begins = |mark: &&str| text.get(..mark.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(mark));
    MARKS.iter().any(begins)
}

/// The one JSON document in a text, with its place. Notices may hold brackets themselves (`on line [12]`), so one that
/// ends the text goes before one that begins it, and these before the longest.
fn document(text: &str) -> Option<(Json, usize, usize)> {
    let mut best: Option<(Json, usize, usize)> = None;
    let rank = |start: usize, end: usize| (end == text.len(), start == 0, end - start);
    let (mut from, mut starts) = (0, 0);
    while starts < STARTS_MAX
        && let Some(at) = text[from..].find(['{', '['])
    {
        let start = from + at;
        starts += 1;
        let mut stream = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Json>();
        let Some(Ok(value)) = stream.next() else {
            from = start + 1;
            continue;
        };
        let end = start + stream.byte_offset();
        if best.as_ref().is_none_or(|(_, s, e)| rank(start, end) > rank(*s, *e)) {
            best = Some((value, start, end));
        }
        from = end;
    }
    best
}

impl Reading {
    /// Takes credentials out of whatever may be shown.
    pub(super) fn hide(&mut self, forms: &[Zeroizing<String>]) {
        match self {
            Self::Json { value, around } => {
                if let Some(Json::String(message)) = value.get_mut("message") {
                    hide(message, forms);
                }
                around.iter_mut().for_each(|around| hide(around, forms));
            }
            Self::Page(page) => hide(page, forms),
            Self::Empty => {}
        }
    }

    /// The document and what stood around it.
    pub(super) fn into_body(self) -> (Json, Option<String>) {
        match self {
            Self::Json { value, around } => (value, around),
            Self::Empty | Self::Page(_) => (Json::Null, None),
        }
    }

    /// WooCommerce's error shape, where it is one.
    pub(super) fn rest_error(&self) -> Option<RestError> {
        match self {
            Self::Json { value, .. } => RestError::read(value),
            Self::Empty | Self::Page(_) => None,
        }
    }
}

/// Takes each of these out of a text.
pub(super) fn hide(text: &mut String, forms: &[Zeroizing<String>]) {
    for form in forms {
        if text.contains(form.as_str()) {
            *text = text.replace(form.as_str(), "[secret]");
        }
    }
}

/// `{"code", "message", "data"}`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RestError {
    /// `woocommerce_rest_cannot_view`.
    pub(super) code: String,
    /// For people, without tags.
    pub(super) message: String,
    /// `data.status`, or `data` itself where it is a number.
    pub(super) status: Option<u16>,
    /// `data.resource_id`: the object that is in the way.
    pub(super) resource_id: Option<u64>,
    /// `data.new_draft_order_id`: what a failed order left behind.
    pub(super) draft_order_id: Option<u64>,
    /// The parameters it complains about, with the reason where it says one.
    pub(super) params: Vec<String>,
}

/// Of parameters named in a message.
const PARAMS_MAX: usize = 8;
/// Of one message, in characters.
const MESSAGE_CHARS_MAX: usize = 500;

impl RestError {
    /// Reads it; `data` may be an object, an array, a number or null.
    pub(super) fn read(body: &Json) -> Option<Self> {
        let code = match body.get("code")? {
            Json::String(code) => code.clone(),
            Json::Number(code) => code.to_string(),
            _ => return None,
        };
        let message = text::plain(body.get("message")?.as_str()?, MESSAGE_CHARS_MAX);
        let data = body.get("data").unwrap_or(&Json::Null);
        let id = |name: &str| data.get(name).and_then(number);
        let status = number(data.get("status").unwrap_or(data)).and_then(|n| u16::try_from(n).ok());
        let (resource_id, draft_order_id) = (id("resource_id"), id("new_draft_order_id"));
        Some(Self { code, message, status, resource_id, draft_order_id, params: params(data.get("params")) })
    }
}

fn number(value: &Json) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// A map of names to reasons (`rest_invalid_param`) or a list of names (`rest_missing_callback_param`).
fn params(value: Option<&Json>) -> Vec<String> {
    let shown = |text: &str| text::plain(text, AROUND_CHARS_MAX);
    match value {
        Some(Json::Object(map)) => {
            let reason = |value: &Json| value.as_str().map(shown);
            map.iter().take(PARAMS_MAX).map(|(name, value)| reason(value).unwrap_or_else(|| shown(name))).collect()
        }
        Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).take(PARAMS_MAX).map(shown).collect(),
        _ => Vec::new(),
    }
}
