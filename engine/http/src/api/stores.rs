//! `/api/v1/stores`: whom the engine works for. Secrets go in and never come out.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{StatusCode, Uri},
    response::IntoResponse,
};
use cartwright_core::{
    Json,
    access::{Area, Right, Scope},
    id::StoreId,
    time::Timestamp,
};
use cartwright_run::{
    OpenStore, StoreError,
    woo::{InvalidStore, Secret, StoreSettings, examine::Report},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, Segment, body, json, page, query::Query};
use crate::{
    caller::{Caller, limited},
    describe::about::{ABOUT as PLAIN, About, a, gives, nothing, page_of, param, takes, text},
    door::Door,
    ingest::STOPPING_SECONDS,
    problem::Problem,
};

/// A store on the wire.
#[derive(Serialize, ToSchema)]
#[schema(as = Store)]
struct StoreBody<'a> {
    id: &'a StoreId,
    /// Its address, without a `/` at the end.
    #[schema(required)]
    url: Option<&'a str>,
    /// For filters and triggers.
    tags: &'a [String],
    /// How many webhook secrets are valid now.
    webhook_secrets: usize,
    /// Whether it has a REST key and secret.
    rest_keys: bool,
    /// When it was connected.
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
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewStore {
    /// How it will be called.
    #[schema(value_type = StoreId)]
    id: String,
    /// `https://…`; for this machine also `http://…`.
    url: Option<String>,
    /// For filters and triggers.
    #[serde(default)]
    tags: Vec<String>,
    /// Each may sign webhooks.
    #[serde(default)]
    webhook_secrets: Vec<String>,
    /// REST consumer key, `ck_…`; goes with `secret`.
    key: Option<String>,
    /// REST consumer secret, `cs_…`.
    secret: Option<String>,
}

/// `GET /stores?tag=`
pub(super) async fn list(State(door): State<Arc<Door>>, caller: Caller, uri: Uri) -> Answer {
    let query = Query::read(uri.query(), &["tag"])?;
    let has_tag = |open: &OpenStore| query.text("tag").is_none_or(|tag| open.tags.iter().any(|one| one == tag));
    let mut stores = door.engine.stores().list();
    stores
        .retain(|open| has_tag(open) && caller.principal.may_at(Area::Stores, Right::Read, &open.store.id, &open.tags));
    let (stores, next) = query.page(stores, |open| open.store.id.as_str())?;
    page(stores.iter().map(|open| show(open)).collect(), next)
}

/// `GET /stores/{id}`
pub(super) async fn one(State(door): State<Arc<Door>>, caller: Caller, Segment(id): Segment) -> Answer {
    let store = id.parse().ok().and_then(|id| door.engine.stores().get(&id));
    let seen = store.filter(|open| caller.principal.may_at(Area::Stores, Right::Read, &open.store.id, &open.tags));
    json(StatusCode::OK, &show(&*seen.ok_or_else(|| unknown(&id))?))
}

/// `POST /stores`: 201; for a store that is there, new webhook secrets are added beside the old ones: 200.
pub(super) async fn add(State(door): State<Arc<Door>>, caller: Caller, request: Request) -> Answer {
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
            caller.change(&door, Area::Stores, Some(&id), || exists(&id))?;
            let entry = caller.did(&door, "store.webhook_secret", id.as_str()).of_store(Some(&id));
            let audit = |before: &OpenStore, after: &OpenStore| {
                Some(door.audit_write(&entry.before(described(before)).after(described(after))))
            };
            let changed = stores.add_webhook_secrets(&id, &settings.webhook_secrets, audit).await?;
            let changed = changed.ok_or_else(|| unknown(id.as_str()))?;
            json(StatusCode::OK, &show(&changed))
        }
        _ => {
            // Only into the part of the world that they have: the tags that it will have decide.
            if !caller.principal.may_at(Area::Stores, Right::Write, &id, &settings.tags) {
                return Err(limited(Scope::Area(Area::Stores, Right::Write)));
            }
            let entry = caller.did(&door, "store.add", id.as_str()).of_store(Some(&id));
            let audit = |added: &OpenStore| Some(door.audit_write(&entry.after(described(added))));
            let added = stores.add(id.clone(), &settings, door.engine.now(), audit).await?;
            json(StatusCode::CREATED, &show(&added))
        }
    }
}

/// For the audit log.
fn described(open: &OpenStore) -> Json {
    serde_json::to_value(show(open)).unwrap_or(Json::Null)
}

fn exists(id: &StoreId) -> Problem {
    StoreError::Exists(id.clone()).into()
}

/// `DELETE /stores/{id}`: 204
pub(super) async fn remove(State(door): State<Arc<Door>>, caller: Caller, Segment(id): Segment) -> Answer {
    let store: StoreId = id.parse().map_err(|_| unknown(&id))?;
    door.engine.stores().get(&store).ok_or_else(|| unknown(&id))?;
    caller.change(&door, Area::Stores, Some(&store), || unknown(&id))?;
    let entry = caller.did(&door, "store.remove", store.as_str()).of_store(Some(&store));
    let audit = |there: &OpenStore| Some(door.audit_write(&entry.before(described(there))));
    if door.engine.stores().remove(&store, audit).await? {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(unknown(&id))
    }
}

/// `POST /stores/{id}/test`: 200 with what was found, whatever that is.
pub(super) async fn test(State(door): State<Arc<Door>>, caller: Caller, Segment(id): Segment) -> Answer {
    let store: StoreId = id.parse().map_err(|_| unknown(&id))?;
    caller.change(&door, Area::Stores, Some(&store), || unknown(&id))?;
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

/// What the document says about these addresses.
pub(super) const ABOUT: &[About] = &[
    About {
        path: "/stores",
        id: "listStores",
        summary: "Stores by id",
        pages: true,
        query: &[param("tag", "Those with this tag.", text)],
        gives: &[gives(200, "A page of stores.", page_of::<StoreBody<'_>>)],
        ..PLAIN
    },
    About {
        path: "/stores/{id}",
        id: "showStore",
        summary: "One store",
        gives: &[gives(200, "It.", a::<StoreBody<'_>>)],
        refuses: &[(404, "store_unknown")],
        ..PLAIN
    },
    About {
        method: "POST",
        path: "/stores",
        id: "addStore",
        summary: "Connects a store, or adds a webhook secret",
        text: "With `id` and `webhook_secrets` alone, and a store of that id connected, the secrets are added beside those that are \
               valid.",
        takes: takes(
            a::<NewStore>,
            r#"{"id": "my-shop", "url": "https://shop.example", "tags": ["eu"], "webhook_secrets": ["…"]}"#,
        ),
        gives: &[
            gives(201, "Connected.", a::<StoreBody<'_>>),
            gives(200, "The webhook secrets were added.", a::<StoreBody<'_>>),
        ],
        refuses: &[(400, "store_invalid"), (404, "store_unknown"), (409, "store_exists"), (500, "store_unreadable")],
        ..PLAIN
    },
    About {
        method: "DELETE",
        path: "/stores/{id}",
        id: "removeStore",
        summary: "Disconnects a store",
        text: "Its events and runs stay.",
        gives: &[nothing("It is gone, and its secrets with it.")],
        refuses: &[(404, "store_unknown")],
        ..PLAIN
    },
    About {
        method: "POST",
        path: "/stores/{id}/test",
        id: "testStore",
        summary: "Finds out whether a store can be called, and what to do if not",
        text: "Calls the store, which may take some seconds.",
        gives: &[gives(200, "What was found, whatever that is.", a::<Report>)],
        refuses: &[(404, "store_unknown")],
        ..PLAIN
    },
];
