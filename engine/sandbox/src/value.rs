//! Values: JSON in, Rhai's `Dynamic` inside, JSON out. Nothing is lost on the way: whole numbers are 64-bit integers,
//! every other number is an exact decimal, and a number that fits neither becomes a [`WideNumber`], which goes out as
//! it came in and refuses to be calculated with.

use std::sync::Arc;

use cartwright_core::Json;
use rhai::Dynamic;
use rust_decimal::Decimal;

use crate::{
    library::dates::{Date, Span},
    limits::{OUTPUT_MAX_DEPTH, SHOWN_MAX_CHARS},
    secret::Secret,
};

/// A number with more digits than a decimal holds (28), kept as its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WideNumber(pub(crate) Arc<str>);

/// What becomes of secrets in a value that leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrets {
    /// They go out as marks (http calls).
    Mark,
    /// They are an error.
    Refuse,
    /// They are shown as `[secret]` (log).
    Hide,
}

/// JSON as the evaluator's value.
pub(crate) fn from_json(json: &Json) -> Dynamic {
    match json {
        Json::Null => Dynamic::UNIT,
        Json::Bool(value) => Dynamic::from_bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(value) => Dynamic::from_int(value),
            None => number_from_text(&number.to_string()),
        },
        Json::String(text) => Dynamic::from(rhai::ImmutableString::from(text.as_str())),
        Json::Array(items) => Dynamic::from_array(items.iter().map(from_json).collect()),
        Json::Object(map) => {
            Dynamic::from_map(map.iter().map(|(key, value)| (key.as_str().into(), from_json(value))).collect())
        }
    }
}

fn number_from_text(text: &str) -> Dynamic {
    match exact_decimal(text) {
        Some(value) => Dynamic::from_decimal(value),
        None => Dynamic::from(WideNumber(text.into())),
    }
}

/// A decimal that is exactly what `text` says, in plain or scientific notation; `None` when there is none.
pub(crate) fn exact_decimal(text: &str) -> Option<Decimal> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let digits = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let well_formed = digits.bytes().any(|b| b.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && !digits.ends_with('.')
        && !digits.starts_with('.');
    if !well_formed {
        return None;
    }
    let value = Decimal::from_str_exact(mantissa).ok()?;
    if exponent == 0 {
        return Some(value);
    }
    if value.is_zero() {
        return Some(Decimal::ZERO);
    }
    let scale = i32::try_from(value.scale()).ok()?.checked_sub(exponent)?;
    if scale >= 0 {
        return Decimal::try_from_i128_with_scale(value.mantissa(), u32::try_from(scale).ok()?).ok();
    }
    let factor = 10i128.checked_pow(scale.unsigned_abs())?;
    Decimal::try_from_i128_with_scale(value.mantissa().checked_mul(factor)?, 0).ok()
}

/// A value as JSON, at most `max_bytes` of it. The error says what cannot be given out.
pub(crate) fn to_json(value: &Dynamic, secrets: Secrets, max_bytes: usize) -> Result<Json, String> {
    let mut left = max_bytes;
    convert(value, secrets, 0, &mut left).map_err(|problem| match problem {
        Problem::Size => format!("the value is larger than {max_bytes} bytes; keep less of it"),
        Problem::Text(text) => text,
    })
}

enum Problem {
    Size,
    Text(String),
}

fn convert(value: &Dynamic, secrets: Secrets, depth: usize, left: &mut usize) -> Result<Json, Problem> {
    if depth > OUTPUT_MAX_DEPTH {
        return Err(Problem::Text(format!("lists and maps are nested more than {OUTPUT_MAX_DEPTH} levels deep")));
    }
    let mut take = |bytes: usize| {
        *left = left.checked_sub(bytes).ok_or(Problem::Size)?;
        Ok(())
    };
    take(4)?;
    if value.is_shared() {
        return convert(&value.flatten_clone(), secrets, depth, left);
    }
    if value.is_unit() {
        return Ok(Json::Null);
    }
    if let Ok(flag) = value.as_bool() {
        return Ok(Json::Bool(flag));
    }
    if let Ok(number) = value.as_int() {
        return Ok(Json::from(number));
    }
    if let Ok(number) = value.as_decimal() {
        return Ok(number_to_json(&number.to_string()));
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        take(text.len())?;
        return Ok(Json::String(text.as_str().to_owned()));
    }
    if let Ok(letter) = value.as_char() {
        return Ok(Json::String(letter.to_string()));
    }
    if let Ok(items) = value.as_array_ref() {
        let items: Result<_, _> = items.iter().map(|item| convert(item, secrets, depth + 1, left)).collect();
        return Ok(Json::Array(items?));
    }
    if let Ok(map) = value.as_map_ref() {
        let mut out = serde_json::Map::new();
        for (key, value) in map.iter() {
            *left = left.checked_sub(key.len()).ok_or(Problem::Size)?;
            out.insert(key.to_string(), convert(value, secrets, depth + 1, left)?);
        }
        return Ok(Json::Object(out));
    }
    if let Some(number) = value.read_lock::<WideNumber>() {
        take(number.0.len())?;
        return Ok(number_to_json(&number.0));
    }
    if let Some(date) = value.read_lock::<Date>() {
        return Ok(Json::String(date.to_string()));
    }
    if let Some(span) = value.read_lock::<Span>() {
        return Ok(Json::String(span.to_string()));
    }
    if let Some(secret) = value.read_lock::<Secret>() {
        return match secrets {
            Secrets::Mark => {
                take(secret.text().len())?;
                Ok(Json::String(secret.text().to_owned()))
            }
            Secrets::Hide => Ok(Json::String("[secret]".into())),
            Secrets::Refuse => Err(Problem::Text(
                "a secret can be given only to http calls; it cannot be kept, compared or returned".into(),
            )),
        };
    }
    if value.is::<std::ops::Range<i64>>() || value.is::<std::ops::RangeInclusive<i64>>() {
        return Err(Problem::Text("a range cannot be given out; make a list of it with collect(range)".into()));
    }
    Err(Problem::Text(format!("{} cannot be given out", kind_of(value))))
}

/// Text that is a number, as a JSON number with the same digits.
fn number_to_json(text: &str) -> Json {
    text.parse::<serde_json::Number>().map_or_else(|_| Json::String(text.to_owned()), Json::Number)
}

/// What a value is, in words for people, with its article: `a number`, `a text`.
pub(crate) fn kind_of(value: &Dynamic) -> &'static str {
    if value.is_shared() {
        return kind_of(&value.flatten_clone());
    }
    if value.is_unit() {
        "()"
    } else if value.is_bool() {
        "true or false"
    } else if value.is_int() || value.is_decimal() {
        "a number"
    } else if value.is_string() || value.is_char() {
        "a text"
    } else if value.is_array() {
        "a list"
    } else if value.is_map() {
        "a map"
    } else if value.is_fnptr() {
        "a function"
    } else if value.is::<Date>() {
        "a date"
    } else if value.is::<Span>() {
        "a duration"
    } else if value.is::<Secret>() {
        "a secret"
    } else if value.is::<WideNumber>() {
        "a number with more digits than can be calculated with (28)"
    } else {
        "a range"
    }
}

/// As [`kind_of`], for JSON.
pub(crate) fn kind_of_json(value: &Json) -> &'static str {
    match value {
        Json::Null => "()",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "a map",
    }
}

/// A value as it reads inside text: nothing for `()`, maps and lists as JSON.
pub(crate) fn render(value: &Dynamic, secrets: Secrets, max_bytes: usize) -> Result<String, String> {
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(text.as_str().to_owned());
    }
    Ok(match to_json(value, secrets, max_bytes)? {
        Json::Null => String::new(),
        Json::String(text) => text,
        other => other.to_string(),
    })
}

/// A short form of a value for error messages.
pub(crate) fn shown(value: &Dynamic) -> String {
    let text = match to_json(value, Secrets::Hide, 10_000) {
        Ok(Json::Null) => return "()".into(),
        Ok(json) => json.to_string(),
        Err(_) => return kind_of(value).into(),
    };
    if text.chars().count() <= SHOWN_MAX_CHARS {
        return text;
    }
    text.chars().take(SHOWN_MAX_CHARS).chain(['…']).collect()
}
