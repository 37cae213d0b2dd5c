//! `/api/v1/users`: people, invitations and roles; for administrators of everything.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::IntoResponse,
};
use cartwright_core::time::Timestamp;
use cartwright_run::access::{INVITATION_LIFE, Person, RoleAt};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Answer, Segment, body, json, page};
use crate::{caller::Caller, door::Door, problem::Problem};

/// A person on the wire.
#[derive(Serialize)]
struct PersonBody<'a> {
    name: &'a str,
    roles: &'a [RoleAt],
    created: Timestamp,
}

fn show(person: &Person) -> PersonBody<'_> {
    PersonBody { name: &person.name, roles: &person.roles, created: person.created }
}

/// `GET /users`
pub(super) async fn list(State(door): State<Arc<Door>>) -> Answer {
    let people = door.engine.access().people();
    page(people.iter().map(|person| show(person)).collect(), None)
}

/// Who is invited, as what.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewInvitation {
    roles: Vec<RoleAt>,
}

/// `POST /users/invitations` `{"roles": [{"role", "stores"}]}` → 201 `{"path", "expires"}`; the path is shown this once
pub(super) async fn invite(State(door): State<Arc<Door>>, caller: Caller, request: Request) -> Answer {
    let NewInvitation { roles } = body(&door, request, false).await?;
    let now = door.engine.now();
    let secret = door.engine.access().invite(roles, caller.by(), now).await?;
    json(StatusCode::CREATED, &json!({ "path": format!("/join/{secret}"), "expires": now.plus(INVITATION_LIFE) }))
}

/// What is to be different about a person.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Changed {
    roles: Option<Vec<RoleAt>>,
    password: Option<String>,
}

/// `PUT /users/{name}` `{"roles", "password"}`: what is absent stays; a new password ends their sessions
pub(super) async fn change(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segment(name): Segment,
    request: Request,
) -> Answer {
    let Changed { roles, password } = body(&door, request, true).await?;
    let access = door.engine.access();
    if roles.is_none() && password.is_none() {
        return Err(Problem::bad_request("body_invalid", "give `roles`, `password` or both"));
    }
    if let Some(roles) = roles {
        access.set_roles(&name, roles, caller.by(), door.engine.now()).await?;
    }
    if let Some(password) = password {
        let _turn = door.sign_ins.turn().await.map_err(Problem::too_many)?;
        access.set_password(&name, &password, caller.by(), door.engine.now()).await?;
    }
    let unknown = || Problem::not_found("access_unknown", "there is no person of this name");
    json(StatusCode::OK, &show(&*access.person(&name).ok_or_else(unknown)?))
}

/// `DELETE /users/{name}`: 204; their sessions end
pub(super) async fn remove(State(door): State<Arc<Door>>, caller: Caller, Segment(name): Segment) -> Answer {
    door.engine.access().remove_person(&name, caller.by(), door.engine.now()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
