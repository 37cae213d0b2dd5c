//! Gates of triggers: each event that was accepted is in exactly one run, or says which event it is a duplicate of.

use std::{collections::BTreeMap, time::Duration};

use cartwright_core::{
    event::MatchOutcome,
    id::{EventId, RunId},
    run::entry::{Entry, TimerKind, What},
    time::Timestamp,
};

use super::runs_of;
use crate::life::History;

pub(super) const TEXTS: &[(&str, &str)] = &[
    (
        "gate-dedupe",
        r#"
on: { event: { topics: [gate.go], dedupe: { key: "${{ event.data.key }}", window: 20s } } }
steps: [{ script: "events.map(|one| one.data.n)" }]
"#,
    ),
    (
        "gate-debounce",
        r#"
on: { event: { topics: [gate.go], debounce: { key: "${{ event.data.key }}", wait: 3s, max_wait: 8s } } }
steps: [{ script: "events.map(|one| one.data.n)" }]
"#,
    ),
    (
        "gate-collect",
        r#"
on: { event: { topics: [gate.go], collect: { max_items: 3, max_wait: 10s } } }
steps: [{ script: "events.map(|one| one.data.n)" }]
"#,
    ),
    (
        "gate-throttle",
        r#"
on: { event: { topics: [gate.go], throttle: { limit: 2, per: 5s } } }
steps: [{ script: "events.map(|one| one.data.n)" }]
"#,
    ),
    (
        "gate-all",
        r#"
on:
  event:
    topics: [gate.go]
    dedupe: { key: "${{ event.data.pair }}", window: 1h }
    debounce: { key: "${{ event.data.key }}", wait: 2s, max_wait: 6s }
    collect: { max_items: 2, max_wait: 10s }
    throttle: { limit: 1, per: 4s }
steps: [{ script: "events.map(|one| one.data.n)" }]
"#,
    ),
];
const WINDOW: Duration = Duration::from_secs(20);
const COLLECTED_MAX: usize = 3;

/// What came of the events for one workflow, in the order of acceptance.
struct Told<'h> {
    workflow: &'h str,
    outcomes: Vec<(&'h EventId, Timestamp, u64, &'h MatchOutcome)>,
    /// The events of each run.
    runs: BTreeMap<&'h RunId, Vec<&'h EventId>>,
}

pub(super) fn check(history: &History) -> Vec<String> {
    let mut wrong = Vec::new();
    for (workflow, _) in TEXTS {
        match told(history, workflow) {
            Ok(told) => {
                wrong.extend(each_event_is_in_one_run(&told));
                wrong.extend(match *workflow {
                    "gate-dedupe" => dedupe(&told),
                    "gate-debounce" => debounce(&told),
                    "gate-collect" => collect(&told),
                    "gate-throttle" => pace(history, workflow, 2, Duration::from_secs(5)),
                    _ => pace(history, workflow, 1, Duration::from_secs(4)),
                });
            }
            Err(why) => wrong.push(why),
        }
    }
    wrong
}

fn told<'h>(history: &'h History, workflow: &'h str) -> Result<Told<'h>, String> {
    let mut outcomes = Vec::new();
    for ((topic, number), event) in &history.parts.accepted {
        if *topic != "gate.go" {
            continue;
        }
        let stored = history.events.iter().find(|stored| stored.event.id == *event);
        let stored = stored.ok_or_else(|| format!("{event} is gone"))?;
        let matches = stored.matches.iter().flatten().filter(|one| one.workflow.as_str() == workflow);
        let [one] = matches.collect::<Vec<_>>()[..] else {
            return Err(format!("gate.go {number} ({event}) has not one outcome for {workflow}: {:?}", stored.matches));
        };
        outcomes.push((event, stored.event.time, *number, &one.outcome));
    }
    outcomes.sort_by_key(|(event, ..)| *event);
    let runs = runs_of(history, workflow).map(|(row, journal)| {
        let events = match &journal[0].what {
            What::RunStarted { events, event, .. } if events.is_empty() => vec![event],
            What::RunStarted { events, .. } => events.iter().collect(),
            _ => Vec::new(),
        };
        (&row.id, events)
    });
    Ok(Told { workflow, runs: runs.collect(), outcomes })
}

fn each_event_is_in_one_run(told: &Told<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (event, _, number, outcome) in &told.outcomes {
        let having: Vec<_> =
            told.runs.iter().filter(|(_, events)| events.contains(event)).map(|(run, _)| *run).collect();
        let fine = match outcome {
            MatchOutcome::Duplicate { .. } => having.is_empty(),
            // The run has the last of the burst.
            MatchOutcome::Merged { run: Some(run), .. } => {
                told.runs.contains_key(run) && having.iter().all(|one| *one == run)
            }
            other => other.run().is_some_and(|run| having == [run]),
        };
        if !fine {
            let workflow = told.workflow;
            wrong.push(format!("{workflow}: event {number} ({event}) is {outcome:?}, and in the runs {having:?}"));
        }
    }
    let promised = |run: &RunId| told.outcomes.iter().any(|(.., outcome)| outcome.run() == Some(run));
    wrong.extend(told.runs.keys().filter(|run| !promised(run)).map(|run| format!("{run} is in no event's outcome")));
    wrong
}

fn dedupe(told: &Told<'_>) -> Vec<String> {
    let mut passed: BTreeMap<u64, (&EventId, Timestamp)> = BTreeMap::new();
    let mut wrong = Vec::new();
    // In the order in which they were matched, which is that of their times within a millisecond.
    for (event, at, number, outcome) in &told.outcomes {
        let before = passed.get(&(number % 2)).copied();
        let expected = before.filter(|(_, began)| *at < began.plus(WINDOW));
        let fine = match (expected, outcome) {
            (Some((first, _)), MatchOutcome::Duplicate { of, .. }) => first == of,
            (None, MatchOutcome::Started { .. }) => true,
            _ => false,
        };
        if !fine {
            wrong.push(format!("dedupe: event {number} ({event}) is {outcome:?}; before it passed {before:?}"));
        }
        if matches!(outcome, MatchOutcome::Started { .. }) {
            passed.insert(number % 2, (event, *at));
        }
    }
    wrong
}

fn debounce(told: &Told<'_>) -> Vec<String> {
    let mut last: BTreeMap<&RunId, &EventId> = BTreeMap::new();
    for (event, .., outcome) in &told.outcomes {
        last.extend(outcome.run().map(|run| (run, *event)));
    }
    let wrong = told.runs.iter().filter(|(run, events)| last.get(*run).is_none_or(|last| **events != [*last]));
    wrong.map(|(run, events)| format!("{run} has {events:?}, the last of its burst is {:?}", last.get(run))).collect()
}

fn collect(told: &Told<'_>) -> Vec<String> {
    let is_fine = |events: &Vec<&EventId>| {
        events.len() <= COLLECTED_MAX && !events.is_empty() && events.windows(2).all(|pair| pair[0] < pair[1])
    };
    let wrong = told.runs.iter().filter(|(_, events)| !is_fine(events));
    wrong.map(|(run, events)| format!("{run} collected {events:?}")).collect()
}

/// Never more than so many begin in a span.
fn pace(history: &History, workflow: &str, limit: usize, per: Duration) -> Vec<String> {
    let mut begun: Vec<Timestamp> = runs_of(history, workflow).filter_map(|(_, journal)| begin(journal)).collect();
    begun.sort_unstable();
    let close = begun.windows(limit + 1).filter(|window| window[limit].since(window[0]) < per);
    close.map(|window| format!("{workflow}: {} runs began within {per:?}: {window:?}", limit + 1)).collect()
}

fn begin(journal: &[Entry]) -> Option<Timestamp> {
    let fired = |entry: &&Entry| matches!(entry.what, What::TimerFired { timer: TimerKind::Start, .. });
    let delayed = journal.iter().any(|entry| matches!(entry.what, What::StartDelayed { .. }));
    if delayed { journal.iter().find(fired) } else { journal.first() }.map(|entry| entry.at)
}
