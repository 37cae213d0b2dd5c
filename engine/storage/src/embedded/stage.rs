//! The one place where commits are ordered: each request is checked against what is true and what the group holds
//! already, and then adds its changes to the group. Whoever calls this does it from one thread at a time.

use cartwright_core::{
    shard::{Fence, ShardId},
    time::Timestamp,
};

use crate::{
    Accepted, CommitError, Expect, Purged, RecordWrite, StorageError,
    embedded::{
        change::Change,
        group::{EVENT, Group, RUN},
        head::{EventHead, RunHead},
        key::{self, Id, Key},
        list,
        prepare::{BatchIn, EventIn, RunIn, STREAM_RUN},
        purge,
    },
};

/// What is asked of the one thread that orders commits.
pub(crate) enum Request {
    Accept(Vec<EventIn>),
    Commit {
        shard: ShardId,
        fence: Fence,
        batch: Box<BatchIn>,
    },
    Records(Vec<RecordWrite>),
    Acquire {
        shard: ShardId,
        owner: String,
        now: Timestamp,
        until: Timestamp,
    },
    Renew {
        shard: ShardId,
        fence: Fence,
        until: Timestamp,
    },
    Release {
        shard: ShardId,
        fence: Fence,
    },
    /// Runs to remove; `before`: only those that ended before it.
    PurgeRuns {
        runs: Vec<Id>,
        before: Option<Timestamp>,
    },
    /// Changes of a backup.
    Restore(Vec<(Key, Change)>),
    /// Events to remove.
    PurgeEvents {
        events: Vec<Id>,
        before: Timestamp,
    },
}

/// What came of a request.
#[derive(Debug)]
pub(crate) enum Answer {
    Accepted(Vec<Accepted>),
    Done,
    Acquired(Option<Fence>),
    Renewed(bool),
    Purged(Purged),
}

/// Why a request is not in the group.
pub(crate) enum Failure {
    /// It added nothing; the group goes on without it.
    Refused(CommitError),
    /// It may have added some of its changes: the group must be begun again without it.
    Broken(StorageError),
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Broken(error)
    }
}

fn conflict(what: String) -> Failure {
    Failure::Refused(CommitError::Conflict { what })
}

fn invalid(reason: &str) -> Failure {
    Failure::Refused(CommitError::Storage(StorageError::Invalid { reason: reason.to_owned() }))
}

/// Adds a request's changes to a group.
pub(crate) fn stage(group: &mut Group<'_>, request: &Request) -> Result<Answer, Failure> {
    Ok(match request {
        Request::Accept(events) => {
            Answer::Accepted(events.iter().map(|event| accept(group, event)).collect::<Result<_, StorageError>>()?)
        }
        Request::Commit { shard, fence, batch } => {
            if !group.standing.owns(*shard, *fence) {
                return Err(Failure::Refused(CommitError::Fenced));
            }
            let known = check(group, *shard, batch)?;
            write(group, *shard, batch, known)?;
            Answer::Done
        }
        Request::Records(records) => {
            let versions = check_records(group, records)?;
            write_records(group, records, &versions)?;
            Answer::Done
        }
        Request::Acquire { shard, owner, now, until } => Answer::Acquired(acquire(group, *shard, owner, *now, *until)),
        Request::Renew { shard, fence, until } => {
            let owns = group.standing.owns(*shard, *fence);
            if owns {
                group.standing.lease_mut(*shard).until = Some(*until);
            }
            Answer::Renewed(owns)
        }
        Request::Release { shard, fence } => {
            if group.standing.owns(*shard, *fence) {
                group.standing.lease_mut(*shard).until = None;
            }
            Answer::Done
        }
        Request::Restore(changes) => {
            restore(group, changes)?;
            Answer::Done
        }
        Request::PurgeRuns { runs, before } => Answer::Purged(purge::runs(group, runs, *before)?),
        Request::PurgeEvents { events, before } => Answer::Purged(purge::events(group, events, *before)?),
    })
}

/// The counters are written with every group; those of a backup become the standing ones.
fn restore(group: &mut Group<'_>, changes: &[(Key, Change)]) -> Result<(), StorageError> {
    for (key, change) in changes {
        match change {
            Change::Put(value) if *key == key::counts() => {
                group.standing.counts =
                    serde_json::from_slice(value).map_err(|_| key::damaged("the counters of the backup"))?;
            }
            change => group.add(key.clone(), change.clone()),
        }
    }
    Ok(())
}

fn accept(group: &mut Group<'_>, event: &EventIn) -> Result<Accepted, StorageError> {
    let dedupe = event.dedupe.as_ref().map(|hash| key::dedupe(event.shard, hash));
    if let Some(key) = &dedupe
        && let Some(first) = group.get(key)?
    {
        return Ok(Accepted::Duplicate(key::event_of(key::trailing_id(&first)?)?));
    }
    let id = key::event_of(event.id)?;
    if group.has(&key::with_id(key::EVENT, &event.id))? {
        return Ok(Accepted::Duplicate(id));
    }
    if let Some(key) = dedupe {
        group.put(key, event.id.to_vec());
    }
    let head = EventHead { bytes: event.json.len() as u64, shard: event.shard, matched: false, dedupe: event.dedupe };
    group.extend(&EVENT, &event.id, &head.write(), None, &event.json);
    group.put(key::in_shard(key::INBOX, event.shard, &event.id), Vec::new());
    for list in &event.lists {
        group.append(list::block(*list, &event.id), &event.id)?;
    }
    group.standing.counts.events += 1;
    group.standing.counts.inbox += 1;
    Ok(Accepted::New(id))
}

fn acquire(group: &mut Group<'_>, shard: ShardId, owner: &str, now: Timestamp, until: Timestamp) -> Option<Fence> {
    let fence = group.standing.fence + 1;
    let lease = group.standing.lease_mut(shard);
    if lease.owner != owner && lease.until.is_some_and(|until| until > now) {
        return None;
    }
    *lease = crate::embedded::group::Lease { owner: owner.to_owned(), fence, until: Some(until) };
    group.standing.fence = fence;
    Some(Fence(fence))
}

/// What checking a batch found out, for writing it.
struct Known {
    runs: Vec<Option<RunHead>>,
    matched: Vec<EventHead>,
    versions: Vec<u64>,
}

fn check(group: &Group<'_>, shard: ShardId, batch: &BatchIn) -> Result<Known, Failure> {
    let runs = batch.runs.iter().map(|run| check_run(group, shard, run)).collect::<Result<_, _>>()?;
    let mut matched = Vec::with_capacity(batch.matched.len());
    for (n, (event, _)) in batch.matched.iter().enumerate() {
        let twice = batch.matched[..n].iter().any(|(other, _)| other == event);
        let head = group.head(&key::with_id(key::EVENT, event))?.as_deref().map(EventHead::read).transpose()?;
        match head {
            Some(head) if head.shard != shard => return Err(invalid("a matched event belongs to another shard")),
            Some(head) if !head.matched && !twice => matched.push(head),
            _ => return Err(conflict(format!("{} is not in the inbox", key::event_of(*event)?))),
        }
    }
    let versions = check_records(group, &batch.records)?;
    Ok(Known { runs, matched, versions })
}

fn check_run(group: &Group<'_>, shard: ShardId, run: &RunIn) -> Result<Option<RunHead>, Failure> {
    if run.shard != shard {
        return Err(invalid("a run in this commit belongs to another shard"));
    }
    let head = group.head(&key::with_id(key::RUN, &run.id))?;
    let head = head.map(|head| RunHead::read(&head).map(|(head, _)| head)).transpose()?;
    let entries = head.as_ref().map_or(0, |head| head.entries);
    if entries != run.expected_len || head.is_some() && entries == 0 {
        let id = key::run_of(run.id)?;
        return Err(conflict(format!("{id} has {entries} entries, not {}", run.expected_len)));
    }
    match &head {
        None if run.appended == 0 => return Err(invalid("a new run needs a first entry")),
        Some(head) if head.lists != run.lists || head.event != run.event || head.shard != shard => {
            return Err(invalid("a run's workflow, store, event and shard never change"));
        }
        _ => {}
    }
    Ok(head)
}

fn write(group: &mut Group<'_>, shard: ShardId, batch: &BatchIn, known: Known) -> Result<(), StorageError> {
    for ((event, matches), head) in batch.matched.iter().zip(known.matched) {
        let now = EventHead { bytes: head.bytes + matches.len() as u64, matched: true, ..head };
        group.extend(&EVENT, event, &now.write(), Some(head.bytes), matches);
        group.delete(key::in_shard(key::INBOX, shard, event));
        group.standing.counts.inbox = group.standing.counts.inbox.saturating_sub(1);
    }
    for (event, record) in &batch.added {
        add_to_event(group, event, record)?;
    }
    for (run, before) in batch.runs.iter().zip(known.runs) {
        write_run(group, run, before)?;
    }
    for (run, timer) in &batch.timers_set {
        let by_run = key::timer_by_run(run, &timer.key);
        match group.get(&by_run)?.and_then(|due| due.first_chunk().copied()) {
            Some(due) => group.delete(key::timer(shard, key::time_of(due), run, &timer.key)),
            None => group.standing.counts.timers += 1,
        }
        group.put(key::timer(shard, timer.due, run, &timer.key), Vec::new());
        group.put(by_run, key::time_bytes(timer.due).to_vec());
    }
    for (run, timer) in &batch.timers_clear {
        let by_run = key::timer_by_run(run, timer);
        if let Some(due) = group.get(&by_run)?.and_then(|due| due.first_chunk().copied()) {
            group.delete(key::timer(shard, key::time_of(due), run, timer));
            group.delete(by_run);
            group.standing.counts.timers = group.standing.counts.timers.saturating_sub(1);
        }
    }
    for key in &batch.waits_clear {
        group.delete(key.clone());
    }
    for (key, value) in &batch.waits_set {
        group.put(key.clone(), value.clone());
    }
    for (key, value) in &batch.outbox {
        if !group.has(key)? {
            group.put(key.clone(), value.clone());
            group.standing.counts.outbox += 1;
        }
    }
    for key in &batch.outbox_done {
        if group.has(key)? {
            group.delete(key.clone());
            group.standing.counts.outbox = group.standing.counts.outbox.saturating_sub(1);
        }
    }
    for (by_run, by_shard, body) in &batch.mail {
        if !group.has(by_run)? {
            group.put(by_run.clone(), body.clone());
            group.put(by_shard.clone(), Vec::new());
        }
    }
    for (by_run, by_shard) in &batch.mail_done {
        group.delete(by_run.clone());
        group.delete(by_shard.clone());
    }
    write_records(group, &batch.records, &known.versions)
}

fn write_run(group: &mut Group<'_>, run: &RunIn, before: Option<RunHead>) -> Result<(), StorageError> {
    let mut head = match &before {
        Some(head) => {
            if head.status != run.status {
                list::step(group, &run.id, run.lists, head.status, run.status)?;
                let before = group.count_of(head.status);
                *before = before.saturating_sub(1);
                *group.count_of(run.status) += 1;
            }
            head.clone()
        }
        None => {
            list::begin(group, &run.id, run.lists, run.status)?;
            *group.count_of(run.status) += 1;
            let known = tell_event(group, run)?;
            if !known {
                list::begin_by_event(group, &run.id, &run.event);
            }
            RunHead {
                entries: 0,
                bytes: 0,
                status: run.status,
                shard: run.shard,
                lists: run.lists,
                event: run.event,
                listed_by_event: !known,
            }
        }
    };
    let was_active = before.as_ref().is_some_and(|head| is_active(head.status));
    let active = key::in_shard(key::ACTIVE, run.shard, &run.id);
    match (was_active, is_active(run.status)) {
        (false, true) => group.put(active, Vec::new()),
        (true, false) => group.delete(active),
        _ => {}
    }
    head.status = run.status;
    head.entries += run.appended;
    head.bytes += run.journal.len() as u64;
    group.extend(&RUN, &run.id, &head.write(&run.row_json), before.map(|head| head.bytes), &run.journal);
    Ok(())
}

fn is_active(status: cartwright_core::run::row::RunStatus) -> bool {
    use cartwright_core::run::row::RunStatus::{Queued, Running};
    matches!(status, Queued | Running)
}

/// Writes into the event that it started this run; `false`: the event is not kept here.
fn tell_event(group: &mut Group<'_>, run: &RunIn) -> Result<bool, StorageError> {
    let mut record = vec![STREAM_RUN];
    record.extend_from_slice(&run.id);
    add_to_event(group, &run.event, &record)
}

/// Adds to an event's stream; `false`: the event is not kept here.
fn add_to_event(group: &mut Group<'_>, event: &Id, record: &[u8]) -> Result<bool, StorageError> {
    let Some(head) = group.head(&key::with_id(key::EVENT, event))? else { return Ok(false) };
    let head = EventHead::read(&head)?;
    let now = EventHead { bytes: head.bytes + record.len() as u64, ..head };
    group.extend(&EVENT, event, &now.write(), Some(head.bytes), record);
    Ok(true)
}

/// The version that each record gets.
fn check_records(group: &Group<'_>, records: &[RecordWrite]) -> Result<Vec<u64>, Failure> {
    let mut versions = Vec::with_capacity(records.len());
    for write in records {
        let now = group.get(&key::record(write.table, &write.key))?;
        let now = now.as_deref().map(record_version).transpose()?;
        let holds = match write.expect {
            Expect::Any => true,
            Expect::Absent => now.is_none(),
            Expect::Version(version) => now == Some(version),
        };
        if !holds {
            let found = now.map_or("is not there".to_owned(), |version| format!("has version {version}"));
            return Err(conflict(format!("record `{}` {found}", write.key)));
        }
        versions.push(match now {
            Some(version) => version + 1,
            None => floor(group, write.table)? + 1,
        });
    }
    Ok(versions)
}

fn floor(group: &Group<'_>, table: crate::Table) -> Result<u64, StorageError> {
    group.get(&key::floor(table))?.as_deref().map_or(Ok(0), record_version)
}

fn write_records(group: &mut Group<'_>, records: &[RecordWrite], versions: &[u64]) -> Result<(), StorageError> {
    for (write, version) in records.iter().zip(versions) {
        let key = key::record(write.table, &write.key);
        match &write.value {
            Some(value) => group.put(key, [&version.to_le_bytes()[..], value].concat()),
            None if group.has(&key)? => {
                group.delete(key);
                // A record made again must not repeat a version: it begins above every deleted one of its table.
                let floor = floor(group, write.table)?.max(*version);
                group.put(key::floor(write.table), floor.to_le_bytes().to_vec());
            }
            None => {}
        }
    }
    Ok(())
}

/// The version in front of a record's value.
pub(crate) fn record_version(value: &[u8]) -> Result<u64, StorageError> {
    value.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)).ok_or_else(|| key::damaged("a record"))
}
