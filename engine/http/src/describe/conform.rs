//! Holds answers to the document: every answer that the door's tests see is checked here, so what no test of an address
//! looks at cannot drift from its description either.
//!
//! The document leaves room for fields that later versions add. Here there is none: a field that is not described fails.

use std::sync::LazyLock;

use axum::http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value};

use super::json;
use super::operation::SOMETIMES;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(json()).expect("JSON"));

/// Panics where an answer is not as the document says.
pub(crate) fn check(method: &str, path: &str, status: StatusCode, headers: &HeaderMap, body: &str) {
    let Some((template, item)) = find(path) else { return };
    let shown = format!("{method} {path} ({template}): {status} {body:.400}");
    // What a workflow says to a caller that waits is its own affair.
    if template == "/hooks/{path}" && headers.contains_key("cartwright-run") {
        return;
    }
    let Some(operation) = item.get(&method.to_lowercase()) else {
        assert!(!status.is_success() || method == "HEAD" || template == "/hooks/{path}", "not described: {shown}");
        return;
    };
    let Some(response) = operation["responses"].get(status.as_str()) else { panic!("no such answer: {shown}") };
    let described = response["headers"].as_object();
    for (name, _) in described.into_iter().flatten() {
        let sometimes = SOMETIMES.contains(&(status.as_u16(), name.as_str()));
        assert!(sometimes || headers.contains_key(name.as_str()), "without {name}: {shown}");
    }
    for name in ["retry-after", "idempotency-replayed", "allow", "www-authenticate"] {
        let is_described = described.is_some_and(|all| all.keys().any(|one| one.eq_ignore_ascii_case(name)));
        assert!(is_described || !headers.contains_key(name), "{name} is not described: {shown}");
    }
    let Some(content) = response["content"].as_object() else {
        return assert!(body.is_empty(), "a body where there is none: {shown}");
    };
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    let Some(media) = content.get(kind) else { panic!("as `{kind}`: {shown}") };
    if kind.ends_with("json") {
        let value: Value = serde_json::from_str(body).expect("JSON");
        if let Err(wrong) = fits(&media["schema"], &value) {
            panic!("{wrong}\n{shown}");
        }
    }
}

/// The path of the document that a request's path is one of; fixed words win over variables.
fn find(path: &str) -> Option<(&'static str, &'static Map<String, Value>)> {
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    let fits = paths.iter().filter(|(template, _)| is_one_of(path, template));
    let (template, item) =
        fits.max_by_key(|(template, _)| template.split(['{', '}']).step_by(2).map(str::len).sum::<usize>())?;
    Some((template, item.as_object().expect("an item")))
}

fn is_one_of(path: &str, template: &str) -> bool {
    let Some((before, after)) = template.split_once('{') else { return path == template };
    let after = after.split_once('}').map_or("", |(_, after)| after);
    if template.contains("/workflows/") || template.starts_with("/hooks/") {
        return path.len() > before.len() + after.len() && path.starts_with(before) && path.ends_with(after);
    }
    let (path, template): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), template.split('/').collect());
    path.len() == template.len()
        && path.iter().zip(&template).all(|(a, b)| a == b || b.starts_with('{') && !a.is_empty())
}

/// Whether a value is as a schema says, with every field described. Knows the words of JSON Schema that the document uses;
/// another one is a panic, never a yes.
fn fits(schema: &Value, value: &Value) -> Result<(), String> {
    let described = part(schema, value)?;
    let surprise = value.as_object().and_then(|map| map.keys().find(|key| !described.contains(key)));
    match surprise {
        Some(key) if !described.any => Err(format!("`{key}` is not described")),
        _ => Ok(()),
    }
}

/// The fields that a schema describes.
#[derive(Default)]
struct Described {
    names: Vec<String>,
    any: bool,
}

impl Described {
    fn contains(&self, key: &str) -> bool {
        self.names.iter().any(|name| name == key)
    }

    fn and(&mut self, other: Self) {
        self.names.extend(other.names);
        self.any |= other.any;
    }
}

/// Whether a value is as a schema says, which may be a part of another one that describes more fields.
fn part(schema: &Value, value: &Value) -> Result<Described, String> {
    let schema = schema.as_object().expect("a schema is a map");
    let mut described = Described {
        any: !["properties", "$ref", "allOf", "oneOf"].iter().any(|key| schema.contains_key(*key)),
        ..Described::default()
    };
    for (word, says) in schema {
        match word.as_str() {
            "additionalProperties" => described.any |= *says != Value::Bool(false),
            // Keys are text anyhow.
            "propertyNames" if *says == serde_json::json!({ "type": "string" }) => {}
            "description" | "title" | "examples" | "example" | "default" | "format" => {}
            "$ref" => {
                let name = says.as_str().and_then(|text| text.rsplit('/').next()).expect("a reference");
                described.and(part(&DOCUMENT["components"]["schemas"][name], value)?);
            }
            "allOf" => {
                for one in says.as_array().expect("a list") {
                    described.and(part(one, value)?);
                }
            }
            "oneOf" => described.and(one_of(says.as_array().expect("a list"), value)?),
            "properties" => {
                for (name, inner) in says.as_object().expect("a map") {
                    if let Some(value) = value.get(name) {
                        fits(inner, value).map_err(|wrong| format!("{name}: {wrong}"))?;
                    }
                    described.names.push(name.clone());
                }
            }
            "items" if says.is_object() => {
                for (index, value) in value.as_array().into_iter().flatten().enumerate() {
                    fits(says, value).map_err(|wrong| format!("[{index}]: {wrong}"))?;
                }
            }
            word => simple(word, says, value)?,
        }
    }
    Ok(described)
}

/// Exactly one must fit, described fields aside.
fn one_of(all: &[Value], value: &Value) -> Result<Described, String> {
    let mut tried: Vec<_> = all.iter().map(|one| part(one, value)).collect();
    match tried.iter().filter(|one| one.is_ok()).count() {
        1 => tried.remove(tried.iter().position(Result::is_ok).unwrap_or_default()),
        count => {
            let wrong: Vec<String> = tried.into_iter().filter_map(Result::err).collect();
            Err(format!("fits {count} of {}: {}", all.len(), wrong.join("; ")))
        }
    }
}

/// Words about a value alone.
fn simple(word: &str, says: &Value, value: &Value) -> Result<(), String> {
    let length = || value.as_str().map(|text| text.chars().count()).or_else(|| value.as_array().map(Vec::len));
    let number = |value: &Value| value.as_f64();
    let fine = match word {
        "type" => match says {
            Value::Array(kinds) => kinds.iter().any(|kind| is_a(kind, value)),
            kind => is_a(kind, value),
        },
        "enum" => says.as_array().is_some_and(|all| all.contains(value)),
        "required" => {
            let names = says.as_array().into_iter().flatten().filter_map(Value::as_str);
            !value.is_object() || names.into_iter().all(|name| value.get(name).is_some())
        }
        "pattern" => value
            .as_str()
            .is_none_or(|text| regex::Regex::new(says.as_str().expect("text")).expect("a pattern").is_match(text)),
        "minLength" | "minItems" => length().is_none_or(|length| length as u64 >= says.as_u64().expect("a number")),
        "maxLength" | "maxItems" => length().is_none_or(|length| length as u64 <= says.as_u64().expect("a number")),
        "minimum" => number(value).is_none_or(|it| it >= number(says).expect("a number")),
        "maximum" => number(value).is_none_or(|it| it <= number(says).expect("a number")),
        // Pairs: `prefixItems` with `items: false`.
        "items" => true,
        "prefixItems" => {
            let (kinds, values) = (says.as_array().expect("a list"), value.as_array().map_or(&[][..], Vec::as_slice));
            kinds.len() == values.len() && kinds.iter().zip(values).all(|(kind, value)| fits(kind, value).is_ok())
        }
        other => panic!("teach conform.rs the word `{other}`: {says}"),
    };
    if fine { Ok(()) } else { Err(format!("{value:.200} is not {word} {says:.200}")) }
}

fn is_a(kind: &Value, value: &Value) -> bool {
    match kind.as_str().expect("a type's name") {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("no such type: {other}"),
    }
}

#[test]
#[should_panic(expected = "surprise")]
fn a_field_that_is_not_described_fails() {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, "application/json".parse().expect("a value"));
    let body = serde_json::json!({ "items": [{ "name": "ada", "roles": [], "created": "2026-11-21T07:00:00.000Z", "surprise": 1 }], "next": null });
    check("GET", "/api/v1/users", StatusCode::OK, &headers, &body.to_string());
}

#[test]
#[should_panic(expected = "no such answer")]
fn a_status_that_is_not_described_fails() {
    check("GET", "/api/v1/users", StatusCode::IM_A_TEAPOT, &HeaderMap::new(), "");
}
