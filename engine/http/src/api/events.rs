//! `/api/v1/events`: what came in, which workflows it started, which not and why; and a way to bring one in.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{StatusCode, Uri},
};
use cartwright_core::{
    access::{Area, Right},
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
use utoipa::ToSchema;

use super::{Answer, Segment, body, explain, json, page, query::Query, sift::sift};
use crate::{
    caller::Caller,
    describe::about::{ABOUT as PLAIN, About, SINCE, UNTIL, a, gives, page_of, param, takes, text},
    door::Door,
    idempotent::SameAs,
    ingest,
    json::check,
    problem::Problem,
};

/// Of a topic, in bytes.
const MAX_TOPIC_BYTES: usize = 200;

/// An event in lists: without its data, which may be large.
#[derive(Serialize, ToSchema)]
struct EventRow {
    id: EventId,
    topic: String,
    #[schema(required)]
    store: Option<StoreId>,
    /// When it was accepted.
    time: Timestamp,
    source: Source,
    /// How many emits lie between it and the outside world.
    hops: u32,
    /// `null` while it waits to be matched.
    #[schema(required)]
    matches: Option<Vec<Match>>,
}

impl From<StoredEvent> for EventRow {
    fn from(StoredEvent { event, matches }: StoredEvent) -> Self {
        let Event { id, topic, store, time, source, hops, .. } = event;
        Self { id, topic, store, time, source, hops, matches }
    }
}

/// An event on the wire.
#[derive(Serialize, ToSchema)]
#[schema(as = MatchedEvent)]
struct EventBody {
    #[serde(flatten)]
    event: Event,
    /// `null` while it waits to be matched.
    #[schema(required)]
    matches: Option<Vec<Match>>,
}

impl From<StoredEvent> for EventBody {
    fn from(StoredEvent { event, matches }: StoredEvent) -> Self {
        Self { event, matches }
    }
}

/// `GET /events?store=&topic=&since=&until=`
pub(super) async fn list(State(door): State<Arc<Door>>, caller: Caller, uri: Uri) -> Answer {
    let query = Query::read(uri.query(), &["store", "topic", "since", "until"])?;
    let (since, until) = query.span()?;
    let topic = query.text("topic").map(str::to_owned);
    let mut filter = EventFilter { store: query.value("store")?, topic, since, until };
    let limit = query.limit()?;
    if let (Some([only]), None) = (caller.only_stores(&door, Area::Events).as_deref(), &filter.store) {
        filter.store = Some(only.clone());
    }
    let sees = |found: &StoredEvent| caller.reaches(&door, Area::Events, Right::Read, found.event.store.as_ref());
    let (engine, filter) = (&door.engine, &filter);
    let fetch =
        |cursor: Option<String>, limit| async move { Ok(engine.events(filter, cursor.as_deref(), limit).await?) };
    let (items, next) = sift(query.cursor(), limit, sees, fetch).await?;
    page(items.into_iter().map(EventRow::from).collect(), next)
}

/// An event shown alone.
#[derive(Serialize, ToSchema)]
#[schema(as = EventShown)]
struct Shown<'a> {
    #[serde(flatten)]
    event: EventBody,
    /// Why other workflows were not considered.
    now: explain::Now<'a>,
}

/// `GET /events/{id}?workflow=`: the event, what came of matching it, and why other workflows were not considered
pub(super) async fn show(State(door): State<Arc<Door>>, caller: Caller, Segment(id): Segment, uri: Uri) -> Answer {
    let query = Query::read(uri.query(), &["workflow"])?;
    let stored = find(&door, &caller, &id).await?;
    let set = door.engine.workflows();
    let now = explain::now(&door, &caller, &set, &stored, query.text("workflow"));
    json(StatusCode::OK, &Shown { now, event: EventBody::from(stored) })
}

/// An event that the caller sees.
pub(super) async fn find(door: &Door, caller: &Caller, id: &str) -> Result<StoredEvent, Problem> {
    let id: EventId = id.parse().map_err(|_| unknown())?;
    let stored = door.engine.event(&id).await?.ok_or_else(unknown)?;
    if !caller.reaches(door, Area::Events, Right::Read, stored.event.store.as_ref()) {
        return Err(unknown());
    }
    Ok(stored)
}

pub(super) fn unknown() -> Problem {
    Problem::not_found("event_unknown", "there is no event of this id, or it is older than retention keeps")
}

/// An event as brought in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewEvent {
    /// Words joined by dots.
    #[schema(max_length = 200, pattern = "^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*$", example = "stock.low")]
    topic: String,
    /// The store it is about, which must be connected; absent: none.
    #[schema(value_type = Option<StoreId>)]
    store: Option<String>,
    /// Any JSON, at most 64 levels deep; absent: `{}`.
    #[schema(value_type = Option<Value>)]
    data: Option<Box<RawValue>>,
}

/// `POST /events` `{"topic","store","data"}` → 202 `{"id"}`
pub(super) async fn accept(State(door): State<Arc<Door>>, caller: Caller, request: Request) -> Answer {
    let dedupe = request.extensions().get().map(|SameAs(hash)| *hash);
    let new: NewEvent = body(&door, request, false).await?;
    let store = store_for(&door, &caller, Area::Events, new.store.as_deref())?;
    let (topic, data) = (topic(new.topic)?, data(new.data)?);
    let said = serde_json::json!({ "topic": topic });
    let event = Incoming { topic, store: store.clone(), source: Source::Api, data, dedupe };
    let id = ingest::accept(&door, event).await?.id;
    door.audit(caller.did(&door, "event.accept", id.as_str()).of_store(store.as_ref()).after(said)).await?;
    accepted(&id)
}

/// What was accepted.
#[derive(Serialize, ToSchema)]
pub(super) struct Accepted<'a> {
    /// The event; `GET /api/v1/events/{id}` shows what comes of it.
    id: &'a EventId,
}

/// 202 with the event's id.
pub(super) fn accepted(id: &EventId) -> Answer {
    json(StatusCode::ACCEPTED, &Accepted { id })
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

/// The store that something is asked for, which must be connected and the caller's; none takes who sees all.
pub(super) fn store_for(
    door: &Door,
    caller: &Caller,
    area: Area,
    id: Option<&str>,
) -> Result<Option<StoreId>, Problem> {
    let Some(id) = id else { return caller.everywhere(area, Right::Write).map(|()| None) };
    let unknown = || {
        let shown: String = id.chars().take(80).collect();
        Problem::bad_request("store_unknown", format!("no store `{shown}` is connected"))
            .help("`cartwright store ls` lists them.")
    };
    let known = id.parse().ok().filter(|id| door.engine.stores().get(id).is_some());
    let store: StoreId = known.ok_or_else(unknown)?;
    caller.change(door, area, Some(&store), unknown)?;
    Ok(Some(store))
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

/// What the document says about these addresses.
pub(super) const ABOUT: &[About] = &[
    About {
        path: "/events",
        id: "listEvents",
        summary: "Events, newest first",
        text: "Without their data, which may be large.",
        pages: true,
        query: &[
            param("store", "Of this store only.", a::<StoreId>),
            param("topic", "Of this topic only.", text),
            SINCE,
            UNTIL,
        ],
        gives: &[gives(200, "A page of events.", page_of::<EventRow>)],
        ..PLAIN
    },
    About {
        method: "POST",
        path: "/events",
        id: "acceptEvent",
        summary: "Brings in an event",
        text: "Its runs follow, whatever happens. For an event of no store it takes a token without a limit to stores.",
        takes: takes(a::<NewEvent>, r#"{"topic": "stock.low", "store": "my-shop", "data": {"sku": "A-1"}}"#),
        gives: &[gives(202, "On stable storage.", a::<Accepted<'_>>)],
        refuses: &[(400, "store_unknown"), (400, "topic_invalid"), (400, "body_not_json"), (400, "body_too_deep")],
        ..PLAIN
    },
    About {
        path: "/events/{id}",
        id: "showEvent",
        summary: "An event, which workflows it started, which not and why",
        query: &[param("workflow", "Explains this workflow only.", text)],
        gives: &[gives(200, "The event with its data.", a::<Shown<'_>>)],
        refuses: &[(404, "event_unknown")],
        ..PLAIN
    },
];
