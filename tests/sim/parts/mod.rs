//! The parts of the language that have state of their own beside runs: slots, gates, calls with their undos, questions to
//! people, schedules. Small workflows with settings made up from the seed, what is sent to them, and what must hold.

mod calls;
mod gates;
mod people;
mod schedules;
mod slots;

use std::{collections::BTreeMap, fmt};

use cartwright_core::{
    event::MatchOutcome,
    id::EventId,
    run::{
        entry::{Entry, What},
        row::{RunRow, RunStatus},
    },
    time::Timestamp,
};
use cartwright_run::Engine;
use cartwright_storage::{MemoryStorage, Storage, StoredEvent, Table};
use cartwright_tests::random::Random;
use parking_lot::Mutex;
use serde_json::{Value, json};

pub(crate) use people::{Said, take_part};
pub(crate) use slots::at_rest as slots_at_rest;

use crate::life::History;

/// What is sent, and how many of each.
const TOPICS: [(&str, u64); 5] = [("slot.go", 10), ("gate.go", 10), ("call.go", 4), ("ask.go", 4), ("ask.news", 4)];
/// Workflows of this module; those of the schedules are looked at by their events.
const NAMES: [&str; 9] =
    ["slots", "gate-dedupe", "gate-debounce", "gate-collect", "gate-throttle", "gate-all", "caller", "part", "asks"];

/// What the names of these workflows' effects begin with.
pub(crate) const PREFIXES: [&str; 16] = [
    "slot",
    "slotend",
    "slotcancel",
    "hold1",
    "hold2",
    "hold3",
    "unhold1",
    "unhold2",
    "unhold3",
    "callfailed",
    "callcancel",
    "child",
    "childcancel",
    "yes",
    "no",
    "askcancel",
];

/// What the seed says of the workflows.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Slots of a group.
    pub(crate) limit: u32,
    on_limit: &'static str,
    scope: &'static str,
    holds: bool,
    queue_max: Option<u64>,
}

impl Settings {
    pub(crate) fn new(random: &mut Random) -> Self {
        let on_limit = ["queue", "queue", "skip", "replace", "fail"][random.below(5) as usize];
        Self {
            limit: 1 + u32::try_from(random.below(2)).unwrap_or(0),
            on_limit,
            scope: ["store", "workflow"][random.below(2) as usize],
            // A run that waits without a slot could not be replaced: the checker refuses it.
            holds: random.percent(50) || on_limit == "replace",
            queue_max: (on_limit == "queue" && random.percent(30)).then_some(2),
        }
    }

    fn concurrency(&self) -> String {
        let Self { limit, on_limit, scope, holds, queue_max } = self;
        let most = queue_max.map(|most| format!(", queue_max: {most}")).unwrap_or_default();
        format!("limit: {limit}, on_limit: {on_limit}, scope: {scope}, hold_while_waiting: {holds}{most}")
    }
}

/// Names and texts of the workflows.
pub(crate) fn texts(settings: &Settings) -> Vec<(&'static str, String)> {
    let mut all = vec![("slots", slots::TEXT.replace("SETTINGS", &settings.concurrency()))];
    let fixed = gates::TEXTS.iter().chain(calls::TEXTS).chain(people::TEXTS).chain(schedules::TEXTS);
    all.extend(fixed.map(|(id, text)| (*id, (*text).to_owned())));
    all
}

/// What was sent and seen of these workflows; it outlives the engine.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    next: BTreeMap<&'static str, u64>,
    pub(crate) accepted: BTreeMap<(&'static str, u64), EventId>,
    /// What was wrong with the records when an engine had died.
    pub(crate) wrong: Vec<String>,
    /// When engines ran.
    pub(crate) lives: Vec<(Timestamp, Timestamp)>,
    pub(crate) said: Vec<Said>,
    /// Names of records that are left at the end.
    left: Vec<String>,
}

/// Something new for one of the workflows, if there is anything left.
pub(crate) fn choose(seen: &mut Seen, random: &mut Random) -> Option<(u64, &'static str)> {
    let (topic, most) = TOPICS[random.below(TOPICS.len() as u64) as usize];
    let next = seen.next.entry(topic).or_default();
    (*next < most).then(|| {
        *next += 1;
        (*next, topic)
    })
}

/// The shop that an event is about: gates have keys of their own for each.
pub(crate) fn shop(topic: &str, number: u64) -> u64 {
    match topic {
        "gate.go" => 0,
        "slot.go" => number % 2,
        _ => number % 3,
    }
}

pub(crate) fn data(number: u64) -> Value {
    json!({ "n": number, "key": number % 2, "pair": number / 2, "group": number / 8, "fails": number.is_multiple_of(3) })
}

/// What is left when everything has come to rest.
pub(crate) async fn look_back(engine: &Engine, disk: &MemoryStorage, seen: &Mutex<Seen>) {
    if engine.held_count() > 0 {
        seen.lock().wrong.push(format!("{} groups are held at the end", engine.held_count()));
    }
    for table in [Table::Slots, Table::Approvals] {
        let records = disk.records(table, "", None, 100).await.expect("records");
        seen.lock().left.extend(records.into_iter().map(|record| format!("{table:?} {}", record.key)));
    }
}

/// Everything that is wrong.
pub(crate) fn check(history: &History) -> Vec<String> {
    let seen = &history.parts;
    let mut wrong = seen.wrong.clone();
    wrong.extend(seen.left.iter().map(|left| format!("left at the end: {left}")));
    wrong.extend(every_event_has_its_run(history));
    wrong.extend(slots::check(history));
    wrong.extend(gates::check(history));
    wrong.extend(calls::check(history));
    wrong.extend(people::check(history));
    wrong.extend(schedules::check(history));
    wrong
}

/// What all seeds together did with these parts, to see that none is idle.
#[derive(Default)]
pub(crate) struct Counted(BTreeMap<&'static str, u64>);

impl Counted {
    pub(crate) fn add(&mut self, history: &History) {
        for (row, journal) in history.runs.iter().filter(|(row, _)| has(row.workflow.as_str())) {
            if journal.iter().any(|entry| matches!(entry.what, What::CancelHandling { .. })) {
                *self.0.entry("cleaned up").or_default() += 1;
            }
            let code = row.error.as_ref().map(|error| error.code.as_str()).unwrap_or_default();
            if let Some(name) =
                ["skipped", "replaced", "queue_full", "concurrency"].into_iter().find(|name| *name == code)
            {
                *self.0.entry(name).or_default() += 1;
            }
            for entry in journal {
                if let Some(name) = name_of(&entry.what) {
                    *self.0.entry(name).or_default() += 1;
                }
            }
        }
        for one in history.events.iter().flat_map(|stored| stored.matches.iter().flatten()) {
            let name = match one.outcome {
                MatchOutcome::Duplicate { .. } => "duplicates",
                MatchOutcome::Merged { .. } => "merged",
                MatchOutcome::Collected { .. } => "collected",
                MatchOutcome::Delayed { .. } => "delayed",
                _ => continue,
            };
            *self.0.entry(name).or_default() += 1;
        }
        let made_up = |stored: &&StoredEvent| stored.event.data.get().contains("catch_up");
        *self.0.entry("caught up").or_default() += history.events.iter().filter(made_up).count() as u64;
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.0.iter().map(|(name, count)| format!("{count} {name}")).collect();
        write!(f, "{}", all.join(", "))
    }
}

fn name_of(what: &What) -> Option<&'static str> {
    match what {
        What::SlotQueued { .. } => Some("queued for a slot"),
        What::SlotFreed {} => Some("slots lent"),
        What::ChildStarted { awaited: true, .. } => Some("children awaited"),
        What::ApprovalGiven { by: Some(_), .. } => Some("answered"),
        What::ApprovalGiven { by: None, .. } => Some("not answered"),
        What::StepSucceeded { path, .. } if path.as_str().starts_with("undo/") => Some("undone"),
        _ => None,
    }
}

/// Whether a workflow belongs to this module.
pub(crate) fn has(workflow: &str) -> bool {
    NAMES.contains(&workflow) || schedules::TEXTS.iter().any(|(id, _)| *id == workflow)
}

fn every_event_has_its_run(history: &History) -> Vec<String> {
    let mut wrong = Vec::new();
    for ((topic, number), event) in &history.parts.accepted {
        let workflow = match *topic {
            "slot.go" => "slots",
            "call.go" => "caller",
            "ask.go" => "asks",
            _ => continue,
        };
        let runs = history.runs.iter().filter(|(row, _)| row.event == *event && row.workflow.as_str() == workflow);
        let count = runs.count();
        if count != 1 {
            wrong.push(format!("{topic} {number} ({event}) was accepted and has {count} runs"));
        }
    }
    wrong
}

/// Why a run of these workflows may have ended as it did.
pub(crate) fn is_justified(history: &History, row: &RunRow, journal: &[Entry]) -> bool {
    let code = row.error.as_ref().map(|error| error.code.as_str()).unwrap_or_default();
    let said = |wanted: fn(&What) -> bool| journal.iter().any(|entry| wanted(&entry.what));
    let given_up = said(|what| matches!(what, What::FailRequested { .. }));
    match row.status {
        RunStatus::Succeeded => true,
        RunStatus::Cancelled => {
            said(|what| matches!(what, What::CancelRequested { .. })) || ["skipped", "replaced"].contains(&code)
        }
        RunStatus::Failed => given_up || slots::may_fail(row, code) || calls::may_fail(history, row, code),
        RunStatus::Parked => !history.honours_keys && said(|what| matches!(what, What::StepUnknown { .. })),
        _ => false,
    }
}

/// The number of the event that a run was started for.
fn number_of(history: &History, row: &RunRow) -> Option<u64> {
    history.parts.accepted.iter().find(|(_, event)| **event == row.event).map(|((_, number), _)| *number)
}

/// How often an effect happened, and under how many keys.
fn effect(history: &History, label: &str) -> (u64, usize) {
    history.effects.get(label).map_or((0, 0), |effect| (effect.times, effect.keys.len()))
}

/// The runs of a workflow.
fn runs_of<'h>(history: &'h History, workflow: &'h str) -> impl Iterator<Item = &'h (RunRow, Vec<Entry>)> {
    history.runs.iter().filter(move |(row, _)| row.workflow.as_str() == workflow)
}
