//! The door as a whole: what every handler shares, the routes, and what becomes of a refused request.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{Extensions, HeaderValue, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use cartwright_core::time::Timestamp;
use cartwright_run::{Engine, outbound::Cidr};

use crate::{
    api, auth,
    auth::AdminToken,
    describe, endpoint,
    files::Findings,
    idempotent::UnderWay,
    ingest,
    limits::{Limits, Quotas},
    metrics::{self, Metrics},
    operations,
    problem::Problem,
    serve::Peer,
    sign_in, status, sync,
    throttle::{SignIns, TokenRates},
};

/// Of a request's body unless configured otherwise, in bytes. An order with 300 items has about 400 KB.
pub const DEFAULT_BODY_LIMIT_BYTES: usize = 1024 * 1024;

/// How the door is set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// Larger bodies are refused with 413, in bytes.
    pub body_limit_bytes: usize,
    /// How long a caller of `respond: sync` waits for an answer where the workflow does not say.
    pub sync_wait: Duration,
    /// Callers that may wait at once.
    pub sync_callers_max: usize,
    /// How much one caller may ask.
    pub quotas: Quotas,
    /// The local administrator's token, which may do everything.
    pub admin_token: AdminToken,
    /// The listener can be reached from this machine only: the status page and the metrics need no token then.
    pub loopback: bool,
    /// Names (without port) besides the loopback ones under which people reach the API and the status page.
    pub hosts: Vec<String>,
    /// Proxies in front of the engine: what they say about addresses and https is believed.
    pub proxies: Vec<Cidr>,
    /// What the loader of workflow files found wrong.
    pub findings: Findings,
    /// A folder on the disk that holds storage, whose free space the metrics show.
    pub volume: Option<PathBuf>,
}

impl Config {
    /// A listener on this machine with the usual limits.
    pub fn local(admin_token: AdminToken) -> Self {
        Self {
            body_limit_bytes: DEFAULT_BODY_LIMIT_BYTES,
            sync_wait: Duration::from_secs(sync::DEFAULT_SYNC_SECONDS),
            sync_callers_max: sync::DEFAULT_SYNC_CALLERS,
            quotas: Quotas::default(),
            admin_token,
            loopback: true,
            hosts: Vec::new(),
            proxies: Vec::new(),
            findings: Findings::default(),
            volume: None,
        }
    }
}

/// What every handler shares.
pub(crate) struct Door {
    pub(crate) engine: Engine,
    pub(crate) config: Config,
    pub(crate) limits: Limits,
    pub(crate) token_rates: TokenRates,
    pub(crate) sign_ins: SignIns,
    pub(crate) under_way: UnderWay,
    pub(crate) places: api::live::Places,
    pub(crate) sync: sync::Places,
    pub(crate) metrics: Metrics,
    /// When the door was opened.
    pub(crate) started: Timestamp,
}

/// All routes over an engine.
pub fn router(engine: Engine, config: Config) -> Router {
    let body_limit = DefaultBodyLimit::max(config.body_limit_bytes);
    let door = Arc::new(Door {
        limits: Limits::new(config.quotas),
        token_rates: TokenRates::default(),
        sign_ins: SignIns::default(),
        under_way: UnderWay::default(),
        started: engine.now(),
        places: api::live::Places::default(),
        sync: sync::Places::new(config.sync_callers_max),
        engine,
        config,
        metrics: Metrics::default(),
    });
    let api = api::routes(&door)
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&door), auth::recognise))
        .merge(api::open_routes());
    let people = Router::new()
        .route("/", get(status::page))
        .route("/metrics", get(operations::metrics))
        .layer(middleware::from_fn_with_state(Arc::clone(&door), auth::person));
    Router::new()
        .route("/webhooks/{store}", post(ingest::webhook))
        .route("/hooks/{*path}", any(endpoint::hook))
        .nest("/api/v1", api)
        .route("/healthz", get(operations::alive))
        .route("/readyz", get(operations::ready))
        .merge(people)
        .merge(describe::routes())
        .merge(sign_in::routes())
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(body_limit)
        .layer(middleware::map_response(harmless))
        .layer(middleware::from_fn_with_state(Arc::clone(&door), metrics::count))
        .with_state(door)
}

/// What a browser may do with an answer that does not say so itself: nothing. So no answer runs as a page, is guessed to be
/// of another kind, or stands in somebody else's frame.
async fn harmless(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

async fn unknown_path(State(door): State<Arc<Door>>, request: Request) -> Response {
    let problem = Problem::not_found("unknown_path", "there is nothing at this address");
    door.refuse(peer(request.extensions()), problem)
}

async fn unknown_method(State(door): State<Arc<Door>>, request: Request) -> Response {
    let problem = match request.uri().path().strip_prefix("/workflows/") {
        Some(path) => api::workflow_method(path),
        None => Problem::new(StatusCode::METHOD_NOT_ALLOWED, "unknown_method", "this address takes another method"),
    };
    door.refuse(peer(request.extensions()), problem)
}

/// The address at the other end of the connection.
pub(crate) fn peer(extensions: &Extensions) -> IpAddr {
    extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Peer(address)| address.ip())
}

impl Door {
    /// Answers with a refusal and counts it. Who is refused too often learns no more than that.
    pub(crate) fn refuse(&self, peer: IpAddr, problem: Problem) -> Response {
        let guess = matches!(problem.status, StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND);
        let problem = match guess.then(|| self.limits.refuse(peer)) {
            Some(Err(seconds)) => Problem::too_many(seconds),
            _ => {
                // Never the body. A flood is not logged: what is over the quota is only counted.
                let about = problem.about.as_deref().unwrap_or("-");
                tracing::info!(code = problem.code, about, %peer, "request refused: {}", problem.detail);
                problem
            }
        };
        self.metrics.refused(problem.code);
        problem.into_response()
    }
}

#[cfg(test)]
mod tests;
