//! `/hooks/{path}`: what a workflow's own address takes. Who calls is checked as the trigger asks, the body against its
//! schema, and only then is anything accepted. Callers are answered at once, or with what the run says ([`crate::sync`]).

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use cartwright_core::{
    Json,
    event::Source,
    id::WorkflowId,
    workflow::{AuthPreset, BodySchema, HttpAuth, Respond},
};
use cartwright_run::{Engine, Incoming};
use serde_json::value::RawValue;

use crate::{
    body_schema,
    door::{Door, peer},
    hook,
    ingest::{STOPPING_SECONDS, accept, answer, read, unreadable},
    presets::{self, Message, NotSigned},
    problem::{Problem, pointer_part},
    serve::Stopping,
    sync,
    webhook::{self, Incoming as WooIncoming},
};

/// `/hooks/{path}` → 202 `{"event": id, "duplicate": bool}`, or what the run of `respond: sync` answers
pub(crate) async fn hook(
    State(door): State<Arc<Door>>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let peer = peer(request.extensions());
    match take(&door, path, request).await {
        Ok(response) => response,
        Err(problem) => door.refuse(peer, problem),
    }
}

async fn take(door: &Door, path: Result<Path<String>, PathRejection>, request: Request) -> Result<Response, Problem> {
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
    let stopping = request.extensions().get::<Stopping>().cloned();
    let (headers, body) = read(door, request).await?;
    if let (HttpAuth::Preset { preset: AuthPreset::Woocommerce, .. }, Ok(WooIncoming::Ping)) =
        (&trigger.auth, webhook::read(&headers, body.clone()))
    {
        // WooCommerce tries the address with it, unsigned, and wants 200.
        door.metrics.pings.add();
        return Ok(answer(StatusCode::OK, None));
    }
    let id = match may_call(&door.engine, &trigger.auth, &headers, &body).await {
        Ok(id) => id,
        Err(problem) => return Err(problem.about(&workflow)),
    };
    door.limits.admit(&format!("hook {path}")).map_err(Problem::too_many)?;
    let key = match &id {
        // A sender's own id of the message, which it repeats.
        Some(id) => Some(id.as_slice()),
        None => {
            hook::idempotency_key(&headers).map_err(|rule| Problem::bad_request("idempotency_key_malformed", rule))?
        }
    };
    let key = key.map(|key| hook::dedupe_key(workflow.as_str(), &method, &path, key));
    let signature = match &trigger.auth {
        HttpAuth::Hmac { header, .. } => Some(header.as_str()),
        HttpAuth::None | HttpAuth::Bearer { .. } | HttpAuth::Preset { .. } => None,
    };
    let data = hook::data(&headers, &body).map_err(|refused| unreadable(&refused))?;
    if let Some(schema) = &trigger.schema {
        fits(&workflow, schema, &data)?;
    }
    let visible = hook::visible_headers(&headers, signature);
    let event = Incoming {
        topic: "http".to_owned(),
        store: None,
        data: data.into(),
        source: Source::Http { workflow, path, method, query, headers: visible },
        dedupe: key,
    };
    match trigger.respond {
        Respond::Async => Ok(answer(StatusCode::ACCEPTED, Some(&accept(door, event).await?))),
        Respond::Sync { timeout } => sync::call(door, event, timeout, stopping).await,
    }
}

/// Nothing is accepted of a body that its schema refuses.
fn fits(workflow: &WorkflowId, schema: &BodySchema, data: &RawValue) -> Result<(), Problem> {
    let body: Json =
        serde_json::from_str(data.get()).map_err(|error| Problem::bad_request("body_not_json", error.to_string()))?;
    let faults = body_schema::faults(schema, &body).ok_or_else(|| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the workflow's schema cannot be used")
    })?;
    let Some(first) = faults.first() else { return Ok(()) };
    let at =
        if first.pointer.is_empty() { "the body".to_owned() } else { format!("`{}`", pointer_part(&first.pointer)) };
    let more = if faults.len() > 1 { format!(", and {} more", faults.len() - 1) } else { String::new() };
    // The log does not quote what was sent; `errors` does, to who sent it.
    let detail = format!("the body does not fit what the workflow asks for: {at} is wrong{more}");
    let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "body_unfit", detail).about(workflow);
    Err(Problem { errors: faults, ..problem })
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

/// The sender's id of the message, where the caller is one the workflow invites. A secret that is not set lets nobody in.
async fn may_call(
    engine: &Engine,
    auth: &HttpAuth,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Option<Vec<u8>>, Problem> {
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
    let all = async |names: &[String]| {
        let mut opened = Vec::with_capacity(names.len());
        for name in names {
            opened.extend(open(name).await?);
        }
        Ok::<_, Problem>(opened)
    };
    match auth {
        HttpAuth::None => Ok(None),
        HttpAuth::Bearer { secret } => {
            let secret = open(secret).await?;
            let fine = secret.is_some_and(|secret| hook::bearer_is(headers, secret.expose()));
            fine.then_some(None).ok_or_else(refused)
        }
        HttpAuth::Hmac { secrets, header, algorithm, encoding, prefix } => {
            let opened = all(secrets).await?;
            let form = hook::HmacForm { header, algorithm: *algorithm, encoding: *encoding, prefix };
            let fine = form.verify(headers, body, opened.iter().map(|secret| secret.expose()));
            fine.then_some(None).ok_or_else(refused)
        }
        HttpAuth::Preset { preset, secrets, tolerance } => {
            let opened = all(secrets).await?;
            let message = Message { headers, body, now: engine.now(), tolerance: *tolerance };
            match presets::verify(*preset, opened.iter().map(|secret| secret.expose()), &message) {
                Ok(signed) => Ok(signed.id),
                Err(NotSigned::Wrong) => Err(refused()),
                Err(stale @ NotSigned::Stale(_)) => {
                    let help =
                        "The sender's clock, or this machine's, is wrong; or somebody sent an old message again.";
                    Err(Problem::new(StatusCode::UNAUTHORIZED, "signature_stale", stale.to_string()).help(help))
                }
            }
        }
    }
}

fn refused() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "credentials_wrong", "the credentials are missing or wrong")
        .help("The workflow's `auth` says what to send; `cartwright secret ls` shows whether its secret is set.")
}
