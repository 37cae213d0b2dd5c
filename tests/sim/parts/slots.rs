//! `concurrency`: never more runs of a group at once than it has slots, no slot held by a run that ended, no event lost.

use std::collections::BTreeMap;

use cartwright_core::{
    run::{
        entry::{Entry, What},
        row::{RunRow, RunStatus},
    },
    slots::Head,
    time::Timestamp,
};
use cartwright_run::check_slots;
use cartwright_storage::{MemoryStorage, Storage, Table};

use super::{effect, number_of, runs_of};
use crate::life::History;

pub(super) const TEXT: &str = r#"
on: { event: [slot.go] }
concurrency: { key: "${{ event.data.group }}", SETTINGS }
grants: { http: ["sink.example.com"] }
retry: { attempts: 40, initial: 100ms, factor: 2, max: 5s }
steps:
  - http: POST http://sink.example.com/
    body: { effect: "slot-${{ event.data.n }}" }
    IDEMPOTENT
  - sleep: 5s
  - http: POST http://sink.example.com/
    body: { effect: "slotend-${{ event.data.n }}" }
    IDEMPOTENT
on_cancel:
  - http: POST http://sink.example.com/
    body: { effect: "slotcancel-${{ event.data.n }}" }
    IDEMPOTENT
"#;

/// What a crash left, or the end: records and journals say the same, and no group has more than its limit.
pub(crate) async fn at_rest(disk: &MemoryStorage, limit: u32) -> Vec<String> {
    let mut wrong = check_slots(disk).await.expect("storage answers");
    for record in disk.records(Table::Slots, "g/slots", None, 100).await.expect("records") {
        let head: Head = serde_json::from_slice(&record.value).expect("counters");
        if head.held > limit {
            wrong.push(format!("{} holds {} slots of {limit}", head.group, head.held));
        }
    }
    wrong
}

/// The codes of runs that were turned away.
pub(super) fn may_fail(row: &RunRow, code: &str) -> bool {
    row.workflow.as_str() == "slots" && ["concurrency", "queue_full"].contains(&code)
}

pub(super) fn check(history: &History) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut changes: BTreeMap<String, Vec<(Timestamp, i32)>> = BTreeMap::new();
    for (row, journal) in runs_of(history, "slots") {
        if let Some(group) = group(journal) {
            changes.entry(group).or_default().extend(held(journal));
        }
        let Some(number) = number_of(history, row) else { continue };
        for name in ["slot", "slotend", "slotcancel"] {
            let (times, keys) = effect(history, &format!("{name}-{number}"));
            if times > 1 || keys > 1 {
                wrong.push(format!("{name}-{number} happened {times} times under {keys} keys"));
            }
            let expected = if name == "slotcancel" { RunStatus::Cancelled } else { RunStatus::Succeeded };
            let needed = row.status == expected && name != "slotcancel";
            if needed && times != 1 {
                wrong.push(format!("{} succeeded without {name}-{number}", row.id));
            }
        }
    }
    for (group, mut changes) in changes {
        // What is given back in a moment can be taken in it.
        changes.sort_unstable();
        let (mut held, limit) = (0, i32::try_from(history.settings.limit).unwrap_or(1));
        for (at, change) in changes {
            held += change;
            if held > limit {
                wrong.push(format!("{held} runs of {group} moved at {at}, of {limit}"));
            }
        }
    }
    wrong
}

fn group(journal: &[Entry]) -> Option<String> {
    journal.iter().find_map(|entry| match &entry.what {
        What::SlotAsked { group, .. } => Some(group.to_string()),
        _ => None,
    })
}

/// When a run took a slot and when it gave it back.
fn held(journal: &[Entry]) -> Vec<(Timestamp, i32)> {
    let (mut changes, mut holds) = (Vec::new(), false);
    for entry in journal {
        match &entry.what {
            What::SlotTaken {} => {
                changes.push((entry.at, 1));
                holds = true;
            }
            What::SlotFreed {} | What::RunParked { .. } | What::RunFinished { .. } if holds => {
                changes.push((entry.at, -1));
                holds = false;
            }
            _ => {}
        }
    }
    if holds {
        // It never ended: whoever comes later is one too many.
        changes.push((Timestamp::from_millis(i64::MAX), 0));
    }
    changes
}
