//! How expressions see events and stores.

use std::sync::Arc;

use cartwright_core::{
    Json,
    evaluate::Prepared,
    event::{Event, Source},
    id::EventId,
    run::{apply::fold, row::RunRow, state::RunState},
    workflow::{Workflow, inputs},
};
use cartwright_storage::{Storage, StorageError};
use serde_json::json;

use crate::{inner::Inner, stores::OpenStore};

/// `event`: `{id, topic, store, time, data, source}`.
pub(crate) fn event_view(event: &Event) -> Json {
    prepared_event(event).json().clone()
}

/// The same for expressions; its data is parsed as far as they ask for it.
fn prepared_event(event: &Event) -> Prepared {
    let map = serde_json::Map::from_iter([
        ("id".to_owned(), json!(event.id)),
        ("topic".to_owned(), json!(event.topic)),
        ("store".to_owned(), json!(event.store)),
        ("time".to_owned(), json!(event.time)),
        ("source".to_owned(), source_view(&event.source)),
    ]);
    Prepared::deferring(map, "data", Arc::clone(&event.data))
}

fn source_view(source: &Source) -> Json {
    match source {
        Source::Http { path, method, query, headers, .. } => {
            let map =
                |pairs: &[(String, String)]| -> Json { pairs.iter().cloned().map(|(k, v)| (k, json!(v))).collect() };
            json!({"kind": "http", "path": path, "method": method, "query": map(query), "headers": map(headers)})
        }
        // A script sees what it saw the first time, and that it is a replay.
        Source::Replay { of, source, .. } => {
            let mut view = source_view(source);
            if let Json::Object(map) = &mut view {
                map.insert("replay_of".to_owned(), json!(of));
            }
            view
        }
        other => serde_json::to_value(other).unwrap_or(Json::Null),
    }
}

/// `store`: `{id, url, tags}`.
pub(crate) fn store_view(store: &OpenStore) -> Json {
    json!({"id": store.store.id, "url": store.store.url, "tags": store.tags})
}

/// An event and its store, made ready for expressions once per run.
pub(crate) struct EventViews {
    pub(crate) event: Prepared,
    /// All events of a `collect`.
    pub(crate) events: Option<Prepared>,
    pub(crate) store: Option<Prepared>,
    /// Of the run whose input this is; an event as it came is what a run begins with.
    pub(crate) generation: u32,
}

/// The event of a run as the run sees it: with the input that a person gave, where one did. `None`: it is gone.
pub(crate) async fn own_event(storage: &dyn Storage, state: &RunState) -> Result<Option<Event>, StorageError> {
    let Some(stored) = storage.event(&state.event).await? else { return Ok(None) };
    let data = state.input.clone().unwrap_or_else(|| Arc::clone(&stored.event.data));
    Ok(Some(Event { data, ..stored.event }))
}

/// The same for a run that is not at hand.
pub(crate) async fn event_of(storage: &dyn Storage, row: &RunRow) -> Result<Option<Event>, StorageError> {
    if row.retries > 0 {
        // A journal that cannot be folded moves no run; its driver says so.
        let journal = storage.journal(&row.id).await?;
        return match fold(&journal).ok().flatten() {
            Some(state) => own_event(storage, &state).await,
            None => Ok(None),
        };
    }
    Ok(storage.event(&row.event).await?.map(|stored| stored.event))
}

/// `inputs` of a workflow for an event, where it declares any; what is wrong with what was given, else.
pub(crate) fn inputs_view(workflow: &Workflow, views: &EventViews) -> Result<Option<Prepared>, String> {
    match inputs::of_event(workflow.inputs.as_deref(), &views.event) {
        None => Ok(None),
        Some(Ok(typed)) => Ok(Some(Prepared::new(typed))),
        Some(Err(problems)) => Err(inputs::in_one_line(&problems)),
    }
}

/// `events` of a run that has several: the list of them. The outer `None`: one of them is gone.
pub(crate) async fn collected(
    storage: &dyn Storage,
    events: &[EventId],
) -> Result<Option<Option<Prepared>>, StorageError> {
    if events.is_empty() {
        return Ok(Some(None));
    }
    let mut views = Vec::with_capacity(events.len());
    for event in events {
        let Some(stored) = storage.event(event).await? else { return Ok(None) };
        views.push(event_view(&stored.event));
    }
    Ok(Some(Some(Prepared::new(Json::Array(views)))))
}

impl EventViews {
    /// What a run sees of its event. `None`: the event is gone.
    pub(crate) async fn of_run(inner: &Inner, state: &RunState) -> Result<Option<Self>, StorageError> {
        let Some(event) = own_event(inner.storage.as_ref(), state).await? else { return Ok(None) };
        let store = event.store.as_ref().and_then(|id| inner.stores.get(id));
        let Some(events) = collected(inner.storage.as_ref(), &state.events).await? else { return Ok(None) };
        Ok(Some(Self { generation: state.generation, events, ..Self::new(&event, store.as_ref()) }))
    }

    pub(crate) fn new(event: &Event, store: Option<&Arc<OpenStore>>) -> Self {
        let store = match (&event.store, store) {
            (_, Some(store)) => Some(Prepared::new(store_view(store))),
            // The store was removed since: its name is all that is left.
            (Some(id), None) => Some(Prepared::new(json!({"id": id, "url": null, "tags": []}))),
            (None, None) => None,
        };
        Self { event: prepared_event(event), events: None, store, generation: 0 }
    }
}
