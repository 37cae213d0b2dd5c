//! The pages on which people join, sign in and out, change their password and end their sessions, and on which whoever has
//! a link answers an approval: forms without script, each answered with a page or with a cookie
//! and a way on. They work on a first start, with nothing else installed.

mod account;
mod approval;
mod view;

use std::{net::IpAddr, num::NonZeroU32, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, uri::Authority},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};

use account::{account, change_password, end_session};

use crate::{
    api::{Segment, session},
    auth::{by_cookie, check_csrf, known_host},
    caller::Caller,
    door::{Door, peer},
    ingest,
    origin::{client, from_our_pages, is_https},
    problem::Problem,
};

/// Where people go when they are signed in.
const HOME: &str = "/";

/// The addresses of the pages.
pub(crate) fn routes() -> Router<Arc<Door>> {
    Router::new()
        .route("/join/{secret}", get(invited).post(join))
        .route("/sign-in", get(ask).post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/account", get(account))
        .route("/account/password", post(change_password))
        .route("/account/sessions/{id}/end", post(end_session))
        .route("/approve/{token}", get(approval::show).post(approval::decide))
}

/// What every page needs to know of a request.
struct Visit {
    peer: IpAddr,
    from: IpAddr,
    https: bool,
    headers: HeaderMap,
    authority: Option<Authority>,
}

impl Visit {
    /// Of a request that only looks.
    fn to_look(door: &Door, request: &Request) -> Result<Self, Problem> {
        let (peer, headers) = (peer(request.extensions()), request.headers().clone());
        let authority = request.uri().authority().cloned();
        known_host(door, &headers, authority.as_ref())?;
        let (from, https) = (client(door, peer, &headers), is_https(door, peer, &headers));
        Ok(Self { peer, from, https, headers, authority })
    }

    /// Of a request that changes something: it must come from a page of ours.
    fn to_change(door: &Door, request: &Request) -> Result<Self, Problem> {
        let visit = Self::to_look(door, request)?;
        from_our_pages(door, &visit.headers, visit.authority.as_ref())?;
        Ok(visit)
    }
}

/// A form's fields.
struct Form(Vec<(String, String)>);

impl Form {
    async fn read(door: &Door, request: Request) -> Result<Self, Problem> {
        let (_, body) = ingest::read(door, request).await?;
        Ok(Self(url::form_urlencoded::parse(&body).into_owned().collect()))
    }

    fn field(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

/// What a page says when it cannot do what it was asked.
fn refused(door: &Door, peer: IpAddr, problem: Problem, page: impl FnOnce(&str) -> String) -> Response {
    let said = match problem.status {
        StatusCode::TOO_MANY_REQUESTS => {
            let seconds = problem.retry_after.map_or(1, NonZeroU32::get);
            format!("Too many tries. Wait {seconds} seconds, then try again.")
        }
        _ => problem.detail.clone(),
    };
    // Counted and limited like every refusal; people read it as a page.
    let counted = door.refuse(peer, problem);
    let (head, _) = counted.into_parts();
    let mut response = view::respond(page(&said));
    *response.status_mut() = head.status;
    if let Some(wait) = head.headers.get("retry-after") {
        response.headers_mut().insert("retry-after", wait.clone());
    }
    response
}

/// `GET /join/{secret}`
async fn invited(State(door): State<Arc<Door>>, Segment(secret): Segment, request: Request) -> Response {
    let visit = match Visit::to_look(&door, &request) {
        Ok(visit) => visit,
        Err(problem) => return door.refuse(peer(request.extensions()), problem),
    };
    match door.engine.access().invitation(&secret, door.engine.now()) {
        Some(_) => view::respond(view::join("", "")),
        None => refused(&door, visit.from, no_invitation(), view::sorry),
    }
}

fn no_invitation() -> Problem {
    let detail = "This link was used already, or is too old, or a newer one was made. Ask for a new one.";
    Problem::not_found("invitation_unknown", detail)
}

/// `POST /join/{secret}` with `name`, `password`: the link is used, and they are signed in
async fn join(State(door): State<Arc<Door>>, Segment(secret): Segment, request: Request) -> Response {
    let visit = match Visit::to_change(&door, &request) {
        Ok(visit) => visit,
        Err(problem) => return door.refuse(peer(request.extensions()), problem),
    };
    if door.engine.access().invitation(&secret, door.engine.now()).is_none() {
        return refused(&door, visit.from, no_invitation(), view::sorry);
    }
    let form = match Form::read(&door, request).await {
        Ok(form) => form,
        Err(problem) => return refused(&door, visit.from, problem, |said| view::join("", said)),
    };
    let name = form.field("name");
    match take_in(&door, &secret, name, form.field("password"), visit.from).await {
        Ok(cookie) => session::with_cookie(Redirect::to(HOME).into_response(), &cookie, visit.https),
        Err(problem) => refused(&door, visit.from, problem, |said| view::join(name, said)),
    }
}

async fn take_in(door: &Door, secret: &str, name: &str, password: &str, from: IpAddr) -> Result<String, Problem> {
    let person = {
        let _turn = door.sign_ins.turn().await.map_err(Problem::too_many)?;
        door.engine.access().join(secret, name, password, door.engine.now()).await?
    };
    let (_, cookie) = session::open_for(door, &person, from).await?;
    Ok(cookie)
}

/// `GET /sign-in`
async fn ask(State(door): State<Arc<Door>>, request: Request) -> Response {
    let visit = match Visit::to_look(&door, &request) {
        Ok(visit) => visit,
        Err(problem) => return door.refuse(peer(request.extensions()), problem),
    };
    let caller = by_cookie(&door, &visit.headers, visit.peer).await.ok();
    match caller {
        Some(_) => Redirect::to("/account").into_response(),
        None => view::respond(view::sign_in("", "")),
    }
}

/// `POST /sign-in` with `name`, `password`
async fn sign_in(State(door): State<Arc<Door>>, request: Request) -> Response {
    let visit = match Visit::to_change(&door, &request) {
        Ok(visit) => visit,
        Err(problem) => return door.refuse(peer(request.extensions()), problem),
    };
    let form = match Form::read(&door, request).await {
        Ok(form) => form,
        Err(problem) => return refused(&door, visit.from, problem, |said| view::sign_in("", said)),
    };
    let name = form.field("name");
    match session::sign_in(&door, name, form.field("password"), visit.from).await {
        Ok((_, cookie)) => session::with_cookie(Redirect::to(HOME).into_response(), &cookie, visit.https),
        Err(problem) => refused(&door, visit.from, problem, |said| view::sign_in(name, said)),
    }
}

/// `POST /sign-out` with `csrf`
async fn sign_out(State(door): State<Arc<Door>>, request: Request) -> Response {
    let peer = peer(request.extensions());
    match end(&door, request).await {
        Ok(https) => session::with_cookie(Redirect::to("/sign-in").into_response(), "", https),
        Err(problem) => door.refuse(peer, problem),
    }
}

/// A form that somebody who is signed in sent from a page of ours.
async fn by_form(door: &Door, request: Request) -> Result<(Visit, Form, Caller), Problem> {
    let visit = Visit::to_change(door, &request)?;
    let form = Form::read(door, request).await?;
    let caller = by_cookie(door, &visit.headers, visit.peer).await?;
    check_csrf(&caller, form.field("csrf").as_bytes())?;
    Ok((visit, form, caller))
}

async fn end(door: &Door, request: Request) -> Result<bool, Problem> {
    let (visit, _, caller) = by_form(door, request).await?;
    if let Some(session) = &caller.session {
        door.engine.access().close_session(&session.cookie, door.engine.now()).await?;
    }
    Ok(visit.https)
}
