//! `/api/v1/users`: people, invitations and roles; for administrators of everything.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{StatusCode, Uri},
    response::IntoResponse,
};
use cartwright_core::time::Timestamp;
use cartwright_run::access::{INVITATION_LIFE, Person, RoleAt};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, Segment, body, json, page, query::Query};
use crate::{
    caller::Caller,
    describe::about::{ABOUT as PLAIN, About, a, gives, nothing, page_of, takes},
    door::Door,
    problem::Problem,
};

/// A person on the wire.
#[derive(Serialize, ToSchema)]
#[schema(as = Person)]
struct PersonBody<'a> {
    /// How they sign in.
    name: &'a str,
    /// What they are, and where.
    roles: &'a [RoleAt],
    /// Since when.
    created: Timestamp,
}

fn show(person: &Person) -> PersonBody<'_> {
    PersonBody { name: &person.name, roles: &person.roles, created: person.created }
}

/// `GET /users`
pub(super) async fn list(State(door): State<Arc<Door>>, uri: Uri) -> Answer {
    let query = Query::read(uri.query(), &[])?;
    let (people, next) = query.page(door.engine.access().people(), |person| &person.name)?;
    page(people.iter().map(|person| show(person)).collect(), next)
}

/// Who is invited, as what.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewInvitation {
    /// What they will be, and where.
    #[schema(min_items = 1)]
    roles: Vec<RoleAt>,
}

/// A link that works once.
#[derive(Serialize, ToSchema)]
struct Invited {
    /// The path of the link; shown this once.
    path: String,
    /// When it stops working.
    expires: Timestamp,
}

/// `POST /users/invitations` `{"roles": [{"role", "stores"}]}` → 201 `{"path", "expires"}`; the path is shown this once
pub(super) async fn invite(State(door): State<Arc<Door>>, caller: Caller, request: Request) -> Answer {
    let NewInvitation { roles } = body(&door, request, false).await?;
    let now = door.engine.now();
    let secret = door.engine.access().invite(roles, caller.by(), now).await?;
    json(StatusCode::CREATED, &Invited { path: format!("/join/{secret}"), expires: now.plus(INVITATION_LIFE) })
}

/// What is to be different about a person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PersonChange)]
struct Changed {
    /// Absent: as they are.
    roles: Option<Vec<RoleAt>>,
    /// At least 12 bytes; ends their sessions. Absent: as it is.
    #[schema(min_length = 12, max_length = 1024)]
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

/// What the document says about these addresses.
pub(super) const ABOUT: &[About] = &[
    About {
        path: "/users",
        id: "listUsers",
        summary: "People by name",
        pages: true,
        gives: &[gives(200, "A page of people.", page_of::<PersonBody<'_>>)],
        ..PLAIN
    },
    About {
        method: "POST",
        path: "/users/invitations",
        id: "inviteUser",
        summary: "Makes a link for a new person",
        text: "It works once and for a day. The answer is the only place where it is ever shown.",
        takes: takes(a::<NewInvitation>, r#"{"roles": [{"role": "operator", "stores": ["tag:eu"]}]}"#),
        gives: &[gives(201, "Made.", a::<Invited>)],
        refuses: &[(400, "access_invalid"), (409, "changed_meanwhile")],
        ..PLAIN
    },
    About {
        method: "PUT",
        path: "/users/{name}",
        id: "changeUser",
        summary: "Changes somebody's roles or password",
        takes: takes(a::<Changed>, r#"{"roles": [{"role": "viewer"}]}"#),
        gives: &[gives(200, "Changed.", a::<PersonBody<'_>>)],
        refuses: &[
            (400, "access_invalid"),
            (404, "access_unknown"),
            (409, "changed_meanwhile"),
            (500, "access_unreadable"),
        ],
        ..PLAIN
    },
    About {
        method: "DELETE",
        path: "/users/{name}",
        id: "removeUser",
        summary: "Removes a person",
        text: "The last owner of everything stays.",
        gives: &[nothing("They are gone, and their sessions with them.")],
        refuses: &[
            (400, "access_invalid"),
            (404, "access_unknown"),
            (409, "changed_meanwhile"),
            (500, "access_unreadable"),
        ],
        ..PLAIN
    },
];
