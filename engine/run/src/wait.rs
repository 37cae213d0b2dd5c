//! Waits for events (`wait_for`, `events::wait_for` in scripts): which waiting runs an event ends, and which past event ends a new wait.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use cartwright_core::{
    Json,
    evaluate::{Evaluate, Prepared, Scope},
    event::Event,
    run::state::RunState,
    shard::ShardId,
    workflow::Expression,
};
use cartwright_storage::{EventFilter, Mail, MailBody, MailKey, StorageError, Wait};
use parking_lot::Mutex;

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
    let conditions = Conditions::default();
    let mut mail: BTreeMap<ShardId, Vec<Mail>> = BTreeMap::new();
    for shard in shards.into_iter().filter(|shard| inner.may_wait(*shard)) {
        for wait in inner.storage.waits(shard, &event.topic).await? {
            if event.time < wait.since || !ends(inner, &conditions, &wait, event, &views.event).await? {
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

/// Whether a message that came for a wait is for the one that is registered now: a run that begins anew, or a container
/// that begins again, may have registered another in the place of the one that the event ended.
pub(crate) fn is_for(inner: &Inner, wait: &Wait, event: &Event, incoming: &Json, views: &EventViews) -> bool {
    let incoming = Prepared::new(incoming.clone());
    let conditions = Conditions::default();
    event.topic == wait.key.topic && event.time >= wait.since && conditions.hold(inner, wait, &incoming, &views.event)
}

async fn ends(
    inner: &Inner,
    conditions: &Conditions,
    wait: &Wait,
    event: &Event,
    incoming: &Prepared,
) -> Result<bool, StorageError> {
    let Some(row) = inner.storage.run(&wait.key.run).await? else { return Ok(false) };
    // What started a run does not end its waits, however far they look back.
    if row.store != event.store || row.event == event.id {
        return Ok(false);
    }
    if wait.condition.is_none() {
        return Ok(true);
    }
    let Some(event) = event_of(inner.storage.as_ref(), &row).await? else { return Ok(false) };
    let own = Prepared::new(event_view(&event));
    Ok(conditions.hold(inner, wait, incoming, &own))
}

/// The conditions of waits, each compiled once.
#[derive(Default)]
struct Conditions(Mutex<HashMap<String, Expression>>);

impl Conditions {
    /// A condition that cannot be evaluated does not hold: the wait goes on until its timeout.
    fn hold(&self, inner: &Inner, wait: &Wait, incoming: &Prepared, own: &Prepared) -> bool {
        let Some(condition) = &wait.condition else { return true };
        let known = self.0.lock().get(condition).cloned();
        let expression = known.unwrap_or_else(|| {
            let new = Expression::new(condition.as_str(), 0..condition.len());
            self.0.lock().insert(condition.clone(), new.clone());
            new
        });
        let kept = Kept::new(wait.scope.as_ref());
        let scope = Scope { event: Some(own), incoming: Some(incoming), ..kept.scope() };
        match inner.sandbox.condition(&expression, &scope) {
            Ok(holds) => holds,
            Err(error) => {
                tracing::debug!(condition, %error, "a wait's condition could not be evaluated");
                false
            }
        }
    }
}

/// What a wait keeps of its run.
#[derive(Default)]
struct Kept {
    values: BTreeMap<String, Prepared>,
    steps: Option<BTreeMap<String, Arc<Prepared>>>,
    index: Option<u64>,
}

impl Kept {
    fn new(scope: Option<&Json>) -> Self {
        let mut kept = Self::default();
        for (name, value) in scope.and_then(Json::as_object).into_iter().flatten() {
            match (name.as_str(), value) {
                ("steps", Json::Object(steps)) => {
                    let view = |(id, view): (&String, &Json)| (id.clone(), Arc::new(Prepared::new(view.clone())));
                    kept.steps = Some(steps.iter().map(view).collect());
                }
                ("index", index) => kept.index = index.as_u64(),
                (_, value) => drop(kept.values.insert(name.clone(), Prepared::new(value.clone()))),
            }
        }
        kept
    }

    fn scope(&self) -> Scope<'_> {
        Scope {
            steps: self.steps.as_ref(),
            vars: self.values.get("vars"),
            inputs: self.values.get("inputs"),
            store: self.values.get("store"),
            run: self.values.get("run"),
            item: self.values.get("item"),
            index: self.index,
            failure: self.values.get("failure"),
            ..Scope::default()
        }
    }
}

/// The newest event since `wait.since` that ends the wait.
pub(crate) async fn find_past(
    inner: &Inner,
    wait: &Wait,
    state: &RunState,
    views: &EventViews,
) -> Result<Option<Event>, StorageError> {
    let store = &state.store;
    let filter = EventFilter { store: store.clone(), topic: Some(wait.key.topic.clone()), ..EventFilter::default() };
    let conditions = Conditions::default();
    let (mut cursor, mut seen) = (None, 0);
    loop {
        let page = inner.storage.query_events(&filter, cursor.as_deref(), PAGE).await?;
        for stored in page.items {
            seen += 1;
            if stored.event.store != *store || stored.event.id == state.event {
                continue;
            }
            if stored.event.time < wait.since || seen > LOOKBACK_EVENTS_MAX {
                return Ok(None);
            }
            let incoming = Prepared::new(event_view(&stored.event));
            if conditions.hold(inner, wait, &incoming, &views.event) {
                return Ok(Some(stored.event));
            }
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(None),
        }
    }
}
