//! The answers that come instead of the shop's.

use serde_json::{Value, json};

use crate::{Request, Response, Shop};

const JSON: &str = "application/json; charset=UTF-8";
const HTML: &str = "text/html; charset=UTF-8";
/// What WordPress sends where nothing may be kept.
const NO_CACHE: &str = "no-cache, must-revalidate, max-age=0, no-store, private";

fn response(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Response {
    Response { status, headers: vec![("Content-Type".to_owned(), kind.to_owned())], body: body.into() }
}

fn with(mut response: Response, name: &str, value: impl Into<String>) -> Response {
    response.headers.push((name.to_owned(), value.into()));
    response
}

/// The part of a target that is the API's, whatever folder the shop is in: `/wp-json/wc/v3/products`.
pub(super) fn rest_path(target: &str) -> Option<&str> {
    let path = target.split('?').next().unwrap_or_default();
    path.find("/wp-json").map(|at| &path[at..])
}

/// A page for people.
pub(super) fn html(status: u16, text: &str) -> Response {
    let page =
        format!("<!DOCTYPE html>\n<html><head><title>{text}</title></head><body><h1>{text}</h1></body></html>\n");
    response(status, HTML, page)
}

/// What WordPress answers when PHP died and it still could.
pub(super) fn fatal_json() -> Response {
    let body = json!({
        "code": "internal_server_error",
        "message": "<p>A critical error ended this request.</p>",
        "data": { "status": 500 },
        "additional_errors": [],
    });
    with(response(500, JSON, body.to_string()), "Cache-Control", NO_CACHE)
}

/// PHP died before WordPress was up.
pub(super) fn empty_error() -> Response {
    response(500, HTML, "")
}

/// An update is being installed.
pub(super) fn maintenance(request: &Request, retry_after_secs: u64) -> Response {
    let text = "Unavailable for maintenance. Come back in a minute.";
    let wants_json = request.header("accept").is_some_and(|accept| accept.contains("application/json"));
    let page = if wants_json {
        let body = json!({ "code": "wp_die", "message": text, "data": { "status": 503 }, "additional_errors": [] });
        response(503, JSON, body.to_string())
    } else {
        html(503, text)
    };
    with(with(page, "Cache-Control", NO_CACHE), "Retry-After", retry_after_secs.to_string())
}

/// A host's limit.
pub(super) fn too_many(retry_after_secs: Option<u64>) -> Response {
    let page = html(429, "Too many requests.");
    match retry_after_secs {
        Some(seconds) => with(page, "Retry-After", seconds.to_string()),
        None => page,
    }
}

/// WordPress is there, WooCommerce's routes are not.
pub(super) fn deactivated(shop: &Shop, request: Request) -> Response {
    match rest_path(&request.target) {
        Some(path) if path.starts_with("/wp-json/wc") => {}
        Some(path) if path.trim_end_matches('/') == "/wp-json" => return without_routes(shop.handle(request)),
        _ => return shop.handle(request),
    }
    let body = json!({
        "code": "rest_no_route",
        "message": "No route matches this URL and method.",
        "data": { "status": 404 },
    });
    let url = &shop.config().url;
    let host = url.split_once("://").map_or(url.as_str(), |(_, host)| host);
    let scheme = if request.https { "https" } else { "http" };
    let home = format!("<{scheme}://{host}/wp-json/>; rel=\"https://api.w.org/\"");
    with(with(response(404, JSON, body.to_string()), "Link", home), "Vary", "Origin")
}

/// The index without WooCommerce's namespaces.
fn without_routes(mut index: Response) -> Response {
    if let Ok(mut body) = serde_json::from_slice::<Value>(&index.body) {
        if let Some(namespaces) = body["namespaces"].as_array_mut() {
            namespaces.retain(|name| !name.as_str().is_some_and(|name| name.starts_with("wc")));
        }
        if let Some(routes) = body["routes"].as_object_mut() {
            routes.retain(|route, _| !route.starts_with("/wc"));
        }
        index.body = body.to_string().into_bytes();
    }
    index
}

/// Elsewhere.
pub(super) fn redirect(origin: &str, request: &Request) -> Response {
    let there = format!("{}{}", origin.trim_end_matches('/'), request.target);
    with(html(301, "Moved."), "Location", there)
}

/// With a warning in front, as PHP prints it where errors are shown.
pub(super) fn dirty(mut response: Response) -> Response {
    let warning = "<br />\n<b>Warning</b>:  Undefined array key \"look\" in <b>/srv/www/wp-content/plugins/look/look.php</b> \
                   on line <b>12</b><br />\n";
    response.body = [warning.as_bytes(), &response.body].concat();
    response
}
