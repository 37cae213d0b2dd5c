//! What operators' machines ask: is it alive, does it take events, how much is there.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use cartwright_core::run::row::RunStatus;

use crate::{door::Door, ingest::STOPPING_SECONDS, metrics::Exposition, problem::Problem};

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
    let counts = match door.engine.counts().await {
        Ok(counts) => counts,
        Err(error) => return Problem::unavailable(error.to_string(), STOPPING_SECONDS).into_response(),
    };
    let mut text = Exposition::default();
    let runs = RunStatus::ALL.iter().zip(counts.runs);
    text.metric(
        "runs",
        "gauge",
        "Runs kept, by status.",
        runs.map(|(status, number)| (Some(("status", status.as_str())), number as f64)),
    );
    let (live, queued) = door.engine.in_memory();
    for (name, help, number) in [
        ("events", "Events kept.", counts.events),
        ("inbox_events", "Events accepted and not yet matched to workflows.", counts.inbox),
        ("timers", "Timers set.", counts.timers),
        ("outbox_events", "Events on their way to another shard.", counts.outbox),
        ("disk_bytes", "Bytes of storage on disk.", counts.disk_bytes),
        ("runs_in_memory", "Runs that are moving now.", live as u64),
        ("queued_in_memory", "Events that wait in memory to be matched.", queued as u64),
        ("workflows", "Workflows loaded.", door.engine.workflows().len() as u64),
        ("stores", "Connected stores.", door.engine.stores().list().len() as u64),
    ] {
        text.number(name, "gauge", help, number as f64);
    }
    for (name, number) in door.engine.metrics().snapshot() {
        // Micros become seconds: Prometheus counts in base units.
        let (name, number) = match name.strip_suffix("_micros") {
            Some(name) => (format!("{name}_seconds"), number as f64 / 1e6),
            None => (name.to_owned(), number as f64),
        };
        text.number(&format!("{name}_total"), "counter", "Since the start.", number);
    }
    let failed = door.engine.metrics().store_call_errors();
    text.metric(
        "store_call_errors_total",
        "counter",
        "Failed calls to stores, by what follows from it, since the start.",
        failed.map(|(class, number)| (Some(("class", class)), number as f64)),
    );
    let refusals = door.metrics.refusals();
    let refusals = refusals.iter().map(|(code, number)| (Some(("reason", *code)), *number as f64));
    text.metric("requests_refused_total", "counter", "Refused requests, by reason, since the start.", refusals);
    text.number(
        "webhook_pings_total",
        "counter",
        "Creation pings answered since the start.",
        door.metrics.pings.get() as f64,
    );
    let head = [(header::CONTENT_TYPE, "text/plain; version=0.0.4"), (header::CACHE_CONTROL, "no-store")];
    (StatusCode::OK, head, text.into_text()).into_response()
}
