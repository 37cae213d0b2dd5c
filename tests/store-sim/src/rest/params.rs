//! A request's parameters as WordPress merges them: JSON body over form body over query over the route's own
//! (so a body's `id` wins over the URL's) over defaults.

use serde_json::{Map, Value};

use super::RestError;
use super::route::Found;
use crate::wire::Request;

mod query;
pub use query::{read_pairs, wp_list};

/// The target of a request, taken apart.
pub(crate) struct Target<'a> {
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    /// `$_GET`
    pub(crate) get: Map<String, Value>,
}

impl<'a> Target<'a> {
    pub(crate) fn read(target: &'a str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self { path, query, get: read_pairs(query.as_bytes()) }
    }

    /// The REST route asked for; `None` when the target is a page of the shop.
    pub(crate) fn route(&self, _request: &Request) -> Option<String> {
        let raw = match self.get.get("rest_route").and_then(Value::as_str) {
            Some(route) => route,
            None => {
                let (_, rest) = self.path.split_once("/wp-json")?;
                if !rest.is_empty() && !rest.starts_with('/') {
                    return None;
                }
                rest
            }
        };
        let trimmed = raw.trim_end_matches('/');
        Some(if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() })
    }
}

/// The method after `?_method=` and `X-HTTP-Method-Override`.
pub(crate) fn method(request: &Request, target: &Target<'_>) -> String {
    let asked = target.get.get("_method").and_then(Value::as_str).or_else(|| request.header("x-http-method-override"));
    asked.unwrap_or(&request.method).to_ascii_uppercase()
}

/// Parameters by name.
#[derive(Debug, Clone, Default)]
pub struct Params {
    values: Map<String, Value>,
    defaults: Map<String, Value>,
}

impl Params {
    /// Parameters given as such: one item of a batch.
    pub fn of(values: Map<String, Value>) -> Self {
        Self { values, defaults: Map::new() }
    }

    /// All parameters of a request.
    pub(crate) fn read(request: &Request, target: &Target<'_>, found: &Found) -> Result<Self, RestError> {
        let mut values = found.values();
        values.extend(target.get.clone());
        values.remove("rest_route");
        let content_type = request.header("content-type").unwrap_or_default().to_ascii_lowercase();
        if content_type
            .split(';')
            .next()
            .is_some_and(|kind| kind.trim() == "application/json" || kind.trim().ends_with("+json"))
        {
            values.extend(json_body(&request.body)?);
        } else if content_type.starts_with("application/x-www-form-urlencoded") {
            values.extend(read_pairs(&request.body));
        }
        Ok(Self { values, defaults: Map::new() })
    }

    /// What the route and a query give.
    pub(crate) fn of_route(found: &Found, query: &str) -> Self {
        let mut values = found.values();
        values.extend(read_pairs(query.as_bytes()));
        Self::of(values)
    }

    /// A parameter or its default; JSON null counts as absent, as `get_param` has it with `isset`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.sent(name).filter(|value| !value.is_null()).or_else(|| self.defaults.get(name))
    }

    /// A parameter as it was sent, null included; no default.
    pub fn sent(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// A text parameter.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// A whole number, also from its text.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(to_int)
    }

    /// An id; 0 where it is none, as PHP's `(int)`.
    pub fn id(&self, name: &str) -> u64 {
        self.int(name).and_then(|id| u64::try_from(id).ok()).unwrap_or_default()
    }

    /// A boolean as WordPress reads it; false when absent.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(to_bool)
    }

    /// A list, also from `a,b` or `a b`; empty when absent.
    pub fn list(&self, name: &str) -> Vec<Value> {
        match self.get(name) {
            Some(Value::Array(items)) => items.clone(),
            Some(Value::Object(items)) => items.values().cloned().collect(),
            Some(value) => wp_list(value),
            None => Vec::new(),
        }
    }

    /// A list of ids.
    pub fn ids(&self, name: &str) -> Vec<u64> {
        self.list(name).iter().filter_map(to_int).filter_map(|id| u64::try_from(id).ok()).collect()
    }

    /// A list of texts.
    pub fn texts(&self, name: &str) -> Vec<String> {
        self.list(name).iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
    }

    /// Everything that was sent.
    pub fn all(&self) -> &Map<String, Value> {
        &self.values
    }

    /// Sets a parameter, as sanitizing does.
    pub fn set(&mut self, name: &str, value: Value) {
        self.values.insert(name.to_owned(), value);
    }

    /// Sets what holds when the parameter is absent.
    pub(crate) fn set_default(&mut self, name: &str, value: Value) {
        self.defaults.insert(name.to_owned(), value);
    }
}

/// A whole number, also from its text: `25`, `25.0`, `"25"`.
pub fn to_int(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.trim().parse().ok().or_else(|| whole(text.trim().parse().ok()?)),
        Value::Bool(flag) => Some(i64::from(*flag)),
        _ => None,
    }
}

/// The integer this is, if it is one that fits.
fn whole(number: f64) -> Option<i64> {
    const LARGEST: f64 = 9e15;
    #[expect(clippy::cast_possible_truncation, reason = "bounded and whole")]
    (number.fract() == 0.0 && number.abs() < LARGEST).then_some(number as i64)
}

/// PHP's `(int)`: the digits a text starts with, 0 for what is no number.
pub fn php_int(value: &Value) -> i64 {
    match value {
        Value::String(text) => {
            let text = text.trim_start();
            let sign = usize::from(text.starts_with(['-', '+']));
            let digits = text[sign..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |at| at + sign);
            text[..digits].parse().unwrap_or_default()
        }
        #[expect(clippy::cast_possible_truncation, reason = "PHP cuts as well")]
        Value::Number(number) => number.as_i64().unwrap_or_else(|| number.as_f64().unwrap_or_default() as i64),
        Value::Bool(flag) => i64::from(*flag),
        _ => 0,
    }
}

/// PHP's `(string)` of a scalar; nothing for the rest.
pub fn php_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(true) => "1".to_owned(),
        _ => String::new(),
    }
}

/// `rest_sanitize_boolean`.
pub fn to_bool(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => *flag,
        Value::Null => false,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !matches!(text.to_ascii_lowercase().as_str(), "" | "0" | "false"),
        Value::Array(items) => !items.is_empty(),
        Value::Object(items) => !items.is_empty(),
    }
}

/// The JSON body as parameters. An array's items are named by their position, as in PHP; a bare value gives none.
fn json_body(body: &[u8]) -> Result<Map<String, Value>, RestError> {
    const SYNTAX: (u8, &str) = (4, "Syntax error");
    const UTF8: (u8, &str) = (5, "Malformed UTF-8 characters, possibly incorrectly encoded");
    let invalid = |(code, message): (u8, &str)| {
        RestError::new("rest_invalid_json", "Invalid JSON body passed.", 400)
            .with("json_error_code", code)
            .with("json_error_message", message)
    };
    if body.is_empty() {
        return Ok(Map::new());
    }
    let text = std::str::from_utf8(body).map_err(|_| invalid(UTF8))?;
    Ok(match serde_json::from_str(text).map_err(|_| invalid(SYNTAX))? {
        Value::Object(values) => values,
        Value::Array(items) => items.into_iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect(),
        _ => Map::new(),
    })
}
