//! `/api/v1/keys`: which master keys there are and what they wrap, and their rotation. Never a key.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::StatusCode,
};
use cartwright_core::access::{Area, Right};
use cartwright_run::{KeyError, KeyList, Rotated};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, json, optional_body};
use crate::{
    caller::Caller,
    describe::about::{ABOUT as PLAIN, About, a, gives, may_take},
    door::Door,
    ingest::STOPPING_SECONDS,
    problem::Problem,
};

/// Master keys on the wire.
#[derive(Serialize, ToSchema)]
#[schema(as = Keys)]
struct KeysBody {
    /// Where the master key comes from.
    source: &'static str,
    /// The key that everything new is wrapped by.
    #[schema(required)]
    current: Option<String>,
    keys: Vec<KeyBody>,
}

/// One of them.
#[derive(Serialize, ToSchema)]
#[schema(as = Key)]
struct KeyBody {
    /// Names the key and says nothing about it.
    id: String,
    /// `current`, `opens` (to be retired by a rotation), or `missing`: what it wraps does not open.
    state: &'static str,
    /// Stores whose keys it wraps.
    stores: usize,
    /// Secrets whose keys it wraps.
    secrets: usize,
}

/// How to rotate.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct HowToRotate {
    /// Also replace the keys that the master key wraps.
    #[serde(default)]
    data_keys: bool,
}

/// A rotation that is done.
#[derive(Serialize, ToSchema)]
#[schema(as = Rotated)]
struct RotatedBody {
    /// The key that wraps everything now.
    key: String,
    /// The key was made by this rotation; else by one before, or by people.
    made: bool,
    /// Nothing needs these any more.
    retired: Vec<String>,
    stores: usize,
    secrets: usize,
}

/// `GET /keys`
pub(super) async fn list(State(door): State<Arc<Door>>, caller: Caller) -> Answer {
    caller.everywhere(Area::Secrets, Right::Read)?;
    let KeyList { source, keys, mut wraps } = door.engine.key_list().await?;
    let current = keys.first().cloned();
    let mut all = Vec::with_capacity(keys.len());
    for (place, id) in keys.into_iter().enumerate() {
        let (stores, secrets) = wraps.remove(&id).unwrap_or_default();
        all.push(KeyBody { id, state: if place == 0 { "current" } else { "opens" }, stores, secrets });
    }
    let missing = wraps.into_iter().map(|(id, (stores, secrets))| KeyBody { id, state: "missing", stores, secrets });
    all.extend(missing);
    json(StatusCode::OK, &KeysBody { source, current, keys: all })
}

/// `POST /keys/rotate` `{"data_keys"}`: 200 once everything is wrapped by the current key.
pub(super) async fn rotate(State(door): State<Arc<Door>>, caller: Caller, request: Request) -> Answer {
    let HowToRotate { data_keys } = optional_body(&door, request).await?;
    let Rotated { keys, stores, secrets } = door.engine.rotate_keys(data_keys).await?;
    let body = RotatedBody { key: keys.current, made: keys.made, retired: keys.previous, stores, secrets };
    let now = serde_json::json!({ "data_keys": data_keys, "made": body.made, "retired": body.retired });
    door.audit(caller.did(&door, "keys.rotate", &body.key).after(now)).await?;
    json(StatusCode::OK, &body)
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, error.to_string());
        match &error {
            KeyError::UnderWay => conflict("rotation_under_way"),
            KeyError::Restless => conflict("rotation_unfinished"),
            KeyError::Unreadable { .. } => conflict("rotation_unfinished"),
            KeyError::Vault(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "master_key_failed", error.to_string()),
            KeyError::Storage(_) => Self::unavailable(error.to_string(), STOPPING_SECONDS),
        }
    }
}

/// What the document says about these addresses.
pub(super) const ABOUT: &[About] = &[
    About {
        path: "/keys",
        id: "listKeys",
        summary: "Which master keys there are, and what they wrap",
        text: "Never a key.",
        gives: &[gives(200, "The keys.", a::<KeysBody>)],
        ..PLAIN
    },
    About {
        method: "POST",
        path: "/keys/rotate",
        id: "rotateKeys",
        summary: "Replaces the master key",
        text: "Nothing stops meanwhile. A rotation that was cut off is finished by the next.",
        takes: may_take(a::<HowToRotate>, r#"{"data_keys": false}"#),
        gives: &[gives(200, "Everything is wrapped by the current key.", a::<RotatedBody>)],
        refuses: &[(409, "rotation_under_way"), (409, "rotation_unfinished"), (500, "master_key_failed")],
        ..PLAIN
    },
];
