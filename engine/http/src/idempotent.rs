//! A change that is sent again with the same `Idempotency-Key` is not done again: a request comes in on its way to its
//! handler, and an answer goes out, the handler's or the one it gave before.
//!
//! That a request began is on stable storage before its handler is called, and its answer before it is sent. What a crash
//! in between leaves open is said so, except where the handler itself recognises the key (an event is accepted once
//! whatever happens).

use std::{collections::HashSet, sync::Arc};

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use cartwright_run::{ANSWER_BYTES_MAX, KeptAnswer, Known, storage::CommitError};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::{
    caller::Caller,
    door::Door,
    hook::MAX_IDEMPOTENCY_KEY_BYTES,
    ingest::{self, STOPPING_SECONDS},
    problem::{Problem, Refused},
};

/// The header.
pub(crate) const KEY_HEADER: &str = "idempotency-key";
/// Set on an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Until a request that is under way may be answered, in seconds.
const UNDER_WAY_SECONDS: u64 = 1;

/// How an address takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// It may have happened and nobody can say: a person looks.
    Unknown,
    /// The handler recognises the key, so that doing it again does nothing new.
    Exact,
    /// As `Unknown`, and its answer holds a secret, which is shown once and kept nowhere.
    Secret,
}

/// What makes this request the same as an earlier one; for handlers of [`Repeats::Exact`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct SameAs(pub(crate) [u8; 32]);

/// Requests with a key that are being handled, by the hash of caller and key.
#[derive(Debug, Default, Clone)]
pub(crate) struct UnderWay(Arc<Mutex<HashSet<[u8; 32]>>>);

struct Turn {
    all: UnderWay,
    hash: [u8; 32],
}

impl UnderWay {
    fn begin(&self, hash: [u8; 32]) -> Option<Turn> {
        self.0.lock().insert(hash).then(|| Turn { all: self.clone(), hash })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.all.0.lock().remove(&self.hash);
    }
}

/// Handles a request, or gives the answer of before.
pub(crate) async fn once(door: Arc<Door>, caller: Caller, repeats: Repeats, request: Request, next: Next) -> Response {
    let key = match key(&request) {
        Ok(None) => return next.run(request).await,
        Ok(Some(key)) => key,
        Err(problem) => return problem.into_response(),
    };
    let hash = digest(&[b"api", caller.name().as_bytes(), &key]);
    let Some(turn) = door.under_way.begin(hash) else { return under_way().into_response() };
    // A caller who goes away does not stop what was begun halfway.
    let done = tokio::spawn(async move {
        let _turn = turn;
        handle(&door, hash, repeats, request, next).await.unwrap_or_else(IntoResponse::into_response)
    });
    done.await.unwrap_or_else(|_| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the request ended in a panic; the log says more")
            .into_response()
    })
}

async fn handle(
    door: &Door,
    hash: [u8; 32],
    repeats: Repeats,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (asked, mut request) = read(door, request).await?;
    match door.engine.answers().begin(&hash, &asked, door.engine.now()).await? {
        Known::New => {}
        Known::Begun if repeats == Repeats::Exact => {}
        Known::Begun => return Err(unknown()),
        Known::Other => return Err(reused()),
        Known::Answered(answer) => return replay(answer),
    }
    if repeats == Repeats::Exact {
        request.extensions_mut().insert(SameAs(hash));
    }
    let response = next.run(request).await;
    keep(door, &hash, repeats, response).await
}

/// The key, where there is one.
fn key(request: &Request) -> Result<Option<Vec<u8>>, Problem> {
    let mut values = request.headers().get_all(KEY_HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let value = value.as_bytes();
    let fine = (1..=MAX_IDEMPOTENCY_KEY_BYTES).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
    if fine && values.next().is_none() {
        return Ok(Some(value.to_vec()));
    }
    let rule = format!("Idempotency-Key is 1 to {MAX_IDEMPOTENCY_KEY_BYTES} visible ASCII characters, once");
    Err(Problem::bad_request("idempotency_key_malformed", rule))
}

/// What is asked, as a hash, and the request with its body read.
async fn read(door: &Door, request: Request) -> Result<([u8; 32], Request), Problem> {
    let (parts, body) = request.into_parts();
    let (_, bytes) = ingest::read(door, Request::from_parts(parts.clone(), body)).await?;
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let asked = digest(&[parts.method.as_str().as_bytes(), target.as_bytes(), &bytes]);
    Ok((asked, Request::from_parts(parts, Body::from(bytes))))
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Keeps an answer before it is sent. What the engine could not do may be asked again; what it did and could not write
/// down stays open.
async fn keep(door: &Door, hash: &[u8; 32], repeats: Repeats, response: Response) -> Result<Response, Problem> {
    let code = response.extensions().get::<Refused>().map(|Refused(code)| *code);
    if response.status().is_server_error() {
        if code != Some("audit_unavailable") {
            ignore(door.engine.answers().forget(hash).await);
        }
        return Ok(response);
    }
    let secret = repeats == Repeats::Secret && response.status().is_success();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let text = std::str::from_utf8(&bytes).ok().filter(|text| !secret && text.len() <= ANSWER_BYTES_MAX);
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_owned);
    let answer = KeptAnswer { status: parts.status.as_u16(), kind, body: text.map(str::to_owned) };
    ignore(door.engine.answers().keep(hash, answer).await);
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

/// The change itself is done or refused: an answer that cannot be kept is given all the same, and its repeat is told that
/// nobody knows.
fn ignore(kept: Result<(), CommitError>) {
    if let Err(error) = kept {
        tracing::warn!(%error, "the answer to a request with an idempotency key is not kept");
    }
}

fn replay(answer: KeptAnswer) -> Result<Response, Problem> {
    let KeptAnswer { status, kind, body: Some(body) } = answer else { return Err(not_kept(answer.status)) };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    if let Some(kind) = kind.and_then(|kind| HeaderValue::from_str(&kind).ok()) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

fn under_way() -> Problem {
    let detail = "a request with this Idempotency-Key is still being handled";
    Problem::new(StatusCode::CONFLICT, "request_under_way", detail).retry_after(UNDER_WAY_SECONDS)
}

fn reused() -> Problem {
    let detail = "this Idempotency-Key came with another request before";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail)
        .help("Use a new key for each change; the same key only to send the same change again.")
}

fn unknown() -> Problem {
    let detail =
        "this request began before and the engine stopped in the middle of it: nobody knows whether it was done";
    Problem::new(StatusCode::CONFLICT, "outcome_unknown", detail)
        .help("Look whether the change is there. If it is not, send it again with a new key.")
}

fn not_kept(status: u16) -> Problem {
    let detail = format!("this request was done before and answered with {status}; that answer is shown only once");
    Problem::new(StatusCode::CONFLICT, "answer_not_kept", detail)
        .help("Nothing was done again. If what the answer held is lost, remove what was made and make it anew with another key.")
}

impl From<CommitError> for Problem {
    fn from(error: CommitError) -> Self {
        Self::unavailable(error.to_string(), STOPPING_SECONDS)
    }
}
