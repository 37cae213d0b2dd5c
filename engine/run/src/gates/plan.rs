//! A plan: what goes through gates in one commit, and what follows once it is on stable storage.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use cartwright_core::{
    event::{Match, MatchOutcome},
    gate::{Arrival, GateId, GateKind, GateState, Group, Joined, Pace, collect, debounce},
    id::{EventId, RunId, StepPath, StoreId},
    run::{
        apply::fold,
        entry::{Entry, TimerKind, What},
    },
    shard::ShardId,
    time::Timestamp,
    workflow::{Gates, Workflow},
};
use cartwright_storage::{Batch, RunWrite, StorageError, Timer, TimerKey};

use super::desk::{Desk, clears, timer};
use crate::{
    inner::{Inner, Message},
    live::Gated,
    metrics::Metrics,
};

/// What one commit makes true.
pub(super) struct Plan<'s> {
    pub(super) desk: Desk<'s>,
    pub(super) batch: Batch,
    pub(super) after: After,
    now: Timestamp,
    shard: ShardId,
}

/// What follows once a plan is true.
#[derive(Default)]
pub(super) struct After {
    /// Runs of groups, to be driven from storage.
    pub(super) begun: Vec<RunId>,
    /// Runs that were created.
    pub(super) created: u64,
    pub(super) opened: u64,
    pub(super) closed: u64,
    /// What gates made of events.
    pub(super) told: Vec<Gated>,
}

/// A workflow's trigger as it is now, and one store's events.
pub(super) struct Side<'a> {
    pub(super) workflow: &'a Arc<Workflow>,
    pub(super) trigger: &'a str,
    pub(super) gates: &'a Gates,
    pub(super) store: Option<&'a StoreId>,
}

/// A run about to be created.
pub(super) struct Birth {
    pub(super) run: RunId,
    pub(super) event: EventId,
    pub(super) events: Vec<EventId>,
    pub(super) hops: u32,
}

impl Side<'_> {
    pub(super) fn gate(&self, kind: GateKind, key: Option<String>) -> GateId {
        let (workflow, trigger) = (self.workflow.id.clone(), self.trigger.to_owned());
        GateId { workflow, trigger, kind, store: self.store.cloned(), key }
    }
}

impl<'s> Plan<'s> {
    pub(super) fn new(inner: &'s Inner, shard: ShardId) -> Self {
        let desk = Desk::new(inner.storage.as_ref());
        Self { desk, batch: Batch::default(), after: After::default(), now: inner.clock.now(), shard }
    }

    /// The batch, and what follows it.
    pub(super) fn finish(self, store: Option<&StoreId>) -> (Batch, After) {
        let Self { desk, mut batch, mut after, .. } = self;
        desk.add_to(&mut batch);
        // What was merged is told anew, with its run, and counts once.
        let anew = batch.rematched.iter().filter(|(_, one)| !matches!(one.outcome, MatchOutcome::Merged { .. }));
        after.told.extend(anew.map(|(event, one)| Gated {
            event: event.clone(),
            store: store.cloned(),
            one: one.clone(),
        }));
        (batch, after)
    }

    async fn group(&mut self, name: &str) -> Result<Option<Group>, StorageError> {
        Ok(self.desk.look(name).await?.and_then(|record| match record.state {
            GateState::Group(group) => Some(group),
            GateState::Passed(_) | GateState::Pace(_) => None,
        }))
    }

    /// An event comes to a `debounce`.
    pub(super) async fn debounce(
        &mut self,
        side: &Side<'_>,
        key: Option<String>,
        arrival: Arrival,
    ) -> Result<MatchOutcome, StorageError> {
        let id = side.gate(GateKind::Debounce, key);
        let Some(policy) = &side.gates.debounce else { return self.collect(side, arrival).await };
        let event = arrival.event.clone();
        let held = self.group(&id.record()).await?;
        let joined = debounce(held, policy.wait, policy.max_wait, arrival);
        let (run, until) = (joined.run.clone(), joined.until);
        for group in self.settle(&id, joined, &event) {
            self.release(side, GateKind::Debounce, group).await?;
        }
        let run = side.gates.collect.is_none().then_some(run);
        Ok(MatchOutcome::Merged { run, until })
    }

    /// An event comes to a `collect`; without one, its run begins.
    pub(super) async fn collect(&mut self, side: &Side<'_>, arrival: Arrival) -> Result<MatchOutcome, StorageError> {
        let key = arrival.onward.get(&GateKind::Collect).cloned();
        let (Some(policy), Some(key)) = (&side.gates.collect, key) else {
            let Arrival { event, run, hops, mut onward, .. } = arrival;
            let throttle = onward.remove(&GateKind::Throttle);
            return self.begin(side, throttle, Birth { run, event, events: Vec::new(), hops }).await;
        };
        let id = side.gate(GateKind::Collect, key);
        let event = arrival.event.clone();
        let held = self.group(&id.record()).await?;
        let joined = collect(held, policy.max_items, policy.max_wait, arrival);
        let outcome = MatchOutcome::Collected { run: joined.run.clone(), until: joined.until };
        for group in self.settle(&id, joined, &event) {
            self.release(side, GateKind::Collect, group).await?;
        }
        Ok(outcome)
    }

    /// Writes what an arrival made of a gate; gives the groups that start their runs now.
    fn settle(&mut self, id: &GateId, joined: Joined, event: &EventId) -> Vec<Group> {
        let name = id.record();
        for group in &joined.fired {
            self.desk.hold(&group.run, None, None);
            if clears(group.shard, self.shard) {
                self.desk.time(timer(&group.run, &name), None);
            }
            self.after.closed += 1;
        }
        match joined.held {
            Some(group) => {
                let (run, due, first) = (group.run.clone(), group.due, group.count == 1);
                self.after.opened += u64::from(first);
                self.desk.hold(&run, Some(&name), Some(event));
                self.desk.put(id, run, GateState::Group(group), due);
            }
            None => {
                // It was opened and filled at once, or filled.
                let first = joined.fired.last().is_some_and(|group| group.count == 1 && group.last == *event);
                self.after.opened += u64::from(first);
                self.batch.needed.push((event.clone(), joined.run));
                self.desk.clear(&name);
            }
        }
        joined.fired
    }

    /// A held group starts its run or goes on to the gates after it.
    pub(super) async fn release(&mut self, side: &Side<'_>, kind: GateKind, group: Group) -> Result<(), StorageError> {
        let throttle = group.onward.get(&GateKind::Throttle).cloned();
        let collected = side.gates.collect.is_some() && group.onward.contains_key(&GateKind::Collect);
        if kind == GateKind::Debounce && collected {
            return self.move_on(side, group).await;
        }
        let events = if kind == GateKind::Collect { group.events } else { Vec::new() };
        let birth = Birth { run: group.run.clone(), event: group.last, events, hops: group.hops };
        let event = birth.event.clone();
        let outcome = self.begin(side, throttle, birth).await?;
        if matches!(outcome, MatchOutcome::Started { .. }) {
            self.after.begun.push(group.run);
        }
        // Told of the run; the events' matches keep the gate that held them.
        let one = Match { workflow: side.workflow.id.clone(), outcome };
        self.after.told.push(Gated { event, store: side.store.cloned(), one });
        Ok(())
    }

    /// The last event of a burst goes on to `collect`; the others are told which run has it.
    async fn move_on(&mut self, side: &Side<'_>, group: Group) -> Result<(), StorageError> {
        let Group { run, shard, due, events, last, bytes, hops, onward, .. } = group;
        let arrival = Arrival { event: last.clone(), at: due, bytes, run, shard, hops, onward };
        // Boxed: a group that fills another releases it.
        let outcome = Box::pin(self.collect(side, arrival)).await?;
        let told = |outcome| Match { workflow: side.workflow.id.clone(), outcome };
        if let MatchOutcome::Collected { run, until } = &outcome {
            let merged = events.into_iter().filter(|event| *event != last);
            let outcome = MatchOutcome::Merged { run: Some(run.clone()), until: *until };
            self.batch.rematched.extend(merged.map(|event| (event, told(outcome.clone()))));
        }
        self.batch.rematched.push((last, told(outcome)));
        Ok(())
    }

    /// Creates a run; `throttle` says when it begins. `Some(key)`: the event has a key at the gate.
    pub(super) async fn begin(
        &mut self,
        side: &Side<'_>,
        throttle: Option<Option<String>>,
        birth: Birth,
    ) -> Result<MatchOutcome, StorageError> {
        let run = birth.run.clone();
        let mut entries = vec![self.first_entry(side, birth)];
        let mut outcome = MatchOutcome::Started { run: run.clone() };
        if let (Some(policy), Some(key)) = (&side.gates.throttle, throttle) {
            let id = side.gate(GateKind::Throttle, key);
            let name = id.record();
            let record = self.desk.look(&name).await?;
            let (owner, mut pace) = match record.map(|record| (record.owner, record.state)) {
                Some((owner, GateState::Pace(pace))) => (owner, pace),
                _ => (run.clone(), Pace::default()),
            };
            let place = pace.reserve(policy.limit, policy.per, self.now);
            let idle = pace.idle_at(policy.per);
            self.desk.put(&id, owner, GateState::Pace(pace), idle);
            if place.begins > self.now {
                let path = StepPath::new(format!("{name}@{}", place.nominal.as_millis()));
                entries.push(self.entry(What::StartDelayed { path: path.clone(), until: place.begins }));
                let key = TimerKey { run: run.clone(), path, kind: TimerKind::Start };
                self.batch.timers_set.push(Timer { key, due: place.begins });
                outcome = MatchOutcome::Delayed { run, until: place.begins };
            }
        }
        let state = fold(&entries).ok().flatten().expect("a journal may begin with run_started");
        self.batch.runs.push(RunWrite { row: state.row(), expected_len: 0, append: entries });
        self.after.created += 1;
        Ok(outcome)
    }

    fn first_entry(&self, side: &Side<'_>, birth: Birth) -> Entry {
        self.entry(What::RunStarted {
            run: birth.run,
            workflow: side.workflow.id.clone(),
            version: side.workflow.version.clone(),
            event: birth.event,
            store: side.store.cloned(),
            shard: self.shard,
            hops: birth.hops,
            events: birth.events,
            parent: None,
        })
    }

    fn entry(&self, what: What) -> Entry {
        Entry { at: self.now, what }
    }
}

impl After {
    /// Counts, and lets runs begin.
    pub(super) fn act(self, inner: &Arc<Inner>) {
        inner.metrics.runs_started.fetch_add(self.created, Relaxed);
        inner.gates.held.fetch_add(self.opened, Relaxed);
        // Several commits end in any order; the sum is right when they all have.
        inner.gates.held.fetch_sub(self.closed, Relaxed);
        count(&inner.metrics, self.told.iter().map(|told| &told.one.outcome));
        inner.told.gated(inner.clock.now(), &self.told);
        for run in self.begun {
            inner.tell(&run, Message::Resume);
        }
    }
}

/// Counts what gates did with events.
fn count<'m>(metrics: &Metrics, outcomes: impl Iterator<Item = &'m MatchOutcome>) {
    for outcome in outcomes {
        match outcome {
            MatchOutcome::Duplicate { .. } => Metrics::add(&metrics.events_deduped),
            MatchOutcome::Merged { .. } => Metrics::add(&metrics.events_merged),
            MatchOutcome::Collected { .. } => Metrics::add(&metrics.events_collected),
            MatchOutcome::Delayed { .. } => Metrics::add(&metrics.runs_delayed),
            MatchOutcome::Dropped { .. } => Metrics::add(&metrics.events_dropped),
            _ => {}
        }
    }
}

/// The keys of the gates after the first two.
pub(super) fn onward(keys: &super::Keys) -> BTreeMap<GateKind, Option<String>> {
    let after = |(kind, _): &(&GateKind, &Option<String>)| matches!(kind, GateKind::Collect | GateKind::Throttle);
    keys.iter().filter(after).map(|(kind, key)| (*kind, key.clone())).collect()
}
