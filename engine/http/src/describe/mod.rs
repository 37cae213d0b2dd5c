//! What the API is, told by itself: the table of routes and the rows about them come in, an OpenAPI 3.1 document goes out,
//! at `/openapi.json` for programs and at `/docs` for people.
//!
//! Nothing in it depends on the installation. It is made when somebody first asks, not at the start.

pub(crate) mod about;
pub(crate) mod codes;
mod operation;
mod outside;
mod page;

use std::sync::{Arc, LazyLock};

use axum::{
    Router,
    extract::Request,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use sha2::{Digest, Sha256};
use utoipa::openapi::{
    ComponentsBuilder, Info, InfoBuilder, License, OpenApi, OpenApiBuilder, PathItem, Paths, ServerBuilder,
    path::HttpMethod,
    security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    tag::{Tag, TagBuilder},
};

use self::about::{About, Shapes, a};
use crate::{
    api::{self, ROUTES, Route},
    caller::Need,
    door::Door,
    problem,
};

/// For how long programs may keep the document, in seconds.
const MAX_AGE_SECONDS: u32 = 300;

/// The document.
pub(crate) static DOCUMENT: LazyLock<OpenApi> = LazyLock::new(document);

/// The document's text and its `ETag`.
static TEXT: LazyLock<(String, String)> = LazyLock::new(|| {
    let text = serde_json::to_string(&*DOCUMENT).expect("texts and numbers always become JSON");
    let tag = format!("\"{}\"", hex::encode(&Sha256::digest(&text)[..16]));
    (text, tag)
});

/// `/openapi.json` and `/docs`
pub(crate) fn routes() -> Router<Arc<Door>> {
    Router::new().route("/openapi.json", get(serve)).route("/docs", get(page::serve))
}

/// The document as JSON, the same for every installation of this version.
pub fn json() -> &'static str {
    &TEXT.0
}

async fn serve(request: Request) -> Response {
    let (text, tag) = &*TEXT;
    unless_known(request.headers(), tag, || {
        ([(header::CONTENT_TYPE, "application/json")], text.as_str()).into_response()
    })
}

/// The answer with its `ETag`; 304 for who has it already.
fn unless_known(headers: &axum::http::HeaderMap, tag: &'static str, answer: impl FnOnce() -> Response) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut answer = match known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag)) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => answer(),
    };
    let head = answer.headers_mut();
    let keep = format!("public, max-age={MAX_AGE_SECONDS}");
    head.insert(header::ETAG, tag.parse().expect("hexadecimal digits are ASCII"));
    head.insert(header::CACHE_CONTROL, keep.parse().expect("words and digits are ASCII"));
    answer
}

/// What is said about a route of the API.
pub(crate) fn about(route: &Route) -> Option<&'static About> {
    all().find(|about| (about.method, about.path) == (route.method, route.path))
}

fn all() -> impl Iterator<Item = &'static About> {
    api::ABOUT.iter().flat_map(|rows| rows.iter())
}

fn document() -> OpenApi {
    let mut shapes = Shapes::default();
    let mut paths = Paths::new();
    a::<problem::Body<'_>>(&mut shapes);
    for route in ROUTES {
        // A test holds that every route is described.
        let Some(about) = about(route) else { continue };
        add(&mut paths, "/api/v1", about, route.need, &mut shapes);
    }
    for about in outside::ABOUT {
        add(&mut paths, "", about, Need::Open, &mut shapes);
    }
    shapes.0.push(("Value".to_owned(), any_json()));
    shapes.0.sort_by(|a, b| a.0.cmp(&b.0));
    let components = ComponentsBuilder::new()
        .schemas_from_iter(shapes.0)
        .security_scheme("token", token())
        .security_scheme("session", session())
        .security_scheme("csrf", csrf());
    OpenApiBuilder::new()
        .info(info())
        .servers(Some([ServerBuilder::new().url("/").description(Some("This engine.")).build()]))
        .tags(Some(tags()))
        .paths(paths)
        .components(Some(components.build()))
        .build()
}

fn add(paths: &mut Paths, base: &str, about: &About, need: Need, shapes: &mut Shapes) {
    let path = if about.shown.is_empty() { about.path } else { about.shown };
    let operation = operation::operation(&format!("{base}{path}"), about, need, shapes);
    let method = match about.method {
        "GET" => HttpMethod::Get,
        "PUT" => HttpMethod::Put,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Post,
    };
    let item = PathItem::new(method, operation);
    match paths.paths.get_mut(&format!("{base}{path}")) {
        Some(there) => there.merge_operations(item),
        None => drop(paths.paths.insert(format!("{base}{path}"), item)),
    }
}

fn any_json() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    let any = utoipa::openapi::schema::SchemaType::AnyValue;
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(any)
        .description(Some("Any JSON. Numbers keep their decimal text."))
        .into()
}

fn info() -> Info {
    InfoBuilder::new()
        .title("Cartwright")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(include_str!("info.md")))
        .license(Some(License::new(env!("CARGO_PKG_LICENSE"))))
        .build()
}

fn token() -> SecurityScheme {
    let says = "An API token (`cartwright token create`), or the local administrator's from `admin.token` in the data \
                folder. The scope that an address needs is listed with it.";
    SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(says)).build())
}

fn session() -> SecurityScheme {
    let says = "The cookie of somebody who signed in; over https it is called `__Host-cartwright`.";
    SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description("cartwright-session", says)))
}

fn csrf() -> SecurityScheme {
    let says = "With the cookie, every change brings the `csrf` of `GET /api/v1/session`.";
    SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description("X-CSRF-Token", says)))
}

/// The groups of addresses, in the order in which people read them.
fn tags() -> Vec<Tag> {
    operation::TAGS.iter().map(|(name, says)| TagBuilder::new().name(*name).description(Some(*says)).build()).collect()
}

#[cfg(test)]
pub(crate) mod conform;
#[cfg(test)]
mod tests;
