//! Inputs: what a start by hand or by another workflow gives. Values as somebody gave them come in, typed values or
//! everything that is wrong with them go out. The declaration is `on.manual.inputs` (or the workflow key `inputs`, which
//! is the same); a run sees the typed values as `inputs`.

use std::{fmt, str::FromStr};

use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Map, Number};

use super::{Span, diagnostic::nearest, node::shorten};
use crate::{Json, evaluate::Prepared, time::Timestamp};

/// Most inputs of a workflow.
pub const MAX_INPUTS: usize = 50;
/// Longest text given for one input, in bytes.
pub const MAX_INPUT_TEXT_BYTES: usize = 64 * 1024;
/// Most problems that one reading tells.
const MAX_PROBLEMS: usize = 100;

/// One declared input.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = InputSpec))]
pub struct InputSpec {
    /// `inputs.NAME`
    pub name: String,
    /// What it takes.
    #[serde(rename = "type")]
    pub kind: InputKind,
    /// Whether it must be given.
    pub required: bool,
    /// What it is when it is not given; `null` where the file says nothing.
    #[cfg_attr(feature = "schema", schema(value_type = crate::Json))]
    pub default: Json,
    /// For people.
    pub description: Option<String>,
    /// The only values it takes; empty: any.
    #[cfg_attr(feature = "schema", schema(value_type = Vec<crate::Json>))]
    pub options: Vec<Json>,
    /// Where it stands in the file.
    #[serde(skip)]
    pub span: Span,
}

/// The types of inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = InputType))]
#[serde(rename_all = "snake_case")]
pub enum InputKind {
    /// Text.
    String,
    /// An exact decimal.
    Number,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A list.
    List,
    /// A map.
    Map,
    /// `2026-11-21` or an RFC 3339 time; stays text, for `date(…)`.
    Date,
}

impl InputKind {
    /// All of them, as the file writes them.
    pub const WORDS: [&'static str; 7] = ["string", "number", "integer", "boolean", "list", "map", "date"];

    /// The kind a word means.
    pub fn of(word: &str) -> Option<Self> {
        use InputKind::{Boolean, Date, Integer, List, Map, Number, String};
        let kinds = [String, Number, Integer, Boolean, List, Map, Date];
        Self::WORDS.iter().position(|known| *known == word).and_then(|at| kinds.get(at)).copied()
    }

    /// As the file writes it.
    pub fn word(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::String => "text",
            Self::Number => "a number such as 12.50",
            Self::Integer => "a whole number",
            Self::Boolean => "true or false",
            Self::List => "a list",
            Self::Map => "a map",
            Self::Date => "a date such as 2026-11-21 or 2026-11-21T07:00:00Z",
        }
    }

    /// A value as this type; text is read, nothing is rounded. `Err` says what is wrong, in words that follow the name.
    pub fn convert(self, given: &Json) -> Result<Json, String> {
        if let Json::String(text) = given
            && text.len() > MAX_INPUT_TEXT_BYTES
        {
            return Err(format!("has more than {MAX_INPUT_TEXT_BYTES} bytes"));
        }
        let wrong = || format!("must be {}, not {}", self.wanted(), told(given));
        match (self, given) {
            (Self::String, Json::String(_))
            | (Self::Boolean, Json::Bool(_))
            | (Self::List, Json::Array(_))
            | (Self::Map, Json::Object(_)) => Ok(given.clone()),
            (Self::Number, Json::Number(number)) => decimal(&number.to_string()).ok_or_else(wrong),
            (Self::Number, Json::String(text)) => decimal(text.trim()).ok_or_else(wrong),
            (Self::Integer, Json::Number(number)) => integer(&number.to_string()).ok_or_else(wrong),
            (Self::Integer, Json::String(text)) => integer(text.trim()).ok_or_else(wrong),
            (Self::Boolean, Json::String(text)) => text.trim().parse().map(Json::Bool).map_err(|_| wrong()),
            (Self::List, Json::String(text)) => parsed(text).filter(Json::is_array).ok_or_else(wrong),
            (Self::Map, Json::String(text)) => parsed(text).filter(Json::is_object).ok_or_else(wrong),
            (Self::Date, Json::String(text)) if is_date(text.trim()) => Ok(Json::from(text.trim())),
            _ => Err(wrong()),
        }
    }
}

/// What is wrong with one given value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The input; `None`: the values as a whole.
    pub name: Option<String>,
    /// In words for people.
    pub message: String,
    /// The name that was probably meant.
    pub did_you_mean: Option<String>,
}

impl Problem {
    fn whole(message: impl Into<String>) -> Self {
        Self { name: None, message: message.into(), did_you_mean: None }
    }

    fn of(name: &str, message: impl Into<String>) -> Self {
        Self { name: Some(name.to_owned()), message: message.into(), did_you_mean: None }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "input `{}` {}", shorten(name), self.message)?,
            None => f.write_str(&self.message)?,
        }
        self.did_you_mean.as_ref().map_or(Ok(()), |word| write!(f, "; did you mean `{word}`?"))
    }
}

/// All problems in one line.
pub fn in_one_line(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ")
}

/// Types what was given, a map or nothing, with defaults for what was not; an input that is neither is `null`. Everything
/// that is wrong is told at once. What it gives reads as itself: reading twice changes nothing.
pub fn read(spec: &[InputSpec], given: &Json) -> Result<Json, Vec<Problem>> {
    let empty = Map::new();
    let given = match given {
        Json::Null => &empty,
        Json::Object(map) => map,
        other => return Err(vec![Problem::whole(format!("inputs are a map, not {}", told(other)))]),
    };
    let mut problems: Vec<Problem> = given
        .keys()
        .filter(|name| spec.iter().all(|one| one.name != **name))
        .map(|name| Problem {
            did_you_mean: nearest(name, spec.iter().map(|one| one.name.as_str())).map(str::to_owned),
            ..Problem::of(name, unknown(spec))
        })
        .collect();
    let mut inputs = Map::new();
    for one in spec {
        match given.get(&one.name).filter(|value| !value.is_null()) {
            Some(value) => match one.check(value) {
                Ok(value) => drop(inputs.insert(one.name.clone(), value)),
                Err(message) => problems.push(Problem::of(&one.name, message)),
            },
            None if one.required && one.default.is_null() => problems.push(Problem::of(&one.name, "must be given")),
            None => drop(inputs.insert(one.name.clone(), one.default.clone())),
        }
    }
    problems.truncate(MAX_PROBLEMS);
    if problems.is_empty() { Ok(Json::Object(inputs)) } else { Err(problems) }
}

/// What a run sees that nobody gave inputs to, one that a schedule started: the defaults, `null` for the rest.
pub fn defaults(spec: &[InputSpec]) -> Json {
    spec.iter().map(|one| (one.name.clone(), one.default.clone())).collect()
}

/// The inputs of a run, from its event as expressions see it: what a start by hand (topic `manual`) or a `call` gave, else
/// the defaults. `None`: the workflow declares none.
pub fn of_event(spec: Option<&[InputSpec]>, event: &Prepared) -> Option<Result<Json, Vec<Problem>>> {
    let spec = spec?;
    Some(if are_given_by(event) {
        read(spec, event.json().get("data").unwrap_or(&Json::Null))
    } else {
        Ok(defaults(spec))
    })
}

/// Whether an event's data are inputs: a start by hand (topic `manual`), or a `call`.
pub fn are_given_by(event: &Prepared) -> bool {
    let member = |name| match event.descend(Some(name), None) {
        (value, 1) => Some(value),
        (whole, _) => whole.get(name),
    };
    match member("source").and_then(|source| source.get("kind")).and_then(Json::as_str) {
        Some("manual") => member("topic").and_then(Json::as_str) == Some(MANUAL_TOPIC),
        kind => kind == Some("call"),
    }
}

/// The topic of a start by hand whose data are inputs; another topic tries the workflow with the event of a trigger.
pub const MANUAL_TOPIC: &str = "manual";

impl InputSpec {
    /// A value as this input takes it.
    fn check(&self, given: &Json) -> Result<Json, String> {
        let value = self.kind.convert(given)?;
        if self.options.is_empty() || self.options.iter().any(|option| same(option, &value)) {
            return Ok(value);
        }
        let known: Vec<String> = self.options.iter().map(plain).collect();
        let meant = value.as_str().and_then(|text| nearest(text, known.iter().map(String::as_str)));
        let meant = meant.map(|word| format!("; did you mean `{word}`?")).unwrap_or_default();
        Err(format!("must be one of {}, not {}{meant}", known.join(", "), told(&value)))
    }
}

fn unknown(spec: &[InputSpec]) -> String {
    match spec {
        [] => "is not known: the workflow declares no inputs".to_owned(),
        _ => format!(
            "is not known; there are {}",
            spec.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// Numbers are the same when their values are: `12.5` is `12.50`.
pub(crate) fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => {
            Decimal::from_str(&a.to_string()).ok() == Decimal::from_str(&b.to_string()).ok()
        }
        _ => a == b,
    }
}

/// Exactly as written, as long as it can be calculated with: at most 28 digits, no exponent.
fn decimal(text: &str) -> Option<Json> {
    let body = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = body.split_once('.').unwrap_or((body, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || whole.len() > 1 && whole.starts_with('0') {
        return None;
    }
    Decimal::from_str_exact(text).ok()?;
    Number::from_str(text).ok().map(Json::Number)
}

fn integer(text: &str) -> Option<Json> {
    decimal(text).filter(|_| !text.contains('.')).and_then(|_| text.parse::<i64>().ok()).map(Json::from)
}

fn parsed(text: &str) -> Option<Json> {
    serde_json::from_str(text).ok()
}

fn is_date(text: &str) -> bool {
    let day = text.len() == 10 && chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok();
    day || Timestamp::parse(text).is_some()
}

fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value in an error: its kind, and what it is where that is short.
fn told(value: &Json) -> String {
    match value {
        Json::Null => "nothing".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Number(number) => shorten(&number.to_string()),
        Json::String(text) => format!("the text `{}`", shorten(text)),
        Json::Array(items) => format!("a list of {}", items.len()),
        Json::Object(_) => "a map".to_owned(),
    }
}

#[cfg(test)]
mod tests;
