//! Retention, in steps: `Embedded::purge` finds candidates by reading, the one thread that orders commits looks again
//! and removes them ([`runs`], [`events`]), so that a run that a person retried meanwhile stays.

use std::collections::BTreeMap;

use cartwright_core::{gate::held_record, run::row::RunStatus, time::Timestamp};
use parking_lot::Mutex;

use crate::{
    Purge, Purged, StorageError, Table,
    embedded::{
        change::parts,
        group::{EVENT, Group, RUN},
        head::{EventHead, RunHead},
        key::{self, EVENT as EVENT_TAG, Id, Key},
        list,
        read::event_runs,
        view::{Range, View},
    },
};

/// Candidates in one request, so that no commit waits long behind it.
pub(crate) const MAX_PER_REQUEST: usize = 256;

/// Blocks read at a time while looking for candidates.
const BLOCKS_PER_SCAN: usize = 32;

/// Where the last step stopped, so that what may not go is not looked at again and again. Lost when the engine
/// stops: the next pass begins at the oldest.
#[derive(Default)]
pub(crate) struct Progress {
    /// By status: the last block that was looked at.
    runs: Mutex<BTreeMap<RunStatus, Key>>,
    events: Mutex<Option<Key>>,
}

/// What to remove next.
pub(crate) struct Candidates {
    pub(crate) ids: Vec<Id>,
    /// Records looked at.
    pub(crate) looked: usize,
    /// Whether a later step may find more.
    pub(crate) more: bool,
}

/// Ended runs, oldest first by status: those that began before `before` (`None`: however young), at most `limit`.
pub(crate) fn find_runs(
    view: &View,
    progress: &Progress,
    before: Option<Timestamp>,
    limit: usize,
) -> Result<Candidates, StorageError> {
    let mut found = Candidates { ids: Vec::new(), looked: 0, more: false };
    for status in RunStatus::ALL.into_iter().filter(|status| status.is_ended()) {
        let prefix = list::block_prefix(list::by_status(status));
        let mut done = progress.runs.lock().get(&status).cloned();
        while found.ids.len() < limit && found.looked < 4 * limit {
            let mut range = Range::prefix(&prefix);
            if let Some(done) = &done {
                range = range.after(done.clone());
            }
            let blocks = view.scan(range, false, BLOCKS_PER_SCAN)?;
            let last_page = blocks.len() < BLOCKS_PER_SCAN;
            let mut young = false;
            for (key, value) in blocks {
                let begin = list::block_begin(&key).unwrap_or(u64::MAX);
                young = before.is_some_and(|before| begin >= before.as_millis().max(0) as u64);
                if young || found.ids.len() >= limit {
                    break;
                }
                found.looked += 1;
                found.ids.extend(list::ids(parts(&value)?.1));
                done = Some(key);
            }
            if young || last_page && found.ids.len() < limit {
                done = None; // a pass is over; the next one begins at the oldest
                break;
            }
        }
        found.more |= done.is_some();
        let mut runs = progress.runs.lock();
        match done {
            Some(done) => _ = runs.insert(status, done),
            None => _ = runs.remove(&status),
        }
        if found.more {
            break;
        }
    }
    Ok(found)
}

/// Events accepted before `before`, oldest first.
pub(crate) fn find_events(
    view: &View,
    progress: &Progress,
    before: Timestamp,
    limit: usize,
) -> Result<Candidates, StorageError> {
    let mut position = progress.events.lock();
    let mut range = Range::prefix(&[EVENT_TAG]);
    if let Some(done) = position.take() {
        range = range.after(done);
    }
    let items = view.scan(range, false, limit)?;
    let mut found = Candidates { ids: Vec::new(), looked: items.len(), more: items.len() == limit };
    for (key, _) in items {
        let id = key::trailing_id(&key)?;
        if key::millis(&id) >= before.as_millis().max(0) as u64 {
            found.more = false;
            break;
        }
        found.ids.push(id);
        *position = Some(key);
    }
    if !found.more {
        *position = None;
    }
    Ok(found)
}

/// Removes runs that have ended (before `before`) with their journals and from their lists.
pub(crate) fn runs(group: &mut Group<'_>, runs: &[Id], before: Option<Timestamp>) -> Result<Purged, StorageError> {
    let mut purged = Purged::default();
    let mut from_blocks: BTreeMap<Key, Vec<Id>> = BTreeMap::new();
    for id in runs {
        let Some(bytes) = group.head(&key::with_id(key::RUN, id))? else { continue };
        let (head, _) = RunHead::read(&bytes)?;
        if !head.status.is_ended() {
            continue;
        }
        if let Some(before) = before
            && RunHead::row(&bytes)?.finished.is_none_or(|finished| finished >= before)
        {
            continue;
        }
        group.remove(&RUN, id, head.bytes);
        for block in list::blocks_of_ended(id, head.lists, head.status) {
            from_blocks.entry(block).or_default().push(*id);
        }
        if head.listed_by_event {
            list::end_by_event(group, id, &head.event);
        }
        let count = group.count_of(head.status);
        *count = count.saturating_sub(1);
        purged.runs += 1;
    }
    for (block, gone) in from_blocks {
        list::drop_from(group, block, &gone)?;
    }
    Ok(purged)
}

/// Removes events that were accepted before `before`, are out of the inbox and have no run left, with what makes
/// later ones their duplicates.
pub(crate) fn events(group: &mut Group<'_>, events: &[Id], before: Timestamp) -> Result<Purged, StorageError> {
    let mut purged = Purged::default();
    let mut from_blocks: BTreeMap<Key, Vec<Id>> = BTreeMap::new();
    for id in events {
        let Some(bytes) = group.head(&key::with_id(EVENT_TAG, id))? else { continue };
        let head = EventHead::read(&bytes)?;
        if !head.matched || key::millis(id) >= before.as_millis().max(0) as u64 {
            continue;
        }
        let stream = super::read::stream(&EVENT, id, head.bytes, |key| group.get(key))?;
        let (event, runs) = event_runs(&stream)?;
        let mut has_run = false;
        for run in runs {
            has_run |= group.has(&key::with_id(key::RUN, &run))?;
            has_run |= group.has(&key::record(Table::Gates, &held_record(&key::run_of(run)?)))?;
        }
        if has_run {
            continue;
        }
        group.remove(&EVENT, id, head.bytes);
        for list in list::lists_of_event(&event) {
            from_blocks.entry(list::block(list, id)).or_default().push(*id);
        }
        if let Some(hash) = &head.dedupe {
            group.delete(key::dedupe(head.shard, hash));
            purged.dedupe_keys += 1;
        }
        group.standing.counts.events = group.standing.counts.events.saturating_sub(1);
        purged.events += 1;
    }
    for (block, gone) in from_blocks {
        list::drop_from(group, block, &gone)?;
    }
    Ok(purged)
}

/// How many runs are over what may be kept.
pub(crate) fn excess(total: u64, purge: &Purge) -> usize {
    usize::try_from(total.saturating_sub(purge.keep_runs)).unwrap_or(usize::MAX)
}

/// The oldest ended runs, however young; at most `limit`.
pub(crate) fn oldest_ended(view: &View, limit: usize) -> Result<Vec<Id>, StorageError> {
    let mut ids = Vec::new();
    for status in RunStatus::ALL.into_iter().filter(|status| status.is_ended()) {
        let prefix = list::block_prefix(list::by_status(status));
        let enough = ids.len() + limit;
        for (_, value) in view.scan(Range::prefix(&prefix), false, limit)? {
            ids.extend(list::ids(parts(&value)?.1));
            if ids.len() >= enough {
                break;
            }
        }
    }
    ids.sort_unstable();
    ids.truncate(limit);
    Ok(ids)
}
