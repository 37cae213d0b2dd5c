//! `/api/v1/tokens`: who may use the API. A token is shown once, when it is made; nobody hands out more than they have.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{StatusCode, Uri},
    response::IntoResponse,
};
use cartwright_core::{
    access::{Area, Assignment, Right, Scope},
    time::Timestamp,
    workflow::StoreSelector,
};
use cartwright_run::{
    access::{AccessError, NewToken, Token},
    storage::CommitError,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, Segment, body, json, page, query::Query};
use crate::{
    caller::Caller,
    describe::about::{ABOUT as PLAIN, About, a, gives, nothing, page_of, takes},
    door::Door,
    ingest::STOPPING_SECONDS,
    problem::Problem,
};

/// A token on the wire.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
struct TokenBody<'a> {
    /// Names it in addresses: `tok_…`.
    id: &'a str,
    /// The token itself; only in the answer that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    /// For people.
    name: &'a str,
    /// What it may do.
    scopes: &'a [Scope],
    /// The only stores it is for; null: all, and what belongs to none.
    #[schema(required)]
    stores: Option<&'a [StoreSelector]>,
    /// When it was made.
    created: Timestamp,
    /// By whom.
    created_by: &'a str,
    /// When it ends; null: when it is revoked.
    #[schema(required)]
    expires: Option<Timestamp>,
    /// Requests a second that it may make; null: as many as anybody.
    #[schema(required)]
    requests_per_second: Option<u32>,
    /// Requests it was recognised in.
    requests: u64,
    /// When that was last.
    #[schema(required)]
    last_used: Option<Timestamp>,
}

fn show<'a>(token: &'a Token, text: Option<&'a str>) -> TokenBody<'a> {
    TokenBody {
        id: &token.id,
        token: text,
        name: &token.name,
        scopes: &token.assignment.scopes,
        stores: token.assignment.stores.as_deref(),
        created: token.created,
        created_by: &token.created_by,
        expires: token.expires,
        requests_per_second: token.requests_per_second,
        requests: token.usage.requests(),
        last_used: token.usage.last_used(),
    }
}

/// Whether the stores that a token is for are all within those the caller has this right at.
fn reaches(caller: &Caller, right: Right, token: &Token) -> bool {
    let scopes = vec![Scope::Area(Area::Tokens, right)];
    caller.principal.covers(&Assignment { scopes, stores: token.assignment.stores.clone() })
}

/// `GET /tokens`
pub(super) async fn list(State(door): State<Arc<Door>>, caller: Caller, uri: Uri) -> Answer {
    let query = Query::read(uri.query(), &[])?;
    let mut tokens = door.engine.access().tokens();
    tokens.retain(|token| reaches(&caller, Right::Read, token));
    let (tokens, next) = query.page(tokens, |token| &token.id)?;
    page(tokens.iter().map(|token| show(token, None)).collect(), next)
}

/// `GET /tokens/{id}`
pub(super) async fn one(State(door): State<Arc<Door>>, caller: Caller, Segment(id): Segment) -> Answer {
    let seen = door.engine.access().token(&id).filter(|token| reaches(&caller, Right::Read, token));
    json(StatusCode::OK, &show(&*seen.ok_or_else(unknown)?, None))
}

fn unknown() -> Problem {
    Problem::not_found("token_unknown", "there is no token of this id")
}

/// A token as asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewToken)]
struct WantedToken {
    /// For people; unique.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// What it may do; nobody hands out more than they have.
    #[schema(min_items = 1)]
    scopes: Vec<Scope>,
    /// The only stores it is for; absent: all, and what belongs to none.
    #[schema(min_items = 1)]
    stores: Option<Vec<StoreSelector>>,
    /// When it ends, in the future; absent: when it is revoked.
    expires: Option<Timestamp>,
    /// Requests a second that it may make; absent: as many as anybody.
    #[schema(minimum = 1)]
    requests_per_second: Option<u32>,
}

/// `POST /tokens` → 201 with the token, which is shown this once
pub(super) async fn create(State(door): State<Arc<Door>>, caller: Caller, request: Request) -> Answer {
    let wanted: WantedToken = body(&door, request, false).await?;
    let assignment = Assignment { scopes: wanted.scopes, stores: wanted.stores };
    if assignment.stores.as_ref().is_some_and(Vec::is_empty) {
        return Err(Problem::bad_request("access_invalid", "a token for no store could never be used")
            .help("Leave `stores` out for all of them."));
    }
    if !caller.principal.covers(&assignment) {
        return Err(too_much(&caller, &assignment));
    }
    let (expires, requests_per_second) = (wanted.expires, wanted.requests_per_second);
    let new = NewToken { name: wanted.name, assignment, expires, requests_per_second };
    let (token, text) = door.engine.access().create_token(new, caller.by(), door.engine.now()).await?;
    json(StatusCode::CREATED, &show(&token, Some(&text)))
}

/// Nobody hands out more than they have.
pub(super) fn too_much(caller: &Caller, asked: &Assignment) -> Problem {
    let lacks =
        |scope: &&Scope| !caller.principal.covers(&Assignment { scopes: vec![**scope], stores: asked.stores.clone() });
    let missing: Vec<String> = asked.scopes.iter().filter(lacks).map(Scope::to_string).collect();
    Problem::new(StatusCode::FORBIDDEN, "scope_missing", "nobody hands out more than they have themselves")
        .help(format!("You lack `{}` for those stores.", missing.join("`, `")))
}

/// `DELETE /tokens/{id}`: 204, and refused from then on
pub(super) async fn revoke(State(door): State<Arc<Door>>, caller: Caller, Segment(id): Segment) -> Answer {
    let access = door.engine.access();
    let seen = access.token(&id).filter(|token| reaches(&caller, Right::Write, token));
    let token = seen.ok_or_else(unknown)?;
    access.revoke_token(&token.id, caller.by(), door.engine.now()).await?;
    door.token_rates.forget(&token.id);
    Ok(StatusCode::NO_CONTENT.into_response())
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        let detail = error.to_string();
        match error {
            AccessError::Invalid(_) => Self::bad_request("access_invalid", detail),
            AccessError::Exists(_) => Self::new(StatusCode::CONFLICT, "access_exists", detail),
            AccessError::NotFound(_) => Self::not_found("access_unknown", detail),
            AccessError::Damaged(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "access_unreadable", detail),
            AccessError::Storage(CommitError::Conflict { .. }) => {
                Self::new(StatusCode::CONFLICT, "changed_meanwhile", "somebody else changed the same at the same time")
                    .help("Look how it is now, and try again.")
            }
            AccessError::Storage(_) => Self::unavailable(detail, STOPPING_SECONDS),
        }
    }
}

/// What the document says about these addresses.
pub(super) const ABOUT: &[About] = &[
    About {
        path: "/tokens",
        id: "listTokens",
        summary: "Tokens without the tokens themselves",
        pages: true,
        gives: &[gives(200, "A page of tokens by id.", page_of::<TokenBody<'_>>)],
        ..PLAIN
    },
    About {
        path: "/tokens/{id}",
        id: "showToken",
        summary: "One token, without the token itself",
        gives: &[gives(200, "It.", a::<TokenBody<'_>>)],
        refuses: &[(404, "token_unknown")],
        ..PLAIN
    },
    About {
        method: "POST",
        path: "/tokens",
        id: "createToken",
        summary: "Makes a token",
        text: "The answer is the only place where `token` is ever shown.",
        takes: takes(a::<WantedToken>, r#"{"name": "ci", "scopes": ["runs:read"], "stores": ["tag:eu"]}"#),
        gives: &[gives(201, "Made.", a::<TokenBody<'_>>)],
        refuses: &[
            (400, "access_invalid"),
            (409, "access_exists"),
            (409, "changed_meanwhile"),
            (500, "access_unreadable"),
        ],
        ..PLAIN
    },
    About {
        method: "DELETE",
        path: "/tokens/{id}",
        id: "revokeToken",
        summary: "Ends a token",
        gives: &[nothing("It is refused from now on.")],
        refuses: &[(404, "token_unknown"), (409, "changed_meanwhile")],
        ..PLAIN
    },
];
