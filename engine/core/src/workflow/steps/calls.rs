//! Kinds of step that do something: `script`, `http`, `emit`.

use std::{sync::Arc, time::Duration};

use super::super::{
    CallStep, HttpStep, ParseBody, Script, StatusPattern, StepKind, Template, TextPart, check, codes,
    duration::parse_duration,
    node::{Node, Value, shorten},
    reader::{Fields, Reader},
    topic,
};
use crate::Json;

/// Largest script, inline or in a file.
pub const MAX_SCRIPT_BYTES: usize = 256 * 1024;

/// What one outbound call gets when nothing is said.
pub const DEFAULT_CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// What one outbound call can get at most.
pub const MAX_CALL_TIMEOUT: Duration = Duration::from_secs(600);

/// Values of `parse`.
pub(crate) const PARSE_WORDS: &[&str] = &["auto", "json", "text", "none"];

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

pub(crate) fn script(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<StepKind> {
    let node = fields.value("script")?;
    let Value::Scalar(scalar) = &node.value else {
        let message = format!("`script` must be text, but this is {}", node.describe());
        reader.error(codes::WRONG_TYPE, &node.span, message, "write `script: |` and the script below it, indented");
        return None;
    };
    if scalar.text.trim().is_empty() {
        let help = "write `script: |` and the script below it, indented; YAML takes what follows `#` as a comment";
        reader.error(codes::EMPTY_VALUE, &node.span, "`script` is empty", help);
        return None;
    }
    let text = scalar.text.trim();
    let names_file = !text.contains('\n') && text.ends_with(".rhai") && !text.contains(char::is_whitespace);
    let (source, file) = match names_file {
        false => (scalar.text.clone(), None),
        true => (script_file(reader, node, text)?, Some(text.to_owned())),
    };
    if source.len() > MAX_SCRIPT_BYTES {
        let message = format!("the script has {} bytes; a script may have {MAX_SCRIPT_BYTES}", source.len());
        reader.error(codes::TOO_LARGE, &node.span, message, "split it into several steps");
        return None;
    }
    Some(StepKind::Script(Script { source: source.into(), file, span: node.span.clone(), compiled: Arc::default() }))
}

fn script_file(reader: &mut Reader<'_>, node: &Node, name: &str) -> Option<String> {
    let inside = name.strip_prefix("./").is_some_and(|path| {
        path.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', ':', '\0']))
    });
    if !inside {
        let message = format!("`{}` cannot be used as a script file", shorten(name));
        reader.error(
            codes::SCRIPT_PATH,
            &node.span,
            message,
            "name a file beside the workflow or below it: `./scripts/score.rhai`",
        );
        return None;
    }
    match (reader.files)(name) {
        Ok(source) => {
            reader.scripts.insert(name.to_owned(), source.clone());
            Some(source)
        }
        Err(error) => {
            let message = format!("the script file `{}` cannot be read: {error}", shorten(name));
            reader.error(codes::SCRIPT_FILE, &node.span, message, "the path is relative to the workflow file");
            None
        }
    }
}

pub(crate) fn http(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<StepKind> {
    let call = fields.value("http").and_then(|node| http_call(reader, node));
    let mut template = |key: &str| fields.value(key).map(|node| (reader.template(node), node.span.clone()));
    let (headers, query, body, form) = (template("headers"), template("query"), template("body"), template("form"));
    for (key, value) in [("headers", &headers), ("query", &query), ("form", &form)] {
        if let Some((Template::Literal(json), span)) = value
            && !json.is_object()
        {
            reader.error(
                codes::WRONG_TYPE,
                span,
                format!("`{key}` must be a map"),
                "write `name: value` lines, indented below it",
            );
        }
    }
    if let (Some(_), Some((_, span))) = (&body, &form) {
        reader.error(
            codes::BAD_VALUE,
            span,
            "a call has either `body` or `form`, not both",
            "keep the one the receiver wants",
        );
    }
    let expect =
        fields.value("expect").map_or_else(|| vec![StatusPattern { from: 200, to: 299 }], |node| expect(reader, node));
    let parse = match fields.value("parse").map(|node| reader.word("`parse`", node, PARSE_WORDS, &[])) {
        Some(Some("json")) => ParseBody::Json,
        Some(Some("text")) => ParseBody::Text,
        Some(Some("none")) => ParseBody::None,
        _ => ParseBody::Auto,
    };
    let call_timeout = fields.value("timeout").and_then(call_timeout);
    let idempotent = fields.value("idempotent").and_then(|node| reader.boolean("`idempotent`", node));
    let (method, url) = call?;
    let harmless = matches!(method.as_str(), "GET" | "HEAD" | "PUT" | "DELETE" | "OPTIONS");
    Some(StepKind::Http(Box::new(HttpStep {
        method,
        url,
        headers: headers.map(|(template, _)| template),
        query: query.map(|(template, _)| template),
        body: body.map(|(template, _)| template),
        form: form.map(|(template, _)| template),
        call_timeout,
        expect,
        parse,
        idempotent: idempotent.unwrap_or(harmless),
    })))
}

/// The limit of one call: `timeout` ends the whole step, and one call of it may take as long where that is more than
/// calls get by themselves, so that it never gives up first.
fn call_timeout(node: &Node) -> Option<Duration> {
    let Value::Scalar(scalar) = &node.value else { return None };
    let timeout = parse_duration(&scalar.text).ok()?;
    (timeout > DEFAULT_CALL_TIMEOUT).then(|| timeout.min(MAX_CALL_TIMEOUT))
}

/// `METHOD URL`, where the address may hold expressions.
fn http_call(reader: &mut Reader<'_>, node: &Node) -> Option<(String, Template)> {
    const HELP: &str = "write the method and the address: `http: POST https://example.com/path`";
    let wrong = |reader: &mut Reader<'_>, message: String| {
        reader.error(codes::HTTP_CALL, &node.span, message, HELP);
        None
    };
    let mut parts = match reader.text_template("`http`", node)? {
        Template::Literal(Json::String(text)) => vec![TextPart::Literal(text)],
        Template::Text(parts) => parts,
        Template::Literal(_) => return None, // reported
        _ => return wrong(reader, "`http` lacks a method before the address".to_owned()),
    };
    let Some(TextPart::Literal(first)) = parts.first_mut() else {
        return wrong(reader, "`http` must begin with a method".to_owned());
    };
    let trimmed = first.trim_start();
    let (method, rest) = trimmed.split_once(char::is_whitespace).unwrap_or(("", trimmed));
    if method.is_empty() {
        return wrong(reader, format!("`{}` lacks a method before the address", shorten(trimmed)));
    }
    let upper = method.to_ascii_uppercase();
    if !METHODS.contains(&upper.as_str()) {
        return wrong(reader, format!("`{}` is not an HTTP method", shorten(method)));
    }
    *first = rest.trim_start().to_owned();
    if let Some(TextPart::Literal(last)) = parts.last_mut() {
        last.truncate(last.trim_end().len());
    }
    parts.retain(|part| !matches!(part, TextPart::Literal(text) if text.is_empty()));
    let url = match &parts[..] {
        [] => return wrong(reader, "`http` lacks an address after the method".to_owned()),
        [TextPart::Literal(url)] => Template::Literal(Json::String(url.clone())),
        [TextPart::Expression(expression)] => Template::Expression(expression.clone()),
        _ => Template::Text(parts),
    };
    if let Some(problem) = check::url_problem(&url) {
        return wrong(reader, problem);
    }
    Some((upper, url))
}

fn expect(reader: &mut Reader<'_>, node: &Node) -> Vec<StatusPattern> {
    let mut patterns = Vec::new();
    for (text, node) in reader.texts("`expect`", node) {
        let status = |text: &str| text.parse::<u16>().ok().filter(|status| (100..=599).contains(status));
        let class =
            text.strip_suffix("xx").and_then(|class| class.parse::<u16>().ok()).filter(|class| (1..=5).contains(class));
        let pattern = match (class, text.split_once('-')) {
            (Some(class), _) => Some((class * 100, class * 100 + 99)),
            (None, Some((from, to))) => status(from.trim()).zip(status(to.trim())).filter(|(from, to)| from <= to),
            (None, None) => status(&text).map(|status| (status, status)),
        };
        match pattern {
            Some((from, to)) => patterns.push(StatusPattern { from, to }),
            None => {
                let message = format!("`{}` is not a status", shorten(&text));
                reader.error(codes::STATUS, &node.span, message, "write `2xx`, `404` or `200-299`");
            }
        }
    }
    patterns
}

pub(crate) fn call(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<StepKind> {
    let with = fields.value("with").map(|node| {
        if !matches!(&node.value, Value::Scalar(scalar) if scalar.text.contains("${{")) {
            reader.entries("`with`", node);
        }
        reader.template(node)
    });
    let awaited = fields.value("await").and_then(|node| reader.boolean("`await`", node)).unwrap_or(true);
    let node = fields.value("call")?;
    let workflow = reader.text_template("`call`", node)?;
    if let Template::Literal(Json::String(text)) = &workflow
        && let Err(problem) = text.parse::<crate::id::WorkflowId>()
    {
        reader.error(
            codes::BAD_VALUE,
            &node.span,
            problem.to_string(),
            "it is the file's path below the workflows folder",
        );
        return None;
    }
    let with = with.unwrap_or_else(|| Template::Literal(Json::Object(serde_json::Map::new())));
    Some(StepKind::Call(CallStep { workflow, with, awaited }))
}

pub(crate) fn emit(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<StepKind> {
    let data = fields.value("data").map(|node| reader.template(node));
    let node = fields.value("emit")?;
    let topic = reader.text_template("`emit`", node)?;
    if let Template::Literal(Json::String(text)) = &topic
        && let Err(message) = topic::check_topic(text)
    {
        reader.error(codes::TOPIC, &node.span, message, "topics look like `stock.low`");
        return None;
    }
    Some(StepKind::Emit {
        topic,
        data: data.unwrap_or_else(|| Template::Literal(Json::Object(serde_json::Map::new()))),
    })
}
