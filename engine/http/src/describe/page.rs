//! `/docs`: the document as a page for people. Nothing runs in it and nothing is loaded from elsewhere.

use std::{fmt::Write as _, sync::LazyLock};

use axum::{
    extract::Request,
    http::{HeaderValue, header},
    response::{Html as HtmlAnswer, IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{DOCUMENT, operation::TAGS, unless_known};
use crate::status::html::Html;

const STYLE: &str = include_str!("page.css");
/// Fields of fields that are shown in place; deeper ones are named only.
const MAX_DEPTH: usize = 3;

static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = BASE64.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    policy.parse().expect("the policy is ASCII")
});

/// The page and its `ETag`.
static PAGE: LazyLock<(String, String)> = LazyLock::new(|| {
    let page = render(&serde_json::to_value(&*DOCUMENT).expect("texts and numbers always become JSON"));
    let tag = format!("\"{}\"", hex::encode(&Sha256::digest(&page)[..16]));
    (page, tag)
});

/// `GET /docs`
pub(super) async fn serve(request: Request) -> Response {
    let (page, tag) = &*PAGE;
    let mut answer = unless_known(request.headers(), tag, || HtmlAnswer(page.as_str()).into_response());
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// The page, for tests.
#[cfg(test)]
pub(super) fn text() -> &'static str {
    &PAGE.0
}

/// One operation with its address.
struct Shown<'a> {
    method: &'a str,
    path: &'a str,
    says: &'a Value,
}

impl Shown<'_> {
    fn id(&self) -> &str {
        word(&self.says["operationId"])
    }
}

fn render(document: &Value) -> String {
    let groups: Vec<(&str, &str, Vec<Shown<'_>>)> = TAGS
        .iter()
        .map(|(tag, says)| {
            (*tag, *says, operations(document).filter(|one| word(&one.says["tags"][0]) == *tag).collect())
        })
        .collect();
    let mut html = Html::default();
    html.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    html.raw("<title>API · Cartwright</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>").raw(STYLE);
    html.raw("</style>\n</head>\n<body>\n<nav aria-label=\"Contents\">\n<ul>\n");
    for (tag, _, all) in &groups {
        html.raw("<li><a href=\"#").text(anchor(tag)).raw("\">").text(tag).raw("</a><ul>");
        for one in all {
            html.raw("<li><a href=\"#").text(one.id()).raw("\">").text(word(&one.says["summary"])).raw("</a></li>");
        }
        html.raw("</ul></li>\n");
    }
    html.raw("</ul>\n</nav>\n<main>\n<h1>The API of Cartwright ")
        .text(word(&document["info"]["version"]))
        .raw("</h1>\n");
    prose(&mut html, word(&document["info"]["description"]));
    html.raw("<p>For programs: <a href=\"/openapi.json\">/openapi.json</a> (OpenAPI 3.1).</p>\n");
    for (tag, says, all) in &groups {
        html.raw("<h2 id=\"").text(anchor(tag)).raw("\">").text(tag).raw("</h2>\n<p>").text(says).raw("</p>\n");
        for one in all {
            section(&mut html, document, one);
        }
    }
    html.raw("</main>\n</body>\n</html>\n");
    html.into_page()
}

fn operations(document: &Value) -> impl Iterator<Item = Shown<'_>> {
    let paths = DOCUMENT.paths.paths.keys();
    // The typed document keeps the order in which routes are listed; a map of JSON does not.
    paths.flat_map(move |path| {
        let item = &document["paths"][path.as_str()];
        let methods = ["get", "post", "put", "delete"].into_iter();
        methods.filter_map(move |method| item.get(method).map(|says| Shown { method, path, says }))
    })
}

fn section(html: &mut Html, document: &Value, one: &Shown<'_>) {
    html.raw("<h3 id=\"").text(one.id()).raw("\"><a href=\"#").text(one.id()).raw("\">");
    html.text(word(&one.says["summary"])).raw("</a></h3>\n<p class=\"where\"><b>").text(one.method.to_uppercase());
    html.raw("</b> <code>").text(one.path).raw("</code></p>\n");
    prose(html, word(&one.says["description"]));
    let parameters = list(&one.says["parameters"]);
    if !parameters.is_empty() {
        html.raw("<h4>Parameters</h4>\n<dl>\n");
        for parameter in parameters {
            html.raw("<dt><code>").text(word(&parameter["name"])).raw("</code> <span class=\"kind\">");
            html.text(word(&parameter["in"]))
                .raw(", ")
                .text(kind(document, &parameter["schema"]))
                .raw("</span></dt>\n<dd>");
            inline(html, word(&parameter["description"]));
            html.raw("</dd>\n");
        }
        html.raw("</dl>\n");
    }
    if let Some(content) = one.says["requestBody"]["content"].as_object() {
        for (media, content) in content {
            html.raw("<h4>Body</h4>\n<p class=\"kind\">").text(media).raw("</p>\n");
            fields(html, document, &content["schema"], 0);
        }
    }
    html.raw("<h4>Example</h4>\n<pre>").text(example(one)).raw("</pre>\n");
    answers(html, document, one.says);
}

fn answers(html: &mut Html, document: &Value, says: &Value) {
    let Some(all) = says["responses"].as_object() else { return };
    let (good, bad): (Vec<_>, Vec<_>) = all.iter().partition(|(status, _)| status.starts_with(['2', '3']));
    html.raw("<h4>Answers</h4>\n");
    for (status, response) in good {
        html.raw("<p><b>").text(status).raw("</b> ");
        inline(html, word(&response["description"]));
        html.raw("</p>\n");
        for content in response["content"].as_object().into_iter().flat_map(|map| map.values()) {
            fields(html, document, &content["schema"], 0);
        }
    }
    if bad.is_empty() {
        return;
    }
    html.raw("<details><summary>Refusals</summary>\n<dl>\n");
    for (status, response) in bad {
        html.raw("<dt><b>").text(status).raw("</b></dt>\n");
        for line in word(&response["description"]).lines() {
            html.raw("<dd>");
            inline(html, line.trim_start_matches("- "));
            html.raw("</dd>\n");
        }
    }
    html.raw("</dl></details>\n");
}

/// The fields of a schema, and of those in it.
fn fields(html: &mut Html, document: &Value, schema: &Value, depth: usize) {
    let schema = resolve(document, schema);
    let parts = ["allOf", "oneOf"].into_iter().flat_map(|key| list(&schema[key]));
    for part in parts {
        fields(html, document, part, depth);
    }
    if schema["items"].is_object() {
        return fields(html, document, &schema["items"], depth);
    }
    let Some(properties) = schema["properties"].as_object() else { return };
    if depth >= MAX_DEPTH {
        return;
    }
    html.raw("<dl>\n");
    for (name, inner) in properties {
        html.raw("<dt><code>")
            .text(name)
            .raw("</code> <span class=\"kind\">")
            .text(kind(document, inner))
            .raw("</span></dt>\n<dd>");
        inline(html, first_line(document, inner));
        fields(html, document, inner, depth + 1);
        html.raw("</dd>\n");
    }
    html.raw("</dl>\n");
}

fn first_line<'a>(document: &'a Value, schema: &'a Value) -> &'a str {
    match word(&schema["description"]) {
        "" => word(&resolve(document, schema)["description"]),
        own => own,
    }
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str().and_then(|text| text.rsplit('/').next()) {
        Some(name) => &document["components"]["schemas"][name],
        None => schema,
    }
}

/// What a value is, in a few words: `text`, `integer 1…500`, `list of RunRow`, `queued | running`.
fn kind(document: &Value, schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|text| text.rsplit('/').next()) {
        let whole = resolve(document, schema);
        return if whole["enum"].is_array() { kind(document, whole) } else { name.to_owned() };
    }
    let either = ["oneOf", "anyOf"].into_iter().flat_map(|key| list(&schema[key])).map(|one| kind(document, one));
    let either: Vec<String> = either.collect();
    if !either.is_empty() {
        return either.join(" or ");
    }
    if let Some(all) = schema["enum"].as_array() {
        return all.iter().map(word).collect::<Vec<_>>().join(" | ");
    }
    let mut text = match &schema["type"] {
        Value::Array(all) => all.iter().map(word).collect::<Vec<_>>().join(" or "),
        Value::String(one) if one == "array" => format!("list of {}", kind(document, &schema["items"])),
        Value::String(one) => one.clone(),
        _ => "any JSON".to_owned(),
    };
    let (from, to) = (&schema["minimum"], &schema["maximum"]);
    if from.is_number() || to.is_number() {
        let shown = |value: &Value| if value.is_number() { value.to_string() } else { String::new() };
        // Writing to a String cannot fail.
        let _ = write!(text, " {}…{}", shown(from), shown(to));
    }
    text
}

/// A request as people try it.
fn example(one: &Shown<'_>) -> String {
    let mut text = String::from("curl");
    if one.method != "get" {
        text.push_str(" -X ");
        text.push_str(&one.method.to_uppercase());
    }
    if !list(&one.says["security"]).is_empty() {
        text.push_str(" -H \"Authorization: Bearer $CARTWRIGHT_TOKEN\"");
    }
    if let Some(example) = one.says["requestBody"]["content"]["application/json"].get("example") {
        let _ = write!(text, " \\\n  -d '{example}'");
    }
    let _ = write!(text, " \\\n  http://127.0.0.1:8080{}", one.path);
    text
}

/// Paragraphs and lists of what descriptions hold of Markdown.
fn prose(html: &mut Html, text: &str) {
    for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
        if paragraph.starts_with("- ") {
            html.raw("<ul>\n");
            for line in paragraph.split("\n- ") {
                html.raw("<li>");
                inline(html, line.trim_start_matches("- "));
                html.raw("</li>\n");
            }
            html.raw("</ul>\n");
        } else {
            html.raw("<p>");
            inline(html, paragraph);
            html.raw("</p>\n");
        }
    }
}

/// Text with `code` in it.
fn inline(html: &mut Html, text: &str) {
    for (place, part) in text.split('`').enumerate() {
        if place % 2 == 1 {
            html.raw("<code>").text(part).raw("</code>");
        } else {
            html.text(part);
        }
    }
}

fn anchor(tag: &str) -> String {
    tag.replace(' ', "-")
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
