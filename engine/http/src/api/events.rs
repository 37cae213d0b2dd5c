//! `/api/v1/events`: what came in, which workflows it started, which not and why; and a way to bring one in.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{StatusCode, Uri},
};
use cartwright_core::{
    event::{Event, Match, Source},
    id::{EventId, StoreId},
    time::Timestamp,
};
use cartwright_run::{
    Incoming,
    storage::{EventFilter, StoredEvent},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Answer, Segment, body, json, page, query::Query};
use crate::{door::Door, ingest, json::check, problem::Problem};

/// Of a topic, in bytes.
const MAX_TOPIC_BYTES: usize = 200;

/// An event in lists: without its data, which may be large.
#[derive(Serialize)]
struct EventRow {
    id: EventId,
    topic: String,
    store: Option<StoreId>,
    time: Timestamp,
    source: Source,
    hops: u32,
    matches: Option<Vec<Match>>,
}

impl From<StoredEvent> for EventRow {
    fn from(StoredEvent { event, matches }: StoredEvent) -> Self {
        let Event { id, topic, store, time, source, hops, .. } = event;
        Self { id, topic, store, time, source, hops, matches }
    }
}

/// An event on the wire.
#[derive(Serialize)]
struct EventBody {
    #[serde(flatten)]
    event: Event,
    /// `null` while it waits to be matched.
    matches: Option<Vec<Match>>,
}

impl From<StoredEvent> for EventBody {
    fn from(StoredEvent { event, matches }: StoredEvent) -> Self {
        Self { event, matches }
    }
}

/// `GET /events?store=&topic=`
pub(super) async fn list(State(door): State<Arc<Door>>, uri: Uri) -> Answer {
    let query = Query::read(uri.query(), &["store", "topic"])?;
    let filter = EventFilter { store: query.value("store")?, topic: query.text("topic").map(str::to_owned) };
    let found = door.engine.events(&filter, query.cursor(), query.limit()?).await?;
    page(found.items.into_iter().map(EventRow::from).collect(), found.next)
}

/// `GET /events/{id}`
pub(super) async fn show(State(door): State<Arc<Door>>, Segment(id): Segment) -> Answer {
    let unknown =
        || Problem::not_found("event_unknown", "there is no event of this id, or it is older than retention keeps");
    let id: EventId = id.parse().map_err(|_| unknown())?;
    let event = door.engine.event(&id).await?.ok_or_else(unknown)?;
    json(StatusCode::OK, &EventBody::from(event))
}

/// An event as brought in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewEvent {
    topic: String,
    store: Option<String>,
    data: Option<Box<RawValue>>,
}

/// `POST /events` `{"topic","store","data"}` → 202 `{"id"}`
pub(super) async fn accept(State(door): State<Arc<Door>>, request: Request) -> Answer {
    let new: NewEvent = body(&door, request, false).await?;
    let store = new.store.as_deref().map(|id| known_store(&door, id)).transpose()?;
    let event = Incoming { topic: topic(new.topic)?, store, source: Source::Api, data: data(new.data)?, dedupe: None };
    accepted(&ingest::accept(&door, event).await?.id)
}

/// 202 with the event's id.
pub(super) fn accepted(id: &EventId) -> Answer {
    json(StatusCode::ACCEPTED, &serde_json::json!({ "id": id }))
}

/// The data of an event that a program brings: checked as a webhook's, `{}` when absent.
pub(super) fn data(data: Option<Box<RawValue>>) -> Result<Arc<RawValue>, Problem> {
    let data = match data {
        Some(data) => data,
        None => RawValue::from_string("{}".to_owned()).expect("an empty map is JSON"),
    };
    check(data.get()).map_err(|refused| ingest::unreadable(&refused))?;
    Ok(data.into())
}

/// A store that is connected.
pub(super) fn known_store(door: &Door, id: &str) -> Result<StoreId, Problem> {
    let known = id.parse().ok().filter(|id| door.engine.stores().get(id).is_some());
    let shown: String = id.chars().take(80).collect();
    known.ok_or_else(|| {
        Problem::bad_request("store_unknown", format!("no store `{shown}` is connected"))
            .help("`cartwright store ls` lists them.")
    })
}

/// A topic as programs may name it.
pub(super) fn topic(topic: String) -> Result<String, Problem> {
    let ok = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let valid = topic.len() <= MAX_TOPIC_BYTES && topic.bytes().all(ok) && !topic.split('.').any(str::is_empty);
    if valid {
        Ok(topic)
    } else {
        Err(Problem::bad_request("topic_invalid", "a topic is words of a-z, A-Z, 0-9, `_` and `-`, joined by dots"))
    }
}
