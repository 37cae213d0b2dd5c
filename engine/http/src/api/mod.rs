//! The API below `/api/v1`: what the command line and other programs ask. Every answer is JSON, every refusal
//! `problem+json`; lists are pages `{"items": […], "next": cursor | null}`.

mod backup;
mod events;
mod keys;
mod query;
mod runs;
mod secrets;
mod stores;
mod workflows;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{FromRequestParts, Path, Request},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{delete, get, post, put},
};
use cartwright_run::storage::StorageError;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    door::Door,
    ingest::{self, STOPPING_SECONDS},
    problem::Problem,
};

/// Who asked for a change, as journals name the only token there is so far.
const ADMINISTRATOR: &str = "admin";

/// All routes, without the check of who asks.
pub(crate) fn routes() -> Router<Arc<Door>> {
    Router::new()
        .route("/runs", get(runs::list))
        .route("/runs/{id}", get(runs::show))
        .route("/runs/{id}/cancel", post(runs::cancel))
        .route("/runs/{id}/retry", post(runs::retry))
        .route("/events", get(events::list).post(events::accept))
        .route("/events/{id}", get(events::show))
        .route("/workflows", get(workflows::list))
        .route("/workflows/{*path}", post(workflows::run))
        .route("/backup/records", get(backup::records))
        .route("/keys", get(keys::list))
        .route("/keys/rotate", post(keys::rotate))
        .route("/stores", get(stores::list).post(stores::add))
        .route("/stores/{id}", delete(stores::remove))
        .route("/stores/{id}/test", post(stores::test))
        .route("/secrets", get(secrets::list))
        .route("/secrets/{name}", put(secrets::set).delete(secrets::remove))
}

/// The variable part of an address. One that is no text names nothing.
struct Segment(String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let unknown = |_| Problem::not_found("unknown_path", "there is nothing at this address");
        path.map(|Path(text)| Self(text)).map_err(unknown)
    }
}

/// What a handler gives.
type Answer = Result<Response, Problem>;

fn json<T: Serialize>(status: StatusCode, value: &T) -> Answer {
    let body = serde_json::to_vec(value)
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string()))?;
    let head = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    Ok((status, head, Body::from(body)).into_response())
}

/// A page on the wire.
#[derive(Serialize)]
struct PageBody<T> {
    items: Vec<T>,
    next: Option<String>,
}

fn page<T: Serialize>(items: Vec<T>, next: Option<String>) -> Answer {
    json(StatusCode::OK, &PageBody { items, next })
}

/// A request's body as `T`. A body that carries secrets is never quoted back.
async fn body<T: DeserializeOwned>(door: &Door, request: Request, secret: bool) -> Result<T, Problem> {
    let (_, bytes) = ingest::read(door, request).await?;
    parse(&bytes, secret)
}

/// A request's body as `T`, or `T`'s default when there is none.
async fn optional_body<T: DeserializeOwned + Default>(door: &Door, request: Request) -> Result<T, Problem> {
    let (_, bytes) = ingest::read(door, request).await?;
    if bytes.is_empty() { Ok(T::default()) } else { parse(&bytes, false) }
}

fn parse<T: DeserializeOwned>(bytes: &[u8], secret: bool) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        let detail = match secret {
            true => format!("the body is not as expected (line {}, column {})", error.line(), error.column()),
            false => format!("the body is not as expected: {error}"),
        };
        Problem::bad_request("body_invalid", detail)
    })
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Invalid { reason } => Self::bad_request("argument_invalid", reason),
            other => Self::unavailable(other.to_string(), STOPPING_SECONDS),
        }
    }
}
