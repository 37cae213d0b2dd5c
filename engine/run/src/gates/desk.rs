//! The records of gates as one plan sees and changes them: read once, changed in memory, written in one commit that is
//! refused when somebody else changed one meanwhile.

use std::collections::BTreeMap;

use cartwright_core::id::StepPath;
use cartwright_core::{
    gate::{GateId, GateRecord, GateState, held_record},
    id::{EventId, RunId},
    run::entry::TimerKind,
    shard::ShardId,
    time::Timestamp,
};
use cartwright_storage::{Batch, Expect, RecordWrite, Storage, StorageError, Table, Timer, TimerKey};

/// What is on the desk.
pub(super) struct Desk<'s> {
    storage: &'s dyn Storage,
    sheets: BTreeMap<String, Sheet>,
    held: BTreeMap<RunId, Option<String>>,
    timers: BTreeMap<TimerKey, Option<Timestamp>>,
    needed: Vec<(EventId, RunId)>,
}

struct Sheet {
    expect: Expect,
    before: Option<GateRecord>,
    now: Option<GateRecord>,
}

/// Reads a gate's record.
pub(super) fn read(value: &[u8], name: &str) -> Result<GateRecord, StorageError> {
    serde_json::from_slice(value).map_err(|error| StorageError::Corrupt {
        reason: format!(
            "the record `{name}` of a gate cannot be read ({error}); restore the data folder from a backup"
        ),
    })
}

/// The timer of a gate.
pub(super) fn timer(owner: &RunId, record: &str) -> TimerKey {
    TimerKey { run: owner.clone(), path: StepPath::new(record), kind: TimerKind::Gate }
}

impl<'s> Desk<'s> {
    pub(super) fn new(storage: &'s dyn Storage) -> Self {
        let (sheets, held, timers) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { storage, sheets, held, timers, needed: Vec::new() }
    }

    /// What a gate remembers; `None`: nothing.
    pub(super) async fn look(&mut self, name: &str) -> Result<Option<GateRecord>, StorageError> {
        if let Some(sheet) = self.sheets.get(name) {
            return Ok(sheet.now.clone());
        }
        let found = self.storage.record(Table::Gates, name).await?;
        let expect = found.as_ref().map_or(Expect::Absent, |record| Expect::Version(record.version));
        let before = found.map(|record| read(&record.value, name)).transpose()?;
        let now = before.clone();
        self.sheets.insert(name.to_owned(), Sheet { expect, before, now: now.clone() });
        Ok(now)
    }

    /// Writes what a gate remembers from now on. A timer is set where the record has a new owner.
    pub(super) fn put(&mut self, id: &GateId, owner: RunId, state: GateState, due: Timestamp) {
        let name = id.record();
        let Some(sheet) = self.sheets.get_mut(&name) else { return };
        if sheet.now.as_ref().is_none_or(|record| record.owner != owner) {
            self.timers.insert(timer(&owner, &name), Some(due));
        }
        sheet.now = Some(GateRecord { id: id.clone(), owner, state });
    }

    /// A gate forgets.
    pub(super) fn clear(&mut self, name: &str) {
        if let Some(sheet) = self.sheets.get_mut(name) {
            sheet.now = None;
        }
    }

    /// Sets a gate's timer, or clears it.
    pub(super) fn time(&mut self, key: TimerKey, due: Option<Timestamp>) {
        self.timers.insert(key, due);
    }

    /// A run will come of a group, and needs this event. `record`: the group's; `None`: the run is there now.
    pub(super) fn hold(&mut self, run: &RunId, record: Option<&str>, event: Option<&EventId>) {
        self.held.insert(run.clone(), record.map(str::to_owned));
        self.needed.extend(event.map(|event| (event.clone(), run.clone())));
    }

    /// Adds everything to a batch of this shard.
    pub(super) fn add_to(self, batch: &mut Batch) {
        for (key, sheet) in self.sheets {
            if sheet.now == sheet.before {
                continue;
            }
            let value = sheet.now.map(|record| serde_json::to_vec(&record).expect("texts and numbers become JSON"));
            batch.records.push(RecordWrite { table: Table::Gates, key, expect: sheet.expect, value });
        }
        for (run, record) in self.held {
            let (key, value) = (held_record(&run), record.map(String::into_bytes));
            batch.records.push(RecordWrite { table: Table::Gates, key, expect: Expect::Any, value });
        }
        for (key, due) in self.timers {
            match due {
                Some(due) => batch.timers_set.push(Timer { key, due }),
                None => batch.timers_clear.push(key),
            }
        }
        batch.needed.extend(self.needed);
    }
}

/// Where the timer of a group that ends in this batch is cleared: only its own shard has it. Elsewhere it fires, finds
/// that the group is gone, and goes.
pub(super) fn clears(group: ShardId, here: ShardId) -> bool {
    group == here
}
