//! The services beside the stores that the demo's workflows call, on this machine only: one that is often busy, one that
//! is down. Each counts what it did once for every idempotency key.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
    routing::post,
};
use parking_lot::Mutex;

/// Keys remembered for each service; the oldest go first. A demo over days must not grow.
const MAX_KEYS: usize = 100_000;

/// What one service saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Served {
    pub(crate) requests: u64,
    /// Things done: requests that were answered well, repeats left out.
    pub(crate) effects: u64,
    pub(crate) repeats: u64,
    pub(crate) refused: u64,
}

#[derive(Default)]
struct Service {
    tally: Served,
    keys: BTreeSet<String>,
}

/// All services.
#[derive(Clone, Default)]
pub(crate) struct Sink {
    services: Arc<Mutex<BTreeMap<String, Service>>>,
}

impl Sink {
    pub(crate) fn router(&self) -> Router {
        Router::new().route("/{service}", post(answer)).with_state(self.clone())
    }

    pub(crate) fn tallies(&self) -> Vec<(String, Served)> {
        self.services.lock().iter().map(|(name, service)| (name.clone(), service.tally)).collect()
    }

    /// What `name` answers to a request with this key.
    fn visit(&self, name: &str, key: &str) -> StatusCode {
        let mut services = self.services.lock();
        let service = services.entry(name.to_owned()).or_default();
        service.tally.requests += 1;
        let status = match name {
            "bookkeeping" => StatusCode::SERVICE_UNAVAILABLE,
            // Busy for two of every seven requests.
            "warehouse" if service.tally.requests % 7 < 2 => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::OK,
        };
        if status != StatusCode::OK {
            service.tally.refused += 1;
        } else if service.keys.insert(key.to_owned()) {
            service.tally.effects += 1;
        } else {
            service.tally.repeats += 1;
        }
        if service.keys.len() > MAX_KEYS {
            service.keys.pop_first();
        }
        status
    }
}

async fn answer(State(sink): State<Sink>, Path(service): Path<String>, headers: HeaderMap) -> Response {
    const SERVICES: [&str; 2] = ["warehouse", "bookkeeping"];
    if !SERVICES.contains(&service.as_str()) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or_default();
    match sink.visit(&service, key) {
        StatusCode::OK => axum::Json(serde_json::json!({ "ok": true })).into_response(),
        status => (status, [(RETRY_AFTER, "1")], format!("{service} is busy\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_have_no_effect_and_the_busy_one_is_busy() {
        let sink = Sink::default();
        for key in ["a", "a", "b"] {
            assert_eq!(sink.visit("reliable", key), StatusCode::OK);
        }
        for key in 0..14 {
            sink.visit("warehouse", &key.to_string());
        }
        sink.visit("bookkeeping", "a");
        let tallies: BTreeMap<_, _> = sink.tallies().into_iter().collect();
        assert_eq!(tallies["reliable"], Served { requests: 3, effects: 2, repeats: 1, refused: 0 });
        assert_eq!((tallies["warehouse"].effects, tallies["warehouse"].refused), (10, 4));
        assert_eq!(tallies["bookkeeping"], Served { requests: 1, effects: 0, repeats: 0, refused: 1 });
    }
}
