//! Moments of gates: a held group starts its run, what is remembered is over, a throttled run begins.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use cartwright_core::{
    event::{DropReason, Match, MatchOutcome},
    gate::{GateRecord, GateState, Group, HELD_PREFIX, Wake},
    run::entry::TimerKind,
    shard::ShardId,
    time::Timestamp,
    workflow::{Gates, Workflow},
};
use cartwright_storage::{CommitError, StorageError, Table, Timer, TimerKey};

use super::{
    GateError,
    pass::TRIES,
    plan::{Plan, Side},
};
use crate::{
    commit::commit_until_done,
    inner::{Inner, Message},
};

/// Pause before a moment that could not be made true is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Events that were accepted before a gate's moment and wait to be matched belong to it: it waits for them.
const LATE_PAUSE: Duration = Duration::from_millis(250);
/// But not longer than this, so that an event that cannot be matched holds up nothing for ever.
const LATE_PATIENCE: Duration = Duration::from_secs(60);
/// Records read at once.
const PAGE: usize = 1_000;

/// A gate's timer is due. It is in storage until what follows from it is.
pub(crate) fn fired(inner: &Arc<Inner>, shard: ShardId, timer: Timer) {
    let inner = Arc::clone(inner);
    tokio::spawn(async move {
        let key = timer.key.clone();
        let done = match key.kind {
            TimerKind::Start => wake(&inner, shard, &timer).await,
            _ => moment(&inner, shard, &timer).await,
        };
        match done {
            Ok(Done::Durable) => {}
            Ok(Done::Later(at)) => inner.timers.again(shard, &key, at),
            Err(_) if inner.is_stopping() => {}
            Err(error) => {
                tracing::error!(%error, gate = %key.path, "a gate's moment could not be made true; trying again");
                inner.timers.again(shard, &key, inner.clock.now().plus(RETRY_PAUSE));
            }
        }
    });
}

/// What came of a timer.
enum Done {
    /// Storage has it.
    Durable,
    /// Nothing; look at it again then.
    Later(Timestamp),
}

async fn moment(inner: &Arc<Inner>, shard: ShardId, timer: &Timer) -> Result<Done, GateError> {
    let name = timer.key.path.as_str();
    let mut turn = inner.gates.turns.take(vec![name.to_owned()]);
    turn.comes().await;
    for _ in 0..TRIES {
        let now = inner.clock.now();
        let mut plan = Plan::new(inner, shard);
        let record = plan.desk.look(name).await?.filter(|record| record.owner == timer.key.run);
        // A record of another owner has a timer of its own.
        let due = record.as_ref().map(|record| due(inner, record));
        let store = record.as_ref().and_then(|record| record.id.store.clone());
        match (record, due) {
            (Some(_), Some(due)) if due > now => plan.desk.time(timer.key.clone(), Some(due)),
            (Some(record), Some(due)) => {
                let waits = !matches!(record.state, GateState::Pace(_)) && now < due.plus(LATE_PATIENCE);
                if waits && events_before(inner, shard, &record, due).await? {
                    return Ok(Done::Later(now.plus(LATE_PAUSE)));
                }
                plan.desk.time(timer.key.clone(), None);
                plan.desk.clear(name);
                if let GateState::Group(group) = record.state.clone() {
                    release(inner, &mut plan, &record, group).await?;
                }
            }
            _ => plan.desk.time(timer.key.clone(), None),
        }
        let (batch, after) = plan.finish(store.as_ref());
        match commit_until_done(inner, shard, batch).await {
            Ok(()) => {
                after.act(inner);
                return Ok(Done::Durable);
            }
            Err(CommitError::Conflict { what }) => tracing::debug!(name, what, "a gate moved; looking at it again"),
            Err(error) => return Err(error.into()),
        }
    }
    Err(GateError::Restless)
}

/// When a gate's moment is, by the workflow as it is now.
fn due(inner: &Inner, record: &GateRecord) -> Timestamp {
    let gates = policies(inner, record).map(|(_, gates)| gates).unwrap_or_default();
    match &record.state {
        GateState::Group(group) => group.due,
        GateState::Passed(passed) => {
            passed.until(gates.dedupe.as_ref().map_or(passed.window(), |dedupe| dedupe.window))
        }
        GateState::Pace(pace) => gates.throttle.as_ref().map_or(Timestamp::default(), |gate| pace.idle_at(gate.per)),
    }
}

/// The workflow of a gate, with the gates that its trigger has now. `None`: there is no such workflow.
fn policies(inner: &Inner, record: &GateRecord) -> Option<(Arc<Workflow>, Gates)> {
    let set = inner.workflows.load();
    let workflow = set.get(&record.id.workflow)?;
    let trigger = workflow.triggers.iter().find(|trigger| trigger.name == record.id.trigger);
    Some((Arc::clone(workflow), trigger.map(|trigger| trigger.gates.clone()).unwrap_or_default()))
}

/// Whether events that were accepted before a moment are still in an inbox from which they may come to the gate.
async fn events_before(
    inner: &Inner,
    shard: ShardId,
    record: &GateRecord,
    due: Timestamp,
) -> Result<bool, StorageError> {
    let mut shards = vec![shard];
    if record.id.store.is_none() {
        shards.extend([ShardId::of(""), ShardId::of(record.id.workflow.as_str())]);
        shards.sort_unstable();
        shards.dedup();
    }
    for shard in shards {
        let oldest = inner.storage.inbox(shard, None, 1).await?;
        if oldest.first().is_some_and(|event| event.time < due) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A held group starts its run in the version that its workflow has now. Like an event that comes now, it starts none of
/// a workflow that is switched off or not there: its events are told so, and can be replayed.
async fn release(inner: &Inner, plan: &mut Plan<'_>, record: &GateRecord, group: Group) -> Result<(), StorageError> {
    let kind = record.id.kind;
    plan.desk.hold(&group.run, None, None);
    plan.after.closed += 1;
    let found = policies(inner, record);
    let reason = match &found {
        Some((workflow, _)) if workflow.enabled => None,
        Some(_) => Some(DropReason::Disabled),
        None => Some(DropReason::Gone),
    };
    let (Some((workflow, gates)), None) = (found, reason) else {
        drop_group(plan, record, &group, reason.unwrap_or(DropReason::Gone));
        return Ok(());
    };
    let side =
        Side { workflow: &workflow, trigger: &record.id.trigger, gates: &gates, store: record.id.store.as_ref() };
    plan.release(&side, kind, group).await
}

fn drop_group(plan: &mut Plan<'_>, record: &GateRecord, group: &Group, reason: DropReason) {
    let GateRecord { id, .. } = record;
    tracing::warn!(
        workflow = %id.workflow, gate = %id.kind, key = id.key, events = group.count,
        "held events start no run: {}; `cartwright events replay` takes them again", reason.in_words()
    );
    let outcome = MatchOutcome::Dropped { gate: id.kind, reason };
    let told = Match { workflow: id.workflow.clone(), outcome };
    let named = group.events.iter().chain(std::iter::once(&group.last).filter(|last| !group.events.contains(last)));
    plan.batch.rematched.extend(named.map(|event| (event.clone(), told.clone())));
}

/// A throttled run wakes: it begins, unless the engine was away and others that waited longer go first.
async fn wake(inner: &Arc<Inner>, shard: ShardId, timer: &Timer) -> Result<Done, GateError> {
    let Some((name, nominal)) = place(&timer.key) else {
        begin(inner, timer);
        return Ok(Done::Durable);
    };
    let mut turn = inner.gates.turns.take(vec![name.to_owned()]);
    turn.comes().await;
    for _ in 0..TRIES {
        let now = inner.clock.now();
        let mut plan = Plan::new(inner, shard);
        let record = plan.desk.look(name).await?;
        let policy = record.as_ref().and_then(|record| policies(inner, record)?.1.throttle);
        let (Some(GateRecord { id, owner, state: GateState::Pace(before) }), Some(policy)) = (record, policy) else {
            // The gate forgot, or is gone from the file: nothing holds the run back.
            begin(inner, timer);
            return Ok(Done::Durable);
        };
        let mut pace = before.clone();
        let woken = pace.wake(policy.per, nominal, now);
        if let Wake::Until(until) = woken {
            plan.desk.time(timer.key.clone(), Some(until));
        }
        if pace != before {
            let idle = pace.idle_at(policy.per);
            plan.desk.put(&id, owner, GateState::Pace(pace), idle);
        } else if woken == Wake::Begin {
            begin(inner, timer);
            return Ok(Done::Durable);
        }
        let (batch, _) = plan.finish(None);
        match commit_until_done(inner, shard, batch).await {
            Ok(()) => {
                if woken == Wake::Begin {
                    begin(inner, timer);
                }
                return Ok(Done::Durable);
            }
            Err(CommitError::Conflict { what }) => tracing::debug!(name, what, "a gate moved; looking at it again"),
            Err(error) => return Err(error.into()),
        }
    }
    Err(GateError::Restless)
}

/// The run takes its timer, and clears it.
fn begin(inner: &Arc<Inner>, timer: &Timer) {
    let TimerKey { run, path, kind } = timer.key.clone();
    inner.tell(&run, Message::Timer { path, kind });
}

/// The gate and the place that a throttled run's timer names.
fn place(key: &TimerKey) -> Option<(&str, Timestamp)> {
    let (name, nominal) = key.path.as_str().rsplit_once('@')?;
    Some((name, Timestamp::from_millis(nominal.parse().ok()?)))
}

/// Counts what is held, once, when the engine starts.
pub(crate) async fn count_held(inner: &Inner) -> Result<(), StorageError> {
    let mut after: Option<String> = None;
    loop {
        let page = inner.storage.records(Table::Gates, HELD_PREFIX, after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.key.clone());
        inner.gates.held.fetch_add(page.len() as u64, Relaxed);
    }
}
