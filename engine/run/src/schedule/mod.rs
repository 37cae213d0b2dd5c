//! Schedules: accepts an event each time a workflow's cron expression comes due. The event's id is made of workflow, due time
//! and store, so an occurrence is accepted once however many processes or restarts see it.
//!
//! [`plan`] says what is due, purely. What was considered last is kept for schedules that catch up ([`memory`]), so that a start
//! knows what passed while no engine ran.

mod memory;
mod plan;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use cartwright_core::{
    event::{Event, Source},
    id::{EventId, StoreId},
    time::Timestamp,
    workflow::{CatchUp, Schedule, StoreSelector, Workflow},
};
use cartwright_storage::NewEvent;
use serde_json::{json, value::to_raw_value};
use sha2::{Digest, Sha256};

use self::plan::{Due, firings, missed};
use crate::inner::Inner;

/// Pause before an occurrence that could not be accepted is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// An occurrence later than this passed while nobody ran: the machine slept, or storage was away.
const LATE: Duration = Duration::from_secs(15 * 60);
/// A memory that lies further ahead of the clock than this is the clock's fault.
const AHEAD: Duration = Duration::from_secs(24 * 3600);

/// A schedule of a workflow that is loaded.
struct Entry {
    workflow: Arc<Workflow>,
    schedule: Schedule,
    /// Occurrences up to here are over.
    considered: Timestamp,
    /// What is left of the occurrence after that.
    left: Vec<Due>,
    /// Starts before this passed while no engine ran, and are not made up for.
    since: Option<Timestamp>,
}

/// Raises schedule events until the engine stops.
pub(crate) async fn run_schedules(inner: Arc<Inner>) {
    let mut stopping = inner.stopping.subscribe();
    let mut changed = inner.workflows_changed.subscribe();
    let mut entries = BTreeMap::new();
    // An engine that does nothing forgets nothing.
    if inner.is_stopping() {
        return;
    }
    load(&inner, &mut entries, true).await;
    loop {
        if changed.has_changed().unwrap_or(false) {
            changed.borrow_and_update();
            load(&inner, &mut entries, false).await;
        }
        let now = inner.clock.now();
        for entry in entries.values_mut() {
            if inner.is_stopping() {
                return;
            }
            fire(&inner, entry, now).await;
        }
        let next = entries.values().filter_map(Entry::next).min();
        let sleep = async {
            match next {
                Some(next) => tokio::time::sleep(next.since(inner.clock.now())).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => return,
            // Looked at at the top of the loop.
            _ = changed.changed() => changed.mark_changed(),
            () = sleep => {}
        }
    }
}

impl Entry {
    /// When something of it is due next.
    fn next(&self) -> Option<Timestamp> {
        match self.left.first() {
            Some(due) => Some(due.moment),
            None => self.schedule.cron.next_after(self.considered, self.schedule.timezone),
        }
    }
}

/// Takes over the schedules of the loaded workflows. What was loaded before goes on where it is; what is new, or changed,
/// begins now; at a start, what catches up begins where the last engine stopped.
async fn load(inner: &Arc<Inner>, entries: &mut BTreeMap<String, Entry>, start: bool) {
    let set = inner.workflows.load_full();
    let now = inner.clock.now();
    let mut before = std::mem::take(entries);
    let mut known = if start { memory::all(inner).await } else { BTreeMap::new() };
    for (workflow, _, schedule) in set.schedules() {
        let key = memory::key(workflow, schedule);
        let same = before.remove(&key).filter(|entry| entry.workflow.version == workflow.version);
        // An edit is a new beginning: nothing is made up for from before it.
        let remembered = known.remove(&key).filter(|kept| kept.version == workflow.version).map(|kept| kept.considered);
        let (workflow, schedule) = (Arc::clone(workflow), schedule.clone());
        let entry = match (same, remembered) {
            (Some(entry), _) => Entry { schedule, ..entry },
            // A clock that was far ahead must not silence the schedule; what it raises twice is recognised.
            (None, Some(considered)) if schedule.catch_up != CatchUp::None && considered < now.plus(AHEAD) => {
                Entry { workflow, schedule, considered, left: Vec::new(), since: None }
            }
            // An occurrence whose starts are spread may be in the middle of them; those that passed are over.
            (None, Some(considered)) if schedule.catch_up == CatchUp::None && considered < now.plus(AHEAD) => {
                let jitter = i64::try_from(schedule.jitter.as_millis()).unwrap_or(0);
                let considered = considered.max(Timestamp::from_millis(now.as_millis() - jitter));
                Entry { workflow, schedule, considered, left: Vec::new(), since: Some(now) }
            }
            _ => {
                memory::keep_first(inner, &key, &workflow, &schedule, now).await;
                Entry { workflow, schedule, considered: now, left: Vec::new(), since: None }
            }
        };
        entries.insert(key, entry);
    }
    // What nobody declares any more must not be made up for when it comes back.
    for key in before.into_keys().chain(known.into_keys()).filter(|key| !entries.contains_key(key)) {
        memory::forget(inner, &key).await;
    }
}

/// Raises what is due of one schedule, and what is to be made up for.
async fn fire(inner: &Arc<Inner>, entry: &mut Entry, now: Timestamp) {
    let passed = if entry.left.is_empty() { missed(&entry.schedule, entry.considered, now, LATE) } else { None };
    if let Some(passed) = passed {
        let taken = match entry.schedule.catch_up {
            CatchUp::None => &[][..],
            CatchUp::One => &passed.last[passed.last.len().saturating_sub(1)..],
            CatchUp::All => &passed.last[..],
        };
        let skipped = passed.count - taken.len();
        if skipped > 0 {
            tracing::warn!(workflow = %entry.workflow.id, cron = entry.schedule.cron.source, skipped, more = passed.more, "times of a schedule passed while no engine ran and are not made up for");
        }
        for due in taken {
            for store in stores(inner, &entry.schedule) {
                raise(inner, event(entry, *due, store, Some((passed.count, passed.more)))).await;
            }
            remember(inner, entry, *due, 0).await;
        }
        entry.considered = passed.until;
        remember(inner, entry, passed.until, skipped).await;
    }
    loop {
        if entry.left.is_empty() {
            let due = entry.schedule.cron.next_after(entry.considered, entry.schedule.timezone);
            let Some(due) = due.filter(|due| *due <= now) else { return };
            entry.left = firings(&entry.workflow.id, &entry.schedule, due, stores(inner, &entry.schedule));
            let since = entry.since;
            entry.left.retain(|one| since.is_none_or(|since| one.moment >= since));
            if entry.left.is_empty() {
                entry.considered = due;
                continue;
            }
        }
        while let Some(first) = entry.left.first().filter(|first| first.moment <= now) {
            raise(inner, event(entry, first.due, first.store.clone(), None)).await;
            let done = entry.left.remove(0);
            if entry.left.is_empty() {
                entry.considered = done.due;
                remember(inner, entry, done.due, 0).await;
            }
        }
        if !entry.left.is_empty() || inner.is_stopping() {
            return;
        }
    }
}

async fn remember(inner: &Arc<Inner>, entry: &Entry, considered: Timestamp, skipped: usize) {
    if memory::is_kept(&entry.schedule) {
        let key = memory::key(&entry.workflow, &entry.schedule);
        memory::keep(inner, &key, &entry.workflow.version, considered, skipped).await;
    }
}

/// The stores that a schedule selects, `None` once where it selects none.
fn stores(inner: &Inner, schedule: &Schedule) -> Vec<Option<StoreId>> {
    if schedule.stores.is_empty() {
        return vec![None];
    }
    let all = inner.stores.list();
    let selected = all.iter().filter(|open| {
        schedule.stores.iter().any(|selector| match selector {
            StoreSelector::All => true,
            StoreSelector::Store(id) => open.store.id == *id,
            StoreSelector::Tag(tag) => open.tags.contains(tag),
        })
    });
    selected.map(|open| Some(open.store.id.clone())).collect()
}

fn event(entry: &Entry, due: Timestamp, store: Option<StoreId>, passed: Option<(usize, bool)>) -> Event {
    let (workflow, cron) = (&entry.workflow.id, entry.schedule.cron.source.clone());
    let at = due.to_string();
    let mut cause = vec!["schedule", workflow.as_str(), &cron, &at];
    cause.extend(store.as_ref().map(StoreId::as_str));
    let mut data = json!({"scheduled": due, "cron": cron, "timezone": entry.schedule.timezone.name()});
    if let Some((missed, more)) = passed {
        // `missed`: how many times passed; `more`: there were others before those that are counted.
        data["catch_up"] = json!({"missed": missed, "more": more});
    }
    Event {
        id: EventId::derived(due, &cause),
        topic: "schedule".into(),
        time: due,
        source: Source::Schedule { workflow: workflow.clone(), cron, due },
        hops: 0,
        data: Arc::from(to_raw_value(&data).expect("a map of texts becomes JSON")),
        store,
    }
}

async fn raise(inner: &Arc<Inner>, event: Event) {
    loop {
        let dedupe = Some(Sha256::digest(event.id.as_str()).into());
        match inner.accept_event(NewEvent { event: event.clone(), dedupe }).await {
            Ok(_) => return,
            Err(error) if inner.is_stopping() => {
                tracing::warn!(%error, event = %event.id, "a scheduled run was missed: the engine is stopping");
                return;
            }
            Err(error) => {
                tracing::error!(%error, event = %event.id, "a scheduled run is late");
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
    }
}
