//! How expressions see events and stores.

use std::sync::Arc;

use cartwright_core::{
    Json,
    evaluate::Prepared,
    event::{Event, Source},
};
use serde_json::json;

use crate::stores::OpenStore;

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
    pub(crate) store: Option<Prepared>,
}

impl EventViews {
    pub(crate) fn new(event: &Event, store: Option<&Arc<OpenStore>>) -> Self {
        let store = match (&event.store, store) {
            (_, Some(store)) => Some(Prepared::new(store_view(store))),
            // The store was removed since: its name is all that is left.
            (Some(id), None) => Some(Prepared::new(json!({"id": id, "url": null, "tags": []}))),
            (None, None) => None,
        };
        Self { event: prepared_event(event), store }
    }
}
