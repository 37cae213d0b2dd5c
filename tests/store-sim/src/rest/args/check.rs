//! `rest_validate_value_from_schema` and `rest_sanitize_value_from_schema`, as far as WooCommerce's schemas go.

use serde_json::{Map, Number, Value, json};

use super::super::params::{to_bool, to_int, wp_list};
use super::Is;

/// What is wrong with one argument.
pub(super) struct Mistake {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) data: Value,
}

/// The first thing wrong with this value, named by its path: `line_items[0][quantity]`.
pub(super) fn mistake(is: Is, value: &Value, path: &str) -> Option<Mistake> {
    if !typed(is, value) {
        return Some(match is {
            Is::Moment if value.is_string() => plain("rest_invalid_date", "Invalid date."),
            Is::Email if value.is_string() => plain("rest_invalid_email", "Invalid email address."),
            _ => wrong_type(path, &type_name(is)),
        });
    }
    match is {
        Is::OneOf(names) => {
            let fits = value.as_str().is_some_and(|text| names.contains(&text));
            (!fits).then(|| plain("rest_not_in_enum", &format!("{path} is not one of {}.", listed(names))))
        }
        Is::IntBetween(low, high) => (!to_int(value).is_some_and(|number| (low..=high).contains(&number))).then(|| {
            plain("rest_out_of_bounds", &format!("{path} must be between {low} (inclusive) and {high} (inclusive)"))
        }),
        Is::IntFrom(low) => to_int(value)
            .is_none_or(|number| number < low)
            .then(|| plain("rest_out_of_bounds", &format!("{path} must be greater than or equal to {low}"))),
        Is::List(item) => {
            items(value).iter().enumerate().find_map(|(at, value)| mistake(*item, value, &format!("{path}[{at}]")))
        }
        Is::Object(args) => args.iter().find_map(|arg| match value.get(arg.name) {
            Some(value) => mistake(arg.is, value, &format!("{path}[{}]", arg.name)),
            None => arg
                .required
                .then(|| plain("rest_property_required", &format!("{} is a required property of {path}.", arg.name))),
        }),
        Is::Any(kinds) => kinds.iter().find(|kind| typed(**kind, value)).and_then(|kind| mistake(*kind, value, path)),
        _ => None,
    }
}

/// The value as its type: `"25"` becomes 25, null becomes the type's nothing.
pub(super) fn sanitized(is: Is, value: Value) -> Value {
    match is {
        Is::Int | Is::IntBetween(..) | Is::IntFrom(_) => json!(to_int(&value).unwrap_or_default()),
        Is::Number => match &value {
            Value::String(text) => text.trim().parse::<Number>().map_or(json!(0), Value::Number),
            Value::Number(_) => value,
            _ => json!(0),
        },
        Is::Flag => json!(to_bool(&value)),
        Is::Text | Is::OneOf(_) | Is::Email | Is::Uri if value.is_null() => json!(""),
        Is::List(item) => Value::Array(items(&value).into_iter().map(|value| sanitized(*item, value)).collect()),
        Is::Object(args) => match value {
            Value::Object(fields) => Value::Object(sanitized_fields(args, fields)),
            Value::Array(_) => value,
            _ => json!({}),
        },
        Is::Any(kinds) => match kinds.iter().find(|kind| typed(**kind, &value)) {
            Some(kind) => sanitized(*kind, value),
            None => value,
        },
        _ => value,
    }
}

fn sanitized_fields(args: &[super::Arg], fields: Map<String, Value>) -> Map<String, Value> {
    let clean = |(name, value): (String, Value)| match args.iter().find(|arg| arg.name == name) {
        Some(arg) => (name, sanitized(arg.is, value)),
        None => (name, value),
    };
    fields.into_iter().map(clean).collect()
}

fn typed(is: Is, value: &Value) -> bool {
    match is {
        Is::Text | Is::OneOf(_) | Is::Uri => value.is_string(),
        Is::Int | Is::IntBetween(..) | Is::IntFrom(_) => !value.is_boolean() && to_int(value).is_some(),
        Is::Number => value.is_number() || value.as_str().is_some_and(|text| text.trim().parse::<f64>().is_ok()),
        Is::Flag => boolean(value),
        Is::Moment => value.as_str().is_some_and(|text| crate::date::parse(text, 0).is_some()),
        Is::Email => value.as_str().is_some_and(email),
        // A text is taken apart at its commas; an object is a list only when PHP would have numbered its keys.
        Is::List(_) => !value.is_object() || value.as_object().is_some_and(Map::is_empty),
        Is::Object(_) => value.is_object() || value.is_array() || value.as_str() == Some(""),
        Is::Any(kinds) => kinds.iter().any(|kind| typed(*kind, value)),
        Is::Mixed => true,
    }
}

fn boolean(value: &Value) -> bool {
    match value {
        Value::Bool(_) => true,
        Value::Number(_) => matches!(to_int(value), Some(0 | 1)),
        Value::String(text) => matches!(text.to_ascii_lowercase().as_str(), "true" | "false" | "0" | "1" | ""),
        _ => false,
    }
}

/// `is_email`, roughly: one `@`, a name before it, a domain with a dot after it.
fn email(text: &str) -> bool {
    let domain_is_fine = |domain: &str| {
        domain.contains('.')
            && domain.split('.').all(|part| !part.is_empty())
            && domain.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
    };
    text.split_once('@')
        .is_some_and(|(name, domain)| !name.is_empty() && !name.contains(char::is_whitespace) && domain_is_fine(domain))
}

fn items(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        Value::Object(items) => items.values().cloned().collect(),
        other => wp_list(other),
    }
}

fn plain(code: &'static str, message: &str) -> Mistake {
    Mistake { code, message: message.to_owned(), data: Value::Null }
}

fn wrong_type(path: &str, name: &str) -> Mistake {
    let message = format!("{path} is not of type {name}.");
    Mistake { code: "rest_invalid_type", message, data: json!({"param": path}) }
}

fn type_name(is: Is) -> String {
    match is {
        Is::Text | Is::OneOf(_) | Is::Moment | Is::Email | Is::Uri => "string".to_owned(),
        Is::Int | Is::IntBetween(..) | Is::IntFrom(_) => "integer".to_owned(),
        Is::Number => "number".to_owned(),
        Is::Flag => "boolean".to_owned(),
        Is::List(_) => "array".to_owned(),
        Is::Object(_) => "object".to_owned(),
        Is::Any(kinds) => kinds.iter().map(|kind| type_name(*kind)).collect::<Vec<_>>().join(","),
        Is::Mixed => "mixed".to_owned(),
    }
}

/// `a, b, and c`
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first, second] => format!("{first} and {second}"),
        [head @ .., last] => format!("{}, and {last}", head.join(", ")),
    }
}
