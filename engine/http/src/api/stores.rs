//! `/api/v1/stores`: whom the engine works for. Secrets go in and never come out.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::IntoResponse,
};
use cartwright_core::{id::StoreId, time::Timestamp};
use cartwright_run::{
    OpenStore, StoreError,
    woo::{InvalidStore, Secret, StoreSettings},
};
use serde::{Deserialize, Serialize};

use super::{Answer, Segment, body, json, page};
use crate::{door::Door, ingest::STOPPING_SECONDS, problem::Problem};

/// A store on the wire.
#[derive(Serialize)]
struct StoreBody<'a> {
    id: &'a StoreId,
    url: Option<&'a str>,
    tags: &'a [String],
    /// How many are valid now.
    webhook_secrets: usize,
    rest_keys: bool,
    created: Timestamp,
}

fn show(open: &OpenStore) -> StoreBody<'_> {
    let store = &open.store;
    StoreBody {
        id: &store.id,
        url: store.url.as_deref(),
        tags: &open.tags,
        webhook_secrets: store.webhook_secret_count(),
        rest_keys: store.has_rest_keys(),
        created: store.created,
    }
}

/// A store as asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewStore {
    id: String,
    url: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    webhook_secrets: Vec<String>,
    key: Option<String>,
    secret: Option<String>,
}

/// `GET /stores`
pub(super) async fn list(State(door): State<Arc<Door>>) -> Answer {
    let stores = door.engine.stores().list();
    page(stores.iter().map(|store| show(store)).collect(), None)
}

/// `POST /stores`: 201; for a store that is there, new webhook secrets are added beside the old ones: 200.
pub(super) async fn add(State(door): State<Arc<Door>>, request: Request) -> Answer {
    let new: NewStore = body(&door, request, true).await?;
    let id: StoreId = new.id.parse().map_err(|error| Problem::bad_request("store_invalid", format!("{error}")))?;
    let secret = |text: String| Secret::new(text);
    let rotates = new.key.is_none() && new.secret.is_none() && new.tags.is_empty() && !new.webhook_secrets.is_empty();
    let settings = StoreSettings {
        url: new.url,
        tags: new.tags,
        webhook_secrets: new.webhook_secrets.into_iter().map(secret).collect(),
        rest_key: new.key.map(secret),
        rest_secret: new.secret.map(secret),
    };
    let stores = door.engine.stores();
    match stores.get(&id) {
        Some(there) if rotates && (settings.url.is_none() || settings.url == there.store.url) => {
            let mut changed = there;
            for secret in &settings.webhook_secrets {
                changed = stores.add_webhook_secret(&id, secret).await?.ok_or_else(|| unknown(id.as_str()))?;
            }
            json(StatusCode::OK, &show(&changed))
        }
        _ => json(StatusCode::CREATED, &show(&*stores.add(id, &settings, door.engine.now()).await?)),
    }
}

/// `DELETE /stores/{id}`: 204
pub(super) async fn remove(State(door): State<Arc<Door>>, Segment(id): Segment) -> Answer {
    let store: StoreId = id.parse().map_err(|_| unknown(&id))?;
    if door.engine.stores().remove(&store).await? {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(unknown(&id))
    }
}

/// `POST /stores/{id}/test`: 200 with what was found, whatever that is.
pub(super) async fn test(State(door): State<Arc<Door>>, Segment(id): Segment) -> Answer {
    let store: StoreId = id.parse().map_err(|_| unknown(&id))?;
    let report = door.engine.examine_store(&store).await.ok_or_else(|| unknown(&id))?;
    json(StatusCode::OK, &report)
}

fn unknown(id: &str) -> Problem {
    let shown: String = id.chars().take(80).collect();
    Problem::not_found("store_unknown", format!("no store `{shown}` is connected"))
        .help("`cartwright store ls` lists them.")
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Exists(_) => Self::new(StatusCode::CONFLICT, "store_exists", error.to_string()),
            StoreError::Invalid(InvalidStore::Vault(_) | InvalidStore::Damaged(_)) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "store_unreadable", error.to_string())
            }
            StoreError::Invalid(_) => Self::bad_request("store_invalid", error.to_string()),
            StoreError::Storage(_) => Self::unavailable(error.to_string(), STOPPING_SECONDS),
        }
    }
}
