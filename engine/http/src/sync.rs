//! Callers that wait: a request's event goes in, what its run says comes out as the HTTP answer. The run does not know that
//! anybody waits; whoever goes away or waits too long misses its answer and nothing else.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use cartwright_core::{
    Json,
    event::MatchOutcome,
    id::RunId,
    run::{answer::HttpAnswer, row::RunStatus},
};
use cartwright_run::{Acceptance, Heard, Incoming};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::{door::Door, problem::Problem, serve::Stopping};

pub use cartwright_core::workflow::triggers::DEFAULT_SYNC_SECONDS;
/// Callers that may wait at once where nothing else is said. Each keeps one of the door's connections.
pub const DEFAULT_SYNC_CALLERS: usize = 512;
/// Until a place may be free, in seconds.
const BUSY_SECONDS: u64 = 1;

/// Places for callers that wait.
#[derive(Debug)]
pub(crate) struct Places(Arc<Semaphore>);

impl Places {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most)))
    }
}

/// Accepts the event, and answers with what its run says.
pub(crate) async fn call(
    door: &Door,
    event: Incoming,
    timeout: Option<Duration>,
    stopping: Option<Stopping>,
) -> Result<Response, Problem> {
    let Ok(_place) = Arc::clone(&door.sync.0).try_acquire_owned() else {
        let problem =
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_waiting", "too many callers wait for answers");
        return Err(problem.help("Nothing was accepted; send it again.").retry_after(BUSY_SECONDS));
    };
    let patience = timeout.unwrap_or(door.config.sync_wait);
    let heard = door.engine.accept_and_wait(event, patience);
    let stop = async move {
        match stopping {
            Some(stopping) => stopping.wait().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        heard = heard => {
            let (accepted, heard) = heard?;
            Ok(response(&accepted, heard))
        }
        () = stop => {
            let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopped_waiting", "the engine stops; the run goes on when it starts again");
            let help = "Do not send it again without an Idempotency-Key: it was accepted, or is about to be.";
            Err(problem.help(help).retry_after(crate::ingest::STOPPING_SECONDS))
        }
    }
}

fn response(event: &Acceptance, heard: Heard) -> Response {
    match heard {
        Heard::Answer { run, answer } => with_run(sent(answer), &run),
        Heard::Ended { run, status: RunStatus::Succeeded, output } => {
            let answer = HttpAnswer { status: 200, headers: Default::default(), body: Json::Null };
            let mut response = sent(answer);
            put_json(&mut response, &output);
            with_run(response, &run)
        }
        Heard::Ended { run, status, .. } => {
            let ended = if status == RunStatus::Cancelled { "was cancelled" } else { "failed" };
            // Why is for those who may see the run: messages can hold what a caller must not know.
            let problem =
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "run_failed", format!("the run {run} {ended}"));
            let help = format!("`cartwright runs show {run}` says why, to those who operate the engine.");
            with_run(problem.help(help).into_response(), &run)
        }
        Heard::Parked { run } => goes_on(event, Some(&run), "parked"),
        Heard::Nothing { run } => goes_on(event, run.as_ref(), "running"),
        Heard::NotStarted { outcome } => {
            let why = match outcome {
                Some(MatchOutcome::ConditionFailed { .. }) => "condition_failed",
                Some(MatchOutcome::LoopCut) => "loop_cut",
                Some(MatchOutcome::Duplicate { .. }) => "duplicate",
                Some(MatchOutcome::KeyFailed { .. }) => "key_failed",
                Some(MatchOutcome::Dropped { .. }) => "dropped",
                Some(_) => "condition_false",
                None => "nobody_listens",
            };
            let mut response = StatusCode::ACCEPTED.into_response();
            put_json(
                &mut response,
                &json!({ "event": event.id, "duplicate": event.duplicate, "run": null, "status": why }),
            );
            response
        }
    }
}

/// 202: accepted, and not over. `Location` is where to look.
fn goes_on(event: &Acceptance, run: Option<&RunId>, status: &str) -> Response {
    let mut response = StatusCode::ACCEPTED.into_response();
    put_json(&mut response, &json!({ "event": event.id, "duplicate": event.duplicate, "run": run, "status": status }));
    let place = match run {
        Some(run) => format!("/api/v1/runs/{run}"),
        None => format!("/api/v1/events/{}", event.id),
    };
    if let Ok(place) = HeaderValue::try_from(place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    match run {
        Some(run) => with_run(response, run),
        None => response,
    }
}

fn with_run(mut response: Response, run: &RunId) -> Response {
    if let Ok(run) = HeaderValue::try_from(run.as_str()) {
        response.headers_mut().insert(HeaderName::from_static("cartwright-run"), run);
    }
    response
}

/// A `respond` step's answer. What it holds was checked when it was written.
fn sent(answer: HttpAnswer) -> Response {
    let mut response = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK).into_response();
    let headers = answer.sent_headers();
    match answer.body {
        Json::Null => {}
        Json::String(text) => *response.body_mut() = Body::from(text),
        value => *response.body_mut() = Body::from(value.to_string()),
    }
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn put_json(response: &mut Response, value: &Json) {
    *response.body_mut() = Body::from(value.to_string());
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
}
