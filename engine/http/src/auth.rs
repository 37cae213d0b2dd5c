//! Who asks: a request's credentials come in, and it goes on to its handler with a [`Caller`], or is refused.
//!
//! There are three kinds of credentials: the local administrator's token, which lies in the data folder; API tokens; and
//! the cookie of a person's session. A web page that someone happens to visit cannot drive the API: it knows no token, a
//! change with a cookie must come from our own pages and bring what only they know, and no answer carries CORS headers.
//! On loopback `Host` is checked too, so that a page whose name was rebound to 127.0.0.1 reads nothing.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use cartwright_core::access::{Area, Principal, Right};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    caller::{Caller, SessionCookie, nobody},
    door::{Door, peer},
    hook::bearer,
    origin::{client, from_our_pages, is_https, session_cookies},
    problem::{Problem, Refused},
};

/// Where a change with a cookie says what only our own pages know.
const CSRF_HEADER: &str = "x-csrf-token";

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

/// Finds out who asks the API, and lets nobody through who is not known.
pub(crate) async fn recognise(State(door): State<Arc<Door>>, mut request: Request, next: Next) -> Response {
    let peer = peer(request.extensions());
    let from = client(&door, peer, request.headers());
    let (method, authority) = (request.method().clone(), request.uri().authority().cloned());
    match find(&door, &method, request.headers(), authority.as_ref(), peer).await {
        Ok(caller) => drop(request.extensions_mut().insert(caller)),
        Err(problem) => return door.refuse(from, problem),
    }
    let response = next.run(request).await;
    if let Some(Refused(code)) = response.extensions().get() {
        door.metrics.refused(code);
    }
    response
}

/// Whoever the request's credentials name. A token that comes counts, whatever cookie comes with it.
async fn find(
    door: &Door,
    method: &Method,
    headers: &HeaderMap,
    authority: Option<&Authority>,
    peer: IpAddr,
) -> Result<Caller, Problem> {
    known_host(door, headers, authority)?;
    let from = client(door, peer, headers);
    if let Some(token) = bearer(headers) {
        return by_token(door, token, from);
    }
    if headers.contains_key(header::AUTHORIZATION) {
        return Err(nobody());
    }
    let caller = by_cookie(door, headers, peer).await?;
    if !method.is_safe() {
        from_our_pages(door, headers, authority)?;
        let given = headers.get(CSRF_HEADER).map(HeaderValue::as_bytes).unwrap_or_default();
        check_csrf(&caller, given)?;
    }
    Ok(caller)
}

fn by_token(door: &Door, text: &[u8], from: IpAddr) -> Result<Caller, Problem> {
    if door.config.admin_token.is(text) {
        return Ok(Caller::new(Principal::administrator(), from));
    }
    let text = std::str::from_utf8(text).map_err(|_| nobody())?;
    let token = door.engine.access().recognise_token(text, door.engine.now()).ok_or_else(nobody)?;
    door.token_rates.admit(&token).map_err(Problem::too_many)?;
    Ok(Caller { token: Some(token.id.clone()), ..Caller::new(token.principal(), from) })
}

/// The person whose session the request's cookie stands for.
pub(crate) async fn by_cookie(door: &Door, headers: &HeaderMap, peer: IpAddr) -> Result<Caller, Problem> {
    let cookies = session_cookies(headers, is_https(door, peer, headers));
    if cookies.is_empty() {
        return Err(nobody());
    }
    for cookie in cookies {
        if let Some(open) = door.engine.access().recognise_session(&cookie, door.engine.now()).await {
            let session = Some(SessionCookie { cookie, csrf: open.csrf });
            let from = client(door, peer, headers);
            return Ok(Caller { session, ..Caller::new(open.person.principal(), from) });
        }
    }
    Err(Problem::new(StatusCode::UNAUTHORIZED, "session_over", "the session is over")
        .help("Sign in again at /sign-in."))
}

/// A change that comes with a cookie must bring what only our own pages know.
pub(crate) fn check_csrf(caller: &Caller, given: &[u8]) -> Result<(), Problem> {
    let expected = caller.session.as_ref().map(|session| session.csrf.as_bytes()).unwrap_or_default();
    if !expected.is_empty() && bool::from(given.ct_eq(expected)) {
        return Ok(());
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "csrf_wrong", "the request does not prove that a page of ours sent it")
        .help("Send the `csrf` of GET /api/v1/session as `X-CSRF-Token` with every change."))
}

/// Lets people through to the status page: everyone on this machine, who is signed in or brings a token that may see all
/// runs and events, and whoever has the administrator's token as password (any user name).
pub(crate) async fn person(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let peer = peer(request.extensions());
    let (headers, authority) = (request.headers(), request.uri().authority());
    if let Err(problem) = known_host(&door, headers, authority) {
        return door.refuse(peer, problem);
    }
    if door.config.loopback && !forwarded(headers) {
        return next.run(request).await;
    }
    let found = match password(headers) {
        Some(password) => by_token(&door, &password, client(&door, peer, headers)),
        None => find(&door, &Method::GET, headers, authority, peer).await,
    };
    let seen = found.and_then(|caller| {
        caller.everywhere(Area::Runs, Right::Read)?;
        caller.everywhere(Area::Events, Right::Read)
    });
    let problem = match seen {
        Ok(()) => return next.run(request).await,
        Err(problem) => problem,
    };
    let wants_page =
        headers.get(header::ACCEPT).is_some_and(|kinds| kinds.to_str().is_ok_and(|kinds| kinds.contains("text/html")));
    if problem.status == StatusCode::UNAUTHORIZED && wants_page && door.engine.access().has_people() {
        return Redirect::to("/sign-in").into_response();
    }
    let problem = match problem.status {
        StatusCode::UNAUTHORIZED => Problem { detail: "this page needs the administrator's token".into(), ..problem }
            .help("Any user name; the password is the token from admin.token in the data folder."),
        _ => problem,
    };
    let mut response = door.refuse(client(&door, peer, headers), problem);
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
pub(crate) fn known_host(door: &Door, headers: &HeaderMap, authority: Option<&Authority>) -> Result<(), Problem> {
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
