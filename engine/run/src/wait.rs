//! Waits for events (`events::wait_for`): which waiting runs an event ends, and which past event ends a new wait.

use std::{collections::BTreeMap, sync::Arc};

use cartwright_core::{
    evaluate::{Evaluate, Prepared, Scope},
    event::Event,
    id::{StepPath, StoreId},
    run::state::RunState,
    shard::ShardId,
    workflow::Expression,
};
use cartwright_storage::{EventFilter, Mail, MailBody, MailKey, StorageError, Wait};

use crate::{
    inner::Inner,
    views::{EventViews, event_of, event_view},
};

/// Past events that one wait looks at, newest first.
const LOOKBACK_EVENTS_MAX: usize = 1_000;
const PAGE: usize = 100;

/// The messages that an event sends to runs that wait for it, by the shard that owns the run. A run waits for events of
/// its own store; one without a store for events without a store, whichever shard either lives in.
pub(crate) async fn mail_for(
    inner: &Arc<Inner>,
    event: &Event,
    views: &EventViews,
) -> Result<BTreeMap<ShardId, Vec<Mail>>, StorageError> {
    let shards: Vec<ShardId> = match &event.store {
        Some(_) => vec![event.shard()],
        None => ShardId::all().collect(),
    };
    let mut mail: BTreeMap<ShardId, Vec<Mail>> = BTreeMap::new();
    for shard in shards.into_iter().filter(|shard| inner.may_wait(*shard)) {
        for wait in inner.storage.waits(shard, &event.topic).await? {
            if event.time < wait.since || !ends(inner, &wait, event, &views.event).await? {
                continue;
            }
            let (run, path, index) = (wait.key.run, wait.key.path, wait.key.index);
            let id = format!("{path}#{index}:{}", event.id);
            let body = MailBody::Event { path, index, event: event.id.clone() };
            mail.entry(shard).or_default().push(Mail { key: MailKey { run, id }, body });
        }
    }
    Ok(mail)
}

/// Whether a message that came for a wait is for the one that is registered now: a run that begins anew may have
/// registered another in the place of the one that the event ended.
pub(crate) async fn is_for(
    inner: &Inner,
    state: &RunState,
    path: &StepPath,
    index: u32,
    event: &Event,
) -> Result<bool, StorageError> {
    if state.generation == 0 {
        return Ok(true);
    }
    let waits = inner.storage.waits(state.shard, &event.topic).await?;
    let of = |wait: &&Wait| wait.key.run == state.run && wait.key.path == *path && wait.key.index == index;
    let Some(wait) = waits.iter().find(of).filter(|wait| event.time >= wait.since) else { return Ok(false) };
    let incoming = Prepared::new(event_view(event));
    ends(inner, wait, event, &incoming).await
}

async fn ends(inner: &Inner, wait: &Wait, event: &Event, incoming: &Prepared) -> Result<bool, StorageError> {
    let Some(row) = inner.storage.run(&wait.key.run).await? else { return Ok(false) };
    if row.store != event.store {
        return Ok(false);
    }
    let Some(condition) = &wait.condition else { return Ok(true) };
    let Some(event) = event_of(inner.storage.as_ref(), &row).await? else { return Ok(false) };
    let own = Prepared::new(event_view(&event));
    Ok(holds(inner, condition, incoming, &own))
}

/// A condition that cannot be evaluated does not hold: the wait goes on until its timeout.
fn holds(inner: &Inner, condition: &str, incoming: &Prepared, own: &Prepared) -> bool {
    let scope = Scope { event: Some(own), incoming: Some(incoming), ..Scope::default() };
    let expression = Expression::new(condition, 0..condition.len());
    match inner.sandbox.condition(&expression, &scope) {
        Ok(holds) => holds,
        Err(error) => {
            tracing::debug!(condition, %error, "a wait's condition could not be evaluated");
            false
        }
    }
}

/// The newest event since `wait.since` that ends the wait.
pub(crate) async fn find_past(
    inner: &Inner,
    wait: &Wait,
    store: &Option<StoreId>,
    views: &EventViews,
) -> Result<Option<Event>, StorageError> {
    let filter = EventFilter { store: store.clone(), topic: Some(wait.key.topic.clone()), ..EventFilter::default() };
    let (mut cursor, mut seen) = (None, 0);
    loop {
        let page = inner.storage.query_events(&filter, cursor.as_deref(), PAGE).await?;
        for stored in page.items {
            seen += 1;
            if stored.event.store != *store {
                continue;
            }
            if stored.event.time < wait.since || seen > LOOKBACK_EVENTS_MAX {
                return Ok(None);
            }
            let incoming = Prepared::new(event_view(&stored.event));
            let condition = wait.condition.as_deref();
            if condition.is_none_or(|condition| holds(inner, condition, &incoming, &views.event)) {
                return Ok(Some(stored.event));
            }
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(None),
        }
    }
}
