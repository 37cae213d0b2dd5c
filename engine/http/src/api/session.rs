//! `/api/v1/session`: signing in and out for pages that speak JSON, and who one is. The pages for people use the same two
//! functions.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use cartwright_core::access::Assignment;
use cartwright_run::access::{AccessError, NAME_BYTES_MAX, OpenSession, OwnSession, Person, WHOLE_LIFE};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, Segment, body, json, page};
use crate::{
    auth::known_host,
    caller::{Caller, SessionCookie},
    describe::about::{ABOUT as PLAIN, About, a, gives, nothing, page_of, takes},
    door::{Door, peer},
    origin::{client, from_our_pages, is_https, set_cookie},
    problem::Problem,
};

/// Who asks.
#[derive(Serialize, ToSchema)]
struct Session<'a> {
    /// As the audit log names them: `admin`, `token:ci`, `user:ada`.
    name: &'a str,
    /// What they may do, and where.
    access: &'a [Assignment],
    /// What every change with the cookie must bring as `X-CSRF-Token`; null without a cookie.
    #[schema(required)]
    csrf: Option<&'a str>,
}

/// Somebody who signed in.
#[derive(Serialize, ToSchema)]
struct SignedIn<'a> {
    /// `user:` and the name.
    name: &'a str,
    /// What every change with the cookie must bring as `X-CSRF-Token`.
    csrf: &'a str,
}

/// `GET /session` → `{"name", "access": [{"scopes", "stores"}], "csrf"}`; `csrf` only with a cookie
pub(super) async fn show(caller: Caller) -> Answer {
    let csrf = caller.session.as_ref().map(|session| session.csrf.as_str());
    json(StatusCode::OK, &Session { name: caller.name(), access: &caller.principal.assignments, csrf })
}

/// Who somebody says they are.
#[derive(Deserialize, ToSchema)]
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
            let answer = json(StatusCode::OK, &SignedIn { name: &name, csrf: &session.csrf });
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
    let person = check(door, name, password).await?.ok_or_else(wrong)?;
    door.sign_ins.succeeded(name, from);
    match door.engine.access().open_session(&person, &from.to_string(), door.engine.now()).await {
        // Somebody gave them another password meanwhile, or removed them.
        Err(AccessError::NotFound(_)) => Err(wrong()),
        opened => Ok(opened?),
    }
}

async fn check(door: &Door, name: &str, password: &str) -> Result<Option<Arc<Person>>, Problem> {
    let _turn = door.sign_ins.turn().await.map_err(Problem::too_many)?;
    Ok(door.engine.access().check_password(name, password).await)
}

/// The session that a request came with.
fn own(caller: &Caller) -> Result<&SessionCookie, Problem> {
    let missing = || {
        Problem::bad_request(
            "session_missing",
            "the request came without a session; this is for people who are signed in",
        )
    };
    caller.session.as_ref().ok_or_else(missing)
}

/// Another password for oneself.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    /// The one that holds now.
    current: String,
    /// At least 12 bytes.
    #[schema(min_length = 12, max_length = 1024)]
    new: String,
}

/// `PUT /session/password` `{"current", "new"}`: 204; one's other sessions end
pub(super) async fn password(State(door): State<Arc<Door>>, caller: Caller, request: Request) -> Answer {
    own(&caller)?;
    let from = client(&door, peer(request.extensions()), request.headers());
    let NewPassword { current, new } = body(&door, request, true).await?;
    change_password(&door, &caller, &current, &new, from).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Gives somebody who knows their password another one. Guesses count as those at the sign-in do: a session that was left
/// open somewhere is no way to the password.
pub(crate) async fn change_password(
    door: &Door,
    caller: &Caller,
    current: &str,
    new: &str,
    from: IpAddr,
) -> Result<(), Problem> {
    let session = own(caller)?;
    let name = caller.name().trim_start_matches("user:");
    door.sign_ins.begin(name, from, door.engine.now()).map_err(Problem::too_many)?;
    if check(door, name, current).await?.is_none() {
        return Err(Problem::new(StatusCode::FORBIDDEN, "credentials_wrong", "the current password is wrong"));
    }
    door.sign_ins.succeeded(name, from);
    let _turn = door.sign_ins.turn().await.map_err(Problem::too_many)?;
    let access = door.engine.access();
    Ok(access.set_own_password(&session.cookie, new, caller.by(), door.engine.now()).await?)
}

/// `GET /sessions`: one's own, the one last used first
pub(super) async fn list(State(door): State<Arc<Door>>, caller: Caller) -> Answer {
    page(door.engine.access().own_sessions(&own(&caller)?.cookie, door.engine.now()), None)
}

/// `DELETE /sessions/{id}`: 204
pub(super) async fn end(State(door): State<Arc<Door>>, caller: Caller, Segment(id): Segment) -> Answer {
    let cookie = &own(&caller)?.cookie;
    door.engine.access().close_own_session(cookie, &id, caller.by(), door.engine.now()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
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
    let session = own(&caller)?;
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

/// What the document says about these addresses.
pub(super) const ABOUT: &[About] = &[
    About {
        path: "/session",
        id: "showSession",
        summary: "Who asks",
        gives: &[gives(200, "Whoever the credentials are.", a::<Session<'_>>)],
        ..PLAIN
    },
    About {
        method: "POST",
        path: "/session",
        id: "signIn",
        summary: "Signs in",
        text: "Sets the session's cookie. A name that was tried with wrong passwords must wait.",
        takes: takes(a::<Credentials>, r#"{"name": "ada", "password": "correct horse battery"}"#),
        gives: &[gives(200, "Signed in.", a::<SignedIn<'_>>)],
        refuses: &[
            (401, "credentials_wrong"),
            (403, "origin_wrong"),
            (421, "host_unknown"),
            (429, "rate_limited"),
            (503, "unavailable"),
        ],
        ..PLAIN
    },
    About {
        method: "DELETE",
        path: "/session",
        id: "signOut",
        summary: "Signs out",
        gives: &[nothing("The cookie is worth nothing.")],
        refuses: &[(400, "session_missing")],
        ..PLAIN
    },
    About {
        method: "PUT",
        path: "/session/password",
        id: "changeOwnPassword",
        summary: "Changes one's own password",
        text: "For people who are signed in; their other sessions end.",
        takes: takes(a::<NewPassword>, r#"{"current": "correct horse battery", "new": "another long password"}"#),
        gives: &[nothing("Changed.")],
        refuses: &[
            (400, "access_invalid"),
            (400, "session_missing"),
            (403, "credentials_wrong"),
            (404, "access_unknown"),
            (409, "changed_meanwhile"),
        ],
        ..PLAIN
    },
    About {
        path: "/sessions",
        id: "listSessions",
        summary: "One's own sessions, the one last used first",
        gives: &[gives(200, "All of them; `next` is null.", page_of::<OwnSession>)],
        refuses: &[(400, "session_missing")],
        ..PLAIN
    },
    About {
        method: "DELETE",
        path: "/sessions/{id}",
        id: "endSession",
        summary: "Ends one of one's own sessions",
        gives: &[nothing("It is over.")],
        refuses: &[(400, "session_missing"), (404, "access_unknown"), (409, "changed_meanwhile")],
        ..PLAIN
    },
];
