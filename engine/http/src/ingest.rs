//! Where events come in: `POST /webhooks/{store}` and `/hooks/{path}`. A request goes out as an accepted event, and its
//! answer is 2xx only when the event is on stable storage.

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
    workflow::HttpAuth,
};
use cartwright_run::{AcceptError, Acceptance, Engine, Incoming as NewEvent};

use crate::{
    door::{Door, peer},
    hook,
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

/// `/hooks/{path}` → 202 `{"event": id, "duplicate": bool}`
pub(crate) async fn hook(
    State(door): State<Arc<Door>>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let peer = peer(request.extensions());
    match take_hook(&door, path, request).await {
        Ok(accepted) => answer(StatusCode::ACCEPTED, Some(&accepted)),
        Err(problem) => door.refuse(peer, problem),
    }
}

async fn take_hook(
    door: &Door,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Acceptance, Problem> {
    let unknown = || {
        Problem::not_found("hook_unknown", "no workflow listens at this path with this method")
            .help("`cartwright check` lists what is wrong with workflow files; a workflow that does not load listens to nothing.")
    };
    let Path(path) = path.map_err(|_| unknown())?;
    let method = request.method().as_str().to_owned();
    let workflows = door.engine.workflows();
    let (workflow, trigger) = match workflows.route(&method, &path) {
        Some((workflow, trigger)) => (workflow.id.clone(), trigger),
        None => return Err(wrong_method(workflows.methods(&path)).unwrap_or_else(unknown)),
    };
    let query = hook::query(request.uri().query());
    let (headers, body) = read(door, request).await?;
    if !may_call(&door.engine, &trigger.auth, &headers, &body).await? {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "credentials_wrong",
            "the credentials are missing or wrong",
        )
        .help("The workflow's `auth` says what to send; `cartwright secret ls` shows whether its secret is set.")
        .about(&workflow));
    }
    door.limits.admit(&format!("hook {path}")).map_err(Problem::too_many)?;
    let key = hook::idempotency_key(&headers)
        .map_err(|rule| Problem::bad_request("idempotency_key_malformed", rule))?
        .map(|key| hook::dedupe_key(workflow.as_str(), &method, &path, key));
    let signature = match &trigger.auth {
        HttpAuth::Hmac { header, .. } => Some(header.as_str()),
        HttpAuth::None | HttpAuth::Bearer { .. } => None,
    };
    let event = NewEvent {
        topic: "http".to_owned(),
        store: None,
        data: hook::data(&headers, &body).map_err(|refused| unreadable(&refused))?.into(),
        source: Source::Http { workflow, path, method, query, headers: hook::visible_headers(&headers, signature) },
        dedupe: key,
    };
    accept(door, event).await
}

/// The path is known, the method is not.
fn wrong_method<'a>(known: impl Iterator<Item = &'a str>) -> Option<Problem> {
    let known: Vec<_> = known.collect();
    let problem = Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "unknown_method",
        "the workflow at this path takes another method",
    );
    let problem = Problem { allow: Some(known.join(", ").into()), ..problem };
    (!known.is_empty()).then(|| problem.help(format!("Use {}.", known.join(" or "))))
}

/// Whether the caller is one the workflow invites. A secret that is not set lets nobody in.
async fn may_call(engine: &Engine, auth: &HttpAuth, headers: &HeaderMap, body: &[u8]) -> Result<bool, Problem> {
    let open = async |name: &str| {
        let secret = engine.secrets().open(name).await;
        if let Ok(None) = secret {
            tracing::warn!(
                secret = name,
                "a hook was called whose secret is not set; set it with `cartwright secret set`"
            );
        }
        secret.map_err(|error| Problem::unavailable(error.to_string(), STOPPING_SECONDS))
    };
    match auth {
        HttpAuth::None => Ok(true),
        HttpAuth::Bearer { secret } => {
            let secret = open(secret).await?;
            Ok(secret.is_some_and(|secret| hook::bearer_is(headers, secret.expose())))
        }
        HttpAuth::Hmac { secrets, header, algorithm, encoding, prefix } => {
            let mut opened = Vec::with_capacity(secrets.len());
            for name in secrets {
                opened.extend(open(name).await?);
            }
            let form = hook::HmacForm { header, algorithm: *algorithm, encoding: *encoding, prefix };
            Ok(form.verify(headers, body, opened.iter().map(|secret| secret.expose())))
        }
    }
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
    Ok(door.engine.accept(event).await?)
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

fn answer(status: StatusCode, accepted: Option<&Acceptance>) -> Response {
    let event = accepted.map(|accepted| &accepted.id).map(EventId::as_str);
    let event = event.map_or_else(|| "null".to_owned(), |id| format!("\"{id}\""));
    let duplicate = accepted.is_some_and(|accepted| accepted.duplicate);
    let body = format!(r#"{{"event":{event},"duplicate":{duplicate}}}"#);
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
