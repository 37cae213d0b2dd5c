//! What must hold after any history. The checkers know nothing of how it was made.

use std::{collections::BTreeMap, fmt};

use cartwright_core::{
    id::EventId,
    run::{
        apply::fold,
        entry::{Entry, What},
        row::{RunRow, RunStatus},
    },
};

use crate::{
    goods,
    life::History,
    network::Effect,
    parts, people,
    workflows::{EFFECTS, EITHER, FAILED},
};

/// What all seeds together did, to see that the simulation is not idle.
#[derive(Default)]
pub(crate) struct Totals {
    events: u64,
    runs: u64,
    effects: u64,
    crashes: u64,
    doubts: u64,
    exchanges: u64,
    words: [u64; 4],
    failed: u64,
    parts: parts::Counted,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, runs, effects, crashes, doubts, exchanges, words, failed, parts } = self;
        write!(f, "{crashes} crashes, {events} events, {runs} runs, {effects} effects, {doubts} in doubt, ")?;
        let [done, not_done, given_up, gone_on] = words;
        write!(f, "{exchanges} lines from shops; people said {done} done, {not_done} not done, {given_up} given up, ")?;
        write!(f, "{gone_on} go on; {failed} runs failed; {parts}")
    }
}

/// Everything that is wrong with a history.
pub(crate) fn check(history: &History, totals: &mut Totals) -> Vec<String> {
    totals.events += history.accepted.len() as u64;
    totals.runs += history.runs.len() as u64;
    totals.effects += history.effects.len() as u64;
    totals.crashes += history.crashes;
    totals.parts.add(history);
    totals.exchanges += history.exchanges as u64;
    for (total, more) in totals.words.iter_mut().zip(people::counted(history)) {
        *total += more;
    }
    let mut wrong = Vec::new();
    if let Some(left) = &history.unsettled {
        wrong.push(format!("it does not come to rest: {left}"));
    }
    wrong.extend(rows_are_folds(&history.runs));
    wrong.extend(no_event_is_lost(history));
    wrong.extend(effects_happen_once(history));
    wrong.extend(ends_are_justified(history, totals));
    wrong.extend(counting_is_exact(history));
    wrong.extend(people::check(history));
    wrong.extend(parts::check(history));
    wrong.extend(goods::doubled(&history.stock).map(|(name, times)| format!("the shop has {name} {times} times")));
    wrong
}

fn rows_are_folds(runs: &[(RunRow, Vec<Entry>)]) -> Vec<String> {
    let check = |(row, journal): &(RunRow, Vec<Entry>)| match fold(journal) {
        Ok(Some(state)) if state.row() == *row => None,
        Ok(Some(state)) => Some(format!("{}: the row {row:?} is not what the journal says: {:?}", row.id, state.row())),
        Ok(None) => Some(format!("{}: a row without a journal", row.id)),
        Err(illegal) => Some(format!("{}: {illegal}", row.id)),
    };
    runs.iter().filter_map(check).collect()
}

fn no_event_is_lost(history: &History) -> Vec<String> {
    let mut started: BTreeMap<&EventId, Vec<&str>> = BTreeMap::new();
    for (row, _) in &history.runs {
        started.entry(&row.event).or_default().push(row.workflow.as_str());
    }
    let mut wrong = Vec::new();
    for (number, event) in &history.accepted {
        let mut workflows = started.get(event).cloned().unwrap_or_default();
        workflows.sort_unstable();
        let expect: Vec<&str> =
            ["orders"].into_iter().chain(goods::started_by(*number)).chain(["waits", "waits-step"]).collect();
        if workflows != expect {
            wrong.push(format!("order {number} ({event}) was accepted and led to {workflows:?}"));
        }
    }
    // An emitted event is an accepted event: its run is there once the emitting run has succeeded.
    let count = |id: &str| {
        let succeeded = |row: &RunRow| row.workflow.as_str() != "orders" || row.status == RunStatus::Succeeded;
        history.runs.iter().filter(|(row, _)| row.workflow.as_str() == id && succeeded(row)).count()
    };
    if count("done") < count("orders") {
        wrong.push(format!("{} runs emitted, {} were started by that", count("orders"), count("done")));
    }
    let unmatched = history.events.iter().filter(|event| event.matches.is_none());
    wrong.extend(unmatched.map(|event| format!("{} is still in the inbox", event.event.id)));
    wrong
}

fn effects_happen_once(history: &History) -> Vec<String> {
    let mut wrong = Vec::new();
    for (label, effect) in &history.effects {
        // Of these the parts know how often each may happen.
        if parts::PREFIXES.iter().any(|name| label.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))) {
            continue;
        }
        if label.starts_with(FAILED) {
            wrong.extend(failure_is_told_once(history, label, effect));
            continue;
        }
        if effect.times != 1 {
            wrong.push(format!("{label} happened {} times", effect.times));
        }
        if effect.keys.len() != 1 {
            wrong.push(format!("{label} was asked for under {} keys", effect.keys.len()));
        }
    }
    let times = |label: String| history.effects.get(&label).map_or(0, |effect| effect.times);
    for number in history.accepted.keys() {
        for [came, late] in EITHER {
            if times(format!("{came}-{number}")) > 0 && times(format!("{late}-{number}")) > 0 {
                wrong.push(format!("order {number}: its wait ended both ways"));
            }
            if times(format!("{came}-{number}")) > 0 && !history.updated.contains(number) {
                wrong.push(format!("order {number}: its wait ended with a change that was never sent"));
            }
        }
    }
    wrong
}

/// One telling for each failure that was handled, each under a key of its own.
fn failure_is_told_once(history: &History, label: &str, effect: &Effect) -> Option<String> {
    let number: u64 = label.rsplit('-').next()?.parse().ok()?;
    let event = history.accepted.get(&number)?;
    let (_, journal) = history.runs.iter().find(|(row, _)| row.event == *event && row.workflow.as_str() == "orders")?;
    let handled = journal.iter().filter(|entry| matches!(entry.what, What::FailureHandling { .. })).count();
    let is_fine = effect.times == effect.keys.len() as u64 && effect.keys.len() <= handled;
    let (times, keys) = (effect.times, effect.keys.len());
    (!is_fine).then(|| format!("{label} happened {times} times under {keys} keys, of {handled} failures"))
}

/// Failed: a person gave it up. Succeeded: every effect is there. Parked: something is unknown, and only where the receiver ignores keys.
fn ends_are_justified(history: &History, totals: &mut Totals) -> Vec<String> {
    let numbers: BTreeMap<&EventId, u64> = history.accepted.iter().map(|(number, event)| (event, *number)).collect();
    let happened = |label: String| history.effects.contains_key(&label);
    let mut wrong = Vec::new();
    for (row, journal) in &history.runs {
        if parts::has(row.workflow.as_str()) {
            if !parts::is_justified(history, row, journal) {
                wrong.push(format!("{} of {} ended as {:?}: {:?}", row.id, row.workflow, row.status, row.error));
            }
            continue;
        }
        match row.status {
            RunStatus::Succeeded => {
                let Some(number) = numbers.get(&row.event) else { continue };
                let fine = match row.workflow.as_str() {
                    // The last effect belongs to the run that the emitted event starts.
                    "orders" => EFFECTS[..8].iter().all(|name| happened(format!("{name}-{number}"))),
                    "waits" => EITHER[0].iter().any(|name| happened(format!("{name}-{number}"))),
                    "waits-step" => EITHER[1].iter().any(|name| happened(format!("{name}-{number}"))),
                    "shop-steps" | "shop-script" => goods::missing(&history.stock, *number).is_empty(),
                    _ => true,
                };
                if !fine {
                    wrong.push(format!("{} of order {number} succeeded without its effects", row.id));
                }
            }
            RunStatus::Parked => {
                let doubt = journal.iter().any(|entry| matches!(entry.what, What::StepUnknown { .. }));
                totals.doubts += 1;
                // A shop can always be asked.
                let asks = row.workflow.as_str().starts_with("shop-");
                if history.honours_keys || asks || !doubt {
                    wrong.push(format!("{} is parked: {:?}", row.id, row.error));
                }
            }
            RunStatus::Failed if journal.iter().any(|entry| matches!(entry.what, What::FailRequested { .. })) => {
                totals.failed += 1;
            }
            other => wrong.push(format!("{} ended as {other:?}: {:?}", row.id, row.error)),
        }
    }
    wrong
}

/// `state::increment` gave 1, 2, 3, … to the runs of a store's workflow, each number once.
fn counting_is_exact(history: &History) -> Vec<String> {
    let mut numbers: Vec<u64> = Vec::new();
    for (row, journal) in history.runs.iter().filter(|(row, _)| row.workflow.as_str() == "orders") {
        let _ = row;
        for entry in journal {
            if let What::CallResolved { function, outcome: cartwright_core::call::CallOutcome::Ok(value), .. } =
                &entry.what
                && function == "state::increment"
            {
                numbers.extend(value.as_u64());
            }
        }
    }
    numbers.sort_unstable();
    let expect: Vec<u64> = (1..=numbers.len() as u64).collect();
    if numbers == expect { Vec::new() } else { vec![format!("counted {numbers:?}")] }
}

/// Where two histories of one seed part.
pub(crate) fn difference(first: &History, second: &History) -> Option<String> {
    if first.trace == second.trace {
        return None;
    }
    let at = first.trace.iter().zip(&second.trace).position(|(a, b)| a != b);
    let at = at.unwrap_or(first.trace.len().min(second.trace.len()));
    let line = |history: &History| history.trace.get(at).cloned().unwrap_or_else(|| "(ends)".into());
    Some(format!("  line {at} of seed {}:\n  {}\n  {}", first.seed, line(first), line(second)))
}
