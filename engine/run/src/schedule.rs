//! Schedules: accepts an event each time a workflow's cron expression comes due. The event's id is made of workflow and
//! due time, so an occurrence is accepted once however many processes or restarts see it.

use std::{sync::Arc, time::Duration};

use cartwright_core::{
    event::{Event, Source},
    id::EventId,
    time::Timestamp,
};
use cartwright_storage::NewEvent;
use serde_json::{json, value::to_raw_value};
use sha2::{Digest, Sha256};

use crate::inner::Inner;

/// Pause before an occurrence that could not be accepted is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Raises schedule events until the engine stops. Occurrences that passed while no engine ran are not made up for.
pub(crate) async fn run_schedules(inner: Arc<Inner>) {
    let mut stopping = inner.stopping.subscribe();
    let mut changed = inner.workflows_changed.subscribe();
    let mut from = inner.clock.now();
    loop {
        changed.borrow_and_update();
        let due = occurrences(&inner, from);
        let now = inner.clock.now();
        let Some(next) = due.first().map(|event| event.time) else {
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => return,
                _ = changed.changed() => { from = inner.clock.now(); continue }
            }
        };
        if next > now {
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => return,
                _ = changed.changed() => {}
                () = tokio::time::sleep(next.since(now)) => {}
            }
            continue;
        }
        for event in due.into_iter().filter(|event| event.time == next) {
            raise(&inner, event).await;
        }
        from = next;
    }
}

/// The next occurrence of every schedule after `from`, earliest first.
fn occurrences(inner: &Inner, from: Timestamp) -> Vec<Event> {
    let set = inner.workflows.load();
    let mut due = Vec::new();
    for (workflow, _, schedule) in set.schedules() {
        let Some(at) = schedule.cron.next_after(from, schedule.timezone) else { continue };
        let cron = schedule.cron.source.clone();
        let cause = ["schedule", workflow.id.as_str(), &cron, &at.to_string()];
        let data = json!({"scheduled": at, "cron": cron, "timezone": schedule.timezone.name()});
        due.push(Event {
            id: EventId::derived(at, &cause),
            topic: "schedule".into(),
            store: None,
            time: at,
            source: Source::Schedule { workflow: workflow.id.clone(), cron, due: at },
            hops: 0,
            data: Arc::from(to_raw_value(&data).expect("a map of texts becomes JSON")),
        });
    }
    due.sort_by(|a, b| (a.time, &a.id).cmp(&(b.time, &b.id)));
    due
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
