//! Schedules: each time of each store at most once, and what passed while no engine ran as `catch_up` says.

use std::{collections::BTreeMap, time::Duration};

use cartwright_core::{event::Source, time::Timestamp};

use crate::{life::History, street::SHOPS};

pub(super) const TEXTS: &[(&str, &str)] = &[
    ("hour-none", "on: { schedule: { cron: '0 * * * *', catch_up: none } }\nsteps: [{ stop: done }]\n"),
    ("hour-one", "on: { schedule: { cron: '0 * * * *', catch_up: one } }\nsteps: [{ stop: done }]\n"),
    ("hour-all", "on: { schedule: { cron: '0 * * * *', catch_up: all } }\nsteps: [{ stop: done }]\n"),
    (
        "hour-stores",
        "on: { schedule: { cron: '0 * * * *', catch_up: all, jitter: 10m, stores: ['*'] } }\nsteps: [{ stop: done }]\n",
    ),
];

const HOUR: i64 = 3_600_000;
/// As the engine has it: later than this is missed.
const LATE: Duration = Duration::from_secs(15 * 60);
const JITTER: Duration = Duration::from_secs(10 * 60);
/// A start may be late by a refused write and the pause after it, and by some more of them.
const SLOW: Duration = Duration::from_secs(10);

pub(super) fn check(history: &History) -> Vec<String> {
    let mut wrong = Vec::new();
    for (workflow, _) in TEXTS {
        let mut times: BTreeMap<(Timestamp, Option<String>), u32> = BTreeMap::new();
        for stored in &history.events {
            let Source::Schedule { workflow: of, due, .. } = &stored.event.source else { continue };
            if of.as_str() != *workflow {
                continue;
            }
            *times.entry((*due, stored.event.store.as_ref().map(ToString::to_string))).or_default() += 1;
            let runs = history.runs.iter().filter(|(row, _)| row.event == stored.event.id).count();
            if runs != 1 {
                wrong.push(format!("{workflow} of {due} has {runs} runs"));
            }
        }
        wrong.extend(
            times.iter().filter(|(_, count)| **count > 1).map(|(at, _)| format!("{workflow}: {at:?} came twice")),
        );
        let stores = if *workflow == "hour-stores" { SHOPS } else { 1 };
        for due in hours(history) {
            let count = times.keys().filter(|(at, _)| *at == due).count();
            let fine = match expected(history, workflow, due) {
                Expected::Always => count == stores,
                Expected::Never => count == 0,
                Expected::Either => count <= stores,
            };
            if !fine {
                wrong.push(format!("{workflow} of {due} came {count} times; engines ran {:?}", history.parts.lives));
            }
        }
    }
    wrong
}

/// Whether a time has a start.
enum Expected {
    Always,
    Never,
    Either,
}

/// Every full hour of the history.
fn hours(history: &History) -> impl Iterator<Item = Timestamp> {
    let lives = &history.parts.lives;
    let (first, last) = (lives.first().map(|life| life.0), lives.last().map(|life| life.1));
    let (first, last) = (first.unwrap_or_default().as_millis(), last.unwrap_or_default().as_millis());
    (first / HOUR..=last / HOUR).map(|hour| Timestamp::from_millis(hour * HOUR))
}

fn expected(history: &History, workflow: &str, due: Timestamp) -> Expected {
    let lives = &history.parts.lives;
    let is_long = |life: &&(Timestamp, Timestamp)| life.1.since(life.0) > SLOW;
    // Before an engine ran for a while nothing of it need be known.
    let known = lives.iter().find(is_long).map(|life| life.1);
    let end = lives.last().map(|life| life.1).unwrap_or_default();
    let jitter = if workflow == "hour-stores" { JITTER } else { Duration::ZERO };
    let within = |from: Timestamp, until: Timestamp| from < due && due <= until;
    // While an engine runs for as long as a start may take, there is one.
    let running = lives.iter().any(|life| within(life.0, life.1) && due.plus(SLOW + jitter) < life.1);
    let near = lives.iter().any(|life| due >= life.0 && due <= life.1);
    if running {
        return Expected::Always;
    }
    if known.is_none_or(|known| due <= known) || near || due.plus(SLOW + jitter + LATE) > end {
        return Expected::Either;
    }
    match workflow {
        "hour-none" => Expected::Never,
        "hour-one" => {
            let missed = |life: &(Timestamp, Timestamp)| due.plus(LATE) <= life.0;
            let is_last = |life: &(Timestamp, Timestamp)| {
                missed(life) && life.0.since(due) < LATE + Duration::from_millis(HOUR as u64)
            };
            let on_time = lives.iter().any(|life| due < life.0 && !missed(life));
            let long = lives.iter().filter(is_long).any(|life| is_last(life) || (due < life.0 && !missed(life)));
            match (lives.iter().any(is_last) || on_time, long) {
                (_, true) => Expected::Always,
                (true, false) => Expected::Either,
                (false, false) => Expected::Never,
            }
        }
        _ => Expected::Always,
    }
}
