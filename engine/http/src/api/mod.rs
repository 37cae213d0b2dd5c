//! The API below `/api/v1`: what the command line and other programs ask. Every answer is JSON, every refusal
//! `problem+json`; lists are pages `{"items": […], "next": cursor | null}`.

mod anew;
mod approvals;
mod audit;
mod backup;
mod bulk;
mod events;
mod explain;
mod export;
mod gates;
mod keys;
pub(crate) mod live;
pub(crate) mod operate;
mod plugins;
pub(crate) mod query;
mod replay;
mod runs;
mod secrets;
pub(crate) mod session;
mod sift;
mod slots;
mod stores;
mod tokens;
mod users;
mod workflow;
mod workflows;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{FromRequestParts, Path, Request},
    http::{Method, StatusCode, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};
use cartwright_core::access::{Area, Right};
use cartwright_run::storage::StorageError;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    caller::{Caller, Need},
    describe::{self, about::About},
    door::Door,
    idempotent::{self, Repeats},
    ingest::{self, STOPPING_SECONDS},
    problem::Problem,
};

const fn reads(area: Area) -> Need {
    Need::Area(area, Right::Read)
}

const fn changes(area: Area) -> Need {
    Need::Area(area, Right::Write)
}

/// Whoever may read something of what is told live gets in; kinds are looked at there.
const LIVE: Need = Need::AnyOf(&[Area::Events, Area::Runs, Area::Stores]);

/// One address of the API with one method.
pub(crate) struct Route {
    /// `GET`, `POST`, `PUT` or `DELETE`.
    pub(crate) method: &'static str,
    /// Below `/api/v1`.
    pub(crate) path: &'static str,
    /// What it takes to get to the handler.
    pub(crate) need: Need,
    handler: fn(MethodFilter) -> MethodRouter<Arc<Door>>,
}

const fn route(
    method: &'static str,
    path: &'static str,
    need: Need,
    handler: fn(MethodFilter) -> MethodRouter<Arc<Door>>,
) -> Route {
    Route { method, path, need, handler }
}

impl Route {
    /// How it takes part in `Idempotency-Key`: every `POST` does. What `PUT` and `DELETE` do again changes nothing more.
    pub(crate) fn repeats(&self) -> Option<Repeats> {
        match (self.method, self.path) {
            ("POST", "/events" | "/workflows/{*path}") => Some(Repeats::Exact),
            ("POST", "/tokens" | "/users/invitations") => Some(Repeats::Secret),
            ("POST", _) if self.need != Need::Open => Some(Repeats::Unknown),
            _ => None,
        }
    }

    fn router(&self) -> MethodRouter<Arc<Door>> {
        let method: Method = self.method.parse().expect("the table names methods");
        (self.handler)(MethodFilter::try_from(method).expect("of those that axum knows"))
    }
}

/// Every address of the API, with what it takes: the routes are made of this table, and so is the test that tries each with
/// every kind of credentials.
pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/runs", reads(Area::Runs), |method| on(method, runs::list)),
    route("POST", "/runs/bulk", changes(Area::Runs), |method| on(method, bulk::bulk)),
    route("GET", "/runs/{id}", reads(Area::Runs), |method| on(method, runs::show)),
    route("POST", "/runs/{id}/cancel", changes(Area::Runs), |method| on(method, runs::cancel)),
    route("POST", "/runs/{id}/retry", changes(Area::Runs), |method| on(method, runs::retry)),
    route("POST", "/runs/{id}/resolve", changes(Area::Runs), |method| on(method, operate::resolve)),
    route("POST", "/runs/{id}/fail", changes(Area::Runs), |method| on(method, operate::fail)),
    route("GET", "/approvals", reads(Area::Approvals), |method| on(method, approvals::list)),
    route("POST", "/runs/{id}/approvals/{step}", changes(Area::Approvals), |method| on(method, approvals::answer)),
    route("GET", "/slots", reads(Area::Runs), |method| on(method, slots::list)),
    route("GET", "/events", reads(Area::Events), |method| on(method, events::list)),
    route("POST", "/events", changes(Area::Events), |method| on(method, events::accept)),
    route("GET", "/events/{id}", reads(Area::Events), |method| on(method, events::show)),
    route("POST", "/events/{id}/replay", changes(Area::Events), |method| on(method, replay::replay)),
    route("GET", "/gates", reads(Area::Runs), |method| on(method, gates::list)),
    route("GET", "/workflows", reads(Area::Workflows), |method| on(method, workflows::list)),
    route("GET", "/workflows/{*path}", reads(Area::Workflows), |method| on(method, workflow::show)),
    route("POST", "/workflows/{*path}", changes(Area::Runs), |method| on(method, workflows::run)),
    route("GET", "/plugins", reads(Area::Plugins), |method| on(method, plugins::list)),
    route("GET", "/live", LIVE, |method| on(method, live::open)),
    route("GET", "/backup/records", Need::Admin, |method| on(method, backup::records)),
    route("GET", "/export", Need::Admin, |method| on(method, export::lines)),
    route("GET", "/backup/hold", Need::Admin, |method| on(method, backup::hold)),
    route("DELETE", "/backup/hold", Need::Admin, |method| on(method, backup::release)),
    route("GET", "/keys", reads(Area::Secrets), |method| on(method, keys::list)),
    route("POST", "/keys/rotate", Need::Admin, |method| on(method, keys::rotate)),
    route("GET", "/stores", reads(Area::Stores), |method| on(method, stores::list)),
    route("POST", "/stores", changes(Area::Stores), |method| on(method, stores::add)),
    route("GET", "/stores/{id}", reads(Area::Stores), |method| on(method, stores::one)),
    route("DELETE", "/stores/{id}", changes(Area::Stores), |method| on(method, stores::remove)),
    route("POST", "/stores/{id}/test", changes(Area::Stores), |method| on(method, stores::test)),
    route("GET", "/secrets", reads(Area::Secrets), |method| on(method, secrets::list)),
    route("PUT", "/secrets/{name}", changes(Area::Secrets), |method| on(method, secrets::set)),
    route("DELETE", "/secrets/{name}", changes(Area::Secrets), |method| on(method, secrets::remove)),
    route("GET", "/tokens", reads(Area::Tokens), |method| on(method, tokens::list)),
    route("POST", "/tokens", changes(Area::Tokens), |method| on(method, tokens::create)),
    route("GET", "/tokens/{id}", reads(Area::Tokens), |method| on(method, tokens::one)),
    route("DELETE", "/tokens/{id}", changes(Area::Tokens), |method| on(method, tokens::revoke)),
    route("GET", "/audit", reads(Area::Audit), |method| on(method, audit::list)),
    route("GET", "/users", Need::Admin, |method| on(method, users::list)),
    route("POST", "/users/invitations", Need::Admin, |method| on(method, users::invite)),
    route("PUT", "/users/{name}", Need::Admin, |method| on(method, users::change)),
    route("DELETE", "/users/{name}", Need::Admin, |method| on(method, users::remove)),
    route("GET", "/session", Need::Anyone, |method| on(method, session::show)),
    route("POST", "/session", Need::Open, |method| on(method, session::open)),
    route("DELETE", "/session", Need::Anyone, |method| on(method, session::close)),
    route("PUT", "/session/password", Need::Anyone, |method| on(method, session::password)),
    route("GET", "/sessions", Need::Anyone, |method| on(method, session::list)),
    route("DELETE", "/sessions/{id}", Need::Anyone, |method| on(method, session::end)),
];

/// What the OpenAPI document says about each of them. A test names what is missing here.
pub(crate) const ABOUT: &[&[About]] = &[
    runs::ABOUT,
    operate::ABOUT,
    approvals::ABOUT,
    bulk::ABOUT,
    replay::ABOUT,
    slots::ABOUT,
    events::ABOUT,
    gates::ABOUT,
    workflows::ABOUT,
    workflow::ABOUT,
    plugins::ABOUT,
    live::ABOUT,
    backup::ABOUT,
    export::ABOUT,
    keys::ABOUT,
    stores::ABOUT,
    secrets::ABOUT,
    tokens::ABOUT,
    audit::ABOUT,
    users::ABOUT,
    session::ABOUT,
];

/// The addresses for those who were recognised; the check of who asks, and of the query's names against the document, is
/// put in front of them, and changes that are sent again are recognised behind it.
pub(crate) fn routes(door: &Arc<Door>) -> Router<Arc<Door>> {
    ROUTES.iter().filter(|route| route.need != Need::Open).fold(Router::new(), |router, route| {
        let (need, repeats) = (route.need, route.repeats());
        let names: Arc<[&str]> = describe::about(route).map(About::query_names).unwrap_or_default().into();
        let door = Arc::clone(door);
        let check = move |caller: Caller, request: Request, next: Next| {
            let (door, names) = (Arc::clone(&door), Arc::clone(&names));
            async move {
                let fine = caller.meets(need).and_then(|()| query::known(request.uri().query(), &names));
                match (fine, repeats) {
                    (Err(problem), _) => problem.into_response(),
                    (Ok(()), None) => next.run(request).await,
                    (Ok(()), Some(repeats)) => idempotent::once(door, caller, repeats, request, next).await,
                }
            }
        };
        router.route(route.path, route.router().route_layer(middleware::from_fn(check)))
    })
}

/// For another method than an address below `/workflows/` takes, which the router cannot tell.
pub(crate) fn workflow_method(path: &str) -> Problem {
    workflows::other_method(if path.ends_with("/run") { "POST" } else { "GET, HEAD" })
}

/// The addresses for those who are about to prove who they are.
pub(crate) fn open_routes() -> Router<Arc<Door>> {
    let open = ROUTES.iter().filter(|route| route.need == Need::Open);
    open.fold(Router::new(), |router, route| router.route(route.path, route.router()))
}

/// The variable part of an address. One that is no text names nothing.
pub(crate) struct Segment(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let unknown = |_| Problem::not_found("unknown_path", "there is nothing at this address");
        path.map(|Path(text)| Self(text)).map_err(unknown)
    }
}

/// What a handler gives.
type Answer = Result<Response, Problem>;

fn json<T: Serialize>(status: StatusCode, value: &T) -> Answer {
    let body = serde_json::to_vec(value)
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string()))?;
    let head = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    Ok((status, head, Body::from(body)).into_response())
}

/// A page on the wire.
#[derive(Serialize)]
struct PageBody<T> {
    items: Vec<T>,
    next: Option<String>,
}

fn page<T: Serialize>(items: Vec<T>, next: Option<String>) -> Answer {
    json(StatusCode::OK, &PageBody { items, next })
}

/// A request's body as `T`. A body that carries secrets is never quoted back.
async fn body<T: DeserializeOwned>(door: &Door, request: Request, secret: bool) -> Result<T, Problem> {
    let (_, bytes) = ingest::read(door, request).await?;
    parse(&bytes, secret)
}

/// A request's body as `T`, or `T`'s default when there is none.
async fn optional_body<T: DeserializeOwned + Default>(door: &Door, request: Request) -> Result<T, Problem> {
    let (_, bytes) = ingest::read(door, request).await?;
    if bytes.is_empty() { Ok(T::default()) } else { parse(&bytes, false) }
}

fn parse<T: DeserializeOwned>(bytes: &[u8], secret: bool) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        let detail = match secret {
            true => format!("the body is not as expected (line {}, column {})", error.line(), error.column()),
            false => format!("the body is not as expected: {error}"),
        };
        Problem::bad_request("body_invalid", detail)
    })
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Invalid { reason } => Self::bad_request("argument_invalid", reason),
            other => Self::unavailable(other.to_string(), STOPPING_SECONDS),
        }
    }
}
