//! `http::*`: outbound calls. Every function gives one canonical map, the same that the `http` step gives.

use cartwright_core::{Json, call::CallKind};
use serde_json::{Map, json};

use super::{Answer, FunctionSpec, Prepared, millis, take, text};

const ANSWER: Answer = Answer::Engine { secrets: true };

pub(super) const FUNCTIONS: &[FunctionSpec] = &[
    FunctionSpec {
        name: "http::get",
        signature: "http::get(url, [options])",
        doc: "Fetches a page; gives #{status, headers, body}. Options: headers, query, timeout, expect, parse.",
        arguments: 1..=2,
        answer: ANSWER,
        prepare: without_body,
    },
    FunctionSpec {
        name: "http::post",
        signature: "http::post(url, [body], [options])",
        doc: "Sends a body. Options: headers, query, form, timeout, expect, parse, idempotent.",
        arguments: 1..=3,
        answer: ANSWER,
        prepare: with_body,
    },
    FunctionSpec {
        name: "http::put",
        signature: "http::put(url, [body], [options])",
        doc: "As http::post, with PUT.",
        arguments: 1..=3,
        answer: ANSWER,
        prepare: with_body,
    },
    FunctionSpec {
        name: "http::patch",
        signature: "http::patch(url, [body], [options])",
        doc: "As http::post, with PATCH.",
        arguments: 1..=3,
        answer: ANSWER,
        prepare: with_body,
    },
    FunctionSpec {
        name: "http::delete",
        signature: "http::delete(url, [body], [options])",
        doc: "As http::post, with DELETE.",
        arguments: 1..=3,
        answer: ANSWER,
        prepare: with_body,
    },
    FunctionSpec {
        name: "http::request",
        signature: "http::request(#{ method, url, headers, query, body, form, timeout, expect, parse, idempotent })",
        doc: "Any call, described by one map.",
        arguments: 1..=1,
        answer: ANSWER,
        prepare: |_, mut args| match take(&mut args, 0) {
            Json::Object(map) => canonical(map),
            _ => Err("give one map with at least method and url".into()),
        },
    },
];

fn without_body(name: &str, mut args: Vec<Json>) -> Result<Prepared, String> {
    let url = take(&mut args, 0);
    let options = take(&mut args, 1);
    request(name, url, Json::Null, options)
}

fn with_body(name: &str, mut args: Vec<Json>) -> Result<Prepared, String> {
    let url = take(&mut args, 0);
    let body = take(&mut args, 1);
    let options = take(&mut args, 2);
    request(name, url, body, options)
}

fn request(name: &str, url: Json, body: Json, options: Json) -> Result<Prepared, String> {
    let mut map = match options {
        Json::Null => Map::new(),
        Json::Object(map) => map,
        _ => return Err("options must be a map: #{ headers: #{ … } }".into()),
    };
    if map.contains_key("method") || map.contains_key("url") {
        return Err("options cannot set method or url; use http::request".into());
    }
    let method = name.rsplit("::").next().unwrap_or(name).to_ascii_uppercase();
    map.insert("method".into(), Json::String(method));
    map.insert("url".into(), url);
    if !body.is_null() {
        if map.contains_key("body") {
            return Err("give the body once".into());
        }
        map.insert("body".into(), body);
    }
    canonical(map)
}

/// Checks the map's keys and types and names its defaults.
fn canonical(mut map: Map<String, Json>) -> Result<Prepared, String> {
    let mut out = Map::new();
    let method = match map.remove("method") {
        None | Some(Json::Null) => "GET".to_owned(),
        Some(method) => text(method, "method")?.to_ascii_uppercase(),
    };
    if method.is_empty() || method.len() > 20 || !method.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err("method must be a word such as GET or POST".into());
    }
    let url = text(map.remove("url").unwrap_or_default(), "url")?;
    let idempotent = match map.remove("idempotent") {
        None | Some(Json::Null) => None,
        Some(Json::Bool(value)) => Some(value),
        Some(_) => return Err("idempotent must be true or false".into()),
    };
    for (key, value) in map {
        if value.is_null() {
            continue;
        }
        match key.as_str() {
            "headers" | "query" | "form" if !value.is_object() => return Err(format!("{key} must be a map")),
            "headers" | "query" | "form" | "body" => drop(out.insert(key, value)),
            "timeout" => drop(out.insert("timeout_ms".into(), millis(&value, "timeout")?.into())),
            "timeout_ms" => drop(out.insert(key, millis(&value, "timeout_ms")?.into())),
            "expect" => drop(out.insert(key, expect(value)?)),
            "parse" => match value.as_str() {
                Some("auto" | "json" | "text" | "none") => drop(out.insert(key, value)),
                _ => return Err("parse must be \"auto\", \"json\", \"text\" or \"none\"".into()),
            },
            _ => {
                let known = ["headers", "query", "body", "form", "timeout", "expect", "parse", "idempotent"];
                let hint = crate::source::path::suggest(&key, known.into_iter());
                return Err(format!("there is no option `{key}`{hint}"));
            }
        }
    }
    if out.contains_key("body") && out.contains_key("form") {
        return Err("give body or form, not both".into());
    }
    let repeatable = idempotent.unwrap_or(matches!(method.as_str(), "GET" | "HEAD" | "PUT" | "DELETE" | "OPTIONS"));
    let summary = format!("{method} {url}");
    out.insert("method".into(), method.into());
    out.insert("url".into(), url.into());
    Ok(Prepared { kind: CallKind::Outside { repeatable }, args: vec![Json::Object(out)], summary })
}

/// `2xx`, `404`, or a list of them, as a list of texts.
fn expect(value: Json) -> Result<Json, String> {
    let list = match value {
        Json::Array(list) => list,
        one => vec![one],
    };
    let one = |value: Json| {
        let text = match &value {
            Json::String(text) => text.clone(),
            Json::Number(number) => number.to_string(),
            _ => String::new(),
        };
        let digit = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
        let exact = text.len() == 3 && digit(0) && digit(1) && digit(2);
        let class = text.len() == 3 && digit(0) && text.ends_with("xx");
        let range = text
            .split_once('-')
            .is_some_and(|(a, b)| [a, b].iter().all(|n| n.len() == 3 && n.bytes().all(|b| b.is_ascii_digit())));
        if exact || class || range {
            Ok(json!(text))
        } else {
            Err("expect must be such as \"2xx\", 404 or \"200-204\"")
        }
    };
    Ok(Json::Array(list.into_iter().map(one).collect::<Result<_, _>>()?))
}
