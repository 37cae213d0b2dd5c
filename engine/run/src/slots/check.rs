//! Whether the records of slots and the journals of runs say the same. Nothing has to be repaired ever: this is for
//! tests, the simulator and `doctor`.

use std::collections::{BTreeMap, BTreeSet};

use cartwright_core::{
    id::RunId,
    run::{apply::fold, row::RunStatus},
    slots::{Place, Position, Slot},
};
use cartwright_storage::{RunFilter, Storage, StorageError, Table};

use super::{PAGE, groups, holders, queue};

/// Everything that does not fit, in words for people; empty where all is well. Only a storage that nobody writes to
/// meanwhile gives a true picture.
pub async fn check_slots(storage: &dyn Storage) -> Result<Vec<String>, StorageError> {
    let mut wrong = Vec::new();
    let mut known: BTreeMap<RunId, (String, Option<Place>)> = BTreeMap::new();
    let (mut after, mut records) = (None::<String>, 0);
    loop {
        let page = groups(storage, None, after.as_deref(), PAGE).await?;
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        for (_, head) in page {
            let (digest, group) = (head.group.digest(), &head.group);
            let (held, queued) = (holders(storage, group, usize::MAX).await?, queue(storage, group, usize::MAX).await?);
            records += 1 + held.len() + queued.len();
            if (held.len(), queued.len() as u64) != (head.held as usize, head.waiting) {
                let (held, queued) = (held.len(), queued.len());
                wrong.push(format!(
                    "{group} counts {} held and {} waiting, and has {held} and {queued}",
                    head.held, head.waiting
                ));
            }
            let queued = queued.into_iter().map(|waiter| (waiter.run, Some(waiter.place)));
            for (run, place) in held.into_iter().map(|(run, _)| (run, None)).chain(queued) {
                if known.insert(run.clone(), (digest.clone(), place)).is_some() {
                    wrong.push(format!("{run} stands in slots twice"));
                }
            }
        }
    }
    let mut seen = BTreeSet::new();
    for run in live(storage).await?.into_iter().chain(known.keys().cloned()) {
        if !seen.insert(run.clone()) {
            continue;
        }
        let says = match fold(&storage.journal(&run).await?) {
            Ok(state) => state.map(|state| state.slot).unwrap_or_default(),
            Err(error) => {
                wrong.push(format!("{run}: {error}"));
                continue;
            }
        };
        let says = Slot::position(&says).map(|(group, position)| match position {
            Position::Queued(place) => (group.digest(), Some(place.clone())),
            Position::Held | Position::Out => (group.digest(), None),
        });
        if says.as_ref() != known.get(&run) {
            wrong.push(format!("{run}: its journal says {says:?}, the group {:?}", known.get(&run)));
        }
    }
    let all = count(storage).await?;
    if all != records {
        wrong.push(format!("{all} records of slots, of which {records} belong to a group in use"));
    }
    Ok(wrong)
}

/// Runs that have not ended.
async fn live(storage: &dyn Storage) -> Result<Vec<RunId>, StorageError> {
    let mut found = Vec::new();
    for status in RunStatus::ALL.into_iter().filter(|status| !status.is_ended()) {
        let filter = RunFilter { status: Some(status), ..RunFilter::default() };
        let mut cursor = None;
        loop {
            let page = storage.query_runs(&filter, cursor.as_deref(), PAGE).await?;
            found.extend(page.items.into_iter().map(|row| row.id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
    }
    Ok(found)
}

async fn count(storage: &dyn Storage) -> Result<usize, StorageError> {
    let (mut count, mut after) = (0, None::<String>);
    loop {
        let page = storage.records(Table::Slots, "", after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(count) };
        after = Some(last.key.clone());
        count += page.len();
    }
}
