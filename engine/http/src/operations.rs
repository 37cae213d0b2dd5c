//! What operators' machines ask: is it alive, does it take events, how much is there.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{door::Door, ingest::STOPPING_SECONDS, metrics, problem::Problem};

/// `GET /healthz`: the process answers.
pub(crate) async fn alive() -> Response {
    (StatusCode::OK, [(header::CACHE_CONTROL, "no-store")], "ok\n").into_response()
}

/// `GET /readyz`: events sent here now are kept.
pub(crate) async fn ready(State(door): State<Arc<Door>>) -> Response {
    if door.engine.is_stopping() {
        return Problem::unavailable("the engine is stopping", STOPPING_SECONDS).into_response();
    }
    match door.engine.counts().await {
        Ok(_) => (StatusCode::OK, [(header::CACHE_CONTROL, "no-store")], "ready\n").into_response(),
        Err(error) => Problem::unavailable(error.to_string(), STOPPING_SECONDS).into_response(),
    }
}

/// `GET /metrics`
pub(crate) async fn metrics(State(door): State<Arc<Door>>) -> Response {
    match metrics::page(&door).await {
        Ok(page) => {
            let head = [(header::CONTENT_TYPE, "text/plain; version=0.0.4"), (header::CACHE_CONTROL, "no-store")];
            (StatusCode::OK, head, page).into_response()
        }
        Err(error) => Problem::unavailable(error.to_string(), STOPPING_SECONDS).into_response(),
    }
}
