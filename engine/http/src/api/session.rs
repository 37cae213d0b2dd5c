//! `/api/v1/session`: signing in and out for pages that speak JSON, and who one is. The pages for people use the same two
//! functions.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use cartwright_run::access::{NAME_BYTES_MAX, OpenSession, Person, WHOLE_LIFE};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, body, json};
use crate::{
    auth::known_host,
    caller::Caller,
    door::{Door, peer},
    origin::{client, from_our_pages, is_https, set_cookie},
    problem::Problem,
};

/// `GET /session` → `{"name", "access": [{"scopes", "stores"}], "csrf"}`; `csrf` only with a cookie
pub(super) async fn show(caller: Caller) -> Answer {
    let csrf = caller.session.as_ref().map(|session| &session.csrf);
    json(StatusCode::OK, &json!({ "name": caller.name(), "access": caller.principal.assignments, "csrf": csrf }))
}

/// Who somebody says they are.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    name: String,
    password: String,
}

/// `POST /session` `{"name", "password"}` → 200 `{"name", "csrf"}` and a new cookie
pub(super) async fn open(State(door): State<Arc<Door>>, request: Request) -> Response {
    let peer = peer(request.extensions());
    let from = client(&door, peer, request.headers());
    let https = is_https(&door, peer, request.headers());
    match take(&door, request, from).await {
        Ok((session, cookie)) => {
            let name = format!("user:{}", session.person.name);
            let answer = json(StatusCode::OK, &json!({ "name": name, "csrf": session.csrf }));
            with_cookie(answer.unwrap_or_else(IntoResponse::into_response), &cookie, https)
        }
        Err(problem) => door.refuse(from, problem),
    }
}

async fn take(door: &Door, request: Request, from: IpAddr) -> Result<(OpenSession, String), Problem> {
    let authority = request.uri().authority().cloned();
    known_host(door, request.headers(), authority.as_ref())?;
    from_our_pages(door, request.headers(), authority.as_ref())?;
    let Credentials { name, password } = body(door, request, true).await?;
    sign_in(door, &name, &password, from).await
}

/// Opens a session for whoever knows the password; the text is the cookie. Takes as long for a name that nobody has.
pub(crate) async fn sign_in(
    door: &Door,
    name: &str,
    password: &str,
    from: IpAddr,
) -> Result<(OpenSession, String), Problem> {
    let wrong = || {
        Problem::new(StatusCode::UNAUTHORIZED, "credentials_wrong", "the name or the password is wrong")
            .help("An administrator can give you a new password.")
    };
    if name.len() > NAME_BYTES_MAX {
        return Err(wrong());
    }
    door.sign_ins.begin(name, from, door.engine.now()).map_err(Problem::too_many)?;
    let found = {
        let _turn = door.sign_ins.passwords.acquire().await;
        door.engine.access().check_password(name, password).await
    };
    let person = found.ok_or_else(wrong)?;
    door.sign_ins.succeeded(name);
    open_for(door, &person, from).await
}

/// Opens a session for somebody who proved who they are.
pub(crate) async fn open_for(
    door: &Door,
    person: &Arc<Person>,
    from: IpAddr,
) -> Result<(OpenSession, String), Problem> {
    Ok(door.engine.access().open_session(person, &from.to_string(), door.engine.now()).await?)
}

/// `DELETE /session`: 204, and the cookie is worth nothing
pub(super) async fn close(State(door): State<Arc<Door>>, caller: Caller, request: Request) -> Answer {
    let https = is_https(&door, peer(request.extensions()), request.headers());
    let Some(session) = &caller.session else {
        return Err(Problem::bad_request("session_missing", "the request has no session to end"));
    };
    door.engine.access().close_session(&session.cookie, door.engine.now()).await?;
    Ok(with_cookie(StatusCode::NO_CONTENT.into_response(), "", https))
}

/// The answer with the session's cookie; an empty one ends it.
pub(crate) fn with_cookie(mut response: Response, cookie: &str, https: bool) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::SET_COOKIE, set_cookie(cookie, https, WHOLE_LIFE.as_secs()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
