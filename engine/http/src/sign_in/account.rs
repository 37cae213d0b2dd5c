//! `/account`: what somebody who is signed in can do about it: change the password, end sessions elsewhere, sign out.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};

use super::{Visit, by_form, refused, view};
use crate::{
    api::{Segment, session},
    auth::by_cookie,
    caller::Caller,
    door::{Door, peer},
    problem::Problem,
};

const HERE: &str = "/account";

/// `GET /account`
pub(super) async fn account(State(door): State<Arc<Door>>, request: Request) -> Response {
    let visit = match Visit::to_look(&door, &request) {
        Ok(visit) => visit,
        Err(problem) => return door.refuse(peer(request.extensions()), problem),
    };
    match by_cookie(&door, &visit.headers, visit.peer).await {
        Ok(caller) => view::respond(show(&door, &caller, Ok(""))),
        Err(_) => Redirect::to("/sign-in").into_response(),
    }
}

fn show(door: &Door, caller: &Caller, said: Result<&str, &str>) -> String {
    let Some(session) = &caller.session else { return view::sorry(said.err().unwrap_or_default()) };
    let now = door.engine.now();
    let sessions = door.engine.access().own_sessions(&session.cookie, now);
    view::account(caller.name(), &session.csrf, &sessions, now, said)
}

/// `POST /account/password` with `csrf`, `current`, `new`
pub(super) async fn change_password(State(door): State<Arc<Door>>, request: Request) -> Response {
    let peer = peer(request.extensions());
    let (visit, form, caller) = match by_form(&door, request).await {
        Ok(all) => all,
        Err(problem) => return turned_away(&door, peer, problem),
    };
    let changed = session::change_password(&door, &caller, form.field("current"), form.field("new"), visit.from).await;
    match changed {
        Ok(()) => view::respond(show(&door, &caller, Ok("The password is changed. Your other sessions are over."))),
        Err(problem) => refused(&door, visit.from, problem, |said| show(&door, &caller, Err(said))),
    }
}

/// `POST /account/sessions/{id}/end` with `csrf`
pub(super) async fn end_session(State(door): State<Arc<Door>>, Segment(id): Segment, request: Request) -> Response {
    let peer = peer(request.extensions());
    let (visit, _, caller) = match by_form(&door, request).await {
        Ok(all) => all,
        Err(problem) => return turned_away(&door, peer, problem),
    };
    let cookie = caller.session.as_ref().map(|session| session.cookie.as_str()).unwrap_or_default();
    match door.engine.access().close_own_session(cookie, &id, caller.by(), door.engine.now()).await {
        Ok(()) => Redirect::to(HERE).into_response(),
        Err(error) => refused(&door, visit.from, error.into(), |said| show(&door, &caller, Err(said))),
    }
}

/// Who is signed out meanwhile signs in again; others are refused.
fn turned_away(door: &Door, peer: std::net::IpAddr, problem: Problem) -> Response {
    match problem.status {
        StatusCode::UNAUTHORIZED => Redirect::to("/sign-in").into_response(),
        _ => door.refuse(peer, problem),
    }
}
