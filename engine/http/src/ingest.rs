//! Where a store's webhooks come in, `POST /webhooks/{store}`, and what every way in shares. A request goes out as an accepted
//! event, and its answer is 2xx only when the event is on stable storage.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::{FromRequest, Path, Request, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use cartwright_core::{
    event::Source,
    id::{EventId, StoreId},
};
use cartwright_run::{AcceptError, Acceptance, Incoming as NewEvent};

use crate::{
    door::{Door, peer},
    json::NotJson,
    problem::Problem,
    verify::{NotVerified, WebhookKeys, verify},
    webhook::{self, Incoming, NotAWebhook},
};

/// For a request's body to arrive, in seconds.
const BODY_TIMEOUT_SECONDS: u64 = 30;
/// Until an engine that is stopping, or its storage, may be back, in seconds.
pub(crate) const STOPPING_SECONDS: u64 = 5;

/// `POST /webhooks/{store}` → 200 `{"event": id | null, "duplicate": bool}`
pub(crate) async fn webhook(
    State(door): State<Arc<Door>>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let peer = peer(request.extensions());
    match take_webhook(&door, path, request).await {
        Ok(taken) => answer(StatusCode::OK, taken.as_ref()),
        Err(problem) => door.refuse(peer, problem),
    }
}

/// `None`: a ping.
async fn take_webhook(
    door: &Door,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Option<Acceptance>, Problem> {
    let unknown = || {
        Problem::not_found("store_unknown", "no store of this name is connected")
            .help("`cartwright store ls` lists the stores; the address ends in /webhooks/ and the store's id.")
    };
    let id: StoreId = path.ok().and_then(|Path(text)| text.parse().ok()).ok_or_else(unknown)?;
    let store = door.engine.stores().get(&id).ok_or_else(unknown)?;
    let (headers, body) = read(door, request).await?;
    let raw = match webhook::read(&headers, body) {
        Ok(Incoming::Delivery(raw)) => raw,
        Ok(Incoming::Ping) => {
            door.metrics.pings.add();
            return Ok(None);
        }
        Err(refused) => return Err(webhook_refused(door, &id, &refused.into())),
    };
    let keys = WebhookKeys::new(store.webhook_secrets.iter().map(|secret| secret.expose()));
    let verified = verify(&id, &keys, &raw).map_err(|refused| webhook_refused(door, &id, &refused))?;
    door.limits.admit(id.as_str()).map_err(Problem::too_many)?;
    let parts = verified.into_parts();
    let event = NewEvent {
        topic: parts.topic,
        store: Some(id),
        source: Source::Woo { webhook: parts.webhook, delivery: parts.delivery },
        data: parts.data.into(),
        dedupe: Some(parts.dedupe),
    };
    accept(door, event).await.map(Some)
}

fn webhook_refused(door: &Door, store: &StoreId, refused: &NotVerified) -> Problem {
    let problem = match refused {
        NotVerified::Signature => Problem::new(StatusCode::UNAUTHORIZED, "signature_wrong", refused.to_string()),
        NotVerified::Names(NotAWebhook::Unsigned) => {
            Problem::new(StatusCode::UNAUTHORIZED, "signature_missing", refused.to_string())
        }
        NotVerified::Names(NotAWebhook::Header(_)) => Problem::bad_request("header_malformed", refused.to_string()),
        NotVerified::Body(body) => unreadable(body),
    };
    let problem = problem.about(store);
    if problem.status != StatusCode::UNAUTHORIZED {
        return problem;
    }
    door.metrics.unverified(store);
    problem.help(
        "The secret in WooCommerce (Settings, Advanced, Webhooks) must be the store's: set the same one with \
             `cartwright store add … --webhook-secret`.",
    )
}

/// The head and the whole body, within the limits.
pub(crate) async fn read(door: &Door, mut request: Request) -> Result<(HeaderMap, Bytes), Problem> {
    let limit = door.config.body_limit_bytes;
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: u64| bytes > limit as u64) {
        return Err(Problem::too_large(limit));
    }
    let headers = std::mem::take(request.headers_mut());
    let body = Bytes::from_request(request, &());
    match tokio::time::timeout(Duration::from_secs(BODY_TIMEOUT_SECONDS), body).await {
        Ok(Ok(body)) => Ok((headers, body)),
        Ok(Err(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Problem::too_large(limit)),
        Ok(Err(_)) => Err(Problem::bad_request("body_cut", "the body ended early")),
        Err(_) => {
            let detail = format!("the body did not arrive within {BODY_TIMEOUT_SECONDS} seconds");
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_late", detail))
        }
    }
}

/// A body that is not what it says it is.
pub(crate) fn unreadable(refused: &NotJson) -> Problem {
    Problem::bad_request(refused.code(), refused.to_string())
}

/// Puts the event on stable storage.
pub(crate) async fn accept(door: &Door, event: NewEvent) -> Result<Acceptance, Problem> {
    let engine = door.engine.clone();
    // On a task of its own: a sender that goes away must not part accepting from starting.
    match tokio::spawn(async move { engine.accept(event).await }).await {
        Ok(accepted) => Ok(accepted?),
        Err(_) => Err(Problem::unavailable("the event could not be accepted", STOPPING_SECONDS)),
    }
}

impl From<AcceptError> for Problem {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::Unavailable { retry_after, source } => {
                Self::unavailable(format!("the event cannot be kept now: {source}"), retry_after.as_secs())
            }
            error => Self::unavailable(error.to_string(), STOPPING_SECONDS),
        }
    }
}

/// `{"event": id | null, "duplicate": bool}`
pub(crate) fn answer(status: StatusCode, accepted: Option<&Acceptance>) -> Response {
    let event = accepted.map(|accepted| &accepted.id).map(EventId::as_str);
    let event = event.map_or_else(|| "null".to_owned(), |id| format!("\"{id}\""));
    let duplicate = accepted.is_some_and(|accepted| accepted.duplicate);
    let body = format!(r#"{{"event":{event},"duplicate":{duplicate}}}"#);
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
