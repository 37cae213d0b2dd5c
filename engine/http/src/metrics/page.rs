//! What the page of metrics says: the engine's counters and gauges, the door's, the stores' lanes, and the process.
//! Nothing here walks through storage: counts are kept in the commits. `docs/metrics.md` explains every one of them.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use cartwright_core::{run::row::RunStatus, time::Timestamp};
use cartwright_run::{
    Backlog, SpanCounts,
    storage::{Counts, StorageError},
};

use super::{
    exposition::Exposition,
    plugins,
    process::{Process, volume},
};
use crate::door::Door;

/// Stores with numbers of their own on the page; of more, the first by id are shown.
const STORES_SHOWN_MAX: usize = 2_000;

/// The whole page.
pub(crate) async fn page(door: &Door) -> Result<String, StorageError> {
    let (counts, backlog) = (door.engine.counts().await?, door.engine.backlog().await?);
    let mut text = Exposition::default();
    events(&mut text, door, &counts);
    runs(&mut text, door, &counts);
    waiting(&mut text, &backlog, &counts, door.engine.now());
    storage(&mut text, door, &counts);
    calls(&mut text, door);
    stores(&mut text, door);
    plugins::plugins(&mut text, door);
    requests(&mut text, door);
    spans(&mut text, door);
    process(&mut text, door);
    Ok(text.into_text())
}

fn events(text: &mut Exposition, door: &Door, counts: &Counts) {
    let metrics = door.engine.metrics();
    text.counter(
        "cartwright_events_accepted_total",
        "Events accepted and on disk.",
        metrics.events_accepted.load(Relaxed),
    );
    text.counter(
        "cartwright_events_duplicate_total",
        "Events that were accepted before: answered well, not started again.",
        metrics.events_duplicate.load(Relaxed),
    );
    text.histogram(
        "cartwright_accept_duration_seconds",
        "From handing an event to storage until it is on disk.",
        &metrics.times.accept.view(),
    );
    text.gauge("cartwright_events", "Events kept.", counts.events as f64);
    text.counter("cartwright_webhook_pings_total", "WooCommerce's creation pings answered.", door.metrics.pings.get());
}

fn runs(text: &mut Exposition, door: &Door, counts: &Counts) {
    let metrics = door.engine.metrics();
    let by_status = RunStatus::ALL.iter().zip(counts.runs);
    text.gauges(
        "cartwright_runs",
        "Runs kept, by status.",
        by_status.map(|(status, number)| ([("status", status.as_str())], number as f64)),
    );
    text.counter("cartwright_runs_started_total", "Runs begun.", metrics.runs_started.load(Relaxed));
    let outcomes = [
        ("succeeded", &metrics.runs_succeeded),
        ("failed", &metrics.runs_failed),
        ("cancelled", &metrics.runs_cancelled),
        ("parked", &metrics.runs_parked),
    ];
    text.counters(
        "cartwright_runs_ended_total",
        "Runs that came to rest, by outcome; a parked one waits for a person and may end again.",
        outcomes.map(|(outcome, counter)| ([("outcome", outcome)], counter.load(Relaxed))),
    );
    let gated = [
        ("duplicate", &metrics.events_deduped),
        ("merged", &metrics.events_merged),
        ("collected", &metrics.events_collected),
        ("delayed", &metrics.runs_delayed),
        ("dropped", &metrics.events_dropped),
    ];
    text.counters(
        "cartwright_gated_total",
        "Events that a gate of a trigger took, by what came of them.",
        gated.map(|(outcome, counter)| ([("outcome", outcome)], counter.load(Relaxed))),
    );
    text.counter(
        "cartwright_steps_unknown_total",
        "Steps with a call whose outcome nobody knows.",
        metrics.steps_unknown.load(Relaxed),
    );
    text.counter(
        "cartwright_scripts_total",
        "Executions of scripts, repeats for replay included.",
        metrics.scripts.load(Relaxed),
    );
    text.gauge(
        "cartwright_gate_groups",
        "Groups of events that debounce and collect hold for a run to come.",
        door.engine.held_count() as f64,
    );
    let (live, _) = door.engine.in_memory();
    text.gauge("cartwright_runs_in_memory", "Runs that are moving now.", live as f64);
    let (held, queued) = metrics.slots.now();
    text.gauge("cartwright_slots_held", "Slots of `concurrency` that runs hold.", held as f64);
    text.gauge("cartwright_slots_queued", "Runs that wait for a slot of `concurrency`.", queued as f64);
    text.gauge("cartwright_workflows", "Workflows loaded.", door.engine.workflows().len() as f64);
    let findings = door.config.findings.all();
    let broken = findings.iter().filter(|file| file.is_broken()).count();
    text.gauge("cartwright_workflow_files_broken", "Workflow files with errors, which run nothing.", broken as f64);
}

fn waiting(text: &mut Exposition, backlog: &Backlog, counts: &Counts, now: Timestamp) {
    let age = |since: Option<Timestamp>| since.map_or(Duration::ZERO, |since| now.since(since)).as_secs_f64();
    text.gauge("cartwright_inbox_events", "Events accepted and not yet matched to workflows.", counts.inbox as f64);
    text.gauge(
        "cartwright_inbox_oldest_age_seconds",
        "Age of the oldest event that is not yet matched; 0 when there is none.",
        age(backlog.oldest_event),
    );
    text.gauge(
        "cartwright_runs_waiting_for_room",
        "Runs that are to move and wait for room in memory.",
        backlog.runs as f64,
    );
    text.gauge(
        "cartwright_runs_waiting_for_room_age_seconds",
        "How long the first of them waits; 0 when there is none.",
        age(backlog.oldest_run),
    );
    text.gauge("cartwright_timers", "Timers set.", counts.timers as f64);
    text.gauge("cartwright_outbox_events", "Events on their way to another shard.", counts.outbox as f64);
}

fn storage(text: &mut Exposition, door: &Door, counts: &Counts) {
    let metrics = door.engine.metrics();
    text.histogram(
        "cartwright_commit_duration_seconds",
        "From handing a commit to storage until it is on disk, waits while storage is away included.",
        &metrics.times.commit.view(),
    );
    text.counter(
        "cartwright_commit_conflicts_total",
        "Commits that found something changed and were decided again.",
        metrics.commit_conflicts.load(Relaxed),
    );
    text.counter(
        "cartwright_commit_errors_total",
        "Commits that storage could not take and that were tried again.",
        metrics.commit_errors.load(Relaxed),
    );
    text.histogram(
        "cartwright_timer_lateness_seconds",
        "From when a timer was due until its run was told; after a start, the time the engine was away.",
        &metrics.times.timer_lateness.view(),
    );
    text.gauge("cartwright_storage_bytes", "Bytes of storage on disk.", counts.disk_bytes as f64);
    let volume = door.config.volume.as_deref().and_then(volume);
    text.known_gauge(
        "cartwright_volume_free_bytes",
        "Free bytes of the disk that holds storage.",
        volume.map(|(free, _)| free),
    );
    text.known_gauge(
        "cartwright_volume_size_bytes",
        "All bytes of the disk that holds storage.",
        volume.map(|(_, all)| all),
    );
}

fn calls(text: &mut Exposition, door: &Door) {
    let metrics = door.engine.metrics();
    text.counter(
        "cartwright_calls_total",
        "Calls to the world outside, those to stores included.",
        metrics.calls.load(Relaxed),
    );
    text.counter("cartwright_call_errors_total", "Calls that failed.", metrics.call_errors.load(Relaxed));
    text.counter(
        "cartwright_call_deferrals_total",
        "Calls that were put off: no failures.",
        metrics.call_deferrals.load(Relaxed),
    );
    text.counter("cartwright_store_calls_total", "Calls to stores.", metrics.store_calls.load(Relaxed));
    text.counters(
        "cartwright_store_call_errors_total",
        "Calls to stores that did not succeed, by what follows from it.",
        metrics.store_call_errors().map(|(class, number)| ([("class", class)], number)),
    );
}

fn stores(text: &mut Exposition, door: &Door) {
    let stores = door.engine.stores().list();
    let now = door.engine.now();
    text.gauge("cartwright_stores", "Connected stores.", stores.len() as f64);
    let missing = stores.len().saturating_sub(STORES_SHOWN_MAX);
    text.gauge(
        "cartwright_stores_not_shown",
        "Stores without numbers of their own on this page: too many.",
        missing as f64,
    );
    door.metrics.keep_stores(|id| door.engine.stores().get(id).is_some());
    let lanes: Vec<_> = stores
        .iter()
        .take(STORES_SHOWN_MAX)
        .map(|open| (&open.store.id, door.engine.store_lane(&open.store.id)))
        .collect();
    text.counters(
        "cartwright_webhooks_unverified_total",
        "Deliveries to a store whose signature was missing or wrong.",
        lanes.iter().map(|(id, _)| ([("store", id.as_str())], door.metrics.unverified_of(id))),
    );
    text.gauges(
        "cartwright_store_requests_waiting",
        "Requests to a store that wait for their turn.",
        lanes.iter().map(|(id, lane)| ([("store", id.as_str())], lane.waiting as f64)),
    );
    text.gauges(
        "cartwright_store_requests_on_their_way",
        "Requests to a store that were sent and have no answer yet.",
        lanes.iter().map(|(id, lane)| ([("store", id.as_str())], lane.on_their_way as f64)),
    );
    text.gauges(
        "cartwright_store_rate_per_second",
        "Requests a second that a store is asked at most now.",
        lanes.iter().map(|(id, lane)| ([("store", id.as_str())], lane.rate_per_second)),
    );
    text.gauges(
        "cartwright_store_full_rate_per_second",
        "Requests a second that a store is asked at most when all is well.",
        lanes.iter().map(|(id, lane)| ([("store", id.as_str())], lane.full_rate_per_second)),
    );
    text.counters(
        "cartwright_store_deferrals_total",
        "Calls to a store that were put off; begins anew when the store is changed.",
        lanes.iter().map(|(id, lane)| ([("store", id.as_str())], lane.deferrals)),
    );
    text.gauges(
        "cartwright_store_last_success_age_seconds",
        "How long ago a call to a store succeeded; absent when none did since the start.",
        lanes.iter().filter_map(|(id, lane)| {
            lane.last_success.map(|at| ([("store", id.as_str())], now.since(at).as_secs_f64()))
        }),
    );
}

fn requests(text: &mut Exposition, door: &Door) {
    text.counters(
        "cartwright_http_requests_total",
        "Requests answered, by where they went and class of status.",
        door.metrics.requests.all().map(|(route, status, number)| ([("route", route), ("status", status)], number)),
    );
    let refusals = door.metrics.refusals();
    text.counters(
        "cartwright_requests_refused_total",
        "Requests refused, by reason: the code of the problem that was answered.",
        refusals.iter().map(|(code, number)| ([("reason", *code)], *number)),
    );
    text.gauge("cartwright_live_streams", "Live streams that are open.", door.places.taken() as f64);
}

/// Of traces; 0 while none are configured.
fn spans(text: &mut Exposition, door: &Door) {
    let counts = door.engine.telemetry().map(|telemetry| telemetry.counts());
    let read = |of: fn(&SpanCounts) -> &AtomicU64| counts.map_or(0, |counts| of(counts).load(Relaxed));
    text.counter("cartwright_spans_exported_total", "Spans that the collector took.", read(|counts| &counts.exported));
    text.counter(
        "cartwright_spans_dropped_total",
        "Spans thrown away: the collector was away or slow.",
        read(|counts| &counts.dropped),
    );
}

/// The names that Prometheus' own libraries use for processes, so that common dashboards know them.
fn process(text: &mut Exposition, door: &Door) {
    text.gauges(
        "cartwright_build_info",
        "Always 1; the version stands in the label.",
        [([("version", env!("CARGO_PKG_VERSION"))], 1.0)],
    );
    let process = Process::look();
    let started = door.started.as_millis() as f64 / 1000.0;
    text.gauge("process_start_time_seconds", "When the engine opened its door, in seconds since 1970.", started);
    text.known_gauge("process_resident_memory_bytes", "Memory in use.", process.resident_bytes);
    text.known_gauge("process_virtual_memory_bytes", "Memory reserved.", process.virtual_bytes);
    text.known_gauge("process_threads", "Threads.", process.threads);
    text.known_gauge("process_open_fds", "Open files and connections.", process.open_files);
    text.known_gauge("process_max_fds", "Open files and connections that the system allows.", process.open_files_max);
    text.known_counter("process_cpu_seconds_total", "Processor time used.", process.cpu_seconds);
}
