//! The status page at `/`: one page for people, rendered here, refreshed by a few lines of script.
//!
//! It shows names, states and errors, never payloads. Everything is in the page itself, and its content security policy
//! allows exactly the one style and the one script below, by their hashes.

pub(crate) mod html;
mod view;

use std::sync::{Arc, LazyLock};

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use cartwright_core::run::row::RunStatus;
use cartwright_run::storage::{EventFilter, RunFilter};
use sha2::{Digest, Sha256};

use self::view::View;
use crate::{door::Door, ingest::STOPPING_SECONDS, problem::Problem};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Runs shown.
const RUNS: usize = 25;
/// Parked and failed runs shown, of each.
const STUCK: usize = 5;
/// Events shown.
const EVENTS: usize = 12;

static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = |text: &str| BASE64.encode(Sha256::digest(text));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    policy.parse().expect("the policy is ASCII")
});

/// `GET /`
pub(crate) async fn page(State(door): State<Arc<Door>>) -> Response {
    match view(&door).await {
        Ok(view) => respond(view.render(STYLE, SCRIPT)),
        Err(error) => Problem::unavailable(error.to_string(), STOPPING_SECONDS).into_response(),
    }
}

async fn view(door: &Door) -> Result<View, cartwright_run::storage::StorageError> {
    let engine = &door.engine;
    let findings = door.config.findings.all();
    let broken = findings.iter().filter(|one| one.is_broken());
    let mut stuck = Vec::new();
    for status in [RunStatus::Parked, RunStatus::Failed] {
        let filter = RunFilter { status: Some(status), ..RunFilter::default() };
        stuck.extend(engine.runs(&filter, None, STUCK).await?.items);
    }
    Ok(View {
        now: engine.now(),
        counts: engine.counts().await?,
        stores: engine.stores().list().len(),
        workflows: engine.workflows().len(),
        broken: broken.map(|one| (one.file.clone(), one.errors())).collect(),
        stuck,
        runs: engine.runs(&RunFilter::default(), None, RUNS).await?.items,
        events: engine.events(&EventFilter::default(), None, EVENTS).await?.items,
    })
}

fn respond(page: String) -> Response {
    let mut response = Html(page).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
