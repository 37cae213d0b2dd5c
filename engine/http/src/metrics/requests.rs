//! Requests by where they went and how they were answered: few numbers, so that no caller can make the page grow.

use std::{
    array,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::Response,
};

use super::Counter;
use crate::door::Door;

/// Where requests go, with the words of the page.
const ROUTES: [&str; 6] = ["webhook", "hook", "api", "page", "operations", "other"];
/// How they are answered.
const STATUSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Counts of requests.
#[derive(Debug)]
pub(crate) struct Requests([[Counter; STATUSES.len()]; ROUTES.len()]);

impl Default for Requests {
    fn default() -> Self {
        Self(array::from_fn(|_| array::from_fn(|_| Counter::default())))
    }
}

impl Requests {
    fn count(&self, path: &str, status: StatusCode) {
        let status = usize::from(status.as_u16() / 100).saturating_sub(1);
        let counter = self.0.get(route(path)).and_then(|counters| counters.get(status));
        if let Some(counter) = counter {
            counter.add();
        }
    }

    /// Route class, status class and how many.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        ROUTES.iter().zip(&self.0).flat_map(|(route, counters)| {
            STATUSES.iter().zip(counters).map(|(status, counter)| (*route, *status, counter.0.load(Relaxed)))
        })
    }
}

/// An index into [`ROUTES`].
fn route(path: &str) -> usize {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    match first {
        "webhooks" => 0,
        "hooks" => 1,
        "api" => 2,
        "" | "sign-in" | "sign-out" | "join" | "account" | "approve" | "docs" | "openapi.json" => 3,
        "healthz" | "readyz" | "metrics" => 4,
        _ => 5,
    }
}

/// Counts every request once it is answered; a stream counts when its head goes out.
pub(crate) async fn count(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    door.metrics.requests.count(&path, response.status());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_their_class() {
        for (path, class) in [
            ("/webhooks/shop", "webhook"),
            ("/hooks/a/b", "hook"),
            ("/api/v1/runs", "api"),
            ("/", "page"),
            ("/sign-in", "page"),
            ("/docs", "page"),
            ("/metrics", "operations"),
            ("/wp-login.php", "other"),
            ("", "page"),
        ] {
            assert_eq!(ROUTES[route(path)], class, "{path}");
        }
        let requests = Requests::default();
        requests.count("/x", StatusCode::NOT_FOUND);
        requests.count("/x", StatusCode::from_u16(999).expect("a status"));
        let counted: Vec<_> = requests.all().filter(|(_, _, count)| *count > 0).collect();
        assert_eq!(counted, [("other", "4xx", 1)]);
    }
}
