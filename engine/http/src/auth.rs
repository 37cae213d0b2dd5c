//! Who may use the API and see the status page: a request comes in and goes on to its handler, or is refused.
//!
//! Until people can sign in there is one administrator, whose token lies in the data folder. A web page that someone
//! happens to visit cannot drive the API: it has no token, there is no cookie to ride on, and no answer carries CORS
//! headers. What is open on loopback (status page, metrics) and the API also check `Host`, so that a page whose name
//! was rebound to 127.0.0.1 reads nothing.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, uri::Authority},
    middleware::Next,
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    door::{Door, peer},
    hook::bearer,
    problem::{Problem, Refused},
};

/// The administrator's token, known only by its hash.
#[derive(Clone)]
pub struct AdminToken([u8; 32]);

impl AdminToken {
    /// From the token itself.
    pub fn new(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// Compares hashes in constant time.
    pub(crate) fn is(&self, given: &[u8]) -> bool {
        Sha256::digest(given).as_slice().ct_eq(&self.0).into()
    }
}

impl std::fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AdminToken")
    }
}

/// Lets the administrator through to the API.
pub(crate) async fn administrator(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let peer = peer(request.extensions());
    if let Err(problem) = known_host(&door, request.headers(), request.uri().authority()) {
        return door.refuse(peer, problem);
    }
    if !bearer(request.headers()).is_some_and(|token| door.config.admin_token.is(token)) {
        let problem = Problem::new(StatusCode::UNAUTHORIZED, "token_wrong", "the API token is missing or wrong")
            .help("Send `Authorization: Bearer …` with the token from admin.token in the data folder.");
        return door.refuse(peer, problem);
    }
    let response = next.run(request).await;
    if let Some(Refused(code)) = response.extensions().get() {
        door.metrics.refused(code);
    }
    response
}

/// Lets people through to the status page: everyone on this machine, else whoever has the administrator's token as
/// password (any user name) or as bearer token.
pub(crate) async fn person(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let peer = peer(request.extensions());
    if let Err(problem) = known_host(&door, request.headers(), request.uri().authority()) {
        return door.refuse(peer, problem);
    }
    let headers = request.headers();
    let may = || {
        let password = password(headers);
        let token = bearer(headers).or(password.as_deref());
        token.is_some_and(|token| door.config.admin_token.is(token))
    };
    if (door.config.loopback && !forwarded(headers)) || may() {
        return next.run(request).await;
    }
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "token_wrong", "this page needs the administrator's token")
        .help("Any user name; the password is the token from admin.token in the data folder.");
    let mut response = door.refuse(peer, problem);
    if response.status() == StatusCode::UNAUTHORIZED {
        let ask = HeaderValue::from_static("Basic realm=\"Cartwright\", charset=\"UTF-8\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, ask);
    }
    response
}

/// A proxy in front of a loopback listener brings people from elsewhere.
fn forwarded(headers: &HeaderMap) -> bool {
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "cf-connecting-ip"]
        .iter()
        .any(|name| headers.contains_key(*name))
}

/// The password of `Authorization: Basic`.
fn password(headers: &HeaderMap) -> Option<Vec<u8>> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, credentials) = value.split_at_checked("basic ".len())?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let plain = BASE64.decode(credentials.trim_ascii()).ok()?;
    let colon = plain.iter().position(|byte| *byte == b':')?;
    Some(plain[colon + 1..].to_vec())
}

/// On loopback, the name the browser asked for must be this machine's or a configured one.
fn known_host(door: &Door, headers: &HeaderMap, authority: Option<&Authority>) -> Result<(), Problem> {
    if !door.config.loopback {
        return Ok(());
    }
    // HTTP/2 carries the name in the URI.
    let written = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let host = authority.or(written.as_ref()).map(Authority::host).unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let local = host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if local || door.config.hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) {
        return Ok(());
    }
    Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "host_unknown", "this engine is not known under that host name")
        .help("Use http://127.0.0.1 with the port, or add the name to `hosts` in the configuration."))
}
