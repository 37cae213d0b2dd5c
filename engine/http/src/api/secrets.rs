//! `/api/v1/secrets`: named secrets. Values go in and never come out.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{StatusCode, Uri},
    response::IntoResponse,
};
use cartwright_core::{
    access::{Area, Right},
    time::Timestamp,
};
use cartwright_run::{
    SecretError, SecretInfo,
    woo::{InvalidSecret, Secret},
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

/// A secret on the wire.
#[derive(Serialize, ToSchema)]
#[schema(as = Secret)]
struct SecretBody {
    /// How workflows call it.
    name: String,
    /// Which value of the name, from 1.
    version: u64,
    /// When this value was set.
    set: Timestamp,
}

impl From<SecretInfo> for SecretBody {
    fn from(SecretInfo { name, version, set }: SecretInfo) -> Self {
        Self { name, version, set }
    }
}

/// A new value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewValue {
    /// Never shown again.
    #[schema(min_length = 1)]
    value: String,
}

/// `GET /secrets`
pub(super) async fn list(State(door): State<Arc<Door>>, caller: Caller, uri: Uri) -> Answer {
    caller.everywhere(Area::Secrets, Right::Read)?;
    let query = Query::read(uri.query(), &[])?;
    let (secrets, next) = query.page(door.engine.secrets().list().await?, |secret| &secret.name)?;
    page(secrets.into_iter().map(SecretBody::from).collect(), next)
}

/// `PUT /secrets/{name}` `{"value"}`
pub(super) async fn set(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segment(name): Segment,
    request: Request,
) -> Answer {
    caller.everywhere(Area::Secrets, Right::Write)?;
    let NewValue { value } = body(&door, request, true).await?;
    let audit = |info: &SecretInfo| {
        let before = info.version.checked_sub(1).filter(|version| *version > 0);
        let entry = caller.did(&door, "secret.set", &info.name).before(serde_json::json!({ "version": before }));
        Some(door.audit_write(&entry.after(serde_json::json!({ "version": info.version }))))
    };
    let info = door.engine.secrets().set(&name, &Secret::new(value), door.engine.now(), audit).await?;
    json(StatusCode::OK, &SecretBody::from(info))
}

/// `DELETE /secrets/{name}`: 204
pub(super) async fn remove(State(door): State<Arc<Door>>, caller: Caller, Segment(name): Segment) -> Answer {
    caller.everywhere(Area::Secrets, Right::Write)?;
    let entry = door.audit_write(&caller.did(&door, "secret.remove", &name));
    if door.engine.secrets().remove(&name, Some(entry)).await? {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let shown: String = name.chars().take(80).collect();
    Err(Problem::not_found("secret_unknown", format!("no secret `{shown}` is set")))
}

impl From<SecretError> for Problem {
    fn from(error: SecretError) -> Self {
        match &error {
            SecretError::Invalid(InvalidSecret::Vault(_) | InvalidSecret::Damaged(_)) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "secret_unreadable", error.to_string())
            }
            SecretError::Invalid(_) => Self::bad_request("secret_invalid", error.to_string()),
            SecretError::Storage(_) => Self::unavailable(error.to_string(), STOPPING_SECONDS),
        }
    }
}

/// What the document says about these addresses.
pub(super) const ABOUT: &[About] = &[
    About {
        path: "/secrets",
        id: "listSecrets",
        summary: "Secrets without their values",
        pages: true,
        gives: &[gives(200, "A page of secrets by name.", page_of::<SecretBody>)],
        ..PLAIN
    },
    About {
        method: "PUT",
        path: "/secrets/{name}",
        id: "setSecret",
        summary: "Sets a secret",
        text: "Runs use the new value from their next call on.",
        takes: takes(a::<NewValue>, r#"{"value": "xoxb-…"}"#),
        gives: &[gives(200, "Sealed, and on stable storage.", a::<SecretBody>)],
        refuses: &[(400, "secret_invalid"), (500, "secret_unreadable")],
        ..PLAIN
    },
    About {
        method: "DELETE",
        path: "/secrets/{name}",
        id: "removeSecret",
        summary: "Removes a secret",
        gives: &[nothing("It is gone.")],
        refuses: &[(404, "secret_unknown")],
        ..PLAIN
    },
];
