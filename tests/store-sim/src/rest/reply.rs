//! The answer: headers as recorded, `_fields`, `_envelope`, HEAD, and JSON as PHP writes it.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::params::Target;
use super::{Ctx, Outcome};
use crate::wire::Response;

/// What a handler gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// 200 or 201.
    pub status: u16,
    /// Besides the usual: `Location`, `X-WP-Total`, `Link`.
    pub headers: Vec<(&'static str, String)>,
    /// An object, or a list of them, with their `_links`.
    pub body: Value,
    /// Nothing may be done with it any more: there is no `Allow`.
    pub gone: bool,
}

impl Reply {
    /// 200 with this body.
    pub fn ok(body: Value) -> Self {
        Self { status: 200, headers: Vec::new(), body, gone: false }
    }

    /// 201 with this body and where it is: the address of a route.
    pub fn created(body: Value, location: String) -> Self {
        Self { status: 201, headers: vec![("Location", location)], body, gone: false }
    }
}

/// Puts the answer together.
pub(crate) fn dress(ctx: &Ctx<'_>, target: &Target<'_>, method: &str, outcome: Outcome) -> Response {
    let (mut status, mut own, mut body, failed) = match outcome.result {
        Ok(reply) => (reply.status, reply.headers, reply.body, false),
        Err(error) => (error.status, Vec::new(), error.body(), true),
    };
    if let Some(allow) = outcome.allow.filter(|allow| !allow.is_empty()) {
        own.push(("Allow", allow));
    }
    if let (Some(fields), false) = (target.get.get("_fields"), failed) {
        body = only_fields(body, fields);
    }
    if target.get.contains_key("_envelope") {
        let headers: Map<String, Value> = own.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        body = json!({"body": body, "status": status, "headers": headers});
        own.clear();
        status = 200;
    }
    let body = if method == "HEAD" { Vec::new() } else { php_json(&body).into_bytes() };
    Response { status, headers: headers(ctx, &own, method == "GET"), body }
}

/// What every REST answer carries, and what this one adds. A page link replaces the API's own.
fn headers(ctx: &Ctx<'_>, own: &[(&'static str, String)], get: bool) -> Vec<(String, String)> {
    let mut headers = vec![
        ("X-Powered-By".to_owned(), "PHP/8.2.35".to_owned()),
        ("Content-Type".to_owned(), "application/json; charset=UTF-8".to_owned()),
        ("X-Robots-Tag".to_owned(), "noindex".to_owned()),
    ];
    if !own.iter().any(|(name, _)| *name == "Link") {
        headers.push(("Link".to_owned(), format!("<{}>; rel=\"https://api.w.org/\"", ctx.rest_url("/"))));
    }
    let mut add = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
    add("X-Content-Type-Options", "nosniff");
    add("Access-Control-Expose-Headers", "X-WP-Total, X-WP-TotalPages, Link");
    add("Access-Control-Allow-Headers", "Authorization, X-WP-Nonce, Content-Disposition, Content-MD5, Content-Type");
    for (name, value) in own {
        add(name, value);
    }
    if ctx.user.is_some() {
        add("Expires", "Wed, 11 Jan 1984 05:00:00 GMT");
        add("Cache-Control", "no-cache, must-revalidate, max-age=0, no-store, private");
    } else if get {
        add("Vary", "Origin");
    }
    headers
}

/// A page of the shop that is not REST: its home page, or WordPress's 404.
pub(crate) fn not_rest(target: &Target<'_>) -> Response {
    let home = matches!(target.path, "/" | "/index.php" | "/wp-cron.php");
    let body = if target.path == "/wp-cron.php" { "" } else { "<!DOCTYPE html><title>Look-alike store</title>" };
    Response {
        status: if home { 200 } else { 404 },
        headers: vec![("Content-Type".to_owned(), "text/html; charset=UTF-8".to_owned())],
        body: body.as_bytes().to_vec(),
    }
}

/// `_fields=id,name,billing.city`. The links of a single object stay, those of a list's items go: WordPress adds the
/// former after filtering.
fn only_fields(body: Value, fields: &Value) -> Value {
    let names: Vec<String> = match fields {
        Value::Array(items) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
        other => super::params::wp_list(other).iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
    };
    if names.is_empty() {
        return body;
    }
    let names: HashSet<&str> = names.iter().map(String::as_str).collect();
    match body {
        Value::Array(items) => items.into_iter().map(|item| filtered(item, &names, false)).collect(),
        single => filtered(single, &names, true),
    }
}

fn filtered(item: Value, names: &HashSet<&str>, keep_links: bool) -> Value {
    let Value::Object(fields) = item else {
        return item;
    };
    let keep = |(name, value): (String, Value)| {
        if names.contains(name.as_str()) || (keep_links && name == "_links") {
            return Some((name, value));
        }
        let inner: HashSet<&str> =
            names.iter().filter_map(|wanted| wanted.strip_prefix(name.as_str())?.strip_prefix('.')).collect();
        (!inner.is_empty()).then(|| (name, filtered(value, &inner, false)))
    };
    Value::Object(fields.into_iter().filter_map(keep).collect())
}

/// JSON as `wp_json_encode` writes it: `/` as `\/`, everything beyond ASCII as `\u` and four hex digits.
pub fn php_json(value: &Value) -> String {
    let plain = value.to_string();
    let mut text = String::with_capacity(plain.len() + plain.len() / 16);
    let mut units = [0_u16; 2];
    for c in plain.chars() {
        match c {
            '/' => text.push_str("\\/"),
            c if c.is_ascii() => text.push(c),
            c => {
                for unit in c.encode_utf16(&mut units) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_written_as_php_writes_it() {
        assert_eq!(php_json(&json!({"a": "x/\u{fc}\u{1f600}\""})), r#"{"a":"x\/\u00fc\ud83d\ude00\""}"#);
    }

    #[test]
    fn fields_keep_the_links_of_one_object_and_drop_those_of_a_list() {
        let item = json!({"id": 1, "name": "x", "billing": {"city": "B", "email": "e"}, "_links": {}});
        let fields = json!("id,billing.city");
        assert_eq!(only_fields(item.clone(), &fields), json!({"id": 1, "billing": {"city": "B"}, "_links": {}}));
        assert_eq!(only_fields(json!([item]), &fields), json!([{"id": 1, "billing": {"city": "B"}}]));
    }
}
